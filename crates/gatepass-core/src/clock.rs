//! The clock trait: time is passed in, so that tests can control it.

use std::fmt;
use std::time::{Duration, SystemTime};

/// A source of time. The engine has one for the system's clocks; tests use their own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the wall time, with which absolute expiry times are compared. It may jump.
    fn wall(&self) -> SystemTime;

    /// Returns the time since a fixed moment, including suspend. It never goes back.
    fn boot(&self) -> Duration;

    /// Returns a cheap reading of a monotonic clock, in nanoseconds, if there is one. It may lag by a
    /// few milliseconds and may stop during suspend.
    ///
    /// The engine uses the result of an exact check of [`wall`](Self::wall) and [`boot`](Self::boot)
    /// again for 10 ms of this clock. Without one it reads both for every token.
    fn coarse(&self) -> Option<u64> {
        None
    }
}
