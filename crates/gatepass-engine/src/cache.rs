//! State of one token source: the cached token, the in-flight request and the cool-down.
//!
//! The state has two parts, because callers access them differently:
//!
//! - Every caller reads the cached token, and a refresh replaces it about once per lifetime. It is
//!   in an `ArcSwapOption`. A hit loads it, compares the coarse clock with its freshness hint and
//!   borrows it: no lock, no allocation, no write to shared memory. Hits on several threads
//!   therefore do not slow each other down.
//! - The rest (flight, cool-down, counters) changes on a miss only. It is in [`CacheState`] behind
//!   one mutex, which is held for microseconds and never across an await.
//!
//! The cached token is replaced only under that mutex. A caller that misses takes the mutex and
//! looks again; the result of that second look is still true when the caller joins or starts a
//! flight. This is why a source has at most one flight, and why a caller that was slow to miss
//! does not refresh the token that another caller has just stored.
//!
//! Flights are numbered. A flight that was given up, or whose source was closed, may still return
//! a token; its number is not the current one, so the token is dropped. An invalidation during a
//! flight is remembered until the flight ends: a vendor that returns the same token until it
//! expires would otherwise bring the rejected token back.
//!
//! Rejected alternatives:
//!
//! - `RwLock<Option<Token>>`: a read lock writes the reader count, which all threads share.
//! - An async mutex that is held during the request: a caller that is dropped would cancel the
//!   request of the others, and callers would wait for a refresh while the old token still works.
//! - A task that owns the state and serves callers through a channel: it would have to be spawned
//!   in the constructor, and each hit would cost two context switches.

use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Duration;

use gatepass_core::{Error, Result, Token};

use crate::cache_state::CacheState;
use crate::cached_token::CachedToken;
use crate::clock::ClockHandle;
use crate::exchange::ExchangeRequest;
use crate::exchange_failure::ExchangeFailure;
use crate::flight;
use crate::flight_handle::{Flight, FlightHandle};
use crate::metrics;
use crate::pending_login::PendingLogin;
use crate::policy::{Moment, Phase};
use crate::prefetch::{self, PrefetchFlag};
use crate::rt::{ArcSwapOption, Handle, Mutex, MutexGuard, watch};
use crate::source_config::SourceConfig;
use crate::status::Status;

/// Below this remaining lifetime a token that the vendor returns again is not worth caching.
const MIN_USEFUL_LIFETIME: Duration = Duration::from_secs(1);

/// The state of one token source.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) config: Arc<SourceConfig>,
    pub(crate) pending_login: Arc<PendingLogin>,
    clock: ClockHandle,
    cached: ArcSwapOption<CachedToken>,
    state: Mutex<CacheState>,
    prefetch_flag: PrefetchFlag,
    /// Notifies watchers that the cached token was replaced or removed.
    changes: OnceLock<watch::Sender<()>>,
}

/// A cache that the holder does not keep alive.
pub(crate) type WeakCache = Weak<Cache>;

/// The token that a caller accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TokenRequirement {
    /// A cached token with this remaining lifetime, or the token of any flight.
    Remaining(Duration),
    /// The token of the flight with this number, or of a later flight.
    Flight(u64),
}

impl TokenRequirement {
    /// Returns whether the token of `flight` is too old.
    pub(crate) fn is_later_than(self, flight: u64) -> bool {
        matches!(self, Self::Flight(required) if flight < required)
    }
}

/// A token, or a flight that will return one.
#[derive(Debug)]
pub(crate) enum Acquisition {
    Cached(Token),
    InFlight(FlightHandle),
}

/// What the cache did with the token of a flight.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StoreOutcome {
    Stored,
    /// The flight was given up, or the source is closed.
    Superseded,
    AlreadyExpired,
    /// The vendor returned the same token, which expires in less than a second.
    ExpiresSoon(Duration),
    /// The token was invalidated during the flight.
    Invalidated,
}

