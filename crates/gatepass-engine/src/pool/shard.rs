//! Shard: some of a pool's entries, one beside the other, and when the next of them is due.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::entry::Entry;
use super::flights::Flights;
use super::index::{Index, PLACES};
use crate::policy::Moment;

/// How many entries are looked at because one of them is due.
const CHUNK: usize = 64;

/// A part of a pool with locks of its own. Whoever takes both takes that of the flights first.
///
/// It does not share a line of the processor's caches with another.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard {
    entries: RwLock<Entries>,
    flights: Mutex<Flights>,
    /// When something is to be done here at the earliest, in ticks of the boot clock.
    due: AtomicU64,
    reports: Mutex<Reports>,
}

impl Shard {
    pub(super) fn new() -> Self {
        Self {
            entries: RwLock::default(),
            flights: Mutex::default(),
            due: AtomicU64::new(u64::MAX),
            reports: Default::default(),
        }
    }

    /// No code but ours runs under these locks; should it panic, what they guard is still whole.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest reports. No other lock is taken under this one.
    pub(super) fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn due(&self) -> u64 {
        self.due.load(Ordering::SeqCst)
    }

    /// Something is to be done at `due`; under the entries' lock.
    pub(super) fn due_by(&self, due: u64) {
        self.due.fetch_min(due, Ordering::SeqCst);
    }

    /// Nothing is to be done before `due`; under the entries' lock.
    pub(super) fn due_at(&self, due: u64) {
        self.due.store(due, Ordering::SeqCst);
    }
}

/// Which keys' tokens have been reported or forgotten, by their hashes.
#[derive(Debug, Default)]
pub(super) struct Reports {
    count: u64,
    latest: [u64; 32],
}

impl Reports {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, hash: u64) {
        self.latest[self.count as usize % self.latest.len()] = hash;
        self.count += 1;
    }

    /// Whether one of this hash may have come after so many.
    pub(super) fn has_since(&self, count: u64, hash: u64) -> bool {
        let since = self.count - count;
        since > self.latest.len() as u64
            || (count..self.count).any(|n| self.latest[n as usize % self.latest.len()] == hash)
    }
}

/// Entries by key. The index holds places of four bytes, and what it points to is dense: that is
/// less than a map of whole entries, which is half empty after it has grown.
#[derive(Debug, Default)]
pub(super) struct Entries {
    index: Index,
    chunks: Vec<Box<Chunk>>,
    /// When one of each chunk is due at the earliest, in ticks of the boot clock.
    dues: Vec<u64>,
    /// The places that are empty.
    free: Vec<u32>,
}

/// Entries that are looked at together. Each of them is two lines of the processor's caches.
#[derive(Debug)]
#[repr(align(64))]
struct Chunk([Option<Entry>; CHUNK]);

