//! Cache: the token that is held, the flight that brings the next one, and the rest after a failure.

mod arrival;

use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Duration;

use gatepass_core::{CoarseTime, Error, Result, Token};

pub(crate) use self::arrival::Arrival;
use crate::clock::Time;
use crate::cooldown::Rest;
use crate::exchange::{Ask, Held, Identity};
use crate::flight::{self, Flight, Ticket};
use crate::policy::{Moment, Phase};
use crate::prefetch::IsWarm;
use crate::rt::{AbortHandle, ArcSwapOption, Handle, Mutex, MutexGuard, watch};
use crate::{State, Status};

/// Reading the held token takes no lock; everything that changes what is held does.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) identity: Arc<Identity>,
    clock: Time,
    held: ArcSwapOption<Held>,
    state: Mutex<Flights>,
    is_warm: IsWarm,
    /// Tells those who watch that another token is held, or none any more.
    changes: OnceLock<watch::Sender<()>>,
}

#[derive(Debug, Default)]
struct Flights {
    current: Option<Flight>,
    /// How many have started: the number of the latest.
    started: u64,
    /// The latest that is to ask the vendor, whatever a store has.
    fresh: u64,
    is_closed: bool,
    /// How many tokens have been invalidated during a flight, and the latest during this one.
    refusals: u64,
    refused: Option<Token>,
    /// The latest that was invalidated at all, where a store may bring it back.
    last_refused: Option<Token>,
    /// The latest failure, if no success followed, and how many there were in a row.
    rest: Option<Rest>,
    failures_in_a_row: u32,
    warming: Option<AbortHandle>,
    random: fastrand::Rng,
    exchanges: u64,
    failures: u64,
}

/// What somebody who asks will accept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// A held token with so much life left, or whatever a flight brings.
    Remaining(Duration),
    /// What the flight of this number or a later one brings.
    Flight(u64),
}

impl Want {
    /// Whether what this flight brings is not wanted.
    pub(crate) fn is_later_than(self, flight: u64) -> bool {
        matches!(self, Self::Flight(wanted) if flight < wanted)
    }
}

/// What somebody who asks gets.
#[derive(Debug)]
pub(crate) enum Boarding {
    Held(Token),
    Flight(Ticket),
}

