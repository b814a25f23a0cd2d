//! Arrival: what a flight brings is cached or not, and a failure rests.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::Token;

use super::{Cache, CacheState};
use crate::cooldown::{self, Cooldown};
use crate::exchange::{CachedToken, ExchangeFailure};
use crate::metrics;
use crate::policy::{Moment, Phase};
use crate::prefetch;

/// What becomes of a token that a flight brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StoreOutcome {
    /// It is cached.
    Stored,
    /// Nobody waits for it any more.
    Superseded,
    /// It had ended when it came.
    AlreadyExpired,
    /// It is the one that the vendor gives until its end, and that comes so soon.
    ExpiresSoon(Duration),
    /// It is the one that was invalidated while it was on its way.
    Invalidated,
}

/// A token that its vendor will give again is not worth having for less than this.
const MIN_USEFUL_LIFETIME: Duration = Duration::from_secs(1);

impl Cache {
    /// An exchange begins. The number says later which invalidations it has not seen.
    pub(crate) fn begin_exchange(&self) -> u64 {
        let mut state = self.state();
        state.exchanges += 1;
        state.refusals
    }

    /// Takes what a flight brings; `seen` is what [`begin_exchange`](Self::begin_exchange) said,
    /// and `again` whether the flight has asked again for this one.
    pub(crate) fn store_token(
        self: &Arc<Self>,
        flight: u64,
        seen: u64,
        again: bool,
        cached: CachedToken,
    ) -> StoreOutcome {
        let mut state = self.state();
        if state.is_closed || !state.is_current(flight) {
            return StoreOutcome::Superseded;
        }
        let now = Moment::now(&*self.clock);
        if cached.phase(now, Duration::ZERO) == Phase::Expired {
            return StoreOutcome::AlreadyExpired;
        }
        let text = cached.token.expose_secret();
        let is_same = |other: &Token| other.expose_secret() == text;
        if state.refusals != seen && state.refused.as_ref().is_some_and(is_same) {
            return StoreOutcome::Invalidated;
        }
        let hints = self.config.provider.hints();
        let is_given_again = hints.same_token_until_end
            || self.cached.load().as_ref().is_some_and(|cached| is_same(&cached.token));
        if is_given_again && !again && cached.validity.remaining(now) < MIN_USEFUL_LIFETIME {
            return StoreOutcome::ExpiresSoon(cached.validity.remaining(now));
        }
        let cached = if is_given_again {
            cached.without_refresh()
        } else {
            let jitter = state.random.f64();
            cached.with_refresh_ahead(&hints, jitter, now)
        };
        metrics::record_expiry(&self.config, cached.token.expires_at());
        self.cached.store(Some(Arc::new(cached)));
        if self.config.keep_warm {
            state.prefetch_task =
                prefetch::start(self, &self.prefetching).or_else(|| state.prefetch_task.take());
        }
        drop(state);
        self.notify_watchers();
        StoreOutcome::Stored
    }

    /// A flight has ended, or (without an outcome) is given up. False if it had been before.
    pub(crate) fn end_flight(
        &self,
        flight: u64,
        outcome: Option<Result<(), &ExchangeFailure>>,
    ) -> bool {
        let mut state = self.state();
        if !state.is_current(flight) {
            return false;
        }
        let ended = state.current.take();
        state.refused = None;
        let given_up = outcome.is_none();
        if let Some(cached) = &*self.cached.load() {
            // Also of a token that has just come: somebody may have met this flight there.
            cached.suppress_refresh_until(Duration::ZERO);
        }
        match outcome {
            Some(Ok(())) => (state.rest, state.failures_in_a_row) = (None, 0),
            Some(Err(failure)) => self.start_cooldown(&mut state, failure),
            // Whoever comes next may start another.
            None => {}
        }
        drop(state);
        if let (Some(flight), true) = (ended, given_up) {
            flight.abort();
        }
        true
    }

    fn start_cooldown(&self, state: &mut CacheState, failure: &ExchangeFailure) {
        state.failures += 1;
        state.failures_in_a_row = state.failures_in_a_row.saturating_add(1);
        let (now, cached) = (Moment::now(&*self.clock), self.cached.load());
        let is_held = cached
            .as_ref()
            .is_some_and(|cached| cached.phase(now, Duration::ZERO) != Phase::Expired);
        let jitter = state.random.f64();
        let length = match failure.rest {
            // Others look at it until then; a refusal ends when the credential changes.
            Some(rest) if failure.refused.is_none() => rest,
            _ => {
                let length =
                    cooldown::duration(&failure.error, state.failures_in_a_row, is_held, jitter);
                let cached = cached.as_ref().filter(|_| is_held);
                cached.map_or(length, |cached| {
                    cooldown::capped_at_expiry(
                        &failure.error,
                        length,
                        cached.validity.usable_for(now),
                    )
                })
            }
        };
        let until = now.boot.saturating_add(length);
        metrics::record_cooldown(&self.config, failure.error.kind(), length);
        if let Some(cached) = &*cached {
            cached.suppress_refresh_until(until);
        }
        state.rest =
            Some(Cooldown { error: failure.error.clone(), until, refused: failure.refused });
    }
}
