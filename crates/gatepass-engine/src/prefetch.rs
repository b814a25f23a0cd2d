//! The task that refreshes a source's token while it is unused (`keep_warm`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cache::{Cache, TokenRequirement, WeakCache};
use crate::rt::{AbortHandle, Handle, sleep};

/// Longest sleep, and so the time in which a resume from suspend is noticed.
pub(crate) const MAX_SLEEP: Duration = Duration::from_secs(30);
/// Shortest sleep, for a token that is due but cannot be requested at once.
pub(crate) const MIN_SLEEP: Duration = Duration::from_millis(50);

/// Whether a prefetch task runs. The task resets it when it ends, also with its runtime.
pub(crate) type PrefetchFlag = Arc<AtomicBool>;

/// Starts the prefetch task of a source if none runs. It ends with the source or the runtime.
pub(crate) fn start(cache: &Arc<Cache>, flag: &PrefetchFlag) -> Option<AbortHandle> {
    let runtime = Handle::try_current().ok()?;
    if flag.swap(true, Ordering::SeqCst) {
        return None;
    }
    let guard = PrefetchGuard(flag.clone());
    Some(runtime.spawn(prefetch(Arc::downgrade(cache), guard)).abort_handle())
}

/// Resets the flag when the task ends.
struct PrefetchGuard(PrefetchFlag);

impl Drop for PrefetchGuard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

async fn prefetch(cache: WeakCache, _guard: PrefetchGuard) {
    while let Some(cache) = cache.upgrade() {
        let due = cache.due_in();
        if due.is_zero() && cache.token(Duration::ZERO).is_none() {
            // The token has expired or was invalidated: start a flight and do not wait for it.
            let _ = cache.join_or_start(TokenRequirement::Remaining(Duration::ZERO));
        }
        drop(cache);
        sleep(due.clamp(MIN_SLEEP, MAX_SLEEP)).await;
    }
}
