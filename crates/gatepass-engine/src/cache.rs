//! Cache: the token that is cached, the flight that brings the next one, and the rest after a failure.

mod arrival;

use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Duration;

use gatepass_core::{CoarseTime, Error, Result, Token};

pub(crate) use self::arrival::StoreOutcome;
use crate::clock::ClockHandle;
use crate::cooldown::Cooldown;
use crate::exchange::{CachedToken, ExchangeRequest, SourceConfig};
use crate::flight::{self, Flight, FlightHandle};
use crate::policy::{Moment, Phase};
use crate::prefetch::PrefetchFlag;
use crate::rt::{AbortHandle, ArcSwapOption, Handle, Mutex, MutexGuard, watch};
use crate::{State, Status};

/// Reading the cached token takes no lock; everything that changes what is cached does.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) config: Arc<SourceConfig>,
    clock: ClockHandle,
    cached: ArcSwapOption<CachedToken>,
    state: Mutex<CacheState>,
    prefetching: PrefetchFlag,
    /// Tells those who watch that another token is cached, or none any more.
    changes: OnceLock<watch::Sender<()>>,
}

#[derive(Debug, Default)]
struct CacheState {
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
    rest: Option<Cooldown>,
    failures_in_a_row: u32,
    prefetch_task: Option<AbortHandle>,
    random: fastrand::Rng,
    exchanges: u64,
    failures: u64,
}

/// What somebody who asks will accept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TokenRequirement {
    /// A cached token with so much validity left, or whatever a flight brings.
    Remaining(Duration),
    /// What the flight of this number or a later one brings.
    Flight(u64),
}

impl TokenRequirement {
    /// Whether what this flight brings is not wanted.
    pub(crate) fn is_later_than(self, flight: u64) -> bool {
        matches!(self, Self::Flight(wanted) if flight < wanted)
    }
}

/// What somebody who asks gets.
#[derive(Debug)]
pub(crate) enum Acquisition {
    Cached(Token),
    InFlight(FlightHandle),
}

