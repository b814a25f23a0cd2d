//! A shard of the pool: its entries in dense chunks, and their next deadline.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::active_source::ActiveFlights;
use super::entry::{PoolEntry, ticks};
use super::slot_index::{MAX_SLOTS, SlotIndex};
use crate::cache_state::REPLACEMENT_PAUSE;
use crate::policy::Moment;

/// The number of entries that are swept because one of them is due.
const CHUNK: usize = 64;

/// A part of the pool with its own locks. Code that takes both takes the lock of the flights first.
///
/// The alignment keeps two shards from sharing a cache line.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard {
    entries: RwLock<Entries>,
    flights: Mutex<ActiveFlights>,
    /// When the first entry is due, in ticks of the boot clock.
    due: AtomicU64,
    invalidations: Mutex<Invalidations>,
    /// When the rejected token of a key was replaced last, by hash, in ticks of the boot clock.
    replaced: Mutex<HashMap<u64, u64>>,
}

impl Shard {
    pub(super) fn new() -> Self {
        Self {
            entries: RwLock::default(),
            flights: Mutex::default(),
            due: AtomicU64::new(u64::MAX),
            invalidations: Default::default(),
            replaced: Default::default(),
        }
    }

    /// Only this module's code runs under these locks, so that poisoned data is still consistent.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn flights(&self) -> MutexGuard<'_, ActiveFlights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the latest invalidations. No other lock is taken under this one.
    pub(super) fn invalidations(&self) -> MutexGuard<'_, Invalidations> {
        self.invalidations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the rejected token of a key is replaced now, and records it: an API that
    /// rejects tokens for being too young must not cause a token request per call.
    pub(super) fn may_replace(&self, hash: u64, now: u64) -> bool {
        let is_recent = |at: &u64| now.saturating_sub(*at) < ticks(REPLACEMENT_PAUSE);
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced.get(&hash).is_some_and(is_recent) {
            return false;
        }
        replaced.retain(|_, at| is_recent(at));
        replaced.insert(hash, now);
        true
    }

    pub(super) fn due(&self) -> u64 {
        self.due.load(Ordering::SeqCst)
    }

    /// Moves the deadline to `due` if that is earlier. The caller holds the lock of the entries.
    pub(super) fn lower_deadline(&self, due: u64) {
        self.due.fetch_min(due, Ordering::SeqCst);
    }

    /// Sets the deadline. The caller holds the lock of the entries.
    pub(super) fn set_deadline(&self, due: u64) {
        self.due.store(due, Ordering::SeqCst);
    }
}

/// Hashes of recently invalidated keys.
#[derive(Debug, Default)]
pub(super) struct Invalidations {
    count: u64,
    latest: [u64; 32],
}

impl Invalidations {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, hash: u64) {
        self.latest[self.count as usize % self.latest.len()] = hash;
        self.count += 1;
    }

    /// Returns whether a key with this hash may have been invalidated after the first `count` ones.
    pub(super) fn has_since(&self, count: u64, hash: u64) -> bool {
        let since = self.count - count;
        since > self.latest.len() as u64
            || (count..self.count).any(|n| self.latest[n as usize % self.latest.len()] == hash)
    }
}

/// Entries by key. The index has slot numbers of four bytes, and the slots are dense. This takes
/// less memory than a map of whole entries, which is half empty after it has grown.
#[derive(Debug, Default)]
pub(super) struct Entries {
    index: SlotIndex,
    #[expect(clippy::vec_box, reason = "growth under the lock moves pointers, not entries")]
    chunks: Vec<Box<Chunk>>,
    /// When the first entry of each chunk is due, in ticks of the boot clock.
    deadlines: Vec<u64>,
    /// The slots that are empty.
    free: Vec<u32>,
}

/// Entries that are swept together.
#[derive(Debug)]
#[repr(align(64))]
struct Chunk([Option<PoolEntry>; CHUNK]);

/// What a sweep does with an entry.
#[derive(Debug)]
pub(super) enum SweepAction {
    /// Keep it, and classify it again at this tick.
    Keep(u64),
    Remove,
    /// End the sweep: this entry is due, but there is no permit.
    Stop,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn get(&self, hash: u64, key: &str) -> Option<&PoolEntry> {
        let is_match = |slot: u32| self.entry(slot).is_some_and(|entry| *entry.key == *key);
        self.entry(self.index.find(hash, is_match)?)
    }

    /// Changes an entry. `change` returns when the entry is due.
    pub(super) fn change<T>(
        &mut self,
        hash: u64,
        key: &str,
        change: impl FnOnce(&mut PoolEntry) -> (u64, T),
    ) -> Option<T> {
        let is_match =
            |slot: u32| entry_at(&self.chunks, slot).is_some_and(|entry| *entry.key == *key);
        let slot = self.index.find(hash, is_match)?;
        let (due, outcome) = change(self.slot(slot)?.as_mut()?);
        self.lower_deadline(slot, due);
        Some(outcome)
    }

