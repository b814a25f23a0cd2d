//! The validity of a token: whether it is fresh, aging or expired. Pure: time and jitter are passed
//! in.

use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, RefreshHints};

/// How early a token counts as expired, unless its lifetime is short or the profile has a leeway.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(10);

/// A refresh starts when 37 % to 16 % of a token's lifetime remain, chosen at random. That is late
/// enough to use the token, early enough for several attempts, and so spread out that a thousand
/// processes whose tokens expire together do not refresh together.
const MAX_REFRESH_FRACTION: f64 = 0.37;
const MIN_REFRESH_FRACTION: f64 = 0.16;

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    wall: SystemTime,
    pub(crate) boot: Duration,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self { wall: clock.wall(), boot: clock.boot() }
    }

    pub(crate) fn wall(self) -> SystemTime {
        self.wall
    }

    /// Returns the moment of an earlier wall time, assuming that the wall clock was not set since.
    pub(crate) fn at_wall(self, wall: SystemTime) -> Self {
        let ago = self.wall.duration_since(wall).unwrap_or_default();
        Self { wall, boot: self.boot.saturating_sub(ago) }
    }

    /// Returns the time since `earlier` on the boot clock.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.boot.saturating_sub(earlier.boot)
    }
}

/// When a token expires on each clock. The wall clock may be set, and the boot clock means nothing
/// to the vendor. The earlier of the two counts, so that setting a clock never extends a lifetime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    wall_end: SystemTime,
    boot_end: Duration,
    leeway: Duration,
    /// Remaining lifetime at which the refresh starts; zero if no refresh is planned.
    refresh_at: Duration,
}

/// How a token may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Usable.
    Fresh,
    /// Usable and due for refresh.
    Aging,
    /// Not usable.
    Expired,
}

impl Validity {
    /// Returns the validity of a token with this `lifetime` that was requested at `started` (or
    /// soon after) and received at `now`.
    ///
    /// The leeway is 10 s or a tenth of the remaining lifetime, whichever is less. A configured
    /// `leeway` is limited to half of it, so that every token is usable at first.
    pub(crate) fn new(
        expires_at: SystemTime,
        lifetime: Duration,
        leeway: Option<Duration>,
        started: Moment,
        now: Moment,
    ) -> Self {
        // If the wall clock was set during the request, one of the two lifetimes is too long.
        let by_wall = expires_at.duration_since(started.wall).unwrap_or_default();
        let boot_end = started.boot.saturating_add(lifetime.min(by_wall));
        let (wall_end, refresh_at) = (expires_at, Duration::ZERO);
        let validity = Self { wall_end, boot_end, leeway: Duration::ZERO, refresh_at };
        Self { leeway: limited_leeway(leeway, validity.remaining(now)), ..validity }
    }

    /// Returns the validity of a token from the store. Its leeway depends on the whole lifetime,
    /// not on what remains of it.
    pub(crate) fn from_stored(
        expires_at: SystemTime,
        lifetime: Duration,
        leeway: Option<Duration>,
        now: Moment,
    ) -> Self {
        let remaining = expires_at.duration_since(now.wall).unwrap_or_default().min(lifetime);
        let validity = Self::new(expires_at, remaining, leeway, now, now);
        Self { leeway: limited_leeway(leeway, lifetime), ..validity }
    }

    /// Plans the refresh of a token that was received at `now`. `jitter` is from 0 to 1.
    ///
    /// Plans none for a vendor that returns the same token until it expires.
    pub(crate) fn with_refresh_ahead(self, hints: &RefreshHints, jitter: f64, now: Moment) -> Self {
        if hints.same_token_until_end {
            return self;
        }
        let remaining = self.remaining(now);
        let range = MAX_REFRESH_FRACTION - MIN_REFRESH_FRACTION;
        let window = remaining.mul_f64(MIN_REFRESH_FRACTION + range * jitter.clamp(0.0, 1.0));
        let window = window.max(hints.refresh_ahead_min.min(remaining / 2));
        let window = hints.refresh_ahead_max.map_or(window, |max| window.min(max));
        // A longer leeway would leave no time for the refresh.
        Self { refresh_at: window.max(self.leeway.saturating_mul(5) / 4).min(remaining), ..self }
    }

