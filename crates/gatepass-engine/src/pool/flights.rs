//! The flights of a pool: token requests that callers of one identity share, and refreshes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use gatepass_core::{Error, Result, Token};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::active_source::{ActiveFlights, ActiveSource, FlightResult};
use super::entry::{PoolEntry, ticks};
use super::shard::Shard;
use super::shared::Shared;
use crate::TokenSource;
use crate::cache::Cache;
use crate::flight_handle::{Flight, FlightHandle, FlightOutcome, OutcomeSender};
use crate::policy::{Moment, Phase, Validity};
use crate::source_config::{SourceConfig, timed_out};

/// How many flights a caller waits for, if each is aborted or its token is invalidated at once.
const MAX_ATTEMPTS: usize = 4;
/// How much longer than its limit a flight may take. Its own source times out before.
const FLIGHT_GRACE: Duration = Duration::from_secs(2);
/// When a refresh is tried again that failed for another reason than the vendor's response.
const REFRESH_RETRY: Duration = Duration::from_secs(30);

/// What a caller gets: the cached token, or the flight to wait for with its limit and its result.
enum PoolAcquisition {
    Cached(Token),
    InFlight(FlightHandle, Duration, Arc<OnceLock<FlightResult>>),
}

/// The permits of a refresh: one of the refreshes, and one of all token requests.
pub(super) type RefreshPermits = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// The purpose of a flight.
enum FlightKind {
    /// A caller waits for a token with this remaining lifetime.
    Acquire(Duration),
    /// The cached token is due for refresh.
    Refresh(RefreshPermits),
}

/// A cached token that is due for refresh, with the permits to do it.
#[derive(Debug)]
pub(super) struct RefreshCandidate {
    pub(super) key: Box<str>,
    pub(super) token: Token,
    pub(super) validity: Validity,
    pub(super) permits: RefreshPermits,
}

impl Shared {
    /// Returns the cached token if it is usable for `min_remaining`, or that of one token request.
    pub(super) async fn token_for(
        self: &Arc<Self>,
        key: &str,
        min_remaining: Duration,
    ) -> Result<Token> {
        match self.token(key, min_remaining) {
            Some(token) => Ok(token),
            None => self.acquire(key, min_remaining).await,
        }
    }

    /// Acquires a token together with all other callers of this key.
    async fn acquire(self: &Arc<Self>, key: &str, mut min_remaining: Duration) -> Result<Token> {
        let _place = self.register_waiter()?;
        for _ in 0..MAX_ATTEMPTS {
            let (mut handle, limit, result) = match self.join_or_start(key, min_remaining)? {
                PoolAcquisition::Cached(token) => return Ok(token),
                PoolAcquisition::InFlight(handle, limit, result) => (handle, limit, result),
            };
            // The wait for a permit, and then the request itself.
            let limit = limit.saturating_mul(2).saturating_add(FLIGHT_GRACE);
            let error = match FlightOutcome::of(handle.outcome(limit).await) {
                FlightOutcome::Aborted => continue,
                FlightOutcome::TimedOut => {
                    self.abandon(key, handle.number);
                    timed_out(limit).with_profile(key)
                }
                FlightOutcome::Done(Err(error)) => error,
                FlightOutcome::Done(Ok(())) => {
                    min_remaining = Duration::ZERO;
                    let token = self.token(key, min_remaining);
                    match token.or_else(|| self.if_usable(key, result.get()?)) {
                        Some(token) => return Ok(token),
                        None => continue,
                    }
                }
            };
            // The cached token may be usable again if the wall clock was set back.
            return self.token(key, min_remaining).ok_or(error);
        }
        Err(Error::unavailable("every token was invalidated or lost at once").with_profile(key))
    }

    /// Returns the token of a flight if it is usable and was not invalidated or forgotten since.
    fn if_usable(&self, key: &str, result: &FlightResult) -> Option<Token> {
        let (hash, shard) = self.locate(key);
        let is_usable = result.validity.phase(self.now(), Duration::ZERO) != Phase::Expired;
        let is_invalidated = shard.invalidations().has_since(result.invalidations, hash);
        (is_usable && !is_invalidated && self.check_open().is_ok()).then(|| result.token.clone())
    }

