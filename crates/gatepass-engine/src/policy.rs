//! Whether a token is fresh, aging or expired. Pure: the times and the chance are given.

use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, RefreshHints};

/// How early a token counts as expired, unless its validity is short or the profile says otherwise.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(10);

/// A refresh begins when between 16 % and 37 % of a token's validity are left, about a quarter on the
/// average: late enough to use the token, early enough for some tries, and so far apart that a
/// thousand processes whose tokens end together do not refresh together.
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

    /// The moment at which the wall clock said this, as far as it can be known now.
    pub(crate) fn at_wall(self, wall: SystemTime) -> Self {
        let ago = self.wall.duration_since(wall).unwrap_or_default();
        Self { wall, boot: self.boot.saturating_sub(ago) }
    }

    /// Time since `earlier`, by the clock that never goes back.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.boot.saturating_sub(earlier.boot)
    }
}

/// When a token ends on each clock. The wall clock may be set and the boot clock means nothing to
/// the vendor, so the earlier of the two counts, and a validity only ever shrinks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    wall_end: SystemTime,
    boot_end: Duration,
    leeway: Duration,
    /// What is left of it when the next token is asked for; nothing for a token that is not
    /// replaced before its end.
    refresh_at: Duration,
}

/// What may be done with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Use it.
    Fresh,
    /// Use it, and ask for the next one.
    Aging,
    /// Do not use it.
    Expired,
}

