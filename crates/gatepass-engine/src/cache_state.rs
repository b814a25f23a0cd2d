//! The part of a cache behind its mutex: flight, cool-down, invalidations and counters.

use std::time::Duration;

use gatepass_core::Token;

use crate::cached_token::CachedToken;
use crate::cooldown::{self, Cooldown};
use crate::credential_history::CredentialHistory;
use crate::exchange_failure::ExchangeFailure;
use crate::flight_handle::Flight;
use crate::policy::Moment;
use crate::rt::AbortHandle;
use crate::status::{State, Status};

/// How often a rejected token is replaced at most.
pub(crate) const REPLACEMENT_PAUSE: Duration = Duration::from_secs(5);

/// The part of a cache that its mutex guards.
#[derive(Debug, Default)]
pub(crate) struct CacheState {
    pub(crate) flight: Option<Flight>,
    /// Number of flights started; also the number of the latest flight.
    pub(crate) flights_started: u64,
    /// Number of the latest flight that has to skip the store.
    pub(crate) skip_store_flight: u64,
    pub(crate) is_closed: bool,
    /// Number of invalidations during a flight, and the token of the latest one.
    pub(crate) invalidations: u64,
    pub(crate) invalidated: Option<Token>,
    /// The last token that was invalidated, if the store or the last login may return it again.
    pub(crate) rejected: Option<Token>,
    /// The cool-down after the latest failure, if no success followed.
    pub(crate) cooldown: Option<Cooldown>,
    pub(crate) consecutive_failures: u32,
    /// When the callers stop trying, on the boot clock, if they have said so.
    pub(crate) retry_until: Option<Duration>,
    /// Which credential brought a token, and which one is refused.
    pub(crate) credentials: CredentialHistory,
    /// When a rejected token was replaced last, on the boot clock.
    pub(crate) replaced_at: Option<Duration>,
    pub(crate) prefetch_task: Option<AbortHandle>,
    pub(crate) rng: fastrand::Rng,
    pub(crate) exchanges: u64,
    pub(crate) failures: u64,
}

impl CacheState {
    pub(crate) fn is_current(&self, flight: u64) -> bool {
        self.flight.as_ref().is_some_and(|current| current.number == flight)
    }

    /// Returns how much of the cool-down remains, if there is one.
    pub(crate) fn cooldown_remaining(&self, now: Duration) -> Option<Duration> {
        self.cooldown.as_ref()?.remaining(now)
    }

    /// Starts the cool-down after a failure, and returns its duration. `cached` is not refreshed
    /// before its end.
    pub(crate) fn start_cooldown(
        &mut self,
        failure: &ExchangeFailure,
        cached: Option<&CachedToken>,
        now: Moment,
        has_store: bool,
    ) -> Duration {
        if let (true, Some(cooldown)) = (failure.is_repeated, &mut self.cooldown) {
            cooldown.postpone_check(now.boot);
            suppress_refresh(cached, cooldown, now);
            return cooldown.remaining(now.boot).unwrap_or_default();
        }
        self.failures += 1;
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        let usable = cached.filter(|cached| cached.is_usable(now));
        let jitter = self.rng.f64();
        let (error, failures) = (&failure.error, self.consecutive_failures);
        if let Some(credentials) = &failure.credentials {
            self.credentials = credentials.clone();
        }
        let duration = match failure.cooldown {
            Some(known) => known,
            None => {
                let duration = cooldown::duration(error, failures, usable.is_some(), jitter);
                let window = self.retry_until.map(|end| end.saturating_sub(now.boot));
                let duration = cooldown::within_window(error, duration, window, jitter);
                usable.map_or(duration, |cached| {
                    let usable_for = cached.validity.usable_for(now);
                    cooldown::capped_at_expiry(error, duration, usable_for)
                })
            }
        };
        let mut cooldown = Cooldown::start(failure, now.boot, duration, has_store);
        suppress_refresh(cached, &mut cooldown, now);
        self.cooldown = Some(cooldown);
        duration
    }

    /// Returns how long the failure of the cool-down is repeated without a look at the store or the
    /// credential.
    pub(crate) fn quiet_for(&self, now: Duration) -> Option<Duration> {
        self.cooldown.as_ref()?.quiet_for(now)
    }

    /// Returns whether a rejected token is replaced now, and records it. An API that rejects tokens
    /// for being too young must not cause a token request per call.
    ///
    /// A young token from the store may be the replacement that another process has requested.
    pub(crate) fn may_replace(&mut self, rejected: &CachedToken, now: Moment) -> bool {
        let age = now.wall().duration_since(rejected.token.issued_at());
        let is_young = rejected.is_replacement && age.is_ok_and(|age| age < REPLACEMENT_PAUSE);
        let is_recent = |at: Duration| now.boot.saturating_sub(at) < REPLACEMENT_PAUSE;
        if is_young || self.replaced_at.is_some_and(is_recent) {
            return false;
        }
        self.replaced_at = Some(now.boot);
        true
    }

    /// Returns the time until the next token is due: until the refresh or the end of `cached`,
    /// zero without a token, and not before the cool-down ends.
    pub(crate) fn due_in(&self, cached: Option<&CachedToken>, now: Moment) -> Duration {
        if self.flight.is_some() {
            return Duration::MAX;
        }
        let due = cached.map_or(Duration::ZERO, |cached| {
            let validity = cached.validity;
            validity.refresh_in(now).unwrap_or_else(|| validity.usable_for(now))
        });
        due.max(self.quiet_for(now.boot).unwrap_or_default())
    }

    pub(crate) fn status(&self, cached: Option<&CachedToken>, now: Moment) -> Status {
        let token = cached.map(|cached| &cached.token);
        Status {
            state: match cached.map(|cached| cached.phase(now, Duration::ZERO)) {
                None if self.is_closed => State::Closed,
                None => State::Empty,
                Some(phase) => State::of(phase),
            },
            expires_at: token.map(Token::expires_at),
            expiry: token.map(Token::expiry),
            is_stored: cached.is_some_and(|cached| cached.is_stored),
            refresh_in: cached.and_then(|cached| cached.validity.refresh_in(now)),
            warnings: token.into_iter().flat_map(Token::warnings).map(str::to_owned).collect(),
            is_exchanging: self.flight.is_some(),
            exchanges: self.exchanges,
            failures: self.failures,
            last_error: self.cooldown.as_ref().map(|cooldown| cooldown.error.clone()),
            cooldown_remaining: self.cooldown_remaining(now.boot),
        }
    }
}

/// Lets no refresh of the cached token start while the failure is repeated.
fn suppress_refresh(cached: Option<&CachedToken>, cooldown: &mut Cooldown, now: Moment) {
    let Some(cached) = cached else { return };
    let usable_for = cached.validity.usable_for(now);
    if !usable_for.is_zero() {
        cooldown.check_within(usable_for, now.boot);
    }
    let quiet = cooldown.quiet_for(now.boot).unwrap_or_default();
    cached.suppress_refresh_until(now.boot.saturating_add(quiet));
}
