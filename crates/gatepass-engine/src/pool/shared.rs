//! Shared: what all clones of a pool and its timer have in common.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use gatepass_core::{Error, HttpSend, Result, Token};
use tokio::sync::Semaphore;

use super::entry::{Due, Entry, ticks};
use super::shard::Shard;
use super::timer::Timer;
use crate::TokenSourceBuilder;
use crate::clock::ClockHandle;
use crate::flight_handle::FlightHandle;
use crate::policy::{Moment, Phase};

/// Says who a key is.
pub(super) type Identify = dyn Fn(&str) -> Result<TokenSourceBuilder> + Send + Sync;

pub(super) struct Shared {
    pub(super) identify: Box<Identify>,
    pub(super) http: OnceLock<Arc<dyn HttpSend>>,
    pub(super) clock: ClockHandle,
    pub(super) max_entries: usize,
    pub(super) max_waiters: usize,
    pub(super) idle: Duration,
    /// Places for exchanges, and for those among them that nobody waits for.
    pub(super) exchanges: Arc<Semaphore>,
    pub(super) refreshes: Arc<Semaphore>,
    /// Where jitter begins, if a test says so.
    pub(super) chance: Option<Mutex<fastrand::Rng>>,
    pub(super) shards: Box<[Shard]>,
    /// Keyed, so that nobody who chooses keys chooses where they go.
    pub(super) hasher: RandomState,
    pub(super) is_closed: AtomicBool,
    pub(super) timer: Timer,
    pub(super) counts: Counts,
}

/// What a pool holds and has done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) entries: AtomicUsize,
    /// Identities with a flight or a failure.
    pub(super) active: AtomicUsize,
    /// Those with a flight.
    pub(super) flying: AtomicUsize,
    pub(super) waiting: AtomicUsize,
    pub(super) flights: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) dropped: AtomicU64,
}

/// A place among those who wait.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// A key's hash and its shard. The map inside takes the lowest and the highest bits.
    pub(super) fn locate(&self, key: &str) -> (u64, &Shard) {
        let hash = self.hasher.hash_one(key);
        let number = (hash >> 32) as usize & (self.shards.len() - 1);
        (hash, &self.shards[number])
    }

    /// Runs `look` on the held token, if it may be handed out to somebody who needs it for so long;
    /// an aging one wakes the timer.
    pub(super) fn with_token<T>(
        self: &Arc<Self>,
        key: &str,
        min: Duration,
        look: impl FnOnce(&Entry) -> T,
    ) -> Option<T> {
        // The clocks first: reading them waits for all that memory still owes.
        let now = self.now();
        let (hash, shard) = self.locate(key);
        let entries = shard.read();
        let entry = entries.get(hash, key)?;
        let phase = entry.phase(now, min);
        if phase == Phase::Expired {
            return None;
        }
        entry.touch(now);
        let found = look(entry);
        if phase == Phase::Aging {
            drop(entries);
            self.timer.nudge(self);
        }
        Some(found)
    }

    /// The held token, if it may be handed out to somebody who needs it for so long.
    pub(super) fn token(self: &Arc<Self>, key: &str, min: Duration) -> Option<Token> {
        self.with_token(key, min, |entry| entry.token.clone())
    }

    /// The held token, if it is usable; it does not count as asked for.
    pub(super) fn peek(&self, key: &str) -> Option<Token> {
        let now = self.now();
        let (hash, shard) = self.locate(key);
        let entries = shard.read();
        let entry = entries.get(hash, key)?;
        (entry.phase(now, Duration::ZERO) != Phase::Expired).then(|| entry.token.clone())
    }

    /// Holds a token; under the lock of the shard's flights.
    pub(super) fn install(self: &Arc<Self>, shard: &Shard, key: &str, entry: Entry, now: Moment) {
        if self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let mut entries = shard.write();
        let entry = match entries.get(self.hasher.hash_one(key), key) {
            Some(old) => entry.used_like(old),
            None => entry,
        };
        let due = match entry.due(now, self.idle) {
            Due::In(wait) => ticks(now.boot) + wait,
            Due::Refresh | Due::Drop => ticks(now.boot),
        };
        let is_new = entries.insert(&self.hasher, entry, due).is_none();
        shard.due_by(due);
        let is_over =
            is_new && self.counts.entries.fetch_add(1, Ordering::SeqCst) >= self.max_entries;
        if is_over {
            self.gone(entries.evict(&self.hasher, key, now), &self.counts.evicted);
        }
        drop(entries);
        if self.counts.entries.load(Ordering::SeqCst) > self.max_entries {
            // The only one of its shard: another shard has to give.
            for other in self.shards.iter().filter(|other| !std::ptr::eq(*other, shard)) {
                let evicted = other.write().evict(&self.hasher, key, now);
                self.gone(evicted, &self.counts.evicted);
                if evicted > 0 {
                    break;
                }
            }
        }
        self.timer.due_by(self, due);
    }

    /// The next token of this key is asked for at `boot`, if one is held.
    pub(super) fn put_off(&self, key: &str, boot: Duration) {
        let (hash, shard) = self.locate(key);
        let mut entries = shard.write();
        let due = ticks(boot) + 1;
        let put_off = |entry: &mut Entry| {
            entry.refresh_at(boot);
            (due, ())
        };
        if entries.change(hash, key, put_off).is_some() {
            shard.due_by(due);
            drop(entries);
            self.timer.sooner(due);
        }
    }

    /// Forgets exactly this token.
    pub(super) fn invalidate(&self, key: &str, token: &Token) {
        let (hash, shard) = self.locate(key);
        let flights = shard.flights();
        shard.reports().add(hash);
        if let Some(active) = flights.get(key) {
            // Should the exchange under way bring it again, it is refused.
            active.source.invalidate(token);
        }
        let mut entries = shard.write();
        if entries.get(hash, key).is_some_and(|entry| entry.token.is_same_as(token)) {
            entries.remove(hash, key);
            self.counts.entries.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Forgets all that is known of a key.
    pub(super) fn forget(&self, key: &str) {
        let (hash, shard) = self.locate(key);
        let mut flights = shard.flights();
        shard.reports().add(hash);
        self.end(&mut flights, key);
        if shard.write().remove(hash, key).is_some() {
            self.counts.entries.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Forgets everything, for good. What was under way ends when these are gone.
    pub(super) fn close(&self) -> Vec<FlightHandle> {
        self.is_closed.store(true, Ordering::SeqCst);
        self.timer.stop();
        let mut handles = Vec::new();
        for shard in &self.shards {
            let mut flights = shard.flights();
            for (_, active) in std::mem::take(&mut *flights) {
                if let Some(flight) = active.flight {
                    handles.push(flight.subscribe());
                    self.counts.flying.fetch_sub(1, Ordering::Relaxed);
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

    /// A place among those who wait, if there is one.
    pub(super) fn wait_here(&self) -> Result<Place<'_>> {
        let place = Place(&self.counts.waiting);
        if self.counts.waiting.fetch_add(1, Ordering::Relaxed) < self.max_waiters {
            return Ok(place);
        }
        Err(Error::throttled(format!("{} callers wait for the pool already", self.max_waiters))
            .hint("`max_waiters` bounds them"))
    }

    /// Entries are gone, and counted for that reason.
    pub(super) fn gone(&self, count: usize, reason: &AtomicU64) {
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
