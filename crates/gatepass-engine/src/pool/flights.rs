//! Flights of a pool: what an identity needs beside its token, while an exchange is under way and
//! while its failure rests.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use gatepass_core::{Error, HttpSend, Result, Token};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::entry::{Entry, ticks};
use super::key::Key;
use super::shard::Shard;
use super::shared::Shared;
use crate::TokenSource;
use crate::builder::default_http;
use crate::cache::Cache;
use crate::cached_token::CachedToken;
use crate::flight_handle::{Flight, FlightHandle, FlightOutcome, OutcomeSender};
use crate::policy::{Moment, Phase, Validity};
use crate::source_config::{SourceConfig, timed_out};

/// How many flights somebody who asks waits for, should each be lost or its token refused at once.
const ROUNDS: usize = 4;
/// What a flight may take beyond its time, until its own source gives it up.
const SLACK: Duration = Duration::from_secs(2);
/// When a refresh is tried again that came to nothing for a reason of ours.
const AGAIN: Duration = Duration::from_secs(30);

/// The identities that need more than their token.
pub(super) type Flights = HashMap<Box<str>, Active>;

/// One of them. Its source makes the exchange, shares it and rests after it, as any source does.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) source: TokenSource,
    pub(super) flight: Option<Flight>,
    brought: Arc<OnceLock<Brought>>,
    /// When somebody asked for it last, in ticks of the boot clock.
    pub(super) used: u64,
}

/// What a flight has brought, for those who waited for it: by the time they look, a pool that is
/// full may have dropped it.
#[derive(Debug)]
struct Brought {
    token: Token,
    life: Validity,
    /// How many reports there had been by then.
    reports: u64,
}

/// What somebody who asks gets.
enum Asked {
    Held(Token),
    Flight(FlightHandle, Duration, Arc<OnceLock<Brought>>),
}

/// What a refresh may begin with: a place among those that may refresh, and among all exchanges.
pub(super) type Turn = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// What a flight is for.
enum Errand {
    /// Somebody waits for a token that lives so much longer.
    Acquire(Duration),
    /// The held token is to be replaced.
    Refresh(Turn),
}

/// A token that is to be replaced.
#[derive(Debug)]
pub(super) struct Aging {
    pub(super) key: Box<str>,
    pub(super) token: Token,
    pub(super) life: Validity,
    pub(super) turn: Turn,
}

impl Shared {
    /// Waits for a token with the others who ask for this key.
    pub(super) async fn acquire(self: &Arc<Self>, key: &str, mut min: Duration) -> Result<Token> {
        let _place = self.wait_here()?;
        for _ in 0..ROUNDS {
            let (mut handle, limit, brought) = match self.board(key, min)? {
                Asked::Held(token) => return Ok(token),
                Asked::Flight(handle, limit, brought) => (handle, limit, brought),
            };
            // A while for a place among the exchanges, and then the exchange itself.
            let limit = limit.saturating_mul(2).saturating_add(SLACK);
            let error = match FlightOutcome::of(handle.outcome(limit).await) {
                FlightOutcome::Aborted => continue,
                FlightOutcome::TimedOut => {
                    self.abandon(key, handle.number);
                    timed_out(limit).with_profile(key)
                }
                FlightOutcome::Done(Err(error)) => error,
                FlightOutcome::Done(Ok(())) => {
                    min = Duration::ZERO;
                    let token = self.token(key, min);
                    match token.or_else(|| self.still_good(key, brought.get()?)) {
                        Some(token) => return Ok(token),
                        None => continue,
                    }
                }
            };
            // A held token may be of use by now: the wall clock, by which it had ended, was set.
            return self.token(key, min).ok_or(error);
        }
        Err(Error::unavailable("every token was refused or lost at once").with_profile(key))
    }

    /// What a flight brought, if it is usable and nobody has reported or forgotten it since.
    fn still_good(&self, key: &str, brought: &Brought) -> Option<Token> {
        let (hash, shard) = self.locate(key);
        let is_usable = brought.life.phase(self.now(), Duration::ZERO) != Phase::Expired;
        let is_reported = shard.reports().has_since(brought.reports, hash);
        (is_usable && !is_reported && self.check_open().is_ok()).then(|| brought.token.clone())
    }

