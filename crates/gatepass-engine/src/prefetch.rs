//! Keeps a token warm while nobody asks for it, and tells those who watch of each new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatepass_core::{Result, Token};

use crate::TokenSource;
use crate::cache::{Cache, TokenRequirement, WeakCache};
use crate::rt::{AbortHandle, Handle, sleep, timeout, watch};

/// The longest sleep: a machine that wakes from suspend is noticed after this time at the latest.
const MAX_SLEEP: Duration = Duration::from_secs(30);
/// The shortest, where something is due that cannot be done at once.
const MIN_SLEEP: Duration = Duration::from_millis(50);

/// Whether a task keeps a source warm; none does once its runtime has ended.
pub(crate) type PrefetchFlag = Arc<AtomicBool>;

/// Starts the task that refreshes for as long as the source and the runtime live, if none does.
pub(crate) fn start(cache: &Arc<Cache>, prefetching: &PrefetchFlag) -> Option<AbortHandle> {
    let runtime = Handle::try_current().ok()?;
    if prefetching.swap(true, Ordering::SeqCst) {
        return None;
    }
    let prefetch_task = PrefetchGuard(prefetching.clone());
    Some(runtime.spawn(keep_warm(Arc::downgrade(cache), prefetch_task)).abort_handle())
}

/// Says that nothing keeps the source warm once this ends, however it does.
struct PrefetchGuard(PrefetchFlag);

impl Drop for PrefetchGuard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

async fn keep_warm(cache: WeakCache, _warming: PrefetchGuard) {
    while let Some(source) = cache.upgrade() {
        let due = source.due_in();
        if due.is_zero() && source.token(Duration::ZERO).is_none() {
            // Expired or invalidated: a flight brings the next, and its end is not waited for.
            let _ = source.join_or_start(TokenRequirement::Remaining(Duration::ZERO));
        }
        drop(source);
        sleep(due.clamp(MIN_SLEEP, MAX_SLEEP)).await;
    }
}

/// One new token after the other: what [`TokenSource::watch`] gives.
#[derive(Debug)]
pub struct Watch {
    source: TokenSource,
    changes: watch::Receiver<()>,
    last: Option<Token>,
}

impl Watch {
    pub(crate) fn new(source: TokenSource, changes: watch::Receiver<()>) -> Self {
        Self { source, changes, last: None }
    }

    /// Waits for a usable token other than the last one this gave, refreshing it in time.
    ///
    /// An error means that there is no usable token; the next call waits until it is worth asking
    /// again, which it never is once the source is closed: then each call is an error at once. It
    /// can be dropped at any await without losing a token.
    pub async fn next(&mut self) -> Result<Token> {
        loop {
            self.changes.mark_unchanged();
            if let Some(remaining) =
                self.source.cooldown_remaining().filter(|_| self.source.peek().is_none())
            {
                sleep(remaining).await;
            }
            let token = self.source.token().await?;
            if !self.last.as_ref().is_some_and(|last| last.is_same_as(&token)) {
                self.last = Some(token.clone());
                return Ok(token);
            }
            drop(token);
            let due = self.source.due_in().clamp(MIN_SLEEP, MAX_SLEEP);
            // Whichever comes first: another token, or the time to ask for one.
            let _ = timeout(due, self.changes.changed()).await;
        }
    }
}
