//! The runtime items that the engine uses. `tests/orders` replaces this file with a scheduler that
//! tries many interleavings.

pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use arc_swap::ArcSwapOption;
pub(crate) use tokio::runtime::Handle;
pub(crate) use tokio::sync::watch;
pub(crate) use tokio::task::{AbortHandle, JoinSet};
pub(crate) use tokio::time::error::Elapsed;
pub(crate) use tokio::time::{Timeout, sleep, timeout};