impl Cache {
    pub(crate) fn new(config: SourceConfig) -> Self {
        let rng = config.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            clock: config.clock.clone(),
            config: Arc::new(config),
            pending_login: Arc::default(),
            cached: ArcSwapOption::empty(),
            state: Mutex::new(CacheState { rng, ..CacheState::default() }),
            prefetch_flag: PrefetchFlag::default(),
            changes: OnceLock::new(),
        }
    }

    pub(crate) fn with_cached(self, cached: CachedToken) -> Self {
        self.state().credentials.has_reused_token = cached.credential.is_none();
        self.cached.store(Some(Arc::new(cached)));
        self
    }

    /// Copies the cool-down of `other`, a cache for the same identity (its credential may have
    /// changed since).
    pub(crate) fn with_cooldown_of(self, other: &Self) -> Self {
        let (cooldown, failures, credentials) = {
            let other = other.state();
            (other.cooldown.clone(), other.consecutive_failures, other.credentials.clone())
        };
        let mut state = self.state();
        (state.cooldown, state.consecutive_failures) = (cooldown, failures);
        state.credentials = credentials;
        drop(state);
        self
    }

    /// Calls `read` with the cached token if it is usable. Starts the refresh of an aging token.
    ///
    /// This is the hit path: while the freshness hint holds, it writes no shared memory.
    #[inline(always)]
    pub(crate) fn with_token<T>(self: &Arc<Self>, read: impl FnOnce(&Token) -> T) -> Option<T> {
        let cached = self.cached.load();
        let cached = cached.as_ref()?;
        let now = self.clock.coarse();
        if !cached.freshness_hint.is_fresh_at(now) && !self.is_usable(cached, now, Duration::ZERO) {
            return None;
        }
        Some(read(&cached.token))
    }

    /// Returns the cached token if it is usable for `min_remaining`. Starts the refresh of an aging
    /// token.
    pub(crate) fn token(self: &Arc<Self>, min_remaining: Duration) -> Option<Token> {
        if min_remaining.is_zero() {
            return self.with_token(Token::clone);
        }
        let cached = self.cached.load();
        let cached = cached.as_ref()?;
        self.is_usable(cached, self.clock.coarse(), min_remaining).then(|| cached.token.clone())
    }

    /// Checks the token against the exact clocks.
    #[cold]
    #[inline(never)]
    fn is_usable(
        self: &Arc<Self>,
        cached: &CachedToken,
        coarse: Option<u64>,
        min_remaining: Duration,
    ) -> bool {
        let phase = cached.check(&*self.clock, coarse, min_remaining);
        if phase == Phase::Aging && cached.is_due(self.clock.boot()) {
            self.refresh();
        }
        phase != Phase::Expired
    }

    /// Returns the cached token if it is usable, without starting a refresh.
    pub(crate) fn peek(&self, min_remaining: Duration) -> Option<Token> {
        let cached = self.cached.load();
        let cached = cached.as_ref()?;
        let coarse = self.clock.coarse();
        let is_fresh = min_remaining.is_zero() && cached.freshness_hint.is_fresh_at(coarse);
        (is_fresh || cached.check(&*self.clock, coarse, min_remaining) != Phase::Expired)
            .then(|| cached.token.clone())
    }

    /// Calls `read` if `token` is the cached token.
    pub(crate) fn if_current<T>(
        &self,
        token: &Token,
        read: impl FnOnce(&CachedToken) -> T,
    ) -> Option<T> {
        let cached = self.cached.load();
        cached.as_ref().filter(|cached| cached.token.is_same_as(token)).map(|cached| read(cached))
    }

    /// Reserves the next flight for a new token: it skips the store, whichever caller starts it.
    /// Returns its number.
    pub(crate) fn next_flight(&self) -> u64 {
        let mut state = self.state();
        state.skip_store_flight = state.flights_started + 1;
        state.skip_store_flight
    }

    /// Returns the cached token, or a handle to the current flight or to a new one. During a
    /// cool-down returns the error of the failure.
    pub(crate) fn join_or_start(
        self: &Arc<Self>,
        requirement: TokenRequirement,
    ) -> Result<Acquisition> {
        let state = self.state();
        if state.is_closed {
            return Err(self.config.named(Error::internal("the source is closed")));
        }
        if let TokenRequirement::Remaining(min_remaining) = requirement {
            // Another caller may have stored the token while we waited for the lock.
            if let Some(token) = self.peek(min_remaining) {
                return Ok(Acquisition::Cached(token));
            }
            // The vendor would return the same token, so the caller gets it although it expires
            // too soon.
            if let Some(cached) = &*self.cached.load()
                && !cached.validity.has_refresh()
                && cached.is_usable(Moment::now(&*self.clock))
            {
                return Ok(Acquisition::Cached(cached.token.clone()));
            }
        }
        if let Some(flight) = &state.flight {
            return Ok(Acquisition::InFlight(flight.subscribe()));
        }
        let (skip_store, min_remaining, cooldown) = match requirement {
            TokenRequirement::Remaining(min) => (false, min, state.cooldown.clone()),
            TokenRequirement::Flight(_) => (true, Duration::ZERO, None),
        };
        let now = self.clock.boot();
        let quiet = cooldown.as_ref().filter(|cooldown| cooldown.quiet_for(now).is_some());
        if let Some(cooldown) = quiet {
            return Err(cooldown.error(now));
        }
        let request =
            ExchangeRequest { cooldown, skip_store, min_remaining, ..ExchangeRequest::default() };
        self.spawn_flight(state, request).map(Acquisition::InFlight)
    }

    /// Starts the flight that replaces an aging token, unless there is a flight or a cool-down. No
    /// caller waits for it.
    pub(crate) fn refresh(self: &Arc<Self>) {
        let state = self.state();
        let Some(cached) = &*self.cached.load() else { return };
        if state.is_closed || state.flight.is_some() {
            return cached.suppress_refresh_until(Duration::MAX);
        }
        let now = Moment::now(&*self.clock);
        // Another caller may have stored the next token while we waited for the lock.
        if cached.phase(now, Duration::ZERO) != Phase::Aging {
            return;
        }
        let cooldown = state.cooldown.clone();
        if let Some(quiet) = cooldown.as_ref().and_then(|cooldown| cooldown.quiet_for(now.boot)) {
            return cached.suppress_refresh_until(now.boot.saturating_add(quiet));
        }
        cached.suppress_refresh_until(Duration::MAX);
        let newer_than = Some(cached.token.issued_at());
        let request = ExchangeRequest { cooldown, newer_than, ..ExchangeRequest::default() };
        if self.spawn_flight(state, request).is_err() {
            // This caller is outside a runtime; the next one inside a runtime starts the flight.
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
                Error::internal("no tokio runtime: a token request runs in a task")
                    .hint("call this inside a tokio runtime with time enabled"),
            ));
        };
        state.flights_started += 1;
        let request = ExchangeRequest {
            skip_store: request.skip_store || state.flights_started == state.skip_store_flight,
            rejected: state.rejected.clone(),
            prior_failures: state.consecutive_failures,
            credentials: state.credentials.clone(),
            jitter: state.rng.f64(),
            retry_until: state.retry_until,
            pending_login: Some(self.pending_login.clone()),
            ..request
        };
        let (mut flight, outcome) = Flight::new(state.flights_started);
        let (handle, alive) = (flight.subscribe(), flight.alive());
        state.flight = Some(flight);
        drop(state);
        // Not under the lock: a runtime that shuts down drops the task at once.
        let task = flight::spawn(&runtime, self, handle.number, outcome, alive, request);
        match &mut self.state().flight {
            Some(flight) if flight.number == handle.number => flight.task = Some(task),
            _ => task.abort(),
        }
        Ok(handle)
    }

    /// Counts an exchange. Returns the number of invalidations before it, for
    /// [`store_token`](Self::store_token).
    pub(crate) fn begin_exchange(&self) -> u64 {
        let mut state = self.state();
        state.exchanges += 1;
        state.invalidations
    }

    /// Caches the token of a flight. `invalidations` is the result of
    /// [`begin_exchange`](Self::begin_exchange); `is_retry` is true if the flight has already
    /// requested a token before this one.
    pub(crate) fn store_token(
        self: &Arc<Self>,
        flight: u64,
        invalidations: u64,
        is_retry: bool,
        cached: CachedToken,
    ) -> StoreOutcome {
        let mut state = self.state();
        if state.is_closed || !state.is_current(flight) {
            return StoreOutcome::Superseded;
        }
        let now = Moment::now(&*self.clock);
        if !cached.is_usable(now) {
            return StoreOutcome::AlreadyExpired;
        }
        let secret = cached.token.expose_secret();
        let is_same = |other: &Token| other.expose_secret() == secret;
        if state.invalidations != invalidations && state.invalidated.as_ref().is_some_and(is_same) {
            return StoreOutcome::Invalidated;
        }
        let hints = self.config.provider.hints();
        let is_reused = hints.same_token_until_end
            || self.cached.load().as_ref().is_some_and(|cached| is_same(&cached.token));
        let remaining = cached.validity.remaining(now);
        if is_reused && !is_retry && remaining < MIN_USEFUL_LIFETIME {
            return StoreOutcome::ExpiresSoon(remaining);
        }
        let cached = if is_reused {
            cached.without_refresh()
        } else {
            cached.with_refresh_ahead(&hints, state.rng.f64(), now)
        };
        metrics::record_expiry(&self.config, cached.token.expires_at());
        if let Some(credential) = cached.credential.filter(|_| !cached.is_stored) {
            state.credentials.succeed(credential);
        }
        self.cached.store(Some(Arc::new(cached)));
        if self.config.keep_warm {
            let task = prefetch::start(self, &self.prefetch_flag);
            state.prefetch_task = task.or_else(|| state.prefetch_task.take());
        }
        drop(state);
        self.notify_watchers();
        StoreOutcome::Stored
    }

    /// Ends a flight; without an outcome it is given up. Returns false if it had ended before.
    pub(crate) fn end_flight(
        &self,
        flight: u64,
        outcome: Option<Result<(), &ExchangeFailure>>,
    ) -> bool {
        let mut state = self.state();
        if !state.is_current(flight) {
            return false;
        }
        let ended = state.flight.take();
        state.invalidated = None;
        if let Some(cached) = &*self.cached.load() {
            // Also for a new token: a caller may have suppressed its refresh during this flight.
            cached.suppress_refresh_until(Duration::ZERO);
        }
        let is_given_up = outcome.is_none();
        match outcome {
            Some(Ok(())) => (state.cooldown, state.consecutive_failures) = (None, 0),
            Some(Err(failure)) => {
                let now = Moment::now(&*self.clock);
                let has_store = self.config.store().is_some();
                let cached = self.cached.load();
                let cooldown = state.start_cooldown(failure, cached.as_deref(), now, has_store);
                metrics::record_cooldown(&self.config, failure.error.kind(), cooldown);
            }
            // The next caller may start another flight.
            None => {}
        }
        drop(state);
        if let (Some(flight), true) = (ended, is_given_up) {
            flight.abort();
        }
        true
    }

    /// Removes `token` from the cache; any other token stays, and so does one that replaced a
    /// rejected token just now.
    pub(crate) fn invalidate(&self, token: &Token) {
        let mut state = self.state();
        let now = Moment::now(&*self.clock);
        if self.if_current(token, |cached| state.may_replace(cached, now)) != Some(true) {
            return;
        }
        self.cached.store(None);
        // The store or the last login may still have it.
        let is_interactive = || self.config.provider.interactive().is_some();
        let may_return = self.config.store().is_some() || is_interactive();
        state.rejected = may_return.then(|| token.clone());
        if state.flight.is_some() {
            state.invalidations += 1;
            state.invalidated = Some(token.clone());
        }
        drop(state);
        self.notify_watchers();
    }

    /// Removes the token, ends the flight and refuses all further calls.
    pub(crate) fn close(&self) -> Option<FlightHandle> {
        let mut state = self.state();
        state.is_closed = true;
        (state.invalidated, state.rejected) = (None, None);
        self.pending_login.clear();
        self.cached.store(None);
        if let Some(task) = state.prefetch_task.take() {
            task.abort();
        }
        let flight = state.flight.take();
        drop(state);
        self.notify_watchers();
        let flight = flight?;
        let handle = flight.end();
        flight.abort();
        Some(handle)
    }

    /// Returns the time until the next token is due; see [`CacheState::due_in`].
    pub(crate) fn due_in(&self) -> Duration {
        let state = self.state();
        state.due_in(self.cached.load().as_deref(), Moment::now(&*self.clock))
    }

    /// Returns how long the cool-down lasts, if there is one.
    pub(crate) fn cooldown_remaining(&self) -> Option<Duration> {
        self.state().cooldown_remaining(self.clock.boot())
    }

    /// Sets for how long from now the callers try again; see [`cooldown::within_window`].
    pub(crate) fn set_retry_window(&self, window: Option<Duration>) {
        let end = window.map(|window| self.clock.boot().saturating_add(window));
        self.state().retry_until = end;
    }

    /// Returns how long the failure of the cool-down is repeated without a look at anything.
    pub(crate) fn quiet_for(&self) -> Option<Duration> {
        self.state().quiet_for(self.clock.boot())
    }

    /// Returns the failure that is repeated without a look at anything.
    pub(crate) fn quiet_error(&self) -> Option<Error> {
        let (state, now) = (self.state(), self.clock.boot());
        let cooldown = state.cooldown.as_ref().filter(|cooldown| cooldown.quiet_for(now).is_some());
        cooldown.map(|cooldown| cooldown.error(now))
    }

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
        state.status(self.cached.load().as_deref(), Moment::now(&*self.clock))
    }

    /// Locks the state. Providers' hints and clocks run under this lock; if one of them panics, the
    /// state is still consistent.
    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.close();
    }
}
