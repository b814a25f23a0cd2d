//! Entry: one identity's token as a pool holds it, in 128 bytes. Pure: the times are given.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gatepass_core::Token;

use super::key::Key;
use crate::policy::{Moment, Phase, Validity};

/// A 64th of a second: 32 bits of them wrap after two years, and no token lives for 30 days.
const TICK: Duration = Duration::from_nanos(15_625_000);

/// The ticks of the boot clock until `boot`; a tick begun is not counted.
pub(super) fn ticks(boot: Duration) -> u64 {
    boot.as_secs() * 64 + u64::from(boot.subsec_nanos() / 15_625_000)
}

/// How long so many ticks are.
pub(super) fn length(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(15_625_000))
}

/// The low 32 bits of the ticks until `boot`.
fn low(boot: Duration) -> u32 {
    ticks(boot) as u32
}

/// A token, when it ends, and when it was asked for last.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) token: Token,
    /// When it ends by the boot clock, rounded down.
    end: u32,
    /// How many ticks of it are left when the next one is asked for; nothing if it is not
    /// replaced before its end.
    refresh_at: u32,
    /// When somebody asked for it last.
    used: AtomicU32,
    /// In eighths of a second, rounded up: up to two hours.
    leeway: u16,
    /// Whether the token's own `Authorization` is all the vendor wants.
    pub(super) is_bearer: bool,
}

/// What is to be done with an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Drop it: the token has ended, or nobody has asked for it for too long.
    Drop,
    /// Ask for the next token.
    Refresh,
    /// Look again after so many ticks.
    In(u64),
}

/// So little of a life is left only when the token is not handed out any more: a refresh that is
/// due then never is.
const NEVER: u32 = 1;

impl Entry {
    pub(super) fn new(
        key: Key,
        token: Token,
        life: Validity,
        is_bearer: bool,
        now: Moment,
    ) -> Self {
        let (boot_end, leeway, refresh_at) = life.parts();
        let eighths = leeway.as_millis().div_ceil(125);
        let refresh_at = refresh_at.as_nanos().div_ceil(TICK.as_nanos());
        Self {
            key,
            token,
            end: low(boot_end),
            refresh_at: u32::try_from(refresh_at).unwrap_or(u32::MAX),
            used: AtomicU32::new(low(now.boot)),
            leeway: u16::try_from(eighths).unwrap_or(u16::MAX),
            is_bearer,
        }
    }

    /// The token's life, as far as it was kept; never longer than it was.
    pub(super) fn life(&self, now: Moment) -> Validity {
        let left = u64::try_from(self.end.wrapping_sub(low(now.boot)).cast_signed());
        let boot_end = left.map_or(Duration::ZERO, |left| length(ticks(now.boot) + left));
        let leeway = Duration::from_millis(u64::from(self.leeway) * 125);
        let refresh_at = length(u64::from(self.refresh_at));
        Validity::from_parts(self.token.expires_at(), boot_end, leeway, refresh_at)
    }

    pub(super) fn phase(&self, now: Moment, min_remaining: Duration) -> Phase {
        self.life(now).phase(now, min_remaining)
    }

    /// Somebody asks for it.
    pub(super) fn touch(&self, now: Moment) {
        let now = low(now.boot);
        // A line that many threads read is written as seldom as will do.
        if self.used.load(Ordering::Relaxed) != now {
            self.used.store(now, Ordering::Relaxed);
        }
    }

    /// For how many ticks nobody has asked for it.
    pub(super) fn unused(&self, now: Moment) -> u32 {
        low(now.boot).wrapping_sub(self.used.load(Ordering::Relaxed))
    }

    /// What is to be done with it, if it is dropped after being `idle` for so long.
    pub(super) fn due(&self, now: Moment, idle: Duration) -> Due {
        let life = self.life(now);
        let idle = idle.saturating_sub(length(self.unused(now).into()));
        if life.phase(now, Duration::ZERO) == Phase::Expired || idle.is_zero() {
            return Due::Drop;
        }
        let due = life.usable_for(now).min(idle);
        match life.refresh_in(now) {
            Some(Duration::ZERO) => Due::Refresh,
            Some(refresh) => Due::In(ticks(due.min(refresh)) + 1),
            None => Due::In(ticks(due) + 1),
        }
    }

    /// The next token is being asked for: nobody else need.
    pub(super) fn be_quiet(&mut self) {
        self.refresh_at = NEVER;
    }

    /// The next token is asked for at `boot` and no sooner.
    pub(super) fn refresh_at(&mut self, boot: Duration) {
        let left = self.end.wrapping_sub(low(boot).wrapping_add(1)).cast_signed();
        self.refresh_at = u32::try_from(left).unwrap_or(NEVER).max(NEVER);
    }