/// What a look at an entry says.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Look again at that tick.
    Keep(u64),
    Remove,
    /// No more looks for now: this one is still due.
    Stop,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn get(&self, hash: u64, key: &str) -> Option<&Entry> {
        let is_it = |place: u32| self.at(place).is_some_and(|entry| entry.key.is(key));
        self.at(self.index.find(hash, is_it)?)
    }

    /// Changes an entry, whose `change` says by when it is due.
    pub(super) fn change<T>(
        &mut self,
        hash: u64,
        key: &str,
        change: impl FnOnce(&mut Entry) -> (u64, T),
    ) -> Option<T> {
        let is_it = |place: u32| at(&self.chunks, place).is_some_and(|entry| entry.key.is(key));
        let place = self.index.find(hash, is_it)?;
        let (due, outcome) = change(self.place(place)?.as_mut()?);
        self.due_by(place, due);
        Some(outcome)
    }

    /// Adds an entry that is due by then, or replaces the one of its key.
    pub(super) fn insert(
        &mut self,
        hasher: &impl BuildHasher,
        entry: Entry,
        due: u64,
    ) -> Option<Entry> {
        let key = entry.key.as_str();
        let chunks = &self.chunks;
        let is_it = |place: u32| at(chunks, place).is_some_and(|other| other.key.is(key));
        let hash_of = |entry: &Entry| hasher.hash_one(entry.key.as_str());
        let rehash = |place: u32| at(chunks, place).map_or(0, hash_of);
        let hash = hasher.hash_one(key);
        let found = self.index.find(hash, is_it);
        let next = || u32::try_from(chunks.len() * CHUNK).ok().filter(|next| *next < PLACES);
        let place = found.or_else(|| self.free.pop()).or_else(next)?;
        if found.is_none() {
            self.index.insert(hash, place, rehash);
        }
        if self.chunks.len() <= place as usize / CHUNK {
            self.chunks.push(Box::new(Chunk([const { None }; CHUNK])));
            self.dues.push(u64::MAX);
            self.free.extend((place + 1..place + CHUNK as u32).rev());
        }
        self.due_by(place, due);
        self.place(place)?.replace(entry)
    }

    pub(super) fn remove(&mut self, hash: u64, key: &str) -> Option<Entry> {
        let chunks = &self.chunks;
        let is_it = |place: u32| at(chunks, place).is_some_and(|entry| entry.key.is(key));
        let place = self.index.remove(hash, is_it)?;
        self.free.push(place);
        self.place(place)?.take()
    }

    /// Makes every entry due: the clocks have moved.
    pub(super) fn rouse(&mut self) {
        self.dues.fill(0);
    }

    /// Looks at every entry whose chunk is due, and says when the next look is: at once if `look`
    /// stopped it.
    pub(super) fn sweep(
        &mut self,
        hasher: &impl BuildHasher,
        now: u64,
        mut look: impl FnMut(&mut Entry) -> Verdict,
    ) -> u64 {
        let mut next = u64::MAX;
        for (number, (chunk, chunk_due)) in self.chunks.iter_mut().zip(&mut self.dues).enumerate() {
            if *chunk_due > now {
                next = next.min(*chunk_due);
                continue;
            }
            let mut due = u64::MAX;
            for (offset, slot) in chunk.0.iter_mut().enumerate() {
                let Some(entry) = slot else { continue };
                match look(entry) {
                    Verdict::Keep(at) => due = due.min(at),
                    Verdict::Stop => return now,
                    Verdict::Remove => {
                        let hash = hasher.hash_one(entry.key.as_str());
                        let place = (number * CHUNK + offset) as u32;
                        self.index.remove(hash, |other| other == place);
                        self.free.push(place);
                        *slot = None;
                    }
                }
            }
            *chunk_due = due;
            next = next.min(due);
        }
        self.shrink(hasher);
        next
    }

    /// Removes those that were asked for the longest ago, but never the one of `spared`: a 64th of
    /// all, so that one look at all of them does for many to come. Says how many.
    pub(super) fn evict(&mut self, hasher: &impl BuildHasher, spared: &str, now: Moment) -> usize {
        let all = self.chunks.iter().flat_map(|chunk| &chunk.0).flatten();
        let mut ages: Vec<(u32, &str)> = all
            .filter(|entry| !entry.key.is(spared))
            .map(|entry| (entry.unused(now), entry.key.as_str()))
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

    /// Gives memory back once most places are empty.
    fn shrink(&mut self, hasher: &impl BuildHasher) {
        let places = self.chunks.len() * CHUNK;
        if places <= 4 * CHUNK || self.len() * 4 > places {
            return;
        }
        let Self { chunks, dues, .. } = std::mem::take(self);
        for (chunk, due) in chunks.into_iter().zip(dues) {
            for entry in chunk.0.into_iter().flatten() {
                self.insert(hasher, entry, due);
            }
        }
    }

    fn due_by(&mut self, place: u32, due: u64) {
        if let Some(chunk_due) = self.dues.get_mut(place as usize / CHUNK) {
            *chunk_due = due.min(*chunk_due);
        }
    }

    fn place(&mut self, place: u32) -> Option<&mut Option<Entry>> {
        self.chunks.get_mut(place as usize / CHUNK)?.0.get_mut(place as usize % CHUNK)
    }

    fn at(&self, place: u32) -> Option<&Entry> {
        at(&self.chunks, place)
    }
}

fn at(chunks: &[Box<Chunk>], place: u32) -> Option<&Entry> {
    chunks.get(place as usize / CHUNK)?.0.get(place as usize % CHUNK)?.as_ref()
}