impl Cache {
    pub(crate) fn new(identity: Identity) -> Self {
        let random = identity.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            clock: identity.clock.clone(),
            identity: Arc::new(identity),
            held: ArcSwapOption::empty(),
            state: Mutex::new(Flights { random, ..Flights::default() }),
            is_warm: IsWarm::default(),
            changes: OnceLock::new(),
        }
    }

    /// Holds a token from the start.
    pub(crate) fn holding(self, held: Held) -> Self {
        self.held.store(Some(Arc::new(held)));
        self
    }

    /// Rests as another one of the same identity does, whose credential may be another by now.
    pub(crate) fn resting_as(self, other: &Self) -> Self {
        let of = |other: MutexGuard<'_, Flights>| (other.rest.clone(), other.failures_in_a_row);
        let (rest, failures) = of(other.state());
        let mut state = self.state();
        (state.rest, state.failures_in_a_row) = (rest, failures);
        drop(state);
        self
    }

    /// Runs `take` on the held token, if that is usable; an aging one starts its refresh.
    ///
    /// This is the hit: where a glance at the clocks is enough, it writes nothing that is shared.
    #[inline(always)]
    pub(crate) fn with_token<T>(self: &Arc<Self>, take: impl FnOnce(&Token) -> T) -> Option<T> {
        let held = self.held.load();
        let held = held.as_ref()?;
        let now = self.clock.coarse();
        if !held.glance.is_enough(now) && !self.is_usable(held, now, Duration::ZERO) {
            return None;
        }
        Some(take(&held.token))
    }

    /// The held token, if it may be handed out to somebody who needs it for so long; an aging one
    /// starts its refresh.
    pub(crate) fn token(self: &Arc<Self>, min_remaining: Duration) -> Option<Token> {
        if min_remaining.is_zero() {
            return self.with_token(Token::clone);
        }
        let held = self.held.load();
        let held = held.as_ref()?;
        self.is_usable(held, self.clock.coarse(), min_remaining).then(|| held.token.clone())
    }

    /// Asks the exact clocks.
    #[cold]
    #[inline(never)]
    fn is_usable(
        self: &Arc<Self>,
        held: &Held,
        coarse: CoarseTime,
        min_remaining: Duration,
    ) -> bool {
        let now = Moment::of(&*self.clock);
        match held.phase(now, min_remaining) {
            Phase::Fresh => held.glance.allow(coarse, held.life.fresh_for(now)),
            Phase::Aging if held.is_due(now.boot) => self.refresh(),
            Phase::Aging => {}
            Phase::Expired => return false,
        }
        true
    }

    /// The held token, if it is usable; starts nothing.
    pub(crate) fn peek(&self, min_remaining: Duration) -> Option<Token> {
        let held = self.held.load();
        let held = held.as_ref()?;
        let is_sure = min_remaining.is_zero() && held.glance.is_enough(self.clock.coarse());
        let is_usable = || held.phase(Moment::of(&*self.clock), min_remaining) != Phase::Expired;
        (is_sure || is_usable()).then(|| held.token.clone())
    }

    /// Runs `look` on what is held, if that is this very token.
    pub(crate) fn if_held<T>(&self, token: &Token, look: impl FnOnce(&Held) -> T) -> Option<T> {
        let held = self.held.load();
        held.as_ref().filter(|held| held.token.is_same_as(token)).map(|held| look(held))
    }

    /// The number of the first flight that starts after now; whoever starts it, it asks the vendor.
    pub(crate) fn next_flight(&self) -> u64 {
        let mut state = self.state();
        state.fresh = state.started + 1;
        state.fresh
    }

    /// The held token, or a place on the flight under way, or on one that starts now; the error of
    /// the last flight while that rests.
    pub(crate) fn board(self: &Arc<Self>, want: Want) -> Result<Boarding> {
        let state = self.state();
        if state.is_closed {
            return Err(self.identity.named(Error::internal("the source is closed")));
        }
        if let Want::Remaining(min_remaining) = want {
            // Whoever was before us may have brought it.
            if let Some(token) = self.peek(min_remaining) {
                return Ok(Boarding::Held(token));
            }
            // Asking brings the same token: the caller gets it, short as it is.
            if let Some(held) = &*self.held.load()
                && !held.life.is_refreshed()
                && held.phase(Moment::of(&*self.clock), Duration::ZERO) != Phase::Expired
            {
                return Ok(Boarding::Held(held.token.clone()));
            }
        }
        if let Some(flight) = &state.current {
            return Ok(Boarding::Flight(flight.ticket()));
        }
        let now = self.clock.boot();
        let rest = state.rest.clone().filter(|_| matches!(want, Want::Remaining(_)));
        if let Some(rest) = rest.as_ref().filter(|rest| rest.left(now).is_some()) {
            return Err(rest.error(now));
        }
        let (is_fresh, min_remaining) = match want {
            Want::Remaining(min_remaining) => (false, min_remaining),
            Want::Flight(_) => (true, Duration::ZERO),
        };
        let ask = Ask { rest, is_fresh, min_remaining, ..Ask::default() };
        self.launch(state, ask).map(Boarding::Flight)
    }

    /// Starts the flight that replaces an aging token, unless one is under way or the last one
    /// failed too recently. Nobody waits for it.
    pub(crate) fn refresh(self: &Arc<Self>) {
        let state = self.state();
        let Some(held) = &*self.held.load() else { return };
        if state.is_closed || state.current.is_some() {
            return held.be_quiet_until(Duration::MAX);
        }
        let now = Moment::of(&*self.clock);
        // Whoever was before us may have brought the next one.
        if held.phase(now, Duration::ZERO) != Phase::Aging {
            return;
        }
        let rest = state.rest.clone();
        if let Some(rest) = rest.as_ref().filter(|rest| rest.left(now.boot).is_some()) {
            return held.be_quiet_until(rest.until);
        }
        held.be_quiet_until(Duration::MAX);
        let newer_than = Some(held.token.issued_at());
        if self.launch(state, Ask { rest, newer_than, ..Ask::default() }).is_err() {
            // Outside a runtime nothing can be started; somebody within one will come.
            held.be_quiet_until(Duration::ZERO);
        }
    }

    fn launch(self: &Arc<Self>, mut state: MutexGuard<'_, Flights>, ask: Ask) -> Result<Ticket> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(self.identity.named(
                Error::internal("there is no tokio runtime to ask the vendor in")
                    .with_hint("ask for tokens inside a tokio runtime with time enabled"),
            ));
        };
        state.started += 1;
        let (refused, failures) = (state.last_refused.clone(), state.failures_in_a_row);
        let is_fresh = ask.is_fresh || state.started == state.fresh;
        let ask = Ask { is_fresh, refused, failures, chance: state.random.f64(), ..ask };
        let (mut flight, outcome) = Flight::new(state.started);
        let (ticket, alive) = (flight.ticket(), flight.alive());
        state.current = Some(flight);
        drop(state);
        // Not under the lock: a runtime that shuts down drops the task here and now.
        let task = flight::start(&runtime, self, ticket.number, outcome, alive, ask);
        match &mut self.state().current {
            Some(flight) if flight.number == ticket.number => flight.task = Some(task),
            _ => task.abort(),
        }
        Ok(ticket)
    }

    /// Forgets exactly this token.
    pub(crate) fn invalidate(&self, token: &Token) {
        let mut state = self.state();
        if self.if_held(token, |_| ()).is_none() {
            return;
        }
        self.held.store(None);
        // A store, or the last login, may have it still.
        let is_interactive = || self.identity.provider.interactive().is_some();
        let may_return = self.identity.store().is_some() || is_interactive();
        state.last_refused = may_return.then(|| token.clone());
        if state.current.is_some() {
            state.refusals += 1;
            state.refused = Some(token.clone());
        }
        drop(state);
        self.tell_watchers();
    }

    /// Forgets everything, for good, and ends the flight.
    pub(crate) fn close(&self) -> Option<Ticket> {
        let mut state = self.state();
        state.is_closed = true;
        (state.refused, state.last_refused) = (None, None);
        self.identity.brought.clear();
        self.held.store(None);
        if let Some(task) = state.warming.take() {
            task.abort();
        }
        let flight = state.current.take();
        drop(state);
        self.tell_watchers();
        let flight = flight?;
        let ticket = flight.end();
        flight.abort();
        Some(ticket)
    }

    /// How long until something is to be done, for whoever keeps the token warm: zero if now.
    pub(crate) fn due_in(&self) -> Duration {
        let state = self.state();
        let now = Moment::of(&*self.clock);
        let resting = state.rest.as_ref().and_then(|rest| rest.left(now.boot)).unwrap_or_default();
        let due = match &*self.held.load() {
            _ if state.current.is_some() => return Duration::MAX,
            None => Duration::ZERO,
            Some(held) => held.life.refresh_in(now).unwrap_or_else(|| held.life.usable_for(now)),
        };
        due.max(resting)
    }

    /// How long the last failure still answers; nothing if it does not.
    pub(crate) fn resting(&self) -> Option<Duration> {
        self.state().rest.as_ref()?.left(self.clock.boot())
    }

    /// Is told of each change of what is held.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.get_or_init(|| watch::channel(()).0).subscribe()
    }

    fn tell_watchers(&self) {
        if let Some(changes) = self.changes.get() {
            changes.send_replace(());
        }
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        let held = self.held.load();
        let held = held.as_ref();
        let now = Moment::of(&*self.clock);
        let token = held.map(|held| &held.token);
        Status {
            state: match held.map(|held| held.phase(now, Duration::ZERO)) {
                None if state.is_closed => State::Closed,
                None => State::Empty,
                Some(phase) => State::of(phase),
            },
            expires_at: token.map(Token::expires_at),
            expiry: token.map(Token::expiry),
            is_stored: held.is_some_and(|held| held.is_stored),
            refresh_in: held.and_then(|held| held.life.refresh_in(now)),
            warnings: token.into_iter().flat_map(Token::warnings).map(str::to_owned).collect(),
            is_exchanging: state.current.is_some(),
            exchanges: state.exchanges,
            failures: state.failures,
            last_error: state.rest.as_ref().map(|rest| rest.error.clone()),
            cooldown_remaining: state.rest.as_ref().and_then(|rest| rest.left(now.boot)),
        }
    }

    /// Beside our code a provider's hints and a clock run under this lock; should one of them panic,
    /// what it guards is still whole.
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

/// A source that does not keep itself alive.
pub(crate) type WeakCache = Weak<Cache>;
