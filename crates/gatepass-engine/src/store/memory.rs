//! MemoryStore: records that end with the process.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatepass_core::{Clock, Result, async_trait};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{HistoryEntry, Lease, ProfileKey, Record, StoreKey, TokenStore};
use crate::SystemClock;

/// A store in memory. Its clones are the same store.
#[derive(Clone)]
pub struct MemoryStore {
    profiles: Arc<Mutex<Profiles>>,
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
}

/// The latest notes of all profiles.
struct Journal {
    notes: Mutex<VecDeque<(ProfileKey, HistoryEntry)>>,
    /// None where the system gives no randomness: then there are no notes.
    key: Option<Zeroizing<[u8; 32]>>,
}

/// The most notes of all profiles together: there may be a million of those.
const MOST: usize = 1024;

type Profiles = HashMap<ProfileKey, HashMap<[u8; 32], Slot>>;

#[derive(Debug, Default)]
struct Slot {
    record: Option<Record>,
    turn: Arc<Turn<()>>,
    /// How often the profile has been forgotten.
    forgotten: u64,
}

struct MemoryLease {
    store: MemoryStore,
    key: StoreKey,
    forgotten: u64,
    turn: Option<OwnedMutexGuard<()>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let key = getrandom::fill(&mut *key).is_ok().then_some(key);
        let journal = Arc::new(Journal { notes: Mutex::default(), key });
        Self { profiles: Arc::default(), journal, clock: Arc::new(SystemClock::new()) }
    }

    /// Asks this clock what has ended.
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// No code but ours runs under this lock.
    fn profiles(&self) -> MutexGuard<'_, Profiles> {
        self.profiles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, VecDeque<(ProfileKey, HistoryEntry)>> {
        self.journal.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Record>> {
        let profiles = self.profiles();
        let slot = profiles.get(key.profile()).and_then(|slots| slots.get(key.request()));
        let record = slot.and_then(|slot| slot.record.as_ref());
        Ok(record.filter(|record| record.is_current(self.clock.wall())).cloned())
    }

    async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>> {
        let turn = slot(&mut self.profiles(), key).turn.clone();
        let turn = match turn.clone().try_lock_owned() {
            Ok(turn) => turn,
            Err(_) => match timeout(wait, turn.lock_owned()).await {
                Ok(turn) => turn,
                Err(_) => return Ok(None),
            },
        };
        // Whoever has a place in the queue keeps the slot alive.
        let forgotten = slot(&mut self.profiles(), key).forgotten;
        let (store, key) = (self.clone(), key.clone());
        Ok(Some(Box::new(MemoryLease { store, key, forgotten, turn: Some(turn) })))
    }

    async fn forget(&self, profile: &ProfileKey) -> Result<usize> {
        let mut profiles = self.profiles();
        let Some(slots) = profiles.get_mut(profile) else { return Ok(0) };
        let mut count = 0;
        for slot in slots.values_mut() {
            count += usize::from(slot.record.take().is_some());
            slot.forgotten += 1;
        }
        slots.retain(|_, slot| slot.is_wanted());
        Ok(count)
    }

    async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
        let (profiles, now) = (self.profiles(), self.clock.wall());
        let slots = profiles.get(profile).into_iter().flat_map(HashMap::values);
        let current = slots.filter_map(|slot| slot.record.clone()).filter(|r| r.is_current(now));
        Ok(super::latest_first(current))
    }

    async fn append_history(&self, profile: &ProfileKey, note: &HistoryEntry) -> Result<()> {
        let Some(key) = &self.journal.key else { return Ok(()) };
        let mut journal = self.journal();
        journal.push_back((profile.clone(), note.with_fingerprint_key(key)));
        let count = journal.iter().filter(|(of, _)| of == profile).count();
        if count > HistoryEntry::MAX_ENTRIES
            && let Some(oldest) = journal.iter().position(|(of, _)| of == profile)
        {
            journal.remove(oldest);
        }
        if journal.len() > MOST {
            journal.pop_front();
        }
        Ok(())
    }

    async fn history(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        let journal = self.journal();
        let notes = journal.iter().filter(|(of, _)| of == profile);
        Ok(notes.map(|(_, note)| note.clone()).collect())
    }

    async fn clear_history(&self, profile: &ProfileKey) -> Result<usize> {
        let mut journal = self.journal();
        let before = journal.len();
        journal.retain(|(of, _)| of != profile);
        Ok(before - journal.len())
    }
}

#[async_trait]
impl Lease for MemoryLease {
    async fn save(&self, record: &Record) -> Result<bool> {
        let now = self.store.clock.wall();
        let mut profiles = self.store.profiles();
        let slot = slot(&mut profiles, &self.key);
        if slot.forgotten != self.forgotten || !record.replaces(slot.record.as_ref(), now) {
            return Ok(false);
        }
        slot.record = Some(match record {
            Record::Token(token) => Record::Token(token.without_extras()),
            other => other.clone(),
        });
        if let Some(slots) = profiles.get_mut(self.key.profile()) {
            for slot in slots.values_mut() {
                slot.record.take_if(|record| !record.is_current(now));
            }
            slots.retain(|_, slot| slot.is_wanted());
        }
        Ok(true)
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.turn = None;
        let mut profiles = self.store.profiles();
        if let Some(slots) = profiles.get_mut(self.key.profile()) {
            if slots.get(self.key.request()).is_some_and(|slot| !slot.is_wanted()) {
                slots.remove(self.key.request());
            }
            if slots.is_empty() {
                profiles.remove(self.key.profile());
            }
        }
    }
}

impl Slot {
    /// Whether it holds a record, or somebody holds or waits for its lease.
    fn is_wanted(&self) -> bool {
        self.record.is_some() || Arc::strong_count(&self.turn) > 1
    }
}

fn slot<'a>(profiles: &'a mut Profiles, key: &StoreKey) -> &'a mut Slot {
    profiles.entry(key.profile().clone()).or_default().entry(*key.request()).or_default()
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl fmt::Debug for MemoryLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryLease")
    }
}
