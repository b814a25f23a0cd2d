//! A store in a folder: encrypted records that all processes of one user share, one file each.

mod directory;
#[cfg(feature = "__fuzzing")]
pub mod fuzzing;
mod journal;
mod lock;
mod version_1;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, Error, Result, async_trait};
use tokio::runtime::Handle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::directory::{Directory, MAX_FILE, ReadResult, io_error};
use self::lock::Lock;
use super::record::latest_first;
use super::seal::{OpenError, SealingKeys};
use super::{HistoryEntry, Lease, ProfileKey, Record, SaveOutcome, StoreKey, TokenStore};
use crate::SystemClock;

const KEY: &str = "key";
const RECORD: &str = ".token";
const LOCK: &str = ".lock";
/// The lock that is held while names change, for some milliseconds.
const DIRECTORY_LOCK: &str = "lock";
/// How long to wait for it. A longer wait means that its holder was stopped, or the disk hangs.
const DIRECTORY_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

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
/// A folder that is removed while the store is open stays unusable until it is opened again.
#[derive(Clone)]
pub struct FileStore {
    directory: Arc<Directory>,
    keys: Arc<SealingKeys>,
    /// Opens journals of format version 1.
    key_version_1: Arc<Zeroizing<[u8; 32]>>,
    clock: Arc<dyn Clock>,
    /// The name of this process in the history.
    process: Arc<str>,
}

#[derive(Debug)]
struct FileLease {
    store: FileStore,
    record: String,
    lock: Arc<Lock>,
}

impl FileStore {
    /// Opens the store in this folder. Creates the folder with mode 0700, and the key, if they do
    /// not exist. On Unix only.
    ///
    /// Fails with `Config` if the folder is a link, belongs to another user or is writable by
    /// others, or if its key is invalid; with `Internal` if it cannot be opened or written. The
    /// caller then works without a store and reports the reason.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let directory = Directory::open(dir)?;
        let key = match read_key(&directory, dir)? {
            Some(key) => key,
            None => {
                create_key(&directory)
                    .map_err(|error| io_error("the store's key cannot be created", error))?;
                // If another process was faster, its key is the one.
                read_key(&directory, dir)?
                    .ok_or_else(|| Error::internal("the store's key was removed at once"))?
            }
        };
        let program = std::env::current_exe().ok();
        let name = program.as_ref().and_then(|path| path.file_name()?.to_str()).unwrap_or_default();
        Ok(Self {
            directory: Arc::new(directory),
            keys: Arc::new(SealingKeys::new("gatepass file store", &key, &[], &key)),
            key_version_1: Arc::new(version_1::cipher_key(&key)),
            clock: Arc::new(SystemClock::new()),
            process: Arc::from(name),
        })
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

    fn name(&self, key: &StoreKey, extension: &str) -> String {
        let request = self.keys.name(key.as_bytes());
        format!("{}{request}{extension}", self.prefix(key.profile()))
    }

    /// Returns how the names of a profile's files begin.
    fn prefix(&self, profile: &ProfileKey) -> String {
        format!("{}-", self.keys.name(profile.as_bytes()))
    }

    /// Reads the record under a name, and whether the file there may be replaced.
    fn read(&self, name: &str) -> io::Result<(Option<Record>, bool)> {
        let (reason, is_replaceable) = match self.directory.read(name)? {
            ReadResult::Missing => return Ok((None, true)),
            ReadResult::File(sealed) => match self.keys.open(name, &sealed) {
                // Another version's record is a plain miss: an update is not a fault.
                Ok(opened) => return Ok((Record::decode(&opened.plain), true)),
                Err(OpenError::Version) => return Ok((None, true)),
                Err(error) => (error.to_string(), true),
            },
            ReadResult::Unreadable(reason) => (reason.to_owned(), true),
            ReadResult::Foreign(reason) => (reason.to_owned(), false),
        };
        tracing::warn!(file = name, reason, "a stored record is not used");
        Ok((None, is_replaceable))
    }

    fn lock_directory(&self) -> io::Result<Lock> {
        Lock::take_blocking(&self.directory, DIRECTORY_LOCK, DIRECTORY_LOCK_TIMEOUT)?
            .ok_or_else(|| io::Error::other("another process holds the folder's lock"))
    }

    fn save(&self, name: &str, lease: &Lock, record: &Record) -> io::Result<SaveOutcome> {
        let now = self.now();
        if !record.is_current(now) {
            return Ok(SaveOutcome::Older);
        }
        let sealed = record
            .encode()
            .and_then(|plain| self.keys.seal(name, 0, seconds_up(record.expires_at()), &plain))
            .filter(|sealed| sealed.len() <= MAX_FILE)
            .ok_or_else(|| io::Error::other("it is too long, or there is no randomness"))?;
        let temp = self.directory.write(&sealed)?;
        let _directory = self.lock_directory()?;
        let (stored, is_replaceable) = self.read(name)?;
        if lease.is_marked()? {
            return Ok(SaveOutcome::Forgotten);
        }
        if !record.replaces(stored.as_ref(), now) {
            return Ok(SaveOutcome::Older);
        }
        if !is_replaceable {
            return Err(io::Error::other("a foreign file has its name"));
        }
        temp.replace(name)?;
        self.directory.sync()?;
        let profile = name.split_inclusive('-').next().unwrap_or(name);
        // If this fails, the next save tries again.
        let _ = self.remove_expired(profile, now);
        Ok(SaveOutcome::Kept)
    }

