//! Arrival: what a flight brings is held or not, and a failure rests.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::Token;

use super::{Cache, Flights};
use crate::cooldown::{self, Rest};
use crate::exchange::{Failure, Held};
use crate::metrics;
use crate::policy::{Moment, Phase};
use crate::prefetch;

/// What becomes of a token that a flight brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is held.
    Taken,
    /// Nobody waits for it any more.
    TooLate,
    /// It had ended when it came.
    Ended,
    /// It is the one that the vendor gives until its end, and that comes so soon.
    Ending(Duration),
    /// It is the one that was invalidated while it was on its way.
    Refused,
}

/// A token that its vendor will give again is not worth having for less than this.
const WORTH_HAVING: Duration = Duration::from_secs(1);

impl Cache {
    /// An exchange begins. The number says later which invalidations it has not seen.
    pub(crate) fn begin_exchange(&self) -> u64 {
        let mut state = self.state();
        state.exchanges += 1;
        state.refusals
    }

    /// Takes what a flight brings; `seen` is what [`begin_exchange`](Self::begin_exchange) said,
    /// and `again` whether the flight has asked again for this one.
    pub(crate) fn take(
        self: &Arc<Self>,
        flight: u64,
        seen: u64,
        again: bool,
        held: Held,
    ) -> Arrival {
        let mut state = self.state();
        if state.is_closed || !state.is_current(flight) {
            return Arrival::TooLate;
        }
        let now = Moment::of(&*self.clock);
        if held.phase(now, Duration::ZERO) == Phase::Expired {
            return Arrival::Ended;
        }
        let text = held.token.expose_secret();
        let is_same = |other: &Token| other.expose_secret() == text;
        if state.refusals != seen && state.refused.as_ref().is_some_and(is_same) {
            return Arrival::Refused;
        }
        let hints = self.identity.provider.hints();
        let is_given_again = hints.same_token_until_end
            || self.held.load().as_ref().is_some_and(|held| is_same(&held.token));
        if is_given_again && !again && held.life.left(now) < WORTH_HAVING {
            return Arrival::Ending(held.life.left(now));
        }
        let held = if is_given_again {
            held.not_refreshed()
        } else {
            let chance = state.random.f64();
            held.refreshed_ahead(&hints, chance, now)
        };
        metrics::holds(&self.identity, held.token.expires_at());
        self.held.store(Some(Arc::new(held)));
        if self.identity.keep_warm {
            state.warming = prefetch::start(self, &self.is_warm).or_else(|| state.warming.take());
        }
        drop(state);
        self.tell_watchers();
        Arrival::Taken
    }

    /// A flight has ended, or (without an outcome) is given up. False if it had been before.
    pub(crate) fn end_flight(&self, flight: u64, outcome: Option<Result<(), &Failure>>) -> bool {
        let mut state = self.state();
        if !state.is_current(flight) {
            return false;
        }
        let ended = state.current.take();
        state.refused = None;
        let given_up = outcome.is_none();
        if let Some(held) = &*self.held.load() {
            // Also of a token that has just come: somebody may have met this flight there.
            held.be_quiet_until(Duration::ZERO);
        }
        match outcome {
            Some(Ok(())) => (state.rest, state.failures_in_a_row) = (None, 0),
            Some(Err(failure)) => self.begin_rest(&mut state, failure),
            // Whoever comes next may start another.
            None => {}
        }
        drop(state);
        if let (Some(flight), true) = (ended, given_up) {
            flight.abort();
        }
        true
    }

    fn begin_rest(&self, state: &mut Flights, failure: &Failure) {
        state.failures += 1;
        state.failures_in_a_row = state.failures_in_a_row.saturating_add(1);
        let (now, held) = (Moment::of(&*self.clock), self.held.load());
        let is_held =
            held.as_ref().is_some_and(|held| held.phase(now, Duration::ZERO) != Phase::Expired);
        let chance = state.random.f64();
        let length = match failure.rest {
            // Others look at it until then; a refusal ends when the credential changes.
            Some(rest) if failure.refused.is_none() => rest,
            _ => {
                let length =
                    cooldown::length(&failure.error, state.failures_in_a_row, is_held, chance);
                let held = held.as_ref().filter(|_| is_held);
                held.map_or(length, |held| {
                    cooldown::until_end(&failure.error, length, held.life.usable_for(now))
                })
            }
        };
        let until = now.boot.saturating_add(length);
        metrics::rests(&self.identity, failure.error.kind(), length);
        if let Some(held) = &*held {
            held.be_quiet_until(until);
        }
        state.rest = Some(Rest { error: failure.error.clone(), until, refused: failure.refused });
    }
}