    /// The held token, or a place on the flight for it, and how long that may take.
    fn board(self: &Arc<Self>, key: &str, min: Duration) -> Result<Asked> {
        let (hash, shard) = self.locate(key);
        let mut made = None;
        loop {
            let mut flights = shard.flights();
            self.check_open()?;
            let now = self.now();
            let held = shard.read().get(hash, key).map(|entry| {
                entry.touch(now);
                (entry.token.clone(), entry.life(now))
            });
            if let Some((token, life)) = &held {
                let is_usable = |min| life.phase(now, min) != Phase::Expired;
                // Where asking brings the same token, the caller gets it, short as it is.
                if is_usable(min) || (!life.has_refresh() && is_usable(Duration::ZERO)) {
                    return Ok(Asked::Held(token.clone()));
                }
            }
            if let Some(active) = flights.get_mut(key) {
                active.used = ticks(now.boot);
                if let Some(flight) = &active.flight {
                    let (handle, limit) = (flight.subscribe(), active.source.config().timeout);
                    return Ok(Asked::Flight(handle, limit, active.brought.clone()));
                }
                if let Some(error) = active.resting() {
                    return Err(error);
                }
            }
            let Some(identity) = made.take() else {
                drop(flights);
                made = Some(self.identity(key)?);
                continue;
            };
            let held = held.filter(|(_, life)| life.phase(now, Duration::ZERO) != Phase::Expired);
            let (limit, brought) = self.activate(&mut flights, key, identity, held, now)?;
            let handle = self.launch(flights, shard, key, Errand::Acquire(min))?;
            return Ok(Asked::Flight(handle, limit, brought));
        }
    }

    /// Makes an identity active, or anew the one whose failure rests no more: its secret may have
    /// changed since. Says how long an exchange may take, and where its token will be.
    fn activate(
        self: &Arc<Self>,
        flights: &mut Flights,
        key: &str,
        identity: SourceConfig,
        held: Option<(Token, Validity)>,
        now: Moment,
    ) -> Result<(Duration, Arc<OnceLock<Brought>>)> {
        let cache = Cache::new(identity);
        let cache = match flights.get(key) {
            Some(before) => cache.with_cooldown_of(before.source.cache()),
            None => {
                self.make_room(flights)?;
                self.timer.run(self);
                cache
            }
        };
        let active = Active::new(cache, held, now);
        let (limit, brought) = (active.source.config().timeout, active.brought.clone());
        flights.insert(key.into(), active);
        Ok((limit, brought))
    }

    /// Starts the flight that replaces an aging token; nobody waits for it. False if its turn is
    /// left to others.
    pub(super) fn refresh(self: &Arc<Self>, aging: Aging) -> bool {
        let Aging { key, token, life, turn } = aging;
        let (_, shard) = self.locate(&key);
        let identity = self.identity(&key);
        let (mut flights, now) = (shard.flights(), self.now());
        let resting = match flights.get(&key) {
            Some(active) if active.flight.is_some() => return false,
            active => active.and_then(|active| active.source.cooldown_remaining()),
        };
        let later = match resting {
            Some(left) => left,
            None => {
                let held = Some((token, life));
                let active = identity
                    .and_then(|identity| self.activate(&mut flights, &key, identity, held, now));
                let errand = Errand::Refresh(turn);
                if active.and_then(|_| self.launch(flights, shard, &key, errand)).is_ok() {
                    return true;
                }
                AGAIN
            }
        };
        self.put_off(&key, now.boot.saturating_add(later));
        false
    }