    /// Adds an entry that is due at `due`, or replaces the one of its key.
    pub(super) fn insert(
        &mut self,
        hasher: &impl BuildHasher,
        entry: PoolEntry,
        due: u64,
    ) -> Option<PoolEntry> {
        let key = &*entry.key;
        let chunks = &self.chunks;
        let is_match = |slot: u32| entry_at(chunks, slot).is_some_and(|other| *other.key == *key);
        let hash_of = |entry: &PoolEntry| hasher.hash_one(&*entry.key);
        let rehash = |slot: u32| entry_at(chunks, slot).map_or(0, hash_of);
        let hash = hasher.hash_one(key);
        let found = self.index.find(hash, is_match);
        let next = || u32::try_from(chunks.len() * CHUNK).ok().filter(|next| *next < MAX_SLOTS);
        let slot = found.or_else(|| self.free.pop()).or_else(next)?;
        if found.is_none() {
            self.index.insert(hash, slot, rehash);
        }
        if self.chunks.len() <= slot as usize / CHUNK {
            self.chunks.push(Box::new(Chunk([const { None }; CHUNK])));
            self.deadlines.push(u64::MAX);
            self.free.extend((slot + 1..slot + CHUNK as u32).rev());
        }
        self.lower_deadline(slot, due);
        self.slot(slot)?.replace(entry)
    }

    pub(super) fn remove(&mut self, hash: u64, key: &str) -> Option<PoolEntry> {
        let chunks = &self.chunks;
        let is_match = |slot: u32| entry_at(chunks, slot).is_some_and(|entry| *entry.key == *key);
        let slot = self.index.remove(hash, is_match)?;
        self.free.push(slot);
        self.slot(slot)?.take()
    }

    /// Makes every entry due, because a clock has jumped.
    pub(super) fn mark_all_due(&mut self) {
        self.deadlines.fill(0);
    }

    /// Classifies every entry whose chunk is due. Returns the next deadline, which is now if
    /// `classify` ended the sweep.
    pub(super) fn sweep(
        &mut self,
        hasher: &impl BuildHasher,
        now: u64,
        mut classify: impl FnMut(&mut PoolEntry) -> SweepAction,
    ) -> u64 {
        let mut next = u64::MAX;
        for (number, (chunk, chunk_deadline)) in
            self.chunks.iter_mut().zip(&mut self.deadlines).enumerate()
        {
            if *chunk_deadline > now {
                next = next.min(*chunk_deadline);
                continue;
            }
            let mut due = u64::MAX;
            for (offset, cell) in chunk.0.iter_mut().enumerate() {
                let Some(entry) = cell else { continue };
                match classify(entry) {
                    SweepAction::Keep(at) => due = due.min(at),
                    SweepAction::Stop => return now,
                    SweepAction::Remove => {
                        let hash = hasher.hash_one(&*entry.key);
                        let slot = (number * CHUNK + offset) as u32;
                        self.index.remove(hash, |other| other == slot);
                        self.free.push(slot);
                        *cell = None;
                    }
                }
            }
            *chunk_deadline = due;
            next = next.min(due);
        }
        self.shrink(hasher);
        next
    }

    /// Evicts the entries that were requested the longest ago, but never the one of `spared`.
    /// Evicts a 64th of all, so that one pass over the entries makes room for many. Returns the
    /// number.
    pub(super) fn evict(&mut self, hasher: &impl BuildHasher, spared: &str, now: Moment) -> usize {
        let all = self.chunks.iter().flat_map(|chunk| &chunk.0).flatten();
        let mut ages: Vec<(u32, &str)> = all
            .filter(|entry| *entry.key != *spared)
            .map(|entry| (entry.idle_ticks(now), &*entry.key))
            .collect();
        let count = (ages.len() / 64).max(1).min(ages.len());
        if count == 0 {
            return 0;
        }
        ages.select_nth_unstable_by(count - 1, |a, b| b.0.cmp(&a.0));
        let oldest: Vec<Box<str>> = ages[..count].iter().map(|(_, key)| (*key).into()).collect();
        for key in &oldest {
            self.remove(hasher.hash_one(&**key), key);
        }
        count
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Frees memory if most slots are empty.
    fn shrink(&mut self, hasher: &impl BuildHasher) {
        let slots = self.chunks.len() * CHUNK;
        if slots <= 4 * CHUNK || self.len() * 4 > slots {
            return;
        }
        let Self { chunks, deadlines, .. } = std::mem::take(self);
        for (chunk, due) in chunks.into_iter().zip(deadlines) {
            for entry in chunk.0.into_iter().flatten() {
                self.insert(hasher, entry, due);
            }
        }
    }

    fn lower_deadline(&mut self, slot: u32, due: u64) {
        if let Some(chunk_deadline) = self.deadlines.get_mut(slot as usize / CHUNK) {
            *chunk_deadline = due.min(*chunk_deadline);
        }
    }

    fn slot(&mut self, slot: u32) -> Option<&mut Option<PoolEntry>> {
        self.chunks.get_mut(slot as usize / CHUNK)?.0.get_mut(slot as usize % CHUNK)
    }

    fn entry(&self, slot: u32) -> Option<&PoolEntry> {
        entry_at(&self.chunks, slot)
    }
}

fn entry_at(chunks: &[Box<Chunk>], slot: u32) -> Option<&PoolEntry> {
    chunks.get(slot as usize / CHUNK)?.0.get(slot as usize % CHUNK)?.as_ref()
}