    /// Starts a planned refresh early enough for a request that takes `request_time`, within
    /// limits. Otherwise a slow vendor's short-lived token would expire before the next one
    /// arrives.
    pub(crate) fn with_refresh_margin(
        self,
        request_time: Duration,
        hints: &RefreshHints,
        now: Moment,
    ) -> Self {
        if !self.has_refresh() {
            return self;
        }
        let max = self.remaining(now).mul_f64(MAX_REFRESH_FRACTION);
        let needed = self.leeway.saturating_add(request_time).min(max);
        let needed = hints.refresh_ahead_max.map_or(needed, |max| needed.min(max));
        Self { refresh_at: self.refresh_at.max(needed), ..self }
    }

    /// Plans no refresh, because an early request returned the same token.
    pub(crate) fn without_refresh(self) -> Self {
        Self { refresh_at: Duration::ZERO, ..self }
    }

    /// The fields that a pool entry stores: the end on the boot clock, the leeway, and the remaining
    /// lifetime at which the refresh starts.
    pub(crate) fn parts(&self) -> (Duration, Duration, Duration) {
        (self.boot_end, self.leeway, self.refresh_at)
    }

    /// Builds a validity from the fields of a pool entry.
    pub(crate) fn from_parts(
        wall_end: SystemTime,
        boot_end: Duration,
        leeway: Duration,
        refresh_at: Duration,
    ) -> Self {
        Self { wall_end, boot_end, leeway, refresh_at }
    }

    /// Returns the phase for a caller that needs the token for `min_remaining`.
    pub(crate) fn phase(&self, now: Moment, min_remaining: Duration) -> Phase {
        let remaining = self.remaining(now);
        if remaining.is_zero() || remaining < self.leeway.max(min_remaining) {
            Phase::Expired
        } else if remaining <= self.refresh_at {
            Phase::Aging
        } else {
            Phase::Fresh
        }
    }

    /// Returns the time until the refresh is due (zero if it is due now), or `None` if no refresh
    /// is planned.
    pub(crate) fn refresh_in(&self, now: Moment) -> Option<Duration> {
        self.has_refresh().then(|| self.remaining(now).saturating_sub(self.refresh_at))
    }

    pub(crate) fn has_refresh(&self) -> bool {
        !self.refresh_at.is_zero()
    }

    /// Returns how long the token stays fresh.
    pub(crate) fn fresh_for(&self, now: Moment) -> Duration {
        self.remaining(now).saturating_sub(self.leeway.max(self.refresh_at))
    }

    /// Returns how long the token stays usable.
    pub(crate) fn usable_for(&self, now: Moment) -> Duration {
        self.remaining(now).saturating_sub(self.leeway)
    }

    /// Returns the remaining lifetime by the more pessimistic clock.
    pub(crate) fn remaining(&self, now: Moment) -> Duration {
        let by_wall = self.wall_end.duration_since(now.wall).unwrap_or_default();
        let by_boot = self.boot_end.saturating_sub(now.boot);
        by_wall.min(by_boot)
    }
}