    fn launch(
        self: &Arc<Self>,
        mut flights: MutexGuard<'_, Flights>,
        shard: &Shard,
        key: &str,
        errand: Errand,
    ) -> Result<FlightHandle> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(Error::internal("there is no tokio runtime to ask the vendor in")
                .hint("ask for tokens inside a tokio runtime with time enabled")
                .with_profile(key));
        };
        let number = self.counts.flights.fetch_add(1, Ordering::Relaxed) + 1;
        let (flight, outcome) = Flight::new(number);
        let handle = flight.subscribe();
        let Some(active) = flights.get_mut(key) else {
            return Err(Error::internal("a flight without an identity").with_profile(key));
        };
        active.flight = Some(flight);
        self.counts.flying.fetch_add(1, Ordering::Relaxed);
        let source = active.source.clone();
        drop(flights);
        let landing = Landing { shared: Arc::downgrade(self), key: key.into(), number, turn: None };
        let exchanges = self.exchanges.clone();
        // Not under the lock: a runtime that shuts down drops the task here and now.
        let task = runtime.spawn(async move {
            let mut landing = landing;
            let token = match errand {
                Errand::Refresh(turn) => {
                    landing.turn = Some((turn.0, Some(turn.1)));
                    // Nothing lives so long: this is an exchange, unless the last failure rests.
                    source.token_for(Duration::MAX).await
                }
                Errand::Acquire(min) => {
                    match timeout(source.config().timeout, exchanges.acquire_owned()).await {
                        Ok(Ok(permit)) => {
                            landing.turn = Some((permit, None));
                            source.token_for(min).await
                        }
                        _ => Err(source.config().named(queue_too_long(source.config().timeout))),
                    }
                }
            };
            landing.land(&source, token, &outcome);
        });
        let task = task.abort_handle();
        match shard.flights().get_mut(key).and_then(|active| active.flight.as_mut()) {
            Some(flight) if flight.number == number => flight.task = Some(task),
            // It has landed already, or the key was forgotten.
            _ => task.abort(),
        }
        Ok(handle)
    }

    /// Keeps what a flight brought, unless it was given up.
    fn land(self: &Arc<Self>, key: &str, number: u64, source: &TokenSource, token: Option<&Token>) {
        let (_, shard) = self.locate(key);
        let mut flights = shard.flights();
        let Some(active) = flights.get_mut(key).filter(|active| active.is_flying(number)) else {
            return;
        };
        active.flight = None;
        self.counts.flying.fetch_sub(1, Ordering::Relaxed);
        let now = self.now();
        let brought = token.and_then(|token| {
            source.cache().if_current(token, |cached| (token, cached.validity, cached.is_bearer()))
        });
        match brought {
            Some((token, life, is_bearer)) => {
                let copy = token.clone();
                let reports = shard.reports().count();
                let _ = active.brought.set(Brought { token: copy, life, reports });
                self.end(&mut flights, key);
                let entry = Entry::new(Key::new(key), token.clone(), life, is_bearer, now);
                self.install(shard, key, entry, now);
            }
            // It was invalidated at once.
            None if token.is_some() => self.end(&mut flights, key),
            None => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                let left = source.cooldown_remaining().unwrap_or(AGAIN);
                self.put_off(key, now.boot.saturating_add(left));
            }
        }
    }

    /// Gives a flight up. Whoever comes next may start another.
    pub(super) fn abandon(&self, key: &str, number: u64) {
        let (_, shard) = self.locate(key);
        let mut flights = shard.flights();
        let Some(active) = flights.get_mut(key).filter(|active| active.is_flying(number)) else {
            return;
        };
        let flight = active.flight.take();
        self.counts.flying.fetch_sub(1, Ordering::Relaxed);
        self.put_off(key, self.now().boot);
        drop(flights);
        if let Some(flight) = flight {
            flight.abort();
        }
    }

    /// Forgets what an identity needed beside its token.
    pub(super) fn end(&self, flights: &mut Flights, key: &str) {
        if let Some(active) = flights.remove(key) {
            self.counts.active.fetch_sub(1, Ordering::Relaxed);
            if let Some(flight) = active.flight {
                self.counts.flying.fetch_sub(1, Ordering::Relaxed);
                flight.abort();
            }
        }
    }

    /// Makes room for one more active identity, by forgetting the failure that was asked about the
    /// longest ago.
    fn make_room(&self, flights: &mut Flights) -> Result<()> {
        if self.counts.active.fetch_add(1, Ordering::Relaxed) < self.max_entries {
            return Ok(());
        }
        let resting = flights.iter().filter(|(_, active)| active.flight.is_none());
        let oldest = resting.min_by_key(|(_, active)| active.used).map(|(key, _)| key.clone());
        match oldest {
            Some(oldest) => self.end(flights, &oldest),
            None => {
                self.counts.active.fetch_sub(1, Ordering::Relaxed);
                return Err(Error::throttled("too many identities wait for an exchange")
                    .hint("`max_entries` bounds them, as it does the tokens held"));
            }
        }
        Ok(())
    }

    /// Forgets failures that rest no more and that nobody has asked about for the idle time.
    pub(super) fn drop_idle_failures(&self, shard: &Shard, now: Moment) {
        let mut flights = shard.flights();
        let idle = ticks(self.idle);
        let before = flights.len();
        flights.retain(|_, active| {
            active.flight.is_some()
                || active.source.cooldown_remaining().is_some()
                || ticks(now.boot).saturating_sub(active.used) < idle
        });
        self.counts.active.fetch_sub(before - flights.len(), Ordering::Relaxed);
        if flights.capacity() > 64 && flights.len() * 4 < flights.capacity() {
            flights.shrink_to_fit();
        }
    }

    /// Asks who this is. Not under a lock: the answer is made by others' code.
    pub(super) fn identity(&self, key: &str) -> Result<SourceConfig> {
        let builder = catch_unwind(AssertUnwindSafe(|| (self.identify)(key)))
            .unwrap_or_else(|_| Err(Error::internal("the pool's function of identities panicked")))
            .map_err(|error| error.with_profile(key))?;
        let mut config = builder.into_config(|| self.http())?;
        config.clock = self.clock.clone();
        config.keep_warm = false;
        config.store = None;
        config.is_pooled = true;
        config.name.get_or_insert_with(|| key.to_owned());
        if let Some(chance) = &self.chance {
            let mut chance = chance.lock().unwrap_or_else(PoisonError::into_inner);
            config.seed = Some(chance.u64(..));
        }
        Ok(config)
    }

    /// Returns the pool's HTTP client; without one, the default client, which is made once.
    fn http(&self) -> Result<Arc<dyn HttpSend>> {
        if let Some(http) = self.http.get() {
            return Ok(Arc::clone(http));
        }
        let http = default_http()?;
        Ok(Arc::clone(self.http.get_or_init(|| http)))
    }
}

