//! The oracle: what one source may hold, owe and do, from what its vendor saw.

use std::time::Duration;

use gatepass_core::Token;

use crate::operation::Does;
use crate::vendor::{Answer, Exchange, Moment};

/// What the oracle knows of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// The exchange whose token is held.
    pub(crate) held: Option<Held>,
    /// Every token that was handed out, the latest last, and when.
    pub(crate) handed_out: Vec<Token>,
    /// Invalidated tokens, and how many exchanges there were by then.
    pub(crate) invalidated: Vec<(Token, usize)>,
    /// The latest exchange of which a token was handed out.
    pub(crate) newest: usize,
    /// Why the latest flight failed, if the oracle can tell, and nothing has come since.
    pub(crate) failure: Option<Failure>,
    pub(crate) failures: u32,
    /// The secret that was refused last, and how many callers had asked by then.
    pub(crate) refused: Option<(usize, u64)>,
    /// The number of the latest caller who wants an exchange of its own.
    pub(crate) fresh: u64,
    /// How many callers had asked when the flight began that is under way or was last.
    pub(crate) flight: u64,
    pub(crate) flight_begun: Option<tokio::time::Instant>,
    /// Whether that flight makes, or may make, one more exchange.
    pub(crate) goes_on: bool,
    /// When the secret last changed, on the boot clock.
    pub(crate) rotated: Duration,
    pub(crate) is_closed: bool,
}

/// A token that is held.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) exchange: usize,
    wall_end: std::time::SystemTime,
    boot_end: Duration,
    pub(crate) at_intake: Duration,
}

/// A flight that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) does: Does,
    /// When, on the boot clock.
    pub(crate) at: Duration,
    /// The least time, and the most, until the vendor is asked again.
    pub(crate) floor: Duration,
    pub(crate) ceiling: Duration,
    /// How many callers had asked when it began.
    pub(crate) callers: u64,
}

impl Held {
    /// What `exchange` brought, at its answer.
    pub(crate) fn of(number: usize, exchange: &Exchange) -> Option<Self> {
        let (Answer::Token { life, .. }, Some(ended)) = (&exchange.answer, exchange.ended) else {
            return None;
        };
        let wall_end = exchange.begun.wall + *life;
        let boot_end = exchange.begun.boot + *life;
        let held = Self { exchange: number, wall_end, boot_end, at_intake: Duration::ZERO };
        Some(Self { at_intake: held.left(ended), ..held })
    }

    /// What is left of it, by the clock that says less.
    pub(crate) fn left(&self, now: Moment) -> Duration {
        let by_wall = self.wall_end.duration_since(now.wall).unwrap_or_default();
        by_wall.min(self.left_in_truth(now))
    }

    /// What is left of it for its vendor, whose clock nobody sets.
    pub(crate) fn left_in_truth(&self, now: Moment) -> Duration {
        self.boot_end.saturating_sub(now.boot)
    }

    pub(crate) fn leeway(&self) -> Duration {
        Duration::from_secs(10).min(self.at_intake / 10)
    }

    pub(crate) fn is_usable(&self, now: Moment, seconds: u64) -> bool {
        let left = self.left(now);
        !left.is_zero() && left >= self.leeway().max(Duration::from_secs(seconds))
    }

    /// Whether a refresh may begin: 37 % of its life are the most that is ever left by then.
    pub(crate) fn may_be_aging(&self, now: Moment) -> bool {
        self.left(now) <= self.at_intake.mul_f64(0.371)
    }
}

impl Account {
    pub(crate) fn usable(&self, now: Moment, seconds: u64) -> Option<&Held> {
        self.held.as_ref().filter(|held| held.is_usable(now, seconds))
    }

    /// A flight ended, at `now` and in this failure.
    pub(crate) fn fail(&mut self, does: Does, now: Moment) {
        self.failures += 1;
        let held = self.usable(now, 0);
        let (mut floor, mut ceiling) = bounds(does, self.failures, held.is_some());
        if let Some(held) = held {
            // People wait once it ends, so no rest is longer, but for what the vendor told.
            let usable = held.left(now).saturating_sub(held.leeway());
            let end = usable.max(told(does)).max(Duration::from_millis(50));
            (floor, ceiling) = (floor.min(end), ceiling.min(end.mul_f64(1.1)));
        }
        let callers = self.flight;
        self.failure = Some(Failure { does, at: now.boot, floor, ceiling, callers });
    }

    pub(crate) fn succeed(&mut self) {
        (self.failure, self.failures, self.refused) = (None, 0, None);
    }

    /// Whether the last failure is the answer for certain.
    pub(crate) fn rests(&self, now: Moment) -> bool {
        self.failure.as_ref().is_some_and(|failure| now.boot < failure.at + failure.floor)
    }
}

/// How long the vendor says to wait.
fn told(does: Does) -> Duration {
    match does {
        Does::Throttles(Some(after)) | Does::IsAway(after) => {
            Duration::from_secs(after.clamp(1, 3600))
        }
        Does::Throttles(None) => Duration::from_secs(5),
        _ => Duration::ZERO,
    }
}

/// How long a failure rests: at least, and at most (`FAULTS.md` section 4).
fn bounds(does: Does, failures: u32, is_held: bool) -> (Duration, Duration) {
    let (seconds, milliseconds) = (Duration::from_secs, Duration::from_millis);
    let (least, most) =
        if is_held { (seconds(1), seconds(300)) } else { (milliseconds(50), seconds(30)) };
    let told = |after: u64| seconds(after.clamp(1, 3600));
    match does {
        Does::Throttles(Some(after)) => {
            (told(after).max(least), told(after).mul_f64(1.1).max(most))
        }
        Does::Throttles(None) => (seconds(5), most),
        Does::IsAway(after) => (told(after).max(least), told(after).max(most)),
        // It is looked at again, and asked with only if it has changed.
        Does::Refuses => (seconds(1), seconds(30)),
        Does::Babbles if failures == 1 => (least, most.max(seconds(60))),
        Does::Babbles => (seconds(60), most.max(seconds(60))),
        _ => (least, most),
    }
}
