//! FileStore: records that outlive the process, encrypted, one file each.

mod codec;
mod folder;
#[cfg(feature = "__fuzzing")]
pub mod fuzzing;
mod journal;
mod lock;
mod seal;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, Error, Result, async_trait};
use tokio::runtime::Handle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::folder::{Folder, Found, MAX_FILE, failed};
use self::lock::Lock;
use self::seal::Keys;
use super::{HistoryEntry, Lease, ProfileKey, Record, StoreKey, TokenStore, latest_first};
use crate::SystemClock;

const KEY: &str = "key";
const RECORD: &str = ".token";
const LOCK: &str = ".lock";
/// Held while names change, for some milliseconds.
const FOLDER_LOCK: &str = "lock";
/// How long to wait for it: whoever has it was stopped, or the disk hangs.
const FOLDER_WAIT: Duration = Duration::from_secs(2);

/// An encrypted store in a folder, for all processes of one user. Its clones are the same store.
///
/// Each record is a file of mode 0600, encrypted with XChaCha20-Poly1305 and bound to its name;
/// names are keyed hashes and say nothing. The key is the file `key` in the same folder, 32 random
/// bytes: what it protects from is who gets hold of single files, not who reads the folder as its
/// owner. Files are replaced at once, so a killed process leaves the old one or the new one. What
/// is in the folder and not the store's own is neither read nor removed.
///
/// Beside its records a profile has a journal of its latest exchanges, sealed in the same way, with
/// no token and no secret in it.
///
/// Loading and leasing do their few short system calls where they are awaited: a cached token is
/// worth no thread. Saving and forgetting wait for the disk, and do so on the runtime's threads for
/// that. Waiting for a lease needs a tokio runtime with time enabled.
///
/// A folder that is removed while the store is open stays unusable until it is opened again.
#[derive(Clone)]
pub struct FileStore {
    folder: Arc<Folder>,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
    /// Who notes exchanges.
    process: Arc<str>,
}

#[derive(Debug)]
struct FileLease {
    store: FileStore,
    record: String,
    lock: Arc<Lock>,
}