impl Active {
    fn new(cache: Cache, held: Option<(Token, Validity)>, now: Moment) -> Self {
        let glance = cache.config.clock.coarse();
        let cache = match held {
            Some((token, life)) => cache.with_cached(CachedToken::reuse(token, life, glance)),
            None => cache,
        };
        let (source, used) = (TokenSource::new(cache), ticks(now.boot));
        Self { source, flight: None, brought: Arc::default(), used }
    }

    fn is_flying(&self, number: u64) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.number == number)
    }

    /// The failure that is still the answer.
    fn resting(&self) -> Option<Error> {
        let left = self.source.cooldown_remaining()?;
        let error = self.source.status().last_error?;
        Some(match error.retry_after() {
            Some(_) => error.with_retry_after(left),
            None => error,
        })
    }
}

/// Ends the flight in the pool, also when its task is dropped. It does not keep the pool alive.
struct Landing {
    shared: Weak<Shared>,
    key: Box<str>,
    number: u64,
    turn: Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
}

impl Landing {
    fn land(&self, source: &TokenSource, token: Result<Token>, outcome: &OutcomeSender) {
        if let Some(shared) = self.shared.upgrade() {
            shared.land(&self.key, self.number, source, token.as_ref().ok());
        }
        outcome.send_replace(Some(token.map(drop)));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        drop(self.turn.take());
        if let Some(shared) = self.shared.upgrade() {
            shared.abandon(&self.key, self.number);
            shared.timer.turn_is_free();
        }
    }
}

fn queue_too_long(limit: Duration) -> Error {
    Error::throttled(format!("no place among the pool's exchanges in {} s", limit.as_secs()))
        .hint("`max_exchanges` bounds how many the pool makes at once")
}
