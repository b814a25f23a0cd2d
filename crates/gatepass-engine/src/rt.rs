//! What the engine takes from its runtime, in one place: `tests/orders` puts a runtime here that
//! decides what runs next, and tries one order after the other.

pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use arc_swap::ArcSwapOption;
pub(crate) use tokio::runtime::Handle;
pub(crate) use tokio::sync::watch;
pub(crate) use tokio::task::{AbortHandle, JoinSet};
pub(crate) use tokio::time::error::Elapsed;
pub(crate) use tokio::time::{Timeout, sleep, timeout};
