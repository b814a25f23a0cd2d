//! A store in memory: its records end with the process.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, Result, async_trait};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::record::latest_first;
use super::{HistoryEntry, Lease, ProfileKey, Record, SaveOutcome, StoreKey, TokenStore};
use crate::SystemClock;

/// A store in memory. Its clones are the same store.
///
/// ```
/// use gatepass_engine::{MemoryStore, ProfileKey, TokenStore};
///
/// # async fn run() -> gatepass_core::Result<()> {
/// let store = MemoryStore::new();
/// assert_eq!(store.forget(&ProfileKey::new("cisco-prod")).await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    profiles: Arc<Mutex<Profiles>>,
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
}

/// The latest history entries of all profiles.
struct Journal {
    entries: Mutex<VecDeque<(ProfileKey, HistoryEntry)>>,
    /// The key of the fingerprints; `None` if the system has no randomness. There is no history
    /// then.
    key: Option<Zeroizing<[u8; 32]>>,
}

/// The limit for all profiles together: a pool may have a million of them.
const MAX_ENTRIES: usize = 1024;

type Profiles = HashMap<ProfileKey, HashMap<StoreKey, Slot>>;

#[derive(Debug, Default)]
struct Slot {
    record: Option<Record>,
    /// Locked by the holder of the lease.
    lock: Arc<AsyncMutex<()>>,
    /// How often the profile has been forgotten.
    forgotten: u64,
}

struct MemoryLease {
    store: MemoryStore,
    key: StoreKey,
    forgotten: u64,
    guard: Option<OwnedMutexGuard<()>>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let key = getrandom::fill(&mut *key).is_ok().then_some(key);
        let journal = Arc::new(Journal { entries: Mutex::default(), key });
        Self { profiles: Arc::default(), journal, clock: Arc::new(SystemClock::new()) }
    }

    /// Sets the clock by which records expire.
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Only this module's code runs under the lock, so a poisoned one is still consistent.
    fn profiles(&self) -> MutexGuard<'_, Profiles> {
        self.profiles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<(ProfileKey, HistoryEntry)>> {
        self.journal.entries.lock().unwrap_or_else(PoisonError::into_inner)
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
        let slot = profiles.get(key.profile()).and_then(|slots| slots.get(key));
        let record = slot.and_then(|slot| slot.record.as_ref());
        Ok(record.filter(|record| record.is_current(self.now())).cloned())
    }

    async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>> {
        let lock = slot(&mut self.profiles(), key).lock.clone();
        let guard = match lock.clone().try_lock_owned() {
            Ok(guard) => guard,
            Err(_) => match timeout(wait, lock.lock_owned()).await {
                Ok(guard) => guard,
                Err(_) => return Ok(None),
            },
        };
        // The slot still exists: every clone of its lock keeps it.
        let forgotten = slot(&mut self.profiles(), key).forgotten;
        let (store, key) = (self.clone(), key.clone());
        Ok(Some(Box::new(MemoryLease { store, key, forgotten, guard: Some(guard) })))
    }

    async fn forget(&self, profile: &ProfileKey) -> Result<usize> {
        let mut profiles = self.profiles();
        let Some(slots) = profiles.get_mut(profile) else { return Ok(0) };
        let mut count = 0;
        for slot in slots.values_mut() {
            count += usize::from(slot.record.take().is_some());
            slot.forgotten += 1;
        }
        slots.retain(|_, slot| slot.is_used());
        Ok(count)
    }

    fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
        let (profiles, now) = (self.profiles(), self.now());
        let slots = profiles.get(profile).into_iter().flat_map(HashMap::values);
        let current = slots.filter_map(|slot| slot.record.clone()).filter(|r| r.is_current(now));
        Ok(latest_first(current))
    }

    async fn append_history(&self, profile: &ProfileKey, entry: &HistoryEntry) -> Result<()> {
        let Some(key) = &self.journal.key else { return Ok(()) };
        let mut entries = self.entries();
        entries.push_back((profile.clone(), entry.with_fingerprint_key(key)));
        let count = entries.iter().filter(|(of, _)| of == profile).count();
        if count > HistoryEntry::MAX_ENTRIES
            && let Some(oldest) = entries.iter().position(|(of, _)| of == profile)
        {
            entries.remove(oldest);
        }
        if entries.len() > MAX_ENTRIES {
            entries.pop_front();
        }
        Ok(())
    }

    async fn history(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        let entries = self.entries();
        let own = entries.iter().filter(|(of, _)| of == profile);
        Ok(own.map(|(_, entry)| entry.clone()).collect())
    }

    async fn clear_history(&self, profile: &ProfileKey) -> Result<usize> {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|(of, _)| of != profile);
        Ok(before - entries.len())
    }
}

#[async_trait]
impl Lease for MemoryLease {
    async fn save(&self, record: &Record) -> Result<SaveOutcome> {
        let now = self.store.now();
        let mut profiles = self.store.profiles();
        let slot = slot(&mut profiles, &self.key);
        if slot.forgotten != self.forgotten {
            return Ok(SaveOutcome::Forgotten);
        }
        if !record.replaces(slot.record.as_ref(), now) {
            return Ok(SaveOutcome::Older);
        }
        slot.record = Some(match record {
            Record::Token(token) => Record::Token(token.without_extras()),
            other => other.clone(),
        });
        if let Some(slots) = profiles.get_mut(self.key.profile()) {
            for slot in slots.values_mut() {
                slot.record.take_if(|record| !record.is_current(now));
            }
            slots.retain(|_, slot| slot.is_used());
        }
        Ok(SaveOutcome::Kept)
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.guard = None;
        let mut profiles = self.store.profiles();
        if let Some(slots) = profiles.get_mut(self.key.profile()) {
            if slots.get(&self.key).is_some_and(|slot| !slot.is_used()) {
                slots.remove(&self.key);
            }
            if slots.is_empty() {
                profiles.remove(self.key.profile());
            }
        }
    }
}

impl Slot {
    /// Returns whether it has a record, or a holder of its lease, or a caller that waits for it.
    fn is_used(&self) -> bool {
        self.record.is_some() || Arc::strong_count(&self.lock) > 1
    }
}

fn slot<'a>(profiles: &'a mut Profiles, key: &StoreKey) -> &'a mut Slot {
    profiles.entry(key.profile().clone()).or_default().entry(key.clone()).or_default()
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
