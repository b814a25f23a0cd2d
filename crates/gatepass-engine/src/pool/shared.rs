//! The state that all clones of a pool and its timer share.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use gatepass_core::{Error, HttpSend, Result, Token};
use tokio::sync::Semaphore;

use super::entry::{Due, PoolEntry, ticks};
use super::shard::Shard;
use super::timer::Timer;
use crate::TokenSourceBuilder;
use crate::builder::default_http;
use crate::clock::ClockHandle;
use crate::flight_handle::FlightHandle;
use crate::policy::{Moment, Phase};
use crate::source_config::SourceConfig;

/// Returns the source of a key.
pub(super) type SourceFactory = dyn Fn(&str) -> Result<TokenSourceBuilder> + Send + Sync;

pub(super) struct Shared {
    pub(super) source_factory: Box<SourceFactory>,
    pub(super) http: OnceLock<Arc<dyn HttpSend>>,
    pub(super) clock: ClockHandle,
    pub(super) max_entries: usize,
    pub(super) max_waiters: usize,
    pub(super) idle: Duration,
    /// Permits of all token requests, and of refreshes among them.
    pub(super) exchanges: Arc<Semaphore>,
    pub(super) refreshes: Arc<Semaphore>,
    /// Seeds for jitter in tests; random by default.
    pub(super) jitter: Option<Mutex<fastrand::Rng>>,
    pub(super) shards: Box<[Shard]>,
    /// Keyed hash: callers cannot force collisions.
    pub(super) hasher: RandomState,
    pub(super) is_closed: AtomicBool,
    pub(super) timer: Timer,
    pub(super) counts: Counts,
}

/// The counters of a pool.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) entries: AtomicUsize,
    /// Identities with a request in flight or a failure.
    pub(super) active: AtomicUsize,
    /// Identities with a request in flight.
    pub(super) in_flight: AtomicUsize,
    pub(super) waiting: AtomicUsize,
    pub(super) flights: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) dropped: AtomicU64,
}

/// One of the callers that may wait; released when dropped.
pub(super) struct WaiterSlot<'a>(&'a AtomicUsize);

