//! The oracle: derives from the vendor's events what one source may cache, return and do.

use std::time::Duration;

use gatepass_core::Token;

use crate::operation::VendorAction;
use crate::vendor::{ModelExchange, ModelMoment, ModelResponse};

/// What the oracle knows about one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelSource {
    /// The cached token.
    pub(crate) cached: Option<ModelCachedToken>,
    /// Every returned token, the latest last.
    pub(crate) returned: Vec<Token>,
    /// Invalidated tokens, each with the number of exchanges before its invalidation.
    pub(crate) invalidated: Vec<(Token, usize)>,
    /// The latest exchange whose token was returned.
    pub(crate) newest: usize,
    /// Why the latest flight failed, if it did and the oracle knows the reason.
    pub(crate) failure: Option<ModelFailure>,
    pub(crate) failures: u32,
    /// When a rejected token was replaced last, at the latest.
    pub(crate) replaced: Option<Duration>,
    /// The secret that brought a token last.
    pub(crate) worked: Option<usize>,
    /// The secret that was denied last, and the number of callers before that.
    pub(crate) refused: Option<(usize, u64)>,
    /// When that was, on the boot clock.
    pub(crate) refused_at: Duration,
    /// The number of the latest caller that needs a new exchange.
    pub(crate) fresh: u64,
    /// The number of callers when the current or latest flight started.
    pub(crate) flight: u64,
    pub(crate) flight_begun: Option<tokio::time::Instant>,
    /// Whether that flight may make one more exchange.
    pub(crate) may_retry: bool,
    /// When the secret last changed, on the boot clock.
    pub(crate) rotated: Duration,
    pub(crate) is_closed: bool,
}

/// A cached token.
#[derive(Clone, Debug)]
pub(crate) struct ModelCachedToken {
    pub(crate) exchange: usize,
    wall_end: std::time::SystemTime,
    boot_end: Duration,
    pub(crate) at_arrival: Duration,
}

/// A failed flight.
#[derive(Clone, Debug)]
pub(crate) struct ModelFailure {
    pub(crate) action: VendorAction,
    /// Time of the failure on the boot clock.
    pub(crate) at: Duration,
    /// The shortest and the longest allowed cool-down.
    pub(crate) floor: Duration,
    pub(crate) ceiling: Duration,
    /// The number of callers when it started.
    pub(crate) callers: u64,
}

impl ModelCachedToken {
    /// Returns the token of `exchange` at the time of its response.
    pub(crate) fn of(number: usize, exchange: &ModelExchange) -> Option<Self> {
        let (ModelResponse::Token { lifetime, .. }, Some(ended)) =
            (&exchange.response, exchange.ended)
        else {
            return None;
        };
        let wall_end = exchange.started.wall + *lifetime;
        let boot_end = exchange.started.boot + *lifetime;
        let cached = Self { exchange: number, wall_end, boot_end, at_arrival: Duration::ZERO };
        Some(Self { at_arrival: cached.remaining(ended), ..cached })
    }

    /// Returns the remaining lifetime by the more pessimistic clock.
    pub(crate) fn remaining(&self, now: ModelMoment) -> Duration {
        let by_wall = self.wall_end.duration_since(now.wall).unwrap_or_default();
        by_wall.min(self.remaining_at_vendor(now))
    }

    /// Returns the remaining lifetime by the vendor's clock, which is never set.
    pub(crate) fn remaining_at_vendor(&self, now: ModelMoment) -> Duration {
        self.boot_end.saturating_sub(now.boot)
    }

    pub(crate) fn leeway(&self) -> Duration {
        Duration::from_secs(10).min(self.at_arrival / 10)
    }

    pub(crate) fn is_usable(&self, now: ModelMoment, seconds: u64) -> bool {
        let remaining = self.remaining(now);
        !remaining.is_zero() && remaining >= self.leeway().max(Duration::from_secs(seconds))
    }

    /// Returns whether a refresh may start: at most 37 % of the lifetime remain.
    pub(crate) fn may_be_aging(&self, now: ModelMoment) -> bool {
        self.remaining(now) <= self.at_arrival.mul_f64(0.371)
    }
}

impl ModelSource {
    pub(crate) fn usable(&self, now: ModelMoment, seconds: u64) -> Option<&ModelCachedToken> {
        self.cached.as_ref().filter(|cached| cached.is_usable(now, seconds))
    }

    /// Records a flight that failed at `now`.
    pub(crate) fn fail(&mut self, action: VendorAction, now: ModelMoment) {
        self.failures += 1;
        let cached = self.usable(now, 0);
        let (mut floor, mut ceiling) = bounds(action, self.failures, cached.is_some());
        if let Some(cached) = cached {
            // Callers wait once the token has expired, so the cool-down ends with it, except for
            // the vendor's own delay.
            let usable = cached.remaining(now).saturating_sub(cached.leeway());
            let end = usable.max(retry_after(action)).max(Duration::from_millis(50));
            (floor, ceiling) = (floor.min(end), ceiling.min(end.mul_f64(1.1)));
        }
        let callers = self.flight;
        self.failure = Some(ModelFailure { action, at: now.boot, floor, ceiling, callers });
    }

    pub(crate) fn succeed(&mut self) {
        (self.failure, self.failures, self.refused) = (None, 0, None);
    }

    /// Returns whether the cool-down certainly lasts.
    pub(crate) fn is_cooling_down(&self, now: ModelMoment) -> bool {
        self.failure.as_ref().is_some_and(|failure| now.boot < failure.at + failure.floor)
    }
}

/// Returns the vendor's own delay.
fn retry_after(action: VendorAction) -> Duration {
    match action {
        VendorAction::RateLimits(Some(after)) | VendorAction::Unavailable(after) => {
            Duration::from_secs(after.clamp(1, 3600))
        }
        VendorAction::RateLimits(None) => Duration::from_secs(5),
        _ => Duration::ZERO,
    }
}

/// Returns the shortest and the longest allowed cool-down.
fn bounds(action: VendorAction, failures: u32, is_held: bool) -> (Duration, Duration) {
    let (seconds, milliseconds) = (Duration::from_secs, Duration::from_millis);
    let (least, most) =
        if is_held { (seconds(1), seconds(300)) } else { (milliseconds(50), seconds(30)) };
    let retry_after = |after: u64| seconds(after.clamp(1, 3600));
    match action {
        VendorAction::RateLimits(Some(after)) => {
            (retry_after(after).max(least), retry_after(after).mul_f64(1.1).max(most))
        }
        VendorAction::RateLimits(None) => (seconds(5), most),
        VendorAction::Unavailable(after) => {
            (retry_after(after).max(least), retry_after(after).max(most))
        }
        // The credential is read again, and sent only if it has changed.
        VendorAction::Denies => (seconds(1), seconds(30)),
        VendorAction::WebPage if failures == 1 => (least, most.max(seconds(60))),
        VendorAction::WebPage if is_held => (seconds(60), most),
        VendorAction::WebPage => (seconds(30), seconds(30)),
        _ => (least, most),
    }
}