impl FileStore {
    /// Opens the store in this folder; makes the folder with mode 0700 and the key if there are
    /// none. On Unix only.
    ///
    /// `Config` if the folder is a link, is another user's or may be written by others, and if its
    /// key is not one; `Internal` if it cannot be opened or written. A caller does without a store
    /// then, and says why.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let folder = Folder::open(dir)?;
        let key = match read_key(&folder, dir)? {
            Some(key) => key,
            None => {
                make_key(&folder)
                    .map_err(|error| failed("the store's key cannot be made", error))?;
                // Another process may have been faster: its key is the key.
                read_key(&folder, dir)?
                    .ok_or_else(|| Error::internal("the store's key was removed at once"))?
            }
        };
        let keys = Arc::new(Keys::derive(&key));
        let program = std::env::current_exe().ok();
        let name = program.as_ref().and_then(|path| path.file_name()?.to_str()).unwrap_or_default();
        let (clock, process) = (Arc::new(SystemClock::new()), Arc::from(name));
        Ok(Self { folder: Arc::new(folder), keys, clock, process })
    }

    /// Notes exchanges under this name, rather than the program's.
    pub fn with_process_name(mut self, name: &str) -> Self {
        self.process = Arc::from(name);
        self
    }

    /// Asks this clock what has ended.
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where the command keeps its store: `$GATEPASS_STATE_DIR`, else `gatepass` in
    /// `$XDG_STATE_HOME`, in `~/.local/state`, or on a Mac in `~/Library/Application Support`.
    /// `env` reads a variable; `None` if there is no such folder.
    pub fn default_dir(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
        let folder = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(own) = folder("GATEPASS_STATE_DIR") {
            return Some(own);
        }
        // The XDG specification wants a relative path to be ignored.
        let state = folder("XDG_STATE_HOME").filter(|path| path.is_absolute());
        let home = || folder("HOME").filter(|path| path.is_absolute());
        let of_home = if cfg!(target_vendor = "apple") {
            "Library/Application Support"
        } else {
            ".local/state"
        };
        Some(state.or_else(|| Some(home()?.join(of_home)))?.join("gatepass"))
    }

    fn name(&self, key: &StoreKey, extension: &str) -> String {
        let request = self.keys.name(key.request());
        format!("{}{request}{extension}", self.prefix(key.profile()))
    }

    /// How the names of a profile's files begin.
    fn prefix(&self, profile: &ProfileKey) -> String {
        format!("{}-", self.keys.name(profile.digest()))
    }

    /// The record under a name, and whether a file may be put there.
    fn read(&self, name: &str) -> io::Result<(Option<Record>, bool)> {
        let (why, is_free) = match self.folder.read(name)? {
            Found::Nothing => return Ok((None, true)),
            Found::File(sealed) => match self.keys.open(name, &sealed) {
                Ok(plain) => match codec::decode(&plain) {
                    Some(record) => return Ok((Some(record), true)),
                    None => ("it is a record of another version", true),
                },
                Err(why) => (why, true),
            },
            Found::Unread(why) => (why, true),
            Found::Foreign(why) => (why, false),
        };
        tracing::warn!(file = name, why, "a stored record is not used");
        Ok((None, is_free))
    }

    fn lock_folder(&self) -> io::Result<Lock> {
        Lock::take_blocking(&self.folder, FOLDER_LOCK, FOLDER_WAIT)?
            .ok_or_else(|| io::Error::other("another process holds the folder's lock"))
    }

    fn save(&self, name: &str, lease: &Lock, record: &Record) -> io::Result<bool> {
        let now = self.clock.wall();
        if !record.is_current(now) {
            return Ok(false);
        }
        let expires_at =
            record.expires_at().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let sealed = codec::encode(record)
            .and_then(|plain| self.keys.seal(name, expires_at.as_secs(), &plain))
            .filter(|sealed| sealed.len() <= MAX_FILE)
            .ok_or_else(|| io::Error::other("it is too long, or there is no randomness"))?;
        let temp = self.folder.write(&sealed)?;
        let _folder = self.lock_folder()?;
        let (there, is_free) = self.read(name)?;
        if lease.is_marked()? || !record.replaces(there.as_ref(), now) {
            return Ok(false);
        }
        if !is_free {
            return Err(io::Error::other("something else stands in its place"));
        }
        temp.replace(name)?;
        self.folder.sync()?;
        let profile = name.split_inclusive('-').next().unwrap_or(name);
        // What is left over now is found the next time.
        let _ = self.tidy(profile, now);
        Ok(true)
    }

    /// Removes what has ended of a profile, and what killed processes have left.
    fn tidy(&self, profile: &str, now: SystemTime) -> io::Result<()> {
        for name in self.names_of(profile, now)? {
            if name.ends_with(RECORD) {
                if self.read(&name)?.0.is_some_and(|record| record.expires_at() <= now) {
                    self.folder.remove(&name)?;
                }
            } else if name.ends_with(LOCK) && self.folder.is_old(&name, now) {
                // Whoever takes it removes it.
                drop(Lock::try_take(&self.folder, &name)?);
            }
        }
        Ok(())
    }

    fn remove(&self, profile: &str) -> io::Result<usize> {
        let _folder = self.lock_folder()?;
        let mut count = 0;
        for name in self.names_of(profile, self.clock.wall())? {
            if name.ends_with(RECORD) {
                count += usize::from(self.folder.remove(&name)?);
            } else if name.ends_with(LOCK) && Lock::try_take(&self.folder, &name)?.is_none() {
                Lock::mark(&self.folder, &name)?;
            }
        }
        self.folder.sync()?;
        Ok(count)
    }

    /// The names of a profile's files. Whatever is left over in the folder is removed on the way.
    fn names_of(&self, profile: &str, now: SystemTime) -> io::Result<Vec<String>> {
        let mut names = self.folder.names()?;
        for name in names.iter().filter(|name| self.folder.is_left_over(name, now)) {
            self.folder.remove(name)?;
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
            .map_err(|error| failed("a stored record cannot be read", error))?;
        Ok(record.filter(|record| record.is_current(self.clock.wall())))
    }

    async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>> {
        let name = self.name(key, LOCK);
        let lock = match Lock::try_take(&self.folder, &name) {
            Ok(None) if wait.is_zero() => return Ok(None),
            Ok(None) => match timeout(wait, Lock::take(&self.folder, &name)).await {
                Ok(taken) => taken,
                Err(_) => return Ok(None),
            },
            Ok(Some(lock)) => Ok(lock),
            Err(error) => Err(error),
        };
        let lock = Arc::new(lock.map_err(|error| failed("the store cannot be locked", error))?);
        let (store, record) = (self.clone(), self.name(key, RECORD));
        Ok(Some(Box::new(FileLease { store, record, lock })))
    }

    async fn forget(&self, profile: &ProfileKey) -> Result<usize> {
        let (store, profile) = (self.clone(), self.prefix(profile));
        off_thread(move || store.remove(&profile))
            .await
            .map_err(|error| failed("the profile could not be forgotten", error))
    }

    async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
        let (prefix, now) = (self.prefix(profile), self.clock.wall());
        let read = || {
            let mut records = Vec::new();
            for name in self.folder.names()? {
                if name.starts_with(&prefix) && name.ends_with(RECORD) {
                    records.extend(self.read(&name)?.0);
                }
            }
            Ok(latest_first(records.into_iter().filter(|record| record.is_current(now))))
        };
        read().map_err(|error| failed("the stored records cannot be read", error))
    }

    async fn append_history(&self, profile: &ProfileKey, note: &HistoryEntry) -> Result<()> {
        self.add_note(profile, note).await
    }

    async fn history(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        self.read_notes(profile)
    }

    async fn clear_history(&self, profile: &ProfileKey) -> Result<usize> {
        self.remove_notes(profile).await
    }
}

#[async_trait]
impl Lease for FileLease {
    async fn save(&self, record: &Record) -> Result<bool> {
        // The lock is held until the file is written, even if nobody waits for that any more.
        let (store, name, lock) = (self.store.clone(), self.record.clone(), self.lock.clone());
        let record = record.clone();
        off_thread(move || store.save(&name, &lock, &record))
            .await
            .map_err(|error| failed("the record could not be stored", error))
    }
}

/// Runs what waits for the disk where that stops nobody else.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(io::Error::other)?,
        Err(_) => work(),
    }
}

fn read_key(folder: &Folder, dir: &Path) -> Result<Option<Zeroizing<[u8; 32]>>> {
    let why = match folder.read(KEY).map_err(|e| failed("the store's key cannot be read", e))? {
        Found::Nothing => return Ok(None),
        Found::File(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(key) => return Ok(Some(Zeroizing::new(key))),
            Err(_) => "it is not 32 bytes long",
        },
        Found::Unread(why) | Found::Foreign(why) => why,
    };
    Err(Error::config(format!("the key in {} is not used: {why}", dir.display()))
        .hint("remove the folder: tokens are then acquired anew"))
}

fn make_key(folder: &Folder) -> io::Result<()> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|_| io::Error::other("there is no randomness"))?;
    folder.write(&*key)?.claim(KEY)?;
    folder.sync()
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileStore")
    }
}
