//! Cache: the token that is held, and the flight that brings the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use gatepass_core::{Clock, Error, Result, Token};
use tokio::runtime::Handle;

use crate::exchange::{Held, Identity};
use crate::flight::{self, Flight, Ticket};
use crate::policy::Moment;
use crate::{State, Status};

/// Reading the held token takes no lock; everything that changes what is held does.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) identity: Arc<Identity>,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<Held>,
    state: Mutex<Flights>,
}

#[derive(Debug, Default)]
struct Flights {
    current: Option<Flight>,
    /// How many have started: the number of the latest.
    started: u64,
    is_closed: bool,
    /// How many tokens have been invalidated during a flight, and the latest during this one.
    refusals: u64,
    refused: Option<Token>,
    exchanges: u64,
    failures: u64,
    last_error: Option<Error>,
}

/// What somebody who asks will accept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// A held token with so much life left, or whatever a flight brings.
    Remaining(Duration),
    /// What the flight of this number or a later one brings.
    Flight(u64),
}

/// What somebody who asks gets.
#[derive(Debug)]
pub(crate) enum Boarding {
    Held(Token),
    Flight(Ticket),
}

/// What becomes of a token that a flight brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is held.
    Taken,
    /// Nobody waits for it any more.
    TooLate,
    /// It had ended when it came.
    Ended,
    /// It is the one that was invalidated while it was on its way.
    Refused,
}

impl Cache {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            clock: identity.clock.clone(),
            identity: Arc::new(identity),
            held: ArcSwapOption::empty(),
            state: Mutex::default(),
        }
    }

    /// Holds a token from the start.
    pub(crate) fn holding(self, held: Held) -> Self {
        self.held.store(Some(Arc::new(held)));
        self
    }

    /// The held token, if it may be handed out to somebody who needs it for so long.
    pub(crate) fn token(&self, min_remaining: Duration) -> Option<Token> {
        let held = self.held.load();
        let held = held.as_ref()?;
        held.serves(Moment::of(&*self.clock), min_remaining).then(|| held.token.clone())
    }

    /// Runs `look` on what is held, if that is this very token.
    pub(crate) fn if_held<T>(&self, token: &Token, look: impl FnOnce(&Held) -> T) -> Option<T> {
        let held = self.held.load();
        held.as_ref().filter(|held| held.token.is(token)).map(|held| look(held))
    }

    /// The number of the first flight that starts after now.
    pub(crate) fn next_flight(&self) -> u64 {
        self.state().started + 1
    }

    /// The held token, or a place on the flight under way, or on one that starts now.
    pub(crate) fn board(self: &Arc<Self>, want: Want) -> Result<Boarding> {
        let mut state = self.state();
        if state.is_closed {
            return Err(self.identity.named(Error::internal("the source is closed")));
        }
        // Whoever was before us may have brought it.
        if let Want::Remaining(min_remaining) = want
            && let Some(token) = self.token(min_remaining)
        {
            return Ok(Boarding::Held(token));
        }
        if let Some(flight) = &state.current {
            return Ok(Boarding::Flight(flight.ticket()));
        }
        let Ok(runtime) = Handle::try_current() else {
            return Err(self.identity.named(
                Error::internal("there is no tokio runtime to ask the vendor in")
                    .with_hint("ask for tokens inside a tokio runtime with time enabled"),
            ));
        };
        state.started += 1;
        let (flight, outcome) = Flight::new(state.started);
        let ticket = flight.ticket();
        state.current = Some(flight);
        drop(state);
        // Not under the lock: a runtime that shuts down drops the task here and now.
        let task = flight::start(&runtime, self, ticket.number, outcome);
        match &mut self.state().current {
            Some(flight) if flight.number == ticket.number => flight.task = Some(task),
            _ => task.abort(),
        }
        Ok(Boarding::Flight(ticket))
    }

    /// An exchange begins. The number says later which invalidations it has not seen.
    pub(crate) fn begin_exchange(&self) -> u64 {
        let mut state = self.state();
        state.exchanges += 1;
        state.refusals
    }

    /// Takes what a flight brings; `seen` is what [`begin_exchange`](Self::begin_exchange) said.
    pub(crate) fn take(&self, flight: u64, seen: u64, held: Held) -> Arrival {
        let state = self.state();
        if state.is_closed || !state.is_current(flight) {
            return Arrival::TooLate;
        }
        if !held.serves(Moment::of(&*self.clock), Duration::ZERO) {
            return Arrival::Ended;
        }
        let text = held.token.expose_secret();
        let is_refused = |refused: &Token| refused.expose_secret() == text;
        if state.refusals != seen && state.refused.as_ref().is_some_and(is_refused) {
            return Arrival::Refused;
        }
        self.held.store(Some(Arc::new(held)));
        Arrival::Taken
    }

    /// A flight has ended, or (without an outcome) is given up.
    pub(crate) fn end_flight(&self, flight: u64, outcome: Option<&Result<()>>) {
        let mut state = self.state();
        if !state.is_current(flight) {
            return;
        }
        let ended = state.current.take();
        state.refused = None;
        match outcome {
            Some(Ok(())) => state.last_error = None,
            Some(Err(error)) => {
                state.failures += 1;
                state.last_error = Some(error.clone());
            }
            None => {}
        }
        drop(state);
        if let (Some(flight), None) = (ended, outcome) {
            flight.abort();
        }
    }

    /// Forgets exactly this token.
    pub(crate) fn invalidate(&self, token: &Token) {
        let mut state = self.state();
        if self.if_held(token, |_| ()).is_none() {
            return;
        }
        self.held.store(None);
        if state.current.is_some() {
            state.refusals += 1;
            state.refused = Some(token.clone());
        }
    }

    /// Forgets everything, for good, and ends the flight.
    pub(crate) fn close(&self) -> Option<Ticket> {
        let mut state = self.state();
        state.is_closed = true;
        state.refused = None;
        self.held.store(None);
        let flight = state.current.take()?;
        drop(state);
        let ticket = flight.ticket();
        flight.abort();
        Some(ticket)
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        let held = self.held.load();
        let held = held.as_ref();
        let is_fresh = |held: &Held| held.serves(Moment::of(&*self.clock), Duration::ZERO);
        let token = held.map(|held| &held.token);
        Status {
            state: match held {
                None if state.is_closed => State::Closed,
                None => State::Empty,
                Some(held) if is_fresh(held) => State::Fresh,
                Some(_) => State::Expired,
            },
            expires_at: token.map(Token::expires_at),
            expiry: token.map(Token::expiry),
            warnings: token.into_iter().flat_map(Token::warnings).map(str::to_owned).collect(),
            is_exchanging: state.current.is_some(),
            exchanges: state.exchanges,
            failures: state.failures,
            last_error: state.last_error.clone(),
        }
    }

    /// No code but ours runs under this lock; should it panic, what it guards is still whole.
    fn state(&self) -> MutexGuard<'_, Flights> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flights {
    fn is_current(&self, number: u64) -> bool {
        self.current.as_ref().is_some_and(|flight| flight.number == number)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.close();
    }
}
