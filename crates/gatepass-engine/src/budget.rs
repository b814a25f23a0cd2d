//! Budget: how many token requests a minute a vendor allows, shared by all sources of a process
//! that ask the same endpoint.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatepass_core::Error;

const WINDOW: Duration = Duration::from_secs(60);

/// The requests of the last minute to one origin.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    /// When each began, on the boot clock, the oldest first.
    begun: Mutex<VecDeque<Duration>>,
}

/// One for each origin. It outlives those who ask: what they have used is still used when the next
/// one comes.
static BUDGETS: LazyLock<Mutex<HashMap<String, Arc<Budget>>>> = LazyLock::new(Mutex::default);
/// From so many origins on, those that nobody asks just now are forgotten.
const ORIGINS: usize = 1024;

impl Budget {
    /// The budget of an origin. Where two sources give limits that differ, the first one holds.
    pub(crate) fn of(origin: &str, per_minute: u32) -> Arc<Self> {
        let mut budgets = lock(&BUDGETS);
        if budgets.len() >= ORIGINS {
            budgets.retain(|_, budget| Arc::strong_count(budget) > 1);
        }
        let budget = budgets.entry(origin.to_owned());
        budget.or_insert_with(|| Arc::new(Self::new(per_minute))).clone()
    }

    fn new(per_minute: u32) -> Self {
        let limit = usize::try_from(per_minute).unwrap_or(usize::MAX).max(1);
        Self { limit, begun: Mutex::default() }
    }

    /// Takes a place for a request that begins at `now` (boot clock), or says how long there is
    /// none. In no window of a minute do more requests begin than the limit.
    pub(crate) fn take(&self, now: Duration) -> Result<(), Duration> {
        let mut begun = lock(&self.begun);
        while begun.front().is_some_and(|first| first.saturating_add(WINDOW) <= now) {
            begun.pop_front();
        }
        match begun.front() {
            Some(first) if begun.len() >= self.limit => {
                Err(first.saturating_add(WINDOW).saturating_sub(now))
            }
            _ => {
                begun.push_back(now);
                Ok(())
            }
        }
    }

    /// The error for somebody whose place comes too late.
    pub(crate) fn exhausted(&self, wait: Duration) -> Error {
        Error::throttled(format!("the vendor's {} token requests a minute are used up", self.limit))
            .with_retry_after(wait)
            .with_hint("fewer identities, or tokens that live longer, need fewer requests")
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
    fn sources_of_one_origin_share_it_and_those_of_another_do_not() {
        let (a, b) = (Budget::of("https://a.example", 1), Budget::of("https://a.example", 1));
        let other = Budget::of("https://b.example", 1);
        let now = Duration::from_secs(100);
        assert_eq!(a.take(now), Ok(()));
        assert_eq!(b.take(now + Duration::from_secs(20)), Err(Duration::from_secs(40)));
        assert_eq!(other.take(now), Ok(()));
        assert_eq!(b.take(now + WINDOW), Ok(()));
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_than_the_limit(limit in 1u32..20, gaps in prop::collection::vec(0u64..9000, 1..200)) {
            let budget = Budget::new(limit);
            let (mut now, mut taken) = (Duration::from_secs(1000), Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                match budget.take(now) {
                    Ok(()) => taken.push(now),
                    Err(wait) => prop_assert!(wait > Duration::ZERO && wait <= WINDOW),
                }
            }
            for first in &taken {
                let within = taken.iter().filter(|at| *at >= first && **at < *first + WINDOW).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }
}
