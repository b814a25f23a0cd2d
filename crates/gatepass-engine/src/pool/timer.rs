//! The state of a pool's timer, which its callers and its task change. `sweep.rs` has the task.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// The timer's state. Its task runs only while the pool has entries or active identities.
#[derive(Debug, Default)]
pub(super) struct Timer {
    task: Mutex<Option<AbortHandle>>,
    /// The number of the running task; 0 if there is none.
    pub(super) running: AtomicU64,
    pub(super) started: AtomicU64,
    /// The tick of the boot clock until which the task sleeps.
    pub(super) planned: AtomicU64,
    pub(super) notify: Arc<Notify>,
    /// Whether a caller has woken the task since the last sweep.
    pub(super) is_woken: AtomicBool,
    /// Whether a due refresh waits for a permit.
    pub(super) is_blocked: AtomicBool,
    /// The shard at which the next sweep begins: the one where the last sweep ended early.
    pub(super) first_shard: AtomicUsize,
}

impl Timer {
    /// Wakes the task if it would sleep past `due`.
    pub(super) fn wake_if_earlier(&self, due: u64) {
        if due < self.planned.load(Ordering::SeqCst) {
            self.notify.notify_one();
        }
    }

    /// Wakes the task if a refresh waits for the permit that was released.
    pub(super) fn permit_released(&self) {
        if self.is_blocked.load(Ordering::SeqCst) {
            self.notify.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        if let Some(task) = self.task().take() {
            task.abort();
        }
    }

    pub(super) fn task(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