impl Drop for WaiterSlot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// Returns a key's hash and its shard. The shard's index uses the lowest and the highest bits.
    pub(super) fn locate(&self, key: &str) -> (u64, &Shard) {
        let hash = self.hasher.hash_one(key);
        let number = (hash >> 32) as usize & (self.shards.len() - 1);
        (hash, &self.shards[number])
    }

    /// Runs `read` on the cached token if it is usable for `min_remaining`. An aging token wakes the
    /// timer.
    pub(super) fn with_token<T>(
        self: &Arc<Self>,
        key: &str,
        min_remaining: Duration,
        read: impl FnOnce(&PoolEntry) -> T,
    ) -> Option<T> {
        // The clocks first: reading one is a barrier that would wait for the loads below.
        let now = self.now();
        let (hash, shard) = self.locate(key);
        let entries = shard.read();
        let entry = entries.get(hash, key)?;
        let phase = entry.phase(now, min_remaining);
        if phase == Phase::Expired {
            return None;
        }
        entry.touch(now);
        let found = read(entry);
        if phase == Phase::Aging {
            drop(entries);
            self.wake_timer();
        }
        Some(found)
    }

    /// Returns the cached token if it is usable for `min_remaining`.
    pub(super) fn token(self: &Arc<Self>, key: &str, min_remaining: Duration) -> Option<Token> {
        self.with_token(key, min_remaining, |entry| entry.token.clone())
    }

    /// Returns whether this is the key's cached token and needs no header but `Authorization`.
    pub(super) fn is_bearer(self: &Arc<Self>, key: &str, token: &Token) -> bool {
        let is_bearer = |entry: &PoolEntry| entry.is_bearer && entry.token.is_same_as(token);
        self.with_token(key, Duration::ZERO, is_bearer) == Some(true)
    }

    /// Returns the cached token if it is usable, without counting this as use.
    pub(super) fn peek(&self, key: &str) -> Option<Token> {
        let now = self.now();
        let (hash, shard) = self.locate(key);
        let entries = shard.read();
        let entry = entries.get(hash, key)?;
        (entry.phase(now, Duration::ZERO) != Phase::Expired).then(|| entry.token.clone())
    }

    /// Caches a token. The caller holds the lock of the shard's flights.
    pub(super) fn install(
        self: &Arc<Self>,
        shard: &Shard,
        key: &str,
        entry: PoolEntry,
        now: Moment,
    ) {
        if self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let mut entries = shard.write();
        let entry = match entries.get(self.hasher.hash_one(key), key) {
            Some(old) => entry.with_use_of(old),
            None => entry,
        };
        let due = match entry.due(now, self.idle) {
            Due::After(wait) => ticks(now.boot) + wait,
            Due::Refresh | Due::Drop => ticks(now.boot),
        };
        let is_new = entries.insert(&self.hasher, entry, due).is_none();
        shard.lower_deadline(due);
        let is_over =
            is_new && self.counts.entries.fetch_add(1, Ordering::SeqCst) >= self.max_entries;
        if is_over {
            self.count_removed(entries.evict(&self.hasher, key, now), &self.counts.evicted);
        }
        drop(entries);
        if self.counts.entries.load(Ordering::SeqCst) > self.max_entries {
            // The entry is the only one of its shard: evict from another shard.
            for other in self.shards.iter().filter(|other| !std::ptr::eq(*other, shard)) {
                let evicted = other.write().evict(&self.hasher, key, now);
                self.count_removed(evicted, &self.counts.evicted);
                if evicted > 0 {
                    break;
                }
            }
        }
        self.schedule_timer(due);
    }

    /// Postpones the refresh of this key's cached token until `boot`.
    pub(super) fn postpone_refresh(&self, key: &str, boot: Duration) {
        let (hash, shard) = self.locate(key);
        let mut entries = shard.write();
        let due = ticks(boot) + 1;
        let postpone_refresh = |entry: &mut PoolEntry| {
            entry.refresh_at(boot);
            (due, ())
        };
        if entries.change(hash, key, postpone_refresh).is_some() {
            shard.lower_deadline(due);
            drop(entries);
            self.timer.wake_if_earlier(due);
        }
    }

    /// Removes this token, if it is the key's cached one.
    pub(super) fn invalidate(&self, key: &str, token: &Token) {
        let (hash, shard) = self.locate(key);
        let flights = shard.flights();
        let cached = shard.read().get(hash, key).map(|entry| entry.token.is_same_as(token));
        if cached == Some(true) && !shard.may_replace(hash, ticks(self.now().boot)) {
            return;
        }
        shard.invalidations().add(hash);
        if let Some(active) = flights.get(key) {
            // If the request in flight returns the same token, it is rejected.
            active.source.invalidate(token);
        }
        let mut entries = shard.write();
        if entries.get(hash, key).is_some_and(|entry| entry.token.is_same_as(token)) {
            entries.remove(hash, key);
            self.counts.entries.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Removes a key's token, failure and flight.
    pub(super) fn forget(&self, key: &str) {
        let (hash, shard) = self.locate(key);
        let mut flights = shard.flights();
        shard.invalidations().add(hash);
        self.remove_active(&mut flights, key);
        if shard.write().remove(hash, key).is_some() {
            self.counts.entries.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Closes the pool and removes everything. Returns handles of the flights that are ending.
    pub(super) fn close(&self) -> Vec<FlightHandle> {
        self.is_closed.store(true, Ordering::SeqCst);
        self.timer.stop();
        let mut handles = Vec::new();
        for shard in &self.shards {
            let mut flights = shard.flights();
            for (_, active) in std::mem::take(&mut *flights) {
                if let Some(flight) = active.flight {
                    handles.push(flight.subscribe());
                    self.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
                    flight.abort();
                }
                self.counts.active.fetch_sub(1, Ordering::Relaxed);
                handles.extend(active.source.cache().close());
            }
            let mut entries = shard.write();
            self.counts.entries.fetch_sub(entries.len(), Ordering::SeqCst);
            entries.clear();
        }
        handles
    }

    pub(super) fn check_open(&self) -> Result<()> {
        match self.is_closed.load(Ordering::SeqCst) {
            true => Err(Error::internal("the pool is closed")),
            false => Ok(()),
        }
    }

    /// Calls the pool's function for the source of a key. Never under a lock: it is foreign code.
    pub(super) fn source_config(&self, key: &str) -> Result<SourceConfig> {
        let builder = catch_unwind(AssertUnwindSafe(|| (self.source_factory)(key)))
            .unwrap_or_else(|_| Err(Error::internal("the pool's source function panicked")))
            .map_err(|error| error.with_profile(key))?;
        let mut config = builder.into_config(|| self.http())?;
        config.clock = self.clock.clone();
        config.keep_warm = false;
        config.store = None;
        config.is_pooled = true;
        config.name.get_or_insert_with(|| key.to_owned());
        if let Some(jitter) = &self.jitter {
            let mut jitter = jitter.lock().unwrap_or_else(PoisonError::into_inner);
            config.seed = Some(jitter.u64(..));
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

    /// Counts a caller that waits; `Throttled` if there are too many.
    pub(super) fn register_waiter(&self) -> Result<WaiterSlot<'_>> {
        let slot = WaiterSlot(&self.counts.waiting);
        if self.counts.waiting.fetch_add(1, Ordering::Relaxed) < self.max_waiters {
            return Ok(slot);
        }
        Err(Error::throttled(format!(
            "{} callers are already waiting for the pool",
            self.max_waiters
        ))
        .hint("`max_waiters` limits them"))
    }

    /// Counts removed entries under the reason for their removal.
    pub(super) fn count_removed(&self, count: usize, reason: &AtomicU64) {
        self.counts.entries.fetch_sub(count, Ordering::SeqCst);
        reason.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}
