//! A cached token of the pool with its times, in 48 bytes. Pure: the time is passed in.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use gatepass_core::Token;

use crate::policy::{Moment, Phase, Validity};

/// A 64th of a second. 32 bits of ticks wrap after two years; token lifetimes are capped at 30 days.
const TICK: Duration = Duration::from_nanos(15_625_000);

/// Returns the whole ticks of the boot clock until `boot`.
pub(super) fn ticks(boot: Duration) -> u64 {
    boot.as_secs() * 64 + u64::from(boot.subsec_nanos() / 15_625_000)
}

/// Returns the duration of a number of ticks.
pub(super) fn from_ticks(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(15_625_000))
}

/// Returns the low 32 bits of the ticks until `boot`.
fn low_ticks(boot: Duration) -> u32 {
    ticks(boot) as u32
}

/// Returns the nanoseconds since 1970; at most those of the year 2554.
fn nanos_since_epoch(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A cached token, its expiry, and when it was last requested.
#[derive(Debug)]
pub(super) struct PoolEntry {
    pub(super) key: Box<str>,
    pub(super) token: Token,
    /// The token's expiry by the wall clock, in nanoseconds since 1970. It is repeated here so that a
    /// lookup does not load the token.
    expires_at: u64,
    /// The expiry by the boot clock, rounded down.
    expires: u32,
    /// The remaining ticks at which it is refreshed; [`NO_REFRESH`] if it is not.
    refresh_at: u32,
    /// When it was last requested.
    used: AtomicU32,
    /// In eighths of a second, rounded up; two hours at most.
    leeway: u16,
    /// Whether the vendor needs no other header than the token's `Authorization`.
    pub(super) is_bearer: bool,
}

/// What the timer must do with an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Remove it: the token has expired or is idle.
    Drop,
    /// Request the next token.
    Refresh,
    /// Check it again after this number of ticks.
    After(u64),
}

/// A refresh at this remaining lifetime never happens, because the token is not usable any more.
const NO_REFRESH: u32 = 1;

impl PoolEntry {
    pub(super) fn new(
        key: &str,
        token: Token,
        validity: Validity,
        is_bearer: bool,
        now: Moment,
    ) -> Self {
        let (boot_end, leeway, refresh_at) = validity.parts();
        let eighths = leeway.as_millis().div_ceil(125);
        let refresh_at = refresh_at.as_nanos().div_ceil(TICK.as_nanos());
        Self {
            key: key.into(),
            expires_at: nanos_since_epoch(token.expires_at()),
            token,
            expires: low_ticks(boot_end),
            refresh_at: u32::try_from(refresh_at).unwrap_or(u32::MAX),
            used: AtomicU32::new(low_ticks(now.boot)),
            leeway: u16::try_from(eighths).unwrap_or(u16::MAX),
            is_bearer,
        }
    }

    /// Returns the token's validity. Rounding never makes it longer.
    pub(super) fn validity(&self, now: Moment) -> Validity {
        let remaining = u64::try_from(self.expires.wrapping_sub(low_ticks(now.boot)).cast_signed());
        let boot_end =
            remaining.map_or(Duration::ZERO, |remaining| from_ticks(ticks(now.boot) + remaining));
        let leeway = Duration::from_millis(u64::from(self.leeway) * 125);
        let refresh_at = from_ticks(u64::from(self.refresh_at));
        let expires_at = SystemTime::UNIX_EPOCH + Duration::from_nanos(self.expires_at);
        Validity::from_parts(expires_at, boot_end, leeway, refresh_at)
    }

    pub(super) fn phase(&self, now: Moment, min_remaining: Duration) -> Phase {
        self.validity(now).phase(now, min_remaining)
    }

    /// Records a request for the token.
    pub(super) fn touch(&self, now: Moment) {
        let now = low_ticks(now.boot);
        // Many threads read this cache line: write it only if the tick has changed.
        if self.used.load(Ordering::Relaxed) != now {
            self.used.store(now, Ordering::Relaxed);
        }
    }

    /// Returns the number of ticks since the last request.
    pub(super) fn idle_ticks(&self, now: Moment) -> u32 {
        low_ticks(now.boot).wrapping_sub(self.used.load(Ordering::Relaxed))
    }

    /// Returns what to do with it, given the time after which an idle entry is removed.
    pub(super) fn due(&self, now: Moment, idle: Duration) -> Due {
        let validity = self.validity(now);
        let idle = idle.saturating_sub(from_ticks(self.idle_ticks(now).into()));
        if validity.phase(now, Duration::ZERO) == Phase::Expired || idle.is_zero() {
            return Due::Drop;
        }
        let due = validity.usable_for(now).min(idle);
        match validity.refresh_in(now) {
            Some(Duration::ZERO) => Due::Refresh,
            Some(refresh) => Due::After(ticks(due.min(refresh)) + 1),
            None => Due::After(ticks(due) + 1),
        }
    }

    /// Suppresses the refresh while another one is in flight.
    pub(super) fn suppress_refresh(&mut self) {
        self.refresh_at = NO_REFRESH;
    }

    /// Sets the refresh to `boot`, and not earlier.
    pub(super) fn refresh_at(&mut self, boot: Duration) {
        let remaining = self.expires.wrapping_sub(low_ticks(boot).wrapping_add(1)).cast_signed();
        self.refresh_at = u32::try_from(remaining).unwrap_or(NO_REFRESH).max(NO_REFRESH);
    }