    /// It is used as lately as `other`.
    pub(super) fn used_like(self, other: &Self) -> Self {
        self.used.store(other.used.load(Ordering::Relaxed), Ordering::Relaxed);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use gatepass_core::{Clock, RefreshHints};
    use gatepass_testkit::TestClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn token(life: Duration, sent: SystemTime) -> Token {
        Token::builder("t-1".into(), sent).expires_in(life.into()).build().unwrap()
    }

    fn entry(life: Duration, leeway: Option<Duration>, now: Moment, wall: SystemTime) -> Entry {
        let life_of = Validity::new(wall + life, life, leeway, now, now);
        let life_of = life_of.with_refresh_ahead(&RefreshHints::new(), 0.5, now);
        Entry::new(Key::new("key"), token(life, wall), life_of, true, now)
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 128);
        assert_eq!(size_of::<Option<Entry>>(), 128);
    }

    #[test]
    fn a_kept_life_is_never_longer_and_hardly_shorter_than_it_was() {
        let clock = TestClock::new();
        for wrap in [0, u64::from(u32::MAX) / 64 - 3700] {
            clock.advance(Duration::from_secs(wrap));
            for millis in [5000, 60_001, 3_600_000, 30 * 24 * 3_600_000] {
                let (life, now) = (Duration::from_millis(millis), Moment::now(&clock));
                let full = Validity::new(clock.wall() + life, life, None, now, now);
                let full = full.with_refresh_ahead(&RefreshHints::new(), 0.5, now);
                let kept = entry(life, None, now, clock.wall());
                for _ in 0..100 {
                    let now = Moment::now(&clock);
                    let (a, b) = (full.remaining(now), kept.life(now).remaining(now));
                    assert!(b <= a && a - b <= TICK, "{a:?} {b:?}");
                    let (a, b) = (full.usable_for(now), kept.life(now).usable_for(now));
                    assert!(b <= a && a - b <= TICK + SECOND / 8, "{a:?} {b:?}");
                    clock.advance(life / 100);
                }
                assert_eq!(kept.phase(Moment::now(&clock), Duration::ZERO), Phase::Expired);
                clock.advance(Duration::from_secs(30 * 24 * 3600));
                assert_eq!(kept.phase(Moment::now(&clock), Duration::ZERO), Phase::Expired);
            }
        }
    }

    #[test]
    fn an_entry_is_refreshed_and_then_dropped() {
        let (clock, idle) = (TestClock::new(), Duration::from_secs(7200));
        let hour = Duration::from_secs(3600);
        let mut entry = entry(hour, None, Moment::now(&clock), clock.wall());
        let Due::In(wait) = entry.due(Moment::now(&clock), idle) else { panic!("nothing yet") };
        clock.advance(length(wait));
        assert_eq!(entry.due(Moment::now(&clock), idle), Due::Refresh);
        entry.be_quiet();
        let Due::In(left) = entry.due(Moment::now(&clock), idle) else { panic!("quiet") };
        assert!(length(left) > 500 * SECOND);
        let later = Moment::now(&clock).boot + 100 * SECOND;
        entry.refresh_at(later);
        let Due::In(wait) = entry.due(Moment::now(&clock), idle) else { panic!("resting") };
        assert!(length(wait) >= 100 * SECOND && length(wait) < 101 * SECOND);
        clock.advance(100 * SECOND);
        assert!(matches!(entry.due(Moment::now(&clock), idle), Due::In(1..=2)), "never sooner");
        entry.refresh_at(later + hour);
        clock.advance(2000 * SECOND);
        assert_eq!(entry.due(Moment::now(&clock), idle), Due::Drop);
    }

    #[test]
    fn an_idle_entry_is_dropped_and_a_used_one_is_not() {
        let (clock, idle) = (TestClock::new(), Duration::from_secs(600));
        let entry = entry(Duration::from_secs(36_000), None, Moment::now(&clock), clock.wall());
        clock.advance(599 * SECOND);
        assert!(matches!(entry.due(Moment::now(&clock), idle), Due::In(60..70)));
        entry.touch(Moment::now(&clock));
        clock.advance(599 * SECOND);
        assert!(matches!(entry.due(Moment::now(&clock), idle), Due::In(_)));
        clock.advance(SECOND);
        assert_eq!(entry.due(Moment::now(&clock), idle), Due::Drop);
    }

    #[test]
    fn a_leeway_of_more_than_two_hours_is_two_hours() {
        let (clock, day) = (TestClock::new(), Duration::from_secs(24 * 3600));
        let entry = entry(day, Some(day / 4), Moment::now(&clock), clock.wall());
        let usable = entry.life(Moment::now(&clock)).usable_for(Moment::now(&clock));
        assert!(
            usable > day - Duration::from_secs(8200) && usable < day - Duration::from_secs(7200)
        );
    }
}
