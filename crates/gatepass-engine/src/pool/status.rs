//! PoolStatus: what a pool is doing, for a person or a health check.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::shared::Shared;

/// What a [`TokenPool`](crate::TokenPool) holds and has done. It shows no key and no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Tokens that are held, whether or not they are still usable.
    pub entries: usize,
    /// Identities whose exchange is under way or waits for its turn.
    pub exchanging: usize,
    /// Identities whose last exchange failed.
    pub failing: usize,
    /// Callers that wait for an exchange.
    pub waiting: usize,
    /// How many flights, of one exchange or two, have begun.
    pub flights: u64,
    /// How many of them have failed.
    pub failures: u64,
    /// How many tokens were dropped to make room for others.
    pub evicted: u64,
    /// How many tokens were dropped because they had ended or nobody asked for them.
    pub dropped: u64,
}

impl PoolStatus {
    pub(super) fn of(shared: &Shared) -> Self {
        let counts = &shared.counts;
        let now = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        let ever = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let exchanging = now(&counts.flying);
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
