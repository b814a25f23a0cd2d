//! Clock: where time comes from, passed in so that tests can hold it.

use std::fmt;
use std::time::{Duration, SystemTime};

/// Tells the time. The engine brings one that asks the system; tests hold their own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Wall time: what absolute expiry times are compared with. It may jump.
    fn wall(&self) -> SystemTime;

    /// Time since some fixed moment, counting suspend, never going back.
    fn boot(&self) -> Duration;
}
