//! Clock: where time comes from, passed in so that tests can hold it.

use std::fmt;
use std::time::{Duration, SystemTime};

/// Tells the time. The engine brings one that asks the system; tests hold their own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Wall time: what absolute expiry times are compared with. It may jump.
    fn wall(&self) -> SystemTime;

    /// Time since some fixed moment, counting suspend, never going back.
    fn boot(&self) -> Duration;

    /// A cheap look at the time: enough to see that little has changed since the last one.
    fn coarse(&self) -> CoarseTime {
        CoarseTime::new(self.wall(), self.boot())
    }
}

/// The time at a glance: the wall's, and that of a clock which nobody sets. Both in nanoseconds
/// that wrap, so that any two of either can be subtracted, and both may lag a few milliseconds.
///
/// The second may stand still in suspend. Nothing else moves one of the two and not the other but
/// somebody who sets the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoarseTime {
    wall: u64,
    monotonic: u64,
}

impl CoarseTime {
    /// The time at a glance from times that are at hand.
    pub fn new(wall: SystemTime, monotonic: Duration) -> Self {
        let wall = match wall.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => nanos(since),
            Err(before) => nanos(before.duration()).wrapping_neg(),
        };
        Self { wall, monotonic: nanos(monotonic) }
    }

    /// The time at a glance from seconds and nanoseconds, as systems tell it.
    #[inline]
    pub fn from_parts(wall: (i64, u32), monotonic: (i64, u32)) -> Self {
        let nanos = |(seconds, nanos): (i64, u32)| {
            seconds.wrapping_mul(1_000_000_000).wrapping_add(i64::from(nanos)).cast_unsigned()
        };
        Self { wall: nanos(wall), monotonic: nanos(monotonic) }
    }

    /// Nanoseconds by the clock that nobody sets, since some fixed moment; they wrap.
    #[inline]
    pub fn monotonic(self) -> u64 {
        self.monotonic
    }

    /// By how many nanoseconds the wall clock is ahead of the other one; they wrap.
    #[inline]
    pub fn ahead(self) -> u64 {
        self.wall.wrapping_sub(self.monotonic)
    }
}

/// The low 64 bits of the nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "the nanoseconds wrap")]
fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_is_ahead_by_as_much_on_either_side_of_1970_and_of_the_wrap() {
        let (monotonic, second) = (Duration::from_secs(5), Duration::from_secs(1));
        let epoch = SystemTime::UNIX_EPOCH;
        let wrap = epoch + Duration::from_nanos(u64::MAX);
        for wall in [epoch, epoch - second / 2, epoch - second, wrap, wrap - second / 2] {
            let (early, late) =
                (CoarseTime::new(wall, monotonic), CoarseTime::new(wall + second, monotonic));
            assert_eq!(late.ahead().wrapping_sub(early.ahead()), 1_000_000_000);
            assert_eq!(CoarseTime::new(wall + second, monotonic + second).ahead(), early.ahead());
        }
    }

    #[test]
    fn parts_say_the_same_as_times() {
        let (wall, monotonic) = (Duration::new(1_800_000_000, 5), Duration::new(3600, 999_999_999));
        assert_eq!(
            CoarseTime::from_parts((1_800_000_000, 5), (3600, 999_999_999)),
            CoarseTime::new(SystemTime::UNIX_EPOCH + wall, monotonic)
        );
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(500);
        assert_eq!(
            CoarseTime::from_parts((-1, 500_000_000), (0, 0)),
            CoarseTime::new(before, Duration::ZERO)
        );
    }
}
