//! The freshness hint: lets a hit read one coarse clock instead of the two exact ones.
//!
//! Reading both exact clocks costs more than the rest of a hit. The coarse monotonic clock (Linux's
//! `CLOCK_MONOTONIC_COARSE`, memory that the kernel updates every few milliseconds) costs a few
//! nanoseconds, but it lags, it stops during suspend, and it does not show that the wall clock was
//! set. It cannot decide alone whether a token has expired.
//!
//! After an exact check has found a token fresh, the hint stores how long that result may be
//! reused: 10 ms of the coarse clock. A hit within that time compares two integers. The result is at
//! most 10 ms old:
//!
//! - Suspend: falling asleep and waking up take longer than 10 ms of the monotonic clock, so the
//!   first hit after a resume makes an exact check.
//! - A wall clock that is set: the next exact check reads it, at most 10 ms later.
//! - Lag: with less than a second to go until the token ages, the exact clocks are always read.
//!
//! The hint is one relaxed atomic. Threads that race store the result of an exact check each, and
//! either is true; a stale value only causes one more exact check.
//!
//! Rejected alternatives:
//!
//! - Comparing the coarse wall clock as well: a second clock read costs each hit a fifth, and only
//!   makes a clock that was set visible 10 ms earlier.
//! - A task that clears a flag when the token ages: it would sleep through suspend and setting the
//!   clock, and each source would need a timer.
//! - The CPU's time stamp counter: it needs calibration per machine and `unsafe`.
//! - `Instant` alone: it stops during suspend on Linux, and the wall clock matters to the vendor.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long one check against the exact clocks may be reused.
const HINT_LIFETIME: Duration = Duration::from_millis(10);
/// Below this remaining lifetime the exact clocks are always read: the coarse clock may lag.
const EXACT_CHECK_BELOW: Duration = Duration::from_secs(1);

/// Until when the last exact check of a token holds, on the coarse clock. A new hint does not hold.
#[derive(Debug, Default)]
pub(crate) struct FreshnessHint {
    until: AtomicU64,
}

impl FreshnessHint {
    /// Returns whether the token is fresh at `now`, a coarse reading. False means that an exact check
    /// is needed.
    #[inline]
    pub(crate) fn is_fresh_at(&self, now: Option<u64>) -> bool {
        now.is_some_and(|now| now < self.until.load(Ordering::Relaxed))
    }

    /// Records an exact check, made after `now`, that found the token fresh for `fresh_for`.
    pub(crate) fn extend(&self, now: Option<u64>, fresh_for: Duration) {
        let reusable = fresh_for.saturating_sub(EXACT_CHECK_BELOW).min(HINT_LIFETIME);
        if let Some(now) = now {
            let reusable = u64::try_from(reusable.as_nanos()).unwrap_or_default();
            self.until.store(now.saturating_add(reusable), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(millis: u64) -> Option<u64> {
        Some(1_000_000_000_000 + millis * 1_000_000)
    }

    fn checked(fresh_for: Duration) -> FreshnessHint {
        let hint = FreshnessHint::default();
        assert!(!hint.is_fresh_at(at(0)));
        hint.extend(at(0), fresh_for);
        hint
    }

    #[test]
    fn hint_holds_for_ten_milliseconds_after_exact_check() {
        let hint = checked(HOUR);
        for (after, is_fresh) in [(0, true), (9, true), (10, false), (3_600_000, false)] {
            assert_eq!(hint.is_fresh_at(at(after)), is_fresh, "{after}");
        }
        hint.extend(at(60_000), HOUR);
        assert!(hint.is_fresh_at(at(60_000)));
    }

    #[test]
    fn hint_does_not_hold_without_a_coarse_clock() {
        let hint = checked(HOUR);
        assert!(!hint.is_fresh_at(None));
        hint.extend(None, HOUR);
        assert!(hint.is_fresh_at(at(9)), "the check before is still true");
    }

    #[test]
    fn hint_does_not_hold_near_expiry() {
        for millis in [0, 100, 1000] {
            assert!(!checked(Duration::from_millis(millis)).is_fresh_at(at(0)), "{millis}");
        }
        let hint = checked(Duration::from_millis(1003));
        assert!(hint.is_fresh_at(at(2)) && !hint.is_fresh_at(at(3)));
    }
}
