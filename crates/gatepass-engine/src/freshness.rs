//! Glance: what lets a hit do with a look at the coarse clocks. Pure: the times are given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatepass_core::CoarseTime;

/// For so long after the exact clocks have shown a token to be fresh, the coarse ones will do.
///
/// The monotonic clock does not count suspend, and a wall clock may be set back by just as much:
/// that takes longer than this, by the monotonic clock too, since falling asleep and waking do.
const TRUST: Duration = Duration::from_millis(10);
/// The coarse clocks have to have gone on alike since the token came: no more than half a second
/// apart, so that between any two looks nobody has set the wall clock by more than one.
const APART: u64 = 500_000_000;
/// With less than this to go, the coarse clocks will not do: the second by which the wall clock
/// may have been set, and one by which both may lag.
const CLOSE: Duration = Duration::from_secs(2);

/// What a hit compares the coarse clocks with.
#[derive(Debug)]
pub(crate) struct Glance {
    /// How far the wall clock was ahead when the token came.
    ahead: u64,
    /// Until when the token is surely fresh, on the monotonic clock.
    until: AtomicU64,
}

impl Glance {
    /// For a token that comes in `now`. No glance is enough yet.
    pub(crate) fn new(now: CoarseTime) -> Self {
        Self { ahead: now.ahead(), until: AtomicU64::new(0) }
    }

    /// Whether the token is surely fresh.
    #[inline]
    pub(crate) fn is_enough(&self, now: CoarseTime) -> bool {
        now.monotonic() < self.until.load(Ordering::Relaxed) && self.is_steady(now)
    }

    /// By the exact clocks, read after `now`, the token is fresh for so long.
    pub(crate) fn allow(&self, now: CoarseTime, fresh_for: Duration) {
        let sure = fresh_for.saturating_sub(CLOSE).min(TRUST);
        if !sure.is_zero() && self.is_steady(now) {
            let sure = u64::try_from(sure.as_nanos()).unwrap_or_default();
            self.until.store(now.monotonic().saturating_add(sure), Ordering::Relaxed);
        }
    }

    /// Whether both clocks have gone on alike.
    fn is_steady(&self, now: CoarseTime) -> bool {
        let apart = now.ahead().wrapping_sub(self.ahead);
        apart.wrapping_add(APART) <= 2 * APART
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

    fn checked(fresh_for: Duration) -> Glance {
        let glance = Glance::new(at(0.0, 0.0));
        assert!(!glance.is_enough(at(0.0, 0.0)));
        glance.allow(at(0.0, 0.0), fresh_for);
        glance
    }

    #[test]
    fn a_glance_is_enough_for_a_while_after_an_exact_look() {
        let glance = checked(HOUR);
        for (after, is_enough) in [(0.0, true), (0.009, true), (0.0101, false), (3600.0, false)] {
            assert_eq!(glance.is_enough(at(after, after)), is_enough, "{after}");
        }
        glance.allow(at(60.0, 60.0), HOUR);
        assert!(glance.is_enough(at(60.0, 60.0)));
    }

    #[test]
    fn a_glance_is_not_enough_once_the_clocks_have_moved_apart() {
        let glance = checked(HOUR);
        for (wall, is_enough) in [(0.4, true), (-0.4, true), (0.6, false), (-0.6, false)] {
            assert_eq!(glance.is_enough(at(wall, 0.0)), is_enough, "{wall}");
        }
        for wall in [1e9, -1e9] {
            glance.allow(at(wall, 0.0), HOUR);
            assert!(!glance.is_enough(at(wall, 0.0)), "{wall}");
        }
    }

    #[test]
    fn a_glance_is_not_enough_close_to_the_end() {
        for millis in [0, 100, 2000] {
            assert!(!checked(Duration::from_millis(millis)).is_enough(at(0.0, 0.0)), "{millis}");
        }
        let glance = checked(Duration::from_millis(2003));
        assert!(glance.is_enough(at(0.002, 0.002)) && !glance.is_enough(at(0.0031, 0.0031)));
    }
}
