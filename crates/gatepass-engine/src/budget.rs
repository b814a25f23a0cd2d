//! Limits of token requests per minute, shared by all sources of a process that use one endpoint.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatepass_core::Error;

const WINDOW: Duration = Duration::from_secs(60);

/// The token requests of the last minute to one origin.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    /// Start times on the boot clock, the oldest first.
    started: Mutex<VecDeque<Duration>>,
}

/// One budget per origin. It outlives the sources, because a new source must respect the requests
/// of a dropped one.
static BUDGETS: LazyLock<Mutex<HashMap<String, Arc<Budget>>>> = LazyLock::new(Mutex::default);
/// With this many origins, budgets without a request in progress are dropped.
const MAX_ORIGINS: usize = 1024;

impl Budget {
    /// Returns the budget of an origin. If two sources give different limits, the first one holds.
    pub(crate) fn for_origin(origin: &str, per_minute: u32) -> Arc<Self> {
        let mut budgets = lock(&BUDGETS);
        if budgets.len() >= MAX_ORIGINS {
            budgets.retain(|_, budget| Arc::strong_count(budget) > 1);
        }
        let budget = budgets.entry(origin.to_owned());
        budget.or_insert_with(|| Arc::new(Self::new(per_minute))).clone()
    }

    fn new(per_minute: u32) -> Self {
        let limit = usize::try_from(per_minute).unwrap_or(usize::MAX).max(1);
        Self { limit, started: Mutex::default() }
    }

    /// Counts a request that starts at `now` (boot clock), or returns how long the limit allows no
    /// further request. No window of a minute contains more starts than the limit.
    pub(crate) fn try_take(&self, now: Duration) -> Result<(), Duration> {
        let mut started = lock(&self.started);
        while started.front().is_some_and(|first| first.saturating_add(WINDOW) <= now) {
            started.pop_front();
        }
        match started.front() {
            Some(first) if started.len() >= self.limit => {
                Err(first.saturating_add(WINDOW).saturating_sub(now))
            }
            _ => {
                started.push_back(now);
                Ok(())
            }
        }
    }

    /// Returns the error for a request that would have to wait too long.
    pub(crate) fn exhausted(&self, wait: Duration) -> Error {
        let limit = self.limit;
        Error::throttled(format!(
            "the vendor's limit of {limit} token requests a minute is reached"
        ))
        .with_retry_after(wait)
        .hint("use fewer identities, or request tokens with a longer lifetime")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sources_of_one_origin_share_a_budget() {
        let (a, b) = (
            Budget::for_origin("https://a.example", 1),
            Budget::for_origin("https://a.example", 1),
        );
        let other = Budget::for_origin("https://b.example", 1);
        let now = Duration::from_secs(100);
        assert_eq!(a.try_take(now), Ok(()));
        assert_eq!(b.try_take(now + Duration::from_secs(20)), Err(Duration::from_secs(40)));
        assert_eq!(other.try_take(now), Ok(()));
        assert_eq!(b.try_take(now + WINDOW), Ok(()));
    }

    proptest! {
        #[test]
        fn no_minute_exceeds_the_limit(limit in 1u32..20, gaps in prop::collection::vec(0u64..9000, 1..200)) {
            let budget = Budget::new(limit);
            let (mut now, mut taken) = (Duration::from_secs(1000), Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                match budget.try_take(now) {
                    Ok(()) => taken.push(now),
                    Err(wait) => prop_assert!(wait > Duration::ZERO && wait <= WINDOW),
                }
            }
            for first in &taken {
                let within = taken.iter().filter(|time| *time >= first && **time < *first + WINDOW).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }
}