    /// Returns the cached token or joins the flight for it. Starts the flight if there is none.
    fn join_or_start(
        self: &Arc<Self>,
        key: &str,
        min_remaining: Duration,
    ) -> Result<PoolAcquisition> {
        let (hash, shard) = self.locate(key);
        let mut made = None;
        loop {
            let mut flights = shard.flights();
            self.check_open()?;
            let now = self.now();
            let cached = shard.read().get(hash, key).map(|entry| {
                entry.touch(now);
                (entry.token.clone(), entry.validity(now))
            });
            if let Some((token, validity)) = &cached {
                let is_usable =
                    |min_remaining| validity.phase(now, min_remaining) != Phase::Expired;
                // If a request would return the same token, the caller gets it, however short.
                if is_usable(min_remaining)
                    || (!validity.has_refresh() && is_usable(Duration::ZERO))
                {
                    return Ok(PoolAcquisition::Cached(token.clone()));
                }
            }
            if let Some(active) = flights.get_mut(key) {
                active.used = ticks(now.boot);
                if let Some(flight) = &active.flight {
                    let (handle, limit) = (flight.subscribe(), active.source.config().timeout);
                    return Ok(PoolAcquisition::InFlight(handle, limit, active.result.clone()));
                }
                if let Some(error) = active.cooldown_error() {
                    return Err(error);
                }
            }
            let Some(config) = made.take() else {
                drop(flights);
                made = Some(self.source_config(key)?);
                continue;
            };
            let cached = cached
                .filter(|(_, validity)| validity.phase(now, Duration::ZERO) != Phase::Expired);
            let (limit, result) = self.activate(&mut flights, key, config, cached, now)?;
            let handle =
                self.spawn_flight(flights, shard, key, FlightKind::Acquire(min_remaining))?;
            return Ok(PoolAcquisition::InFlight(handle, limit, result));
        }
    }

    /// Makes an identity active. One whose cool-down has ended is created again, because its secret
    /// may have changed. Returns the limit of its request, and where the token will be.
    fn activate(
        self: &Arc<Self>,
        flights: &mut ActiveFlights,
        key: &str,
        config: SourceConfig,
        cached: Option<(Token, Validity)>,
        now: Moment,
    ) -> Result<(Duration, Arc<OnceLock<FlightResult>>)> {
        let cache = Cache::new(config);
        let cache = match flights.get(key) {
            Some(before) => cache.with_cooldown_of(before.source.cache()),
            None => {
                self.evict_idle(flights)?;
                self.run_timer();
                cache
            }
        };
        let active = ActiveSource::new(cache, cached, now);
        let (limit, result) = (active.source.config().timeout, active.result.clone());
        flights.insert(key.into(), active);
        Ok((limit, result))
    }

    /// Starts the flight that refreshes a token; no caller waits for it. Returns false if the
    /// permits were not needed.
    pub(super) fn refresh(self: &Arc<Self>, aging: RefreshCandidate) -> bool {
        let RefreshCandidate { key, token, validity, permits } = aging;
        let (_, shard) = self.locate(&key);
        let config = self.source_config(&key);
        let (mut flights, now) = (shard.flights(), self.now());
        let cooldown = match flights.get(&key) {
            Some(active) if active.flight.is_some() => return false,
            active => active.and_then(|active| active.source.cache().quiet_for()),
        };
        let later = match cooldown {
            Some(remaining) => remaining,
            None => {
                let cached = Some((token, validity));
                let active = config
                    .and_then(|config| self.activate(&mut flights, &key, config, cached, now));
                let kind = FlightKind::Refresh(permits);
                if active.and_then(|_| self.spawn_flight(flights, shard, &key, kind)).is_ok() {
                    return true;
                }
                REFRESH_RETRY
            }
        };
        self.postpone_refresh(&key, now.boot.saturating_add(later));
        false
    }

