//! Glance: what lets a hit do with a look at the coarse clocks. Pure: the times are given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatepass_core::CoarseTime;

/// For so long after the exact clocks have shown a token to be fresh, the coarse ones will do.
///
/// The monotonic clock does not count suspend, and a wall clock may be set back by just as much:
/// that takes longer than this, by the monotonic clock too, since falling asleep and waking do.
const HINT_LIFETIME: Duration = Duration::from_millis(10);
/// The coarse clocks have to have gone on alike since the token came: no more than half a second
/// apart, so that between any two looks nobody has set the wall clock by more than one.
const CLOCK_TOLERANCE: u64 = 500_000_000;
/// With less than this to go, the coarse clocks will not do: the second by which the wall clock
/// may have been set, and one by which both may lag.
const EXACT_CHECK_BELOW: Duration = Duration::from_secs(2);

/// What a hit compares the coarse clocks with.
#[derive(Debug)]
pub(crate) struct FreshnessHint {
    /// How far the wall clock was ahead when the token came.
    ahead: u64,
    /// Until when the token is surely fresh, on the monotonic clock.
    until: AtomicU64,
}

impl FreshnessHint {
    /// For a token that comes in `now`. No freshness_hint is enough yet.
    pub(crate) fn new(now: CoarseTime) -> Self {
        Self { ahead: now.ahead(), until: AtomicU64::new(0) }
    }

    /// Whether the token is surely fresh.
    #[inline]
    pub(crate) fn is_fresh_at(&self, now: CoarseTime) -> bool {
        now.monotonic() < self.until.load(Ordering::Relaxed) && self.clocks_agree(now)
    }

    /// By the exact clocks, read after `now`, the token is fresh for so long.
    pub(crate) fn extend(&self, now: CoarseTime, fresh_for: Duration) {
        let sure = fresh_for.saturating_sub(EXACT_CHECK_BELOW).min(HINT_LIFETIME);
        if !sure.is_zero() && self.clocks_agree(now) {
            let sure = u64::try_from(sure.as_nanos()).unwrap_or_default();
            self.until.store(now.monotonic().saturating_add(sure), Ordering::Relaxed);
        }
    }

    /// Whether both clocks have gone on alike.
    fn clocks_agree(&self, now: CoarseTime) -> bool {
        let apart = now.ahead().wrapping_sub(self.ahead);
        apart.wrapping_add(CLOCK_TOLERANCE) <= 2 * CLOCK_TOLERANCE
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
        let freshness_hint = FreshnessHint::new(at(0.0, 0.0));
        assert!(!freshness_hint.is_fresh_at(at(0.0, 0.0)));
        freshness_hint.extend(at(0.0, 0.0), fresh_for);
        freshness_hint
    }

    #[test]
    fn a_glance_is_enough_for_a_while_after_an_exact_look() {
        let freshness_hint = checked(HOUR);
        for (after, is_fresh_at) in [(0.0, true), (0.009, true), (0.0101, false), (3600.0, false)] {
            assert_eq!(freshness_hint.is_fresh_at(at(after, after)), is_fresh_at, "{after}");
        }
        freshness_hint.extend(at(60.0, 60.0), HOUR);
        assert!(freshness_hint.is_fresh_at(at(60.0, 60.0)));
    }

    #[test]
    fn a_glance_is_not_enough_once_the_clocks_have_moved_apart() {
        let freshness_hint = checked(HOUR);
        for (wall, is_fresh_at) in [(0.4, true), (-0.4, true), (0.6, false), (-0.6, false)] {
            assert_eq!(freshness_hint.is_fresh_at(at(wall, 0.0)), is_fresh_at, "{wall}");
        }
        for wall in [1e9, -1e9] {
            freshness_hint.extend(at(wall, 0.0), HOUR);
            assert!(!freshness_hint.is_fresh_at(at(wall, 0.0)), "{wall}");
        }
    }

    #[test]
    fn a_glance_is_not_enough_close_to_the_end() {
        for millis in [0, 100, 2000] {
            assert!(!checked(Duration::from_millis(millis)).is_fresh_at(at(0.0, 0.0)), "{millis}");
        }
        let freshness_hint = checked(Duration::from_millis(2003));
        assert!(
            freshness_hint.is_fresh_at(at(0.002, 0.002))
                && !freshness_hint.is_fresh_at(at(0.0031, 0.0031))
        );
    }
}
