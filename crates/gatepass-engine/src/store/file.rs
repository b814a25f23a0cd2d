//! A store in a folder: encrypted records that all processes of one user share, one file each.

mod directory;
mod folder;
#[cfg(feature = "__fuzzing")]
pub mod fuzzing;
mod journal;
mod lock;
mod version_1;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, Result, async_trait};
use tokio::time::{Instant, sleep};

use self::directory::io_error;
use self::folder::{Folder, RECORD, off_thread};
use self::lock::{Backoff, Lock, MIN_STALE_AFTER, Observation};
use super::{
    HistoryEntry, Lease, LeaseOutcome, ProfileKey, Record, RecordRequirement, SaveOutcome,
    StoreKey, TokenStore,
};
use crate::SystemClock;

/// An encrypted store in a folder, for all processes of one user. Its clones are the same store.
///
/// Each record is a file of mode 0600, encrypted with XChaCha20-Poly1305 and bound to its name.
/// Names are keyed hashes and reveal nothing. The key is the file `key` in the same folder, 32
/// random bytes: it protects single files that leak, not the folder from a reader with its owner's
/// rights. Files are replaced atomically, so a killed process leaves the old one or the new one.
/// Foreign files in the folder are neither read nor removed.
///
/// Beside its records a profile has a journal of its latest token requests, sealed in the same way.
///
/// Loading and leasing make their few short system calls where they are awaited: reading a cached
/// token is not worth a thread. Saving and forgetting wait for the disk, on the runtime's blocking
/// threads. Waiting for a lease needs a tokio runtime with time enabled.
///
/// A lease whose holder is killed is free at once. One whose holder is stopped goes to one
/// successor after [`RecordRequirement::stale_after`], one second at least, and the former holder
/// can no longer save.
///
/// A folder that is removed or replaced while the store is open is opened, and if necessary created,
/// by the next lease.
#[derive(Clone)]
pub struct FileStore {
    path: Arc<Path>,
    folder: Arc<Mutex<Folder>>,
    clock: Arc<dyn Clock>,
    /// The name of this process in the history.
    process: Arc<str>,
}

#[derive(Debug)]
struct FileLease {
    folder: Folder,
    record: String,
    lock: Arc<Lock>,
}

impl FileStore {
    /// Opens the store in this folder. Creates the folder with mode 0700, and the key, if they do
    /// not exist. On Unix only.
    ///
    /// Fails with `Config` if the folder is another user's link, belongs to another user or is writable by
    /// others, or if its key is invalid; with `Internal` if it cannot be opened or written. The
    /// caller then works without a store and reports the reason.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let folder = Folder::open(dir, clock.clone())?;
        // The process may change its working directory before the folder is opened again.
        let path = std::path::absolute(dir)
            .map_err(|error| io_error("the store's folder has no absolute path", error))?;
        let program = std::env::current_exe().ok();
        let name = program.as_ref().and_then(|path| path.file_name()?.to_str()).unwrap_or_default();
        let (path, process) = (Arc::from(path), Arc::from(name));
        Ok(Self { path, folder: Arc::new(Mutex::new(folder)), clock, process })
    }

    /// Sets the name of the process in the history. The default is the program's name.
    #[doc(hidden)]
    pub fn with_process_name(mut self, name: &str) -> Self {
        self.process = Arc::from(name);
        self
    }

    /// Sets the clock by which records expire.
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Returns the folder that was opened last.
    fn folder(&self) -> Folder {
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        Folder { clock: self.clock.clone(), ..folder.clone() }
    }

    /// Returns the folder that has the store's path now. Processes that keep a removed one would
    /// not see the others' leases.
    fn current_folder(&self) -> Result<Folder> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if !folder.directory.is_at_path(&self.path) {
            *folder = Folder::open(&self.path, self.clock.clone())?;
        }
        Ok(Folder { clock: self.clock.clone(), ..folder.clone() })
    }
}

#[async_trait]
impl TokenStore for FileStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Record>> {
        self.folder().load(key)
    }

    async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>> {
        let wanted = RecordRequirement { is_fresh: true, ..RecordRequirement::default() };
        Ok(match self.acquire(key, &wanted, wait).await? {
            LeaseOutcome::Lease(lease) => Some(lease),
            _ => None,
        })
    }

    async fn forget(&self, profile: &ProfileKey) -> Result<usize> {
        let (folder, profile) = (self.folder(), profile.clone());
        off_thread(move || folder.remove_profile(&folder.prefix(&profile)))
            .await
            .map_err(|error| io_error("the profile could not be forgotten", error))
    }

    async fn acquire(
        &self,
        key: &StoreKey,
        wanted: &RecordRequirement,
        wait: Duration,
    ) -> Result<LeaseOutcome> {
        let stale_after = wanted.stale_after.max(MIN_STALE_AFTER);
        let (started, mut backoff) = (Instant::now(), Backoff::new());
        let (mut holder, mut seen) = (Observation::default(), None);
        loop {
            let folder = self.current_folder()?;
            let accepted = || folder.load_accepted(key, wanted);
            // The holder may have been stopped after it saved, so look while it holds the lease.
            let stamp = Some(folder.stamp(key));
            if stamp != seen
                && let Some(record) = accepted()
            {
                return Ok(LeaseOutcome::Found(record));
            }
            seen = stamp;
            let lock = match folder.take_lock(key, stale_after, &mut holder) {
                // The folder was removed after the look above.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && !folder.directory.is_at_path(&self.path) =>
                {
                    continue;
                }
                lock => lock.map_err(|error| io_error("the store cannot be locked", error))?,
            };
            if let Some(lock) = lock {
                // The holder before may have saved after the look above.
                if let Some(record) = accepted() {
                    return Ok(LeaseOutcome::Found(record));
                }
                let (record, lock) = (folder.name(key, RECORD), Arc::new(lock));
                return Ok(LeaseOutcome::Lease(Box::new(FileLease { folder, record, lock })));
            }
            let remaining = wait.saturating_sub(started.elapsed());
            if remaining.is_zero() {
                return Ok(LeaseOutcome::Busy { retry_after: holder.stale_in(stale_after) });
            }
            sleep(backoff.next_pause().min(remaining)).await;
        }
    }

    fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
        let records = self.folder().records(profile);
        records.map_err(|error| io_error("the stored records cannot be read", error))
    }

    async fn append_history(&self, profile: &ProfileKey, entry: &HistoryEntry) -> Result<()> {
        let folder = self.folder();
        let mut entry = entry.with_fingerprint_key(folder.keys.fingerprint_key());
        if entry.process().is_none() {
            entry = entry.with_process(std::process::id(), &self.process);
        }
        folder.append_to_journal(profile, entry).await
    }

    async fn history(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        self.folder().read_journal(profile)
    }

    async fn clear_history(&self, profile: &ProfileKey) -> Result<usize> {
        self.folder().remove_journal(profile).await
    }
}

#[async_trait]
impl Lease for FileLease {
    async fn save(&self, record: &Record) -> Result<SaveOutcome> {
        // The lock is held until the file is written, even if the caller stops waiting.
        let (folder, name, lock) = (self.folder.clone(), self.record.clone(), self.lock.clone());
        let record = record.clone();
        off_thread(move || folder.save(&name, &lock, &record))
            .await
            .map_err(|error| io_error("the record could not be stored", error))
    }

    async fn clear_failure(&self) -> Result<()> {
        let (folder, name, lock) = (self.folder.clone(), self.record.clone(), self.lock.clone());
        off_thread(move || folder.clear_failure(&name, &lock))
            .await
            .map_err(|error| io_error("the stored failure could not be removed", error))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileStore")
    }
}
