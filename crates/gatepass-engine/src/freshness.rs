//! The freshness hint: lets a hit check the coarse clocks instead of the exact ones.
//!
//! Reading both exact clocks costs more than the rest of a hit. The coarse clocks (Linux's
//! `CLOCK_*_COARSE`, memory that the kernel updates every few milliseconds) cost a few
//! nanoseconds, but they lag, and the coarse monotonic clock stops during suspend. They cannot
//! decide alone whether a token has expired.
//!
//! After an exact check has found a token fresh, the hint stores how long that result may be
//! reused: 10 ms of the coarse monotonic clock. A hit within that time compares two integers. The
//! result is still true, for three reasons:
//!
//! - Suspend: falling asleep and waking up take longer than 10 ms of the monotonic clock, so the
//!   first hit after a resume makes an exact check.
//! - A wall clock that is set: the hint stores the difference of the two coarse clocks at the
//!   token's arrival and does not hold while it differs by more than half a second.
//! - Lag: with less than two seconds to go until the token ages, the exact clocks are always read.
//!
//! The hint is one relaxed atomic. Threads that race store the result of an exact check each, and
//! either is true; a stale value only causes one more exact check.
//!
//! Rejected alternatives:
//!
//! - A task that clears a flag when the token ages: it would sleep through suspend and setting the
//!   clock, and each source would need a timer.
//! - The CPU's time stamp counter: it needs calibration per machine and `unsafe`.
//! - `Instant` alone: it stops during suspend on Linux, and the wall clock matters to the vendor.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatepass_core::CoarseTime;

/// How long one check against the exact clocks may be reused.
const HINT_LIFETIME: Duration = Duration::from_millis(10);
/// How far, in nanoseconds, the two clocks may move apart: half a second either way, so that the
/// wall clock was set by at most one second between two checks.
const CLOCK_TOLERANCE: u64 = 500_000_000;
/// Below this remaining lifetime the exact clocks are always read: one second by which the wall
/// clock may have been set, and one by which both coarse clocks may lag.
const EXACT_CHECK_BELOW: Duration = Duration::from_secs(2);

/// Until when the last exact check of a token holds.
#[derive(Debug)]
pub(crate) struct FreshnessHint {
    /// Difference of the two clocks when the token arrived.
    ahead: u64,
    /// End of the hint on the coarse monotonic clock.
    until: AtomicU64,
}

impl FreshnessHint {
    /// Returns the hint of a token that arrived at `now`. It holds only after an exact check.
    pub(crate) fn new(now: CoarseTime) -> Self {
        Self { ahead: now.ahead(), until: AtomicU64::new(0) }
    }

    /// Returns whether the token is fresh at `now`. False means that an exact check is needed.
    #[inline]
    pub(crate) fn is_fresh_at(&self, now: CoarseTime) -> bool {
        now.monotonic() < self.until.load(Ordering::Relaxed) && self.clocks_agree(now)
    }

    /// Records an exact check, made after `now`, that found the token fresh for `fresh_for`.
    pub(crate) fn extend(&self, now: CoarseTime, fresh_for: Duration) {
        let reusable = fresh_for.saturating_sub(EXACT_CHECK_BELOW).min(HINT_LIFETIME);
        if !reusable.is_zero() && self.clocks_agree(now) {
            let reusable = u64::try_from(reusable.as_nanos()).unwrap_or_default();
            self.until.store(now.monotonic().saturating_add(reusable), Ordering::Relaxed);
        }
    }

    /// Returns whether both clocks have advanced equally since the token arrived.
    fn clocks_agree(&self, now: CoarseTime) -> bool {
        let difference = now.ahead().wrapping_sub(self.ahead);
        difference.wrapping_add(CLOCK_TOLERANCE) <= 2 * CLOCK_TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(wall: f64, monotonic: f64) -> CoarseTime {
        let second = |seconds: f64| (seconds as i64, (seconds.fract() * 1e9).round() as u32);
        CoarseTime::from_parts(second(1_800_000_000.0 + wall), second(1000.0 + monotonic))
    }

    fn checked(fresh_for: Duration) -> FreshnessHint {
        let hint = FreshnessHint::new(at(0.0, 0.0));
        assert!(!hint.is_fresh_at(at(0.0, 0.0)));
        hint.extend(at(0.0, 0.0), fresh_for);
        hint
    }

    #[test]
    fn hint_holds_for_ten_milliseconds_after_exact_check() {
        let hint = checked(HOUR);
        for (after, is_fresh) in [(0.0, true), (0.009, true), (0.0101, false), (3600.0, false)] {
            assert_eq!(hint.is_fresh_at(at(after, after)), is_fresh, "{after}");
        }
        hint.extend(at(60.0, 60.0), HOUR);
        assert!(hint.is_fresh_at(at(60.0, 60.0)));
    }

    #[test]
    fn hint_ends_when_the_clocks_move_apart() {
        let hint = checked(HOUR);
        for (wall, is_fresh) in [(0.4, true), (-0.4, true), (0.6, false), (-0.6, false)] {
            assert_eq!(hint.is_fresh_at(at(wall, 0.0)), is_fresh, "{wall}");
        }
        for wall in [1e9, -1e9] {
            hint.extend(at(wall, 0.0), HOUR);
            assert!(!hint.is_fresh_at(at(wall, 0.0)), "{wall}");
        }
    }

    #[test]
    fn hint_does_not_hold_near_expiry() {
        for millis in [0, 100, 2000] {
            assert!(!checked(Duration::from_millis(millis)).is_fresh_at(at(0.0, 0.0)), "{millis}");
        }
        let hint = checked(Duration::from_millis(2003));
        assert!(hint.is_fresh_at(at(0.002, 0.002)) && !hint.is_fresh_at(at(0.0031, 0.0031)));
    }
}
