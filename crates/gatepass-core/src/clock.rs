//! The clock trait: time is passed in, so that tests can control it.

use std::fmt;
use std::time::{Duration, SystemTime};

/// A source of time. The engine has one for the system's clocks; tests use their own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the wall time, with which absolute expiry times are compared. It may jump.
    fn wall(&self) -> SystemTime;

    /// Returns the time since a fixed moment, including suspend. It never goes back.
    fn boot(&self) -> Duration;

    /// Returns a cheap reading of both clocks, precise enough to see that little time has passed.
    fn coarse(&self) -> CoarseTime {
        CoarseTime::new(self.wall(), self.boot())
    }
}

/// A coarse reading of the wall clock and of a monotonic clock. Both are wrapping nanoseconds, so
/// that readings can be subtracted, and both may lag by a few milliseconds.
///
/// The monotonic clock may stop during suspend. Otherwise only a change of the wall clock moves one
/// of them without the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoarseTime {
    wall: u64,
    monotonic: u64,
}

impl CoarseTime {
    /// Creates a reading from known times.
    pub fn new(wall: SystemTime, monotonic: Duration) -> Self {
        let wall = match wall.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => nanos(since),
            Err(before) => nanos(before.duration()).wrapping_neg(),
        };
        Self { wall, monotonic: nanos(monotonic) }
    }

    /// Creates a reading from seconds and nanoseconds, as in `timespec`.
    #[inline]
    pub fn from_parts(wall: (i64, u32), monotonic: (i64, u32)) -> Self {
        let nanos = |(seconds, nanos): (i64, u32)| {
            seconds.wrapping_mul(1_000_000_000).wrapping_add(i64::from(nanos)).cast_unsigned()
        };
        Self { wall: nanos(wall), monotonic: nanos(monotonic) }
    }

    /// Returns the wrapping nanoseconds of the monotonic clock since a fixed moment.
    #[inline]
    pub fn monotonic(self) -> u64 {
        self.monotonic
    }

    /// Returns the wrapping nanoseconds by which the wall clock is ahead of the monotonic clock.
    #[inline]
    pub fn ahead(self) -> u64 {
        self.wall.wrapping_sub(self.monotonic)
    }
}

/// Returns the low 64 bits of the nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "the nanoseconds wrap")]
fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ahead_is_stable_across_1970_and_wrapping() {
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
    fn parts_and_times_agree() {
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