    /// Removes the expired records of a profile, and the leftovers of killed processes.
    fn remove_expired(&self, profile: &str, now: SystemTime) -> io::Result<()> {
        for name in self.names_of(profile, now)? {
            if name.ends_with(RECORD) {
                if self.has_expired(&name, now)? {
                    self.directory.remove(&name)?;
                }
            } else if name.ends_with(LOCK) && self.directory.is_old(&name, now) {
                // Only the holder of a lock removes its file.
                drop(Lock::try_take(&self.directory, &name)?);
            }
        }
        Ok(())
    }

    /// Returns whether a record, also one of version 1, has expired.
    fn has_expired(&self, name: &str, now: SystemTime) -> io::Result<bool> {
        let ReadResult::File(sealed) = self.directory.read(name)? else { return Ok(false) };
        let ends_at = match self.keys.open(name, &sealed) {
            Ok(opened) => Some(opened.ends_at),
            Err(OpenError::Version) => version_1::ends_at(&sealed),
            Err(_) => None,
        };
        let ends_at =
            ends_at.and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at)));
        Ok(ends_at.is_some_and(|ends_at| ends_at <= now))
    }

    fn remove_profile(&self, profile: &str) -> io::Result<usize> {
        let _directory = self.lock_directory()?;
        let mut count = 0;
        for name in self.names_of(profile, self.now())? {
            if name.ends_with(RECORD) {
                count += usize::from(self.directory.remove(&name)?);
            } else if name.ends_with(LOCK) && Lock::try_take(&self.directory, &name)?.is_none() {
                Lock::write_marker(&self.directory, &name)?;
            }
        }
        self.directory.sync()?;
        Ok(count)
    }

    /// Lists the names of a profile's files. Removes leftovers of killed processes on the way.
    fn names_of(&self, profile: &str, now: SystemTime) -> io::Result<Vec<String>> {
        let mut names = self.directory.names()?;
        for name in names.iter().filter(|name| self.directory.is_leftover(name, now)) {
            self.directory.remove(name)?;
        }
        names.retain(|name| name.starts_with(profile));
        Ok(names)
    }
}

#[async_trait]
impl TokenStore for FileStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Record>> {
        let (record, _) = self
            .read(&self.name(key, RECORD))
            .map_err(|error| io_error("a stored record cannot be read", error))?;
        Ok(record.filter(|record| record.is_current(self.now())))
    }

    async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>> {
        let name = self.name(key, LOCK);
        let lock = match Lock::try_take(&self.directory, &name) {
            Ok(None) if wait.is_zero() => return Ok(None),
            Ok(None) => match timeout(wait, Lock::take(&self.directory, &name)).await {
                Ok(taken) => taken,
                Err(_) => return Ok(None),
            },
            Ok(Some(lock)) => Ok(lock),
            Err(error) => Err(error),
        };
        let lock = Arc::new(lock.map_err(|error| io_error("the store cannot be locked", error))?);
        let (store, record) = (self.clone(), self.name(key, RECORD));
        Ok(Some(Box::new(FileLease { store, record, lock })))
    }

    async fn forget(&self, profile: &ProfileKey) -> Result<usize> {
        let (store, profile) = (self.clone(), self.prefix(profile));
        off_thread(move || store.remove_profile(&profile))
            .await
            .map_err(|error| io_error("the profile could not be forgotten", error))
    }

    fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
        let (prefix, now) = (self.prefix(profile), self.now());
        let read = || {
            let mut records = Vec::new();
            for name in self.directory.names()? {
                if name.starts_with(&prefix) && name.ends_with(RECORD) {
                    records.extend(self.read(&name)?.0);
                }
            }
            Ok(latest_first(records.into_iter().filter(|record| record.is_current(now))))
        };
        read().map_err(|error| io_error("the stored records cannot be read", error))
    }

    async fn append_history(&self, profile: &ProfileKey, entry: &HistoryEntry) -> Result<()> {
        self.append_to_journal(profile, entry).await
    }

    async fn history(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        self.read_journal(profile)
    }

    async fn clear_history(&self, profile: &ProfileKey) -> Result<usize> {
        self.remove_journal(profile).await
    }
}

#[async_trait]
impl Lease for FileLease {
    async fn save(&self, record: &Record) -> Result<SaveOutcome> {
        // The lock is held until the file is written, even if the caller stops waiting.
        let (store, name, lock) = (self.store.clone(), self.record.clone(), self.lock.clone());
        let record = record.clone();
        off_thread(move || store.save(&name, &lock, &record))
            .await
            .map_err(|error| io_error("the record could not be stored", error))
    }
}

/// Runs work that waits for the disk on a blocking thread of the runtime, or here without one.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(io::Error::other)?,
        Err(_) => work(),
    }
}

/// Seconds since 1970, rounded up: a record is not removed before it ends.
fn seconds_up(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().saturating_add(u64::from(since.subsec_nanos() > 0))
}

fn read_key(directory: &Directory, dir: &Path) -> Result<Option<Zeroizing<[u8; 32]>>> {
    let read = directory.read(KEY).map_err(|e| io_error("the store's key cannot be read", e))?;
    let reason = match read {
        ReadResult::Missing => return Ok(None),
        ReadResult::File(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(key) => return Ok(Some(Zeroizing::new(key))),
            Err(_) => "it is not 32 bytes long",
        },
        ReadResult::Unreadable(reason) | ReadResult::Foreign(reason) => reason,
    };
    Err(Error::config(format!("the key in {} cannot be used: {reason}", dir.display()))
        .hint("remove the folder: tokens are then requested again"))
}

fn create_key(directory: &Directory) -> io::Result<()> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|_| io::Error::other("there is no randomness"))?;
    directory.write(&*key)?.claim(KEY)?;
    directory.sync()
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileStore")
    }
}
