//! Whether a token may still be handed out. Pure: the times are given.

use std::time::{Duration, SystemTime};

use gatepass_core::Clock;

/// How early a token counts as expired, unless its life is short or the profile says otherwise.
const LEEWAY: Duration = Duration::from_secs(10);

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    wall: SystemTime,
    boot: Duration,
}

impl Moment {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self { wall: clock.wall(), boot: clock.boot() }
    }

    /// Time since `earlier`, by the clock that never goes back.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.boot.saturating_sub(earlier.boot)
    }
}

/// When a token ends on each clock. The wall clock may be set and the boot clock means nothing to
/// the vendor, so the earlier of the two counts, and a life only ever shrinks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    wall_end: SystemTime,
    boot_end: Duration,
    leeway: Duration,
}

impl Life {
    /// The life of a token that ends at `expires_at`, lives for `lifetime`, was asked for at
    /// `begun` (or soon after) and came in `now`.
    ///
    /// The leeway is the lesser of 10 s and a tenth of what is left; one that is `wanted` is at
    /// most half of it, so that every token can be used at all.
    pub(crate) fn new(
        expires_at: SystemTime,
        lifetime: Duration,
        wanted: Option<Duration>,
        begun: Moment,
        now: Moment,
    ) -> Self {
        // A wall clock that is set during the exchange makes one of the two lives too long.
        let by_wall = expires_at.duration_since(begun.wall).unwrap_or_default();
        let boot_end = begun.boot.saturating_add(lifetime.min(by_wall));
        let life = Self { wall_end: expires_at, boot_end, leeway: Duration::ZERO };
        let left = life.left(now);
        let leeway = match wanted {
            Some(wanted) => wanted.min(left / 2),
            None => LEEWAY.min(left / 10),
        };
        Self { leeway, ..life }
    }

    /// What is left, by the more pessimistic clock.
    fn left(&self, now: Moment) -> Duration {
        let by_wall = self.wall_end.duration_since(now.wall).unwrap_or_default();
        by_wall.min(self.boot_end.saturating_sub(now.boot))
    }

    /// Whether the token may be handed out to somebody who needs it for `min_remaining`.
    pub(crate) fn serves(&self, now: Moment, min_remaining: Duration) -> bool {
        let left = self.left(now);
        !left.is_zero() && left >= self.leeway.max(min_remaining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn at(wall: u64, boot: u64) -> Moment {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(wall);
        Moment { wall, boot: Duration::from_secs(boot) }
    }

    fn life(seconds: u64, wanted: Option<u64>) -> Life {
        let begun = at(1000 * DAY, 100);
        let lifetime = Duration::from_secs(seconds);
        Life::new(begun.wall + lifetime, lifetime, wanted.map(Duration::from_secs), begun, begun)
    }

    fn serves_until(life: &Life, seconds: u64) -> bool {
        let at = |s| at(1000 * DAY + s, 100 + s);
        life.serves(at(seconds), Duration::ZERO) && !life.serves(at(seconds + 1), Duration::ZERO)
    }

    #[test]
    fn the_leeway_is_ten_seconds_or_a_tenth() {
        assert!(serves_until(&life(3600, None), 3590));
        assert!(serves_until(&life(40, None), 36));
        assert!(serves_until(&life(3600, Some(600)), 3000));
        assert!(serves_until(&life(60, Some(600)), 30));
        assert!(serves_until(&life(60, Some(0)), 59));
    }

    #[test]
    fn the_more_pessimistic_clock_wins() {
        let life = life(3600, None);
        let zero = Duration::ZERO;
        assert!(life.serves(at(1000 * DAY, 100), zero));
        assert!(life.serves(at(900 * DAY, 3000), zero));
        assert!(!life.serves(at(900 * DAY, 4000), zero));
        assert!(!life.serves(at(1001 * DAY, 101), zero));
    }

    #[test]
    fn a_wanted_remainder_is_no_addition_to_the_leeway() {
        let life = life(3600, None);
        assert!(life.serves(at(1000 * DAY, 100), Duration::from_secs(3600)));
        assert!(!life.serves(at(1000 * DAY + 1, 101), Duration::from_secs(3600)));
        assert!(!life.serves(at(1000 * DAY + 3595, 3695), Duration::from_secs(1)));
    }

    #[test]
    fn a_wall_clock_set_during_the_exchange_makes_no_life_longer() {
        let (begun, year, hour) = (at(1000 * DAY, 100), 365 * DAY, Duration::from_secs(3600));
        let zero = Duration::ZERO;
        let later = at(1000 * DAY + year, 101);
        let life = Life::new(later.wall + hour, hour, None, begun, later);
        assert!(life.serves(later, zero));
        assert!(!life.serves(at(1000 * DAY, 4000), zero));
        let earlier = at(1000 * DAY - year, 101);
        assert!(!Life::new(earlier.wall + hour, hour, None, begun, earlier).serves(earlier, zero));
    }
}