impl Validity {
    /// The validity of a token that ends at `expires_at`, lives for `lifetime`, was asked for at
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
        let (leeway, refresh_at) = (Duration::ZERO, Duration::ZERO);
        let validity = Self { wall_end: expires_at, boot_end, leeway, refresh_at };
        let remaining = validity.remaining(now);
        let leeway = match wanted {
            Some(wanted) => wanted.min(remaining / 2),
            None => DEFAULT_LEEWAY.min(remaining / 10),
        };
        Self { leeway, ..validity }
    }

    /// The validity of a token that a store has kept: its leeway is that of its whole validity, however
    /// little is left.
    pub(crate) fn from_stored(
        expires_at: SystemTime,
        lifetime: Duration,
        wanted: Option<Duration>,
        now: Moment,
    ) -> Self {
        let remaining = expires_at.duration_since(now.wall).unwrap_or_default().min(lifetime);
        let validity = Self::new(expires_at, remaining, wanted, now, now);
        let leeway = match wanted {
            Some(wanted) => wanted.min(lifetime / 2),
            None => DEFAULT_LEEWAY.min(lifetime / 10),
        };
        Self { leeway, ..validity }
    }

    /// Plans the refresh: `chance` is from 0 to 1, and `now` is when the token came.
    ///
    /// A vendor that gives the same token until it ends is not asked early.
    pub(crate) fn with_refresh_ahead(self, hints: &RefreshHints, jitter: f64, now: Moment) -> Self {
        if hints.same_token_until_end {
            return self;
        }
        let remaining = self.remaining(now);
        let window = remaining.mul_f64(
            MIN_REFRESH_FRACTION
                + (MAX_REFRESH_FRACTION - MIN_REFRESH_FRACTION) * jitter.clamp(0.0, 1.0),
        );
        let window = window.max(hints.refresh_ahead_min.min(remaining / 2));
        let window = hints.refresh_ahead_max.map_or(window, |most| window.min(most));
        // With a leeway that is longer there would be no time to refresh in.
        Self { refresh_at: window.max(self.leeway.saturating_mul(5) / 4).min(remaining), ..self }
    }

    /// What is kept of it beside the moment when the token ends: the end on the boot clock, the
    /// leeway, and what is left of it when the refresh begins.
    pub(crate) fn parts(&self) -> (Duration, Duration, Duration) {
        (self.boot_end, self.leeway, self.refresh_at)
    }

    /// The validity again, of what was kept of it.
    pub(crate) fn from_parts(
        wall_end: SystemTime,
        boot_end: Duration,
        leeway: Duration,
        refresh_at: Duration,
    ) -> Self {
        Self { wall_end, boot_end, leeway, refresh_at }
    }

    /// Begins a planned refresh early enough for one that takes so long, within reason: a slow
    /// vendor's short-lived token would else end before the next one came.
    pub(crate) fn with_refresh_margin(
        self,
        exchange: Duration,
        hints: &RefreshHints,
        now: Moment,
    ) -> Self {
        if !self.has_refresh() {
            return self;
        }
        let needed = self
            .leeway
            .saturating_add(exchange)
            .min(self.remaining(now).mul_f64(MAX_REFRESH_FRACTION));
        let needed = hints.refresh_ahead_max.map_or(needed, |most| needed.min(most));
        Self { refresh_at: self.refresh_at.max(needed), ..self }
    }

    /// The same validity without a refresh: asking early has turned out to bring the same token.
    pub(crate) fn without_refresh(self) -> Self {
        Self { refresh_at: Duration::ZERO, ..self }
    }

    /// Fresh, aging or expired, for somebody who needs the token for `min_remaining`.
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

    /// How long until the refresh is due: zero while it is, and nothing if there is none.
    pub(crate) fn refresh_in(&self, now: Moment) -> Option<Duration> {
        self.has_refresh().then(|| self.remaining(now).saturating_sub(self.refresh_at))
    }

    /// Whether a refresh is planned.
    pub(crate) fn has_refresh(&self) -> bool {
        !self.refresh_at.is_zero()
    }

    /// How long the token stays fresh: until its refresh is due or it is not handed out any more.
    pub(crate) fn fresh_for(&self, now: Moment) -> Duration {
        self.remaining(now).saturating_sub(self.leeway.max(self.refresh_at))
    }

    /// How long the token may still be handed out.
    pub(crate) fn usable_for(&self, now: Moment) -> Duration {
        self.remaining(now).saturating_sub(self.leeway)
    }

    /// What is left, by the more pessimistic clock.
    pub(crate) fn remaining(&self, now: Moment) -> Duration {
        let by_wall = self.wall_end.duration_since(now.wall).unwrap_or_default();
        let by_boot = self.boot_end.saturating_sub(now.boot);
        by_wall.min(by_boot)
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

    fn validity(seconds: u64, wanted: Option<u64>) -> Validity {
        let begun = at(1000 * DAY, 100);
        let lifetime = Duration::from_secs(seconds);
        Validity::new(
            begun.wall + lifetime,
            lifetime,
            wanted.map(Duration::from_secs),
            begun,
            begun,
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
    fn the_leeway_is_ten_seconds_or_a_tenth() {
        assert!(serves_until(&validity(3600, None), 3590));
        assert!(serves_until(&validity(40, None), 36));
        assert!(serves_until(&validity(3600, Some(600)), 3000));
        assert!(serves_until(&validity(60, Some(600)), 30));
        assert!(serves_until(&validity(60, Some(0)), 59));
    }

    #[test]
    fn the_more_pessimistic_clock_wins() {
        let validity = validity(3600, None);
        let zero = Duration::ZERO;
        assert!(validity.serves(at(1000 * DAY, 100), zero));
        assert!(validity.serves(at(900 * DAY, 3000), zero));
        assert!(!validity.serves(at(900 * DAY, 4000), zero));
        assert!(!validity.serves(at(1001 * DAY, 101), zero));
    }

    #[test]
    fn a_wanted_remainder_is_no_addition_to_the_leeway() {
        let validity = validity(3600, None);
        assert!(validity.serves(at(1000 * DAY, 100), Duration::from_secs(3600)));
        assert!(!validity.serves(at(1000 * DAY + 1, 101), Duration::from_secs(3600)));
        assert!(!validity.serves(at(1000 * DAY + 3595, 3695), Duration::from_secs(1)));
    }

    #[test]
    fn a_wall_clock_set_during_the_exchange_makes_no_life_longer() {
        let (begun, year, hour) = (at(1000 * DAY, 100), 365 * DAY, Duration::from_secs(3600));
        let zero = Duration::ZERO;
        let later = at(1000 * DAY + year, 101);
        let validity = Validity::new(later.wall + hour, hour, None, begun, later);
        assert!(validity.serves(later, zero));
        assert!(!validity.serves(at(1000 * DAY, 4000), zero));
        let earlier = at(1000 * DAY - year, 101);
        assert!(
            !Validity::new(earlier.wall + hour, hour, None, begun, earlier).serves(earlier, zero)
        );
    }

    #[test]
    fn refreshes_spread_over_a_fifth_of_the_life_and_leave_time_for_themselves() {
        let begun = at(1000 * DAY, 100);
        let due = |seconds, wanted, jitter| {
            let validity =
                validity(seconds, wanted).with_refresh_ahead(&RefreshHints::new(), jitter, begun);
            validity.refresh_in(begun).unwrap().as_secs_f64() / seconds as f64
        };
        for seconds in [5, 40, 60, 3600, 24 * 3600] {
            let (first, last) = (due(seconds, None, 1.0), due(seconds, None, 0.0));
            assert!(last - first >= 0.2, "{first} {last}");
            assert!((0.6..0.64).contains(&first) && (0.8..0.85).contains(&last), "{first} {last}");
        }
        // A long leeway still leaves an aging phase before it.
        assert!(due(3600, Some(1500), 0.5) < 1.0 - 1500.0 / 3600.0);
    }

    #[test]
    fn a_slow_vendor_is_asked_in_time_but_never_much_too_early() {
        let begun = at(1000 * DAY, 100);
        let hints = RefreshHints::new();
        let due = |took: u64| {
            let validity = validity(10, None).with_refresh_ahead(&hints, 0.0, begun);
            let validity = validity.with_refresh_margin(Duration::from_millis(took), &hints, begun);
            validity.refresh_in(begun).unwrap()
        };
        // Of 10 s, the last is the leeway, and a refresh begins 1.6 s before the end at the latest.
        assert_eq!(due(0), Duration::from_millis(8400));
        assert_eq!(due(600), Duration::from_millis(8400));
        assert_eq!(due(1500), Duration::from_millis(7500));
        assert_eq!(due(9000), Duration::from_millis(6300));
        let never = validity(10, None).with_refresh_margin(Duration::from_secs(5), &hints, begun);
        assert!(!never.has_refresh());
    }

    #[test]
    fn hints_bound_the_refresh() {
        let begun = at(1000 * DAY, 100);
        let due = |hints: RefreshHints| {
            validity(3600, None).with_refresh_ahead(&hints, 0.5, begun).refresh_in(begun)
        };
        assert_eq!(due(RefreshHints::new().same_token_until_end()), None);
        let at_most = RefreshHints::new().refresh_ahead_at_most(Duration::from_secs(60));
        assert_eq!(due(at_most), Some(Duration::from_secs(3540)));
        let at_least = RefreshHints::new().refresh_ahead_at_least(Duration::from_secs(1500));
        assert_eq!(due(at_least), Some(Duration::from_secs(2100)));
    }

    #[test]
    fn a_life_goes_from_fresh_through_aging_to_expired() {
        let begun = at(1000 * DAY, 100);
        let validity = validity(3600, None).with_refresh_ahead(&RefreshHints::new(), 0.5, begun);
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