    /// Takes over when `other` was last requested.
    pub(super) fn with_use_of(self, other: &Self) -> Self {
        self.used.store(other.used.load(Ordering::Relaxed), Ordering::Relaxed);
        self
    }
}

#[cfg(test)]
mod tests {
    use gatepass_core::{Clock, RefreshHints};
    use gatepass_testkit::TestClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn token(validity: Duration, sent: SystemTime) -> Token {
        Token::builder("t-1".into(), sent).expires_in(validity.into()).build().unwrap()
    }

    fn entry(
        validity: Duration,
        leeway: Option<Duration>,
        now: Moment,
        wall: SystemTime,
    ) -> PoolEntry {
        let validity_of = Validity::new(wall + validity, validity, leeway, now, now);
        let validity_of = validity_of.with_refresh_ahead(&RefreshHints::new(), 0.5, now);
        PoolEntry::new("key", token(validity, wall), validity_of, true, now)
    }

    #[test]
    fn entry_takes_48_bytes() {
        assert_eq!(size_of::<PoolEntry>(), 48);
        assert_eq!(size_of::<Option<PoolEntry>>(), 48);
    }

    #[test]
    fn packed_validity_is_never_longer() {
        let clock = TestClock::new();
        for wrap in [0, u64::from(u32::MAX) / 64 - 3700] {
            clock.advance(Duration::from_secs(wrap));
            for millis in [5000, 60_001, 3_600_000, 30 * 24 * 3_600_000] {
                let (validity, now) = (Duration::from_millis(millis), Moment::now(&clock));
                let full = Validity::new(clock.wall() + validity, validity, None, now, now);
                let full = full.with_refresh_ahead(&RefreshHints::new(), 0.5, now);
                let kept = entry(validity, None, now, clock.wall());
                for _ in 0..100 {
                    let now = Moment::now(&clock);
                    let (a, b) = (full.remaining(now), kept.validity(now).remaining(now));
                    assert!(b <= a && a - b <= TICK, "{a:?} {b:?}");
                    let (a, b) = (full.usable_for(now), kept.validity(now).usable_for(now));
                    assert!(b <= a && a - b <= TICK + SECOND / 8, "{a:?} {b:?}");
                    clock.advance(validity / 100);
                }
                assert_eq!(kept.phase(Moment::now(&clock), Duration::ZERO), Phase::Expired);
                clock.advance(Duration::from_secs(30 * 24 * 3600));
                assert_eq!(kept.phase(Moment::now(&clock), Duration::ZERO), Phase::Expired);
            }
        }
    }

    #[test]
    fn entry_is_refreshed_and_then_removed() {
        let (clock, idle) = (TestClock::new(), Duration::from_secs(7200));
        let hour = Duration::from_secs(3600);
        let mut entry = entry(hour, None, Moment::now(&clock), clock.wall());
        let Due::After(wait) = entry.due(Moment::now(&clock), idle) else { panic!("due at once") };
        clock.advance(from_ticks(wait));
        assert_eq!(entry.due(Moment::now(&clock), idle), Due::Refresh);
        entry.suppress_refresh();
        let Due::After(remaining) = entry.due(Moment::now(&clock), idle) else { panic!("quiet") };
        assert!(from_ticks(remaining) > 500 * SECOND);
        let later = Moment::now(&clock).boot + 100 * SECOND;
        entry.refresh_at(later);
        let Due::After(wait) = entry.due(Moment::now(&clock), idle) else { panic!("cooldown") };
        assert!(from_ticks(wait) >= 100 * SECOND && from_ticks(wait) < 101 * SECOND);
        clock.advance(100 * SECOND);
        assert!(
            matches!(entry.due(Moment::now(&clock), idle), Due::After(1..=2)),
            "never wake_if_earlier"
        );
        entry.refresh_at(later + hour);
        clock.advance(2000 * SECOND);
        assert_eq!(entry.due(Moment::now(&clock), idle), Due::Drop);
    }

    #[test]
    fn idle_entry_is_removed() {
        let (clock, idle) = (TestClock::new(), Duration::from_secs(600));
        let entry = entry(Duration::from_secs(36_000), None, Moment::now(&clock), clock.wall());
        clock.advance(599 * SECOND);
        assert!(matches!(entry.due(Moment::now(&clock), idle), Due::After(60..70)));
        entry.touch(Moment::now(&clock));
        clock.advance(599 * SECOND);
        assert!(matches!(entry.due(Moment::now(&clock), idle), Due::After(_)));
        clock.advance(SECOND);
        assert_eq!(entry.due(Moment::now(&clock), idle), Due::Drop);
    }

    #[test]
    fn leeway_is_capped_at_two_hours() {
        let (clock, day) = (TestClock::new(), Duration::from_secs(24 * 3600));
        let entry = entry(day, Some(day / 4), Moment::now(&clock), clock.wall());
        let usable = entry.validity(Moment::now(&clock)).usable_for(Moment::now(&clock));
        assert!(
            usable > day - Duration::from_secs(8200) && usable < day - Duration::from_secs(7200)
        );
    }
}
