//! The status of a pool, for health checks and debugging.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::shared::Shared;

/// A snapshot of a [`TokenPool`](crate::TokenPool). It contains no key and no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Number of cached tokens, usable or not.
    pub entries: usize,
    /// Number of identities whose token request is in flight or waits for a permit.
    pub exchanging: usize,
    /// Number of identities whose last token request failed.
    pub failing: usize,
    /// Number of callers that wait for a token request.
    pub waiting: usize,
    /// Number of started refreshes; each makes one or two requests.
    pub flights: u64,
    /// Number of failed refreshes.
    pub failures: u64,
    /// Number of tokens that were evicted because the pool was full.
    pub evicted: u64,
    /// Number of tokens that were removed because they had expired or were idle.
    pub dropped: u64,
}

impl PoolStatus {
    pub(super) fn of(shared: &Shared) -> Self {
        let counts = &shared.counts;
        let now = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        let ever = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let exchanging = now(&counts.in_flight);
        Self {
            entries: now(&counts.entries),
            exchanging,
            failing: now(&counts.active).saturating_sub(exchanging),
            waiting: now(&counts.waiting),
            flights: ever(&counts.flights),
            failures: ever(&counts.failures),
            evicted: ever(&counts.evicted),
            dropped: ever(&counts.dropped),
        }
    }
}