impl Cache {
    pub(crate) fn new(config: SourceConfig) -> Self {
        let random = config.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            clock: config.clock.clone(),
            config: Arc::new(config),
            cached: ArcSwapOption::empty(),
            state: Mutex::new(CacheState { random, ..CacheState::default() }),
            prefetching: PrefetchFlag::default(),
            changes: OnceLock::new(),
        }
    }

    /// Holds a token from the start.
    pub(crate) fn with_cached(self, cached: CachedToken) -> Self {
        self.cached.store(Some(Arc::new(cached)));
        self
    }

    /// Rests as another one of the same identity does, whose credential may be another by now.
    pub(crate) fn with_cooldown_of(self, other: &Self) -> Self {
        let of = |other: MutexGuard<'_, CacheState>| (other.rest.clone(), other.failures_in_a_row);
        let (rest, failures) = of(other.state());
        let mut state = self.state();
        (state.rest, state.failures_in_a_row) = (rest, failures);
        drop(state);
        self
    }

    /// Runs `take` on the cached token, if that is usable; an aging one starts its refresh.
    ///
    /// This is the hit: where a freshness_hint at the clocks is enough, it writes nothing that is shared.
    #[inline(always)]
    pub(crate) fn with_token<T>(self: &Arc<Self>, take: impl FnOnce(&Token) -> T) -> Option<T> {
        let cached = self.cached.load();
        let cached = cached.as_ref()?;
        let now = self.clock.coarse();
        if !cached.freshness_hint.is_fresh_at(now) && !self.is_usable(cached, now, Duration::ZERO) {
            return None;
        }
        Some(take(&cached.token))
    }

    /// The cached token, if it may be handed out to somebody who needs it for so long; an aging one
    /// starts its refresh.
    pub(crate) fn token(self: &Arc<Self>, min_remaining: Duration) -> Option<Token> {
        if min_remaining.is_zero() {
            return self.with_token(Token::clone);
        }
        let cached = self.cached.load();
        let cached = cached.as_ref()?;
        self.is_usable(cached, self.clock.coarse(), min_remaining).then(|| cached.token.clone())
    }

    /// Asks the exact clocks.
    #[cold]
    #[inline(never)]
    fn is_usable(
        self: &Arc<Self>,
        cached: &CachedToken,
        coarse: CoarseTime,
        min_remaining: Duration,
    ) -> bool {
        let now = Moment::now(&*self.clock);
        match cached.phase(now, min_remaining) {
            Phase::Fresh => cached.freshness_hint.extend(coarse, cached.validity.fresh_for(now)),
            Phase::Aging if cached.is_due(now.boot) => self.refresh(),
            Phase::Aging => {}
            Phase::Expired => return false,
        }
        true
    }

    /// The cached token, if it is usable; starts nothing.
    pub(crate) fn peek(&self, min_remaining: Duration) -> Option<Token> {
        let cached = self.cached.load();
        let cached = cached.as_ref()?;
        let is_sure =
            min_remaining.is_zero() && cached.freshness_hint.is_fresh_at(self.clock.coarse());
        let is_usable = || cached.phase(Moment::now(&*self.clock), min_remaining) != Phase::Expired;
        (is_sure || is_usable()).then(|| cached.token.clone())
    }

    /// Runs `look` on what is cached, if that is this very token.
    pub(crate) fn if_current<T>(
        &self,
        token: &Token,
        look: impl FnOnce(&CachedToken) -> T,
    ) -> Option<T> {
        let cached = self.cached.load();
        cached.as_ref().filter(|cached| cached.token.is_same_as(token)).map(|cached| look(cached))
    }

    /// The number of the first flight that starts after now; whoever starts it, it asks the vendor.
    pub(crate) fn next_flight(&self) -> u64 {
        let mut state = self.state();
        state.fresh = state.started + 1;
        state.fresh
    }

    /// The cached token, or a place on the flight under way, or on one that starts now; the error of
    /// the last flight while that rests.
    pub(crate) fn join_or_start(self: &Arc<Self>, want: TokenRequirement) -> Result<Acquisition> {
        let state = self.state();
        if state.is_closed {
            return Err(self.config.named(Error::internal("the source is closed")));
        }
        if let TokenRequirement::Remaining(min_remaining) = want {
            // Whoever was before us may have brought it.
            if let Some(token) = self.peek(min_remaining) {
                return Ok(Acquisition::Cached(token));
            }
            // Asking brings the same token: the caller gets it, short as it is.
            if let Some(cached) = &*self.cached.load()
                && !cached.validity.has_refresh()
                && cached.phase(Moment::now(&*self.clock), Duration::ZERO) != Phase::Expired
            {
                return Ok(Acquisition::Cached(cached.token.clone()));
            }
        }
        if let Some(flight) = &state.current {
            return Ok(Acquisition::InFlight(flight.subscribe()));
        }
        let now = self.clock.boot();
        let rest = state.rest.clone().filter(|_| matches!(want, TokenRequirement::Remaining(_)));
        if let Some(rest) = rest.as_ref().filter(|rest| rest.remaining(now).is_some()) {
            return Err(rest.error(now));
        }
        let (is_fresh, min_remaining) = match want {
            TokenRequirement::Remaining(min_remaining) => (false, min_remaining),
            TokenRequirement::Flight(_) => (true, Duration::ZERO),
        };
        let request =
            ExchangeRequest { rest, is_fresh, min_remaining, ..ExchangeRequest::default() };
        self.spawn_flight(state, request).map(Acquisition::InFlight)
    }

    /// Starts the flight that replaces an aging token, unless one is under way or the last one
    /// failed too recently. Nobody waits for it.
    pub(crate) fn refresh(self: &Arc<Self>) {
        let state = self.state();
        let Some(cached) = &*self.cached.load() else { return };
        if state.is_closed || state.current.is_some() {
            return cached.suppress_refresh_until(Duration::MAX);
        }
        let now = Moment::now(&*self.clock);
        // Whoever was before us may have brought the next one.
        if cached.phase(now, Duration::ZERO) != Phase::Aging {
            return;
        }
        let rest = state.rest.clone();
        if let Some(rest) = rest.as_ref().filter(|rest| rest.remaining(now.boot).is_some()) {
            return cached.suppress_refresh_until(rest.until);
        }
        cached.suppress_refresh_until(Duration::MAX);
        let newer_than = Some(cached.token.issued_at());
        if self
            .spawn_flight(state, ExchangeRequest { rest, newer_than, ..ExchangeRequest::default() })
            .is_err()
        {
            // Outside a runtime nothing can be started; somebody within one will come.
            cached.suppress_refresh_until(Duration::ZERO);
        }
    }

    fn spawn_flight(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, CacheState>,
        request: ExchangeRequest,
    ) -> Result<FlightHandle> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(self.config.named(
                Error::internal("there is no tokio runtime to request the vendor in")
                    .with_hint("request for tokens inside a tokio runtime with time enabled"),
            ));
        };
        state.started += 1;
        let (refused, failures) = (state.last_refused.clone(), state.failures_in_a_row);
        let is_fresh = request.is_fresh || state.started == state.fresh;
        let request =
            ExchangeRequest { is_fresh, refused, failures, jitter: state.random.f64(), ..request };
        let (mut flight, outcome) = Flight::new(state.started);
        let (handle, alive) = (flight.subscribe(), flight.alive());
        state.current = Some(flight);
        drop(state);
        // Not under the lock: a runtime that shuts down drops the task here and now.
        let task = flight::spawn(&runtime, self, handle.number, outcome, alive, request);
        match &mut self.state().current {
            Some(flight) if flight.number == handle.number => flight.task = Some(task),
            _ => task.abort(),
        }
        Ok(handle)
    }

    /// Forgets exactly this token.
    pub(crate) fn invalidate(&self, token: &Token) {
        let mut state = self.state();
        if self.if_current(token, |_| ()).is_none() {
            return;
        }
        self.cached.store(None);
        // A store, or the last login, may have it still.
        let is_interactive = || self.config.provider.interactive().is_some();
        let may_return = self.config.store().is_some() || is_interactive();
        state.last_refused = may_return.then(|| token.clone());
        if state.current.is_some() {
            state.refusals += 1;
            state.refused = Some(token.clone());
        }
        drop(state);
        self.notify_watchers();
    }

    /// Forgets everything, for good, and ends the flight.
    pub(crate) fn close(&self) -> Option<FlightHandle> {
        let mut state = self.state();
        state.is_closed = true;
        (state.refused, state.last_refused) = (None, None);
        self.config.pending_login.clear();
        self.cached.store(None);
        if let Some(task) = state.prefetch_task.take() {
            task.abort();
        }
        let flight = state.current.take();
        drop(state);
        self.notify_watchers();
        let flight = flight?;
        let handle = flight.end();
        flight.abort();
        Some(handle)
    }

    /// How long until something is to be done, for whoever keeps the token warm: zero if now.
    pub(crate) fn due_in(&self) -> Duration {
        let state = self.state();
        let now = Moment::now(&*self.clock);
        let resting =
            state.rest.as_ref().and_then(|rest| rest.remaining(now.boot)).unwrap_or_default();
        let due = match &*self.cached.load() {
            _ if state.current.is_some() => return Duration::MAX,
            None => Duration::ZERO,
            Some(cached) => {
                cached.validity.refresh_in(now).unwrap_or_else(|| cached.validity.usable_for(now))
            }
        };
        due.max(resting)
    }

    /// How long the last failure still answers; nothing if it does not.
    pub(crate) fn resting(&self) -> Option<Duration> {
        self.state().rest.as_ref()?.remaining(self.clock.boot())
    }

    /// Is told of each change of what is cached.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.get_or_init(|| watch::channel(()).0).subscribe()
    }

    fn notify_watchers(&self) {
        if let Some(changes) = self.changes.get() {
            changes.send_replace(());
        }
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        let cached = self.cached.load();
        let cached = cached.as_ref();
        let now = Moment::now(&*self.clock);
        let token = cached.map(|cached| &cached.token);
        Status {
            state: match cached.map(|cached| cached.phase(now, Duration::ZERO)) {
                None if state.is_closed => State::Closed,
                None => State::Empty,
                Some(phase) => State::of(phase),
            },
            expires_at: token.map(Token::expires_at),
            expiry: token.map(Token::expiry),
            is_stored: cached.is_some_and(|cached| cached.is_stored),
            refresh_in: cached.and_then(|cached| cached.validity.refresh_in(now)),
            warnings: token.into_iter().flat_map(Token::warnings).map(str::to_owned).collect(),
            is_exchanging: state.current.is_some(),
            exchanges: state.exchanges,
            failures: state.failures,
            last_error: state.rest.as_ref().map(|rest| rest.error.clone()),
            cooldown_remaining: state.rest.as_ref().and_then(|rest| rest.remaining(now.boot)),
        }
    }

    /// Beside our code a provider's hints and a clock run under this lock; should one of them panic,
    /// what it guards is still whole.
    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheState {
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