/// Returns the configured leeway limited to half of `lifetime`, or the default.
fn limited_leeway(leeway: Option<Duration>, lifetime: Duration) -> Duration {
    match leeway {
        Some(leeway) => leeway.min(lifetime / 2),
        None => DEFAULT_LEEWAY.min(lifetime / 10),
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

    fn validity(seconds: u64, leeway: Option<u64>) -> Validity {
        let started = at(1000 * DAY, 100);
        let lifetime = Duration::from_secs(seconds);
        Validity::new(
            started.wall + lifetime,
            lifetime,
            leeway.map(Duration::from_secs),
            started,
            started,
        )
    }

    impl Validity {
        fn serves(&self, now: Moment, min_remaining: Duration) -> bool {
            self.phase(now, min_remaining) != Phase::Expired
        }
    }

    fn serves_until(validity: &Validity, seconds: u64) -> bool {
        let at = |s| at(1000 * DAY + s, 100 + s);
        validity.serves(at(seconds), Duration::ZERO)
            && !validity.serves(at(seconds + 1), Duration::ZERO)
    }

    #[test]
    fn leeway_is_ten_seconds_or_a_tenth() {
        assert!(serves_until(&validity(3600, None), 3590));
        assert!(serves_until(&validity(40, None), 36));
        assert!(serves_until(&validity(3600, Some(600)), 3000));
        assert!(serves_until(&validity(60, Some(600)), 30));
        assert!(serves_until(&validity(60, Some(0)), 59));
    }

    #[test]
    fn more_pessimistic_clock_wins() {
        let validity = validity(3600, None);
        let zero = Duration::ZERO;
        assert!(validity.serves(at(1000 * DAY, 100), zero));
        assert!(validity.serves(at(900 * DAY, 3000), zero));
        assert!(!validity.serves(at(900 * DAY, 4000), zero));
        assert!(!validity.serves(at(1001 * DAY, 101), zero));
    }

    #[test]
    fn required_lifetime_does_not_add_to_leeway() {
        let validity = validity(3600, None);
        assert!(validity.serves(at(1000 * DAY, 100), Duration::from_secs(3600)));
        assert!(!validity.serves(at(1000 * DAY + 1, 101), Duration::from_secs(3600)));
        assert!(!validity.serves(at(1000 * DAY + 3595, 3695), Duration::from_secs(1)));
    }

    #[test]
    fn setting_wall_clock_during_exchange_extends_no_lifetime() {
        let (started, year, hour) = (at(1000 * DAY, 100), 365 * DAY, Duration::from_secs(3600));
        let zero = Duration::ZERO;
        let later = at(1000 * DAY + year, 101);
        let validity = Validity::new(later.wall + hour, hour, None, started, later);
        assert!(validity.serves(later, zero));
        assert!(!validity.serves(at(1000 * DAY, 4000), zero));
        let earlier = at(1000 * DAY - year, 101);
        assert!(
            !Validity::new(earlier.wall + hour, hour, None, started, earlier).serves(earlier, zero)
        );
    }

    #[test]
    fn refreshes_spread_over_a_fifth_of_the_lifetime() {
        let started = at(1000 * DAY, 100);
        let due = |seconds, leeway, jitter| {
            let validity =
                validity(seconds, leeway).with_refresh_ahead(&RefreshHints::new(), jitter, started);
            validity.refresh_in(started).unwrap().as_secs_f64() / seconds as f64
        };
        for seconds in [5, 40, 60, 3600, 24 * 3600] {
            let (first, last) = (due(seconds, None, 1.0), due(seconds, None, 0.0));
            assert!(last - first >= 0.2, "{first} {last}");
            assert!((0.6..0.64).contains(&first) && (0.8..0.85).contains(&last), "{first} {last}");
        }
        // A long leeway still leaves an aging phase.
        assert!(due(3600, Some(1500), 0.5) < 1.0 - 1500.0 / 3600.0);
    }

    #[test]
    fn slow_vendor_is_asked_earlier_within_limits() {
        let started = at(1000 * DAY, 100);
        let hints = RefreshHints::new();
        let due = |took: u64| {
            let validity = validity(10, None).with_refresh_ahead(&hints, 0.0, started);
            let validity =
                validity.with_refresh_margin(Duration::from_millis(took), &hints, started);
            validity.refresh_in(started).unwrap()
        };
        // The leeway is 1 s of the 10 s; the refresh starts at least 1.6 s before the end.
        assert_eq!(due(0), Duration::from_millis(8400));
        assert_eq!(due(600), Duration::from_millis(8400));
        assert_eq!(due(1500), Duration::from_millis(7500));
        assert_eq!(due(9000), Duration::from_millis(6300));
        let never = validity(10, None).with_refresh_margin(Duration::from_secs(5), &hints, started);
        assert!(!never.has_refresh());
    }

    #[test]
    fn hints_limit_the_refresh_time() {
        let started = at(1000 * DAY, 100);
        let due = |hints: RefreshHints| {
            validity(3600, None).with_refresh_ahead(&hints, 0.5, started).refresh_in(started)
        };
        assert_eq!(due(RefreshHints::new().same_token_until_end()), None);
        let at_most = RefreshHints::new().refresh_ahead_at_most(Duration::from_secs(60));
        assert_eq!(due(at_most), Some(Duration::from_secs(3540)));
        let at_least = RefreshHints::new().refresh_ahead_at_least(Duration::from_secs(1500));
        assert_eq!(due(at_least), Some(Duration::from_secs(2100)));
    }

    #[test]
    fn token_passes_from_fresh_to_aging_to_expired() {
        let started = at(1000 * DAY, 100);
        let validity = validity(3600, None).with_refresh_ahead(&RefreshHints::new(), 0.5, started);
        let phase = |s| validity.phase(at(1000 * DAY + s, 100 + s), Duration::ZERO);
        assert_eq!([0, 2000].map(phase), [Phase::Fresh; 2]);
        assert_eq!([2900, 3589].map(phase), [Phase::Aging; 2]);
        assert_eq!([3591, 4000].map(phase), [Phase::Expired; 2]);
        assert_eq!(
            validity.without_refresh().phase(at(1000 * DAY + 3500, 3600), Duration::ZERO),
            Phase::Fresh
        );
    }
}