    fn spawn_flight(
        self: &Arc<Self>,
        mut flights: MutexGuard<'_, ActiveFlights>,
        shard: &Shard,
        key: &str,
        kind: FlightKind,
    ) -> Result<FlightHandle> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(Error::internal("there is no tokio runtime for the token request")
                .hint("request tokens inside a tokio runtime with time enabled")
                .with_profile(key));
        };
        let number = self.counts.flights.fetch_add(1, Ordering::Relaxed) + 1;
        let (flight, outcome) = Flight::new(number);
        let handle = flight.subscribe();
        let Some(active) = flights.get_mut(key) else {
            return Err(Error::internal("a flight without an config").with_profile(key));
        };
        active.flight = Some(flight);
        self.counts.in_flight.fetch_add(1, Ordering::Relaxed);
        let source = active.source.clone();
        drop(flights);
        let guard = PoolCompletionGuard {
            shared: Arc::downgrade(self),
            key: key.into(),
            number,
            permits: None,
        };
        let exchanges = self.exchanges.clone();
        // Not under the lock: a runtime that shuts down drops the task at once.
        let task = runtime.spawn(async move {
            let mut guard = guard;
            let token = match kind {
                FlightKind::Refresh(permits) => {
                    guard.permits = Some((permits.0, Some(permits.1)));
                    // No token is valid that long, so this forces a request unless a cool-down is
                    // active.
                    source.token_for(Duration::MAX).await
                }
                FlightKind::Acquire(min_remaining) => {
                    match timeout(source.config().timeout, exchanges.acquire_owned()).await {
                        Ok(Ok(permit)) => {
                            guard.permits = Some((permit, None));
                            source.token_for(min_remaining).await
                        }
                        _ => Err(source.config().named(queue_too_long(source.config().timeout))),
                    }
                }
            };
            guard.complete(&source, token, &outcome);
        });
        let task = task.abort_handle();
        match shard.flights().get_mut(key).and_then(|active| active.flight.as_mut()) {
            Some(flight) if flight.number == number => flight.task = Some(task),
            // The flight has ended already, or the key was forgotten.
            _ => task.abort(),
        }
        Ok(handle)
    }

    /// Stores the outcome of a flight, unless the flight was abandoned.
    fn complete(
        self: &Arc<Self>,
        key: &str,
        number: u64,
        source: &TokenSource,
        token: Option<&Token>,
    ) {
        let (_, shard) = self.locate(key);
        let mut flights = shard.flights();
        let Some(active) = flights.get_mut(key).filter(|active| active.has_flight(number)) else {
            return;
        };
        active.flight = None;
        self.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
        let now = self.now();
        let result = token.and_then(|token| {
            source.cache().if_current(token, |cached| (token, cached.validity, cached.is_bearer()))
        });
        match result {
            Some((token, validity, is_bearer)) => {
                let copy = token.clone();
                let invalidations = shard.invalidations().count();
                let _ = active.result.set(FlightResult { token: copy, validity, invalidations });
                self.remove_active(&mut flights, key);
                let entry = PoolEntry::new(key, token.clone(), validity, is_bearer, now);
                self.install(shard, key, entry, now);
            }
            // The token was invalidated at once.
            None if token.is_some() => self.remove_active(&mut flights, key),
            None => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                let remaining = source.cache().quiet_for().unwrap_or(REFRESH_RETRY);
                self.postpone_refresh(key, now.boot.saturating_add(remaining));
            }
        }
    }

    /// Abandons a flight. The next caller may start another.
    pub(super) fn abandon(&self, key: &str, number: u64) {
        let (_, shard) = self.locate(key);
        let mut flights = shard.flights();
        let Some(active) = flights.get_mut(key).filter(|active| active.has_flight(number)) else {
            return;
        };
        let flight = active.flight.take();
        self.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.postpone_refresh(key, self.now().boot);
        drop(flights);
        if let Some(flight) = flight {
            flight.abort();
        }
    }

    /// Removes an active identity. Its cached token stays.
    pub(super) fn remove_active(&self, flights: &mut ActiveFlights, key: &str) {
        if let Some(active) = flights.remove(key) {
            self.counts.active.fetch_sub(1, Ordering::Relaxed);
            if let Some(flight) = active.flight {
                self.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
                flight.abort();
            }
        }
    }

    /// Makes room for one more active identity by removing the failure that was requested the
    /// longest ago.
    fn evict_idle(&self, flights: &mut ActiveFlights) -> Result<()> {
        if self.counts.active.fetch_add(1, Ordering::Relaxed) < self.max_entries {
            return Ok(());
        }
        let cooldown = flights.iter().filter(|(_, active)| active.flight.is_none());
        let oldest = cooldown.min_by_key(|(_, active)| active.used).map(|(key, _)| key.clone());
        match oldest {
            Some(oldest) => self.remove_active(flights, &oldest),
            None => {
                self.counts.active.fetch_sub(1, Ordering::Relaxed);
                return Err(Error::throttled("too many identities wait for a token request")
                    .hint("`max_entries` limits them, as it limits the cached tokens"));
            }
        }
        Ok(())
    }

    /// Removes failures whose cool-down has ended and that were not requested for the idle time.
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
}

/// Completes the flight in the pool, or abandons it if its task is dropped. It does not keep the
/// pool alive.
struct PoolCompletionGuard {
    shared: Weak<Shared>,
    key: Box<str>,
    number: u64,
    permits: Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
}

impl PoolCompletionGuard {
    fn complete(&self, source: &TokenSource, token: Result<Token>, outcome: &OutcomeSender) {
        if let Some(shared) = self.shared.upgrade() {
            shared.complete(&self.key, self.number, source, token.as_ref().ok());
        }
        outcome.send_replace(Some(token.map(drop)));
    }
}

impl Drop for PoolCompletionGuard {
    fn drop(&mut self) {
        drop(self.permits.take());
        if let Some(shared) = self.shared.upgrade() {
            shared.abandon(&self.key, self.number);
            shared.timer.permit_released();
        }
    }
}

fn queue_too_long(limit: Duration) -> Error {
    Error::throttled(format!(
        "the pool's limit of token requests was reached for {} s",
        limit.as_secs()
    ))
    .hint("`max_exchanges` limits how many the pool sends at once")
}
