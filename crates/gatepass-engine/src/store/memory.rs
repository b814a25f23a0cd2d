//! A store in memory: its records end with the process.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, Result, async_trait};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::record::latest_first;
use super::{
    HistoryEntry, Lease, LeaseOutcome, ProfileKey, Record, RecordRequirement, SaveOutcome,
    StoreKey, TokenStore,
};
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
    /// The number of leases so far.
    leases: Arc<AtomicU64>,
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

/// The longest pause between two looks at the clock by a caller that waits for a lease.
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// The limit for all profiles together: a pool may have a million of them.
const MAX_ENTRIES: usize = 1024;

type Profiles = HashMap<ProfileKey, HashMap<StoreKey, Slot>>;

#[derive(Debug, Default)]
struct Slot {
    record: Option<Record>,
    /// The number of the lease that is held.
    holder: Option<u64>,
    /// Notifies callers that wait that the record or the holder has changed.
    changed: Arc<Notify>,
    /// How often the profile has been forgotten.
    forgotten: u64,
}

struct MemoryLease {
    store: MemoryStore,
    key: StoreKey,
    forgotten: u64,
    number: u64,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let key = getrandom::fill(&mut *key).is_ok().then_some(key);
        let journal = Arc::new(Journal { entries: Mutex::default(), key });
        Self {
            profiles: Arc::default(),
            leases: Arc::default(),
            journal,
            clock: Arc::new(SystemClock::new()),
        }
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
        let wanted = RecordRequirement { is_fresh: true, ..RecordRequirement::default() };
        Ok(match self.acquire(key, &wanted, wait).await? {
            LeaseOutcome::Lease(lease) => Some(lease),
            _ => None,
        })
    }

    async fn acquire(
        &self,
        key: &StoreKey,
        wanted: &RecordRequirement,
        wait: Duration,
    ) -> Result<LeaseOutcome> {
        let started = Instant::now();
        // The holder, how long this call has watched it, and when it looked last.
        let (mut holder, mut watched, mut seen_at) = (None, Duration::ZERO, self.clock.boot());
        loop {
            let changed = slot(&mut self.profiles(), key).changed.clone();
            let mut changed = pin!(changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            let now = self.clock.boot();
            {
                let mut profiles = self.profiles();
                let slot = slot(&mut profiles, key);
                let accepted = |record: &&Record| wanted.accepts(record, self.now());
                if let Some(record) = slot.record.as_ref().filter(accepted) {
                    return Ok(LeaseOutcome::Found(record.clone()));
                }
                // A long gap was a suspend, during which the holder did not run either.
                watched += now.saturating_sub(seen_at).min(MAX_PAUSE);
                seen_at = now;
                if slot.holder != holder {
                    (holder, watched) = (slot.holder, Duration::ZERO);
                }
                if slot.holder.is_none() || watched >= wanted.stale_after {
                    let number = self.leases.fetch_add(1, Ordering::Relaxed);
                    slot.holder = Some(number);
                    // The others now wait for another holder.
                    slot.changed.notify_waiters();
                    let (store, key, forgotten) = (self.clone(), key.clone(), slot.forgotten);
                    let lease = MemoryLease { store, key, forgotten, number };
                    return Ok(LeaseOutcome::Lease(Box::new(lease)));
                }
            }
            let stale_in = wanted.stale_after.saturating_sub(watched);
            let remaining = wait.saturating_sub(started.elapsed());
            if remaining.is_zero() {
                let retry_after = Some(stale_in).filter(|_| wanted.stale_after < Duration::MAX);
                return Ok(LeaseOutcome::Busy { retry_after: retry_after.unwrap_or_default() });
            }
            // The clock may be another one than the runtime's: look again before it says so.
            let pause = remaining.min(stale_in).min(MAX_PAUSE);
            let _ = timeout(pause, changed).await;
        }
    }

    async fn forget(&self, profile: &ProfileKey) -> Result<usize> {
        let mut profiles = self.profiles();
        let Some(slots) = profiles.get_mut(profile) else { return Ok(0) };
        let mut count = 0;
        for slot in slots.values_mut() {
            let record = slot.record.take();
            count += usize::from(record.is_some_and(|record| record.is_outcome()));
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
        if slot.holder != Some(self.number) {
            return Ok(SaveOutcome::Late);
        }
        if !record.replaces(slot.record.as_ref(), now) {
            return Ok(SaveOutcome::Older);
        }
        slot.record = Some(match record {
            Record::Token(token) => Record::Token(token.without_extras()),
            other => other.clone(),
        });
        slot.changed.notify_waiters();
        if let Some(slots) = profiles.get_mut(self.key.profile()) {
            for slot in slots.values_mut() {
                slot.record.take_if(|record| !record.is_current(now));
            }
            slots.retain(|_, slot| slot.is_used());
        }
        Ok(SaveOutcome::Kept)
    }

    async fn clear_failure(&self) -> Result<()> {
        let mut profiles = self.store.profiles();
        let slot = slot(&mut profiles, &self.key);
        if slot.holder == Some(self.number) {
            slot.record.take_if(|record| matches!(record, Record::Failure(_)));
        }
        Ok(())
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        let mut profiles = self.store.profiles();
        if let Some(slots) = profiles.get_mut(self.key.profile()) {
            if let Some(slot) = slots.get_mut(&self.key)
                && slot.holder == Some(self.number)
            {
                slot.holder = None;
                slot.changed.notify_waiters();
            }
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
        self.record.is_some() || self.holder.is_some() || Arc::strong_count(&self.changed) > 1
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
