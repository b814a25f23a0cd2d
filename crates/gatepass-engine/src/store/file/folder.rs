//! The open folder of a file store: its records by name, and what changes them.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::__private::on_thread;
use gatepass_core::{Clock, Error, Result};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

use super::directory::{Directory, FileStamp, MAX_FILE, ReadResult, io_error};
use super::lock::{DIRECTORY_LOCK, Lock, LockAttempt, Observation};
use super::version_1;
use crate::store::record::latest_first;
use crate::store::seal::{OpenError, SealingKeys};
use crate::store::{ProfileKey, Record, RecordRequirement, SaveOutcome, StoreKey};

const KEY: &str = "key";
pub(super) const RECORD: &str = ".token";
const LOCK: &str = ".lock";
/// How long to wait for the folder's lock. A longer wait means that its holder was stopped, or the
/// disk hangs.
const DIRECTORY_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// An open folder with its keys.
#[derive(Clone)]
pub(super) struct Folder {
    pub(super) directory: Arc<Directory>,
    pub(super) keys: Arc<SealingKeys>,
    /// Opens journals of format version 1.
    pub(super) key_version_1: Arc<Zeroizing<[u8; 32]>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Folder {
    /// Opens the folder. Creates it and its key if they do not exist.
    pub(super) fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
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
        Ok(Self {
            directory: Arc::new(directory),
            keys: Arc::new(SealingKeys::new("gatepass file store", &key, &[], &key)),
            key_version_1: Arc::new(version_1::cipher_key(&key)),
            clock,
        })
    }

    /// Reads the record of a key if it is current.
    pub(super) fn load(&self, key: &StoreKey) -> Result<Option<Record>> {
        let (record, _) = self
            .read(&self.name(key, RECORD))
            .map_err(|error| io_error("a stored record cannot be read", error))?;
        Ok(record.filter(|record| record.is_current(self.clock.wall())))
    }

    /// Reads the record of a key if it satisfies `wanted`. A record that cannot be read does not
    /// prevent a lease: without leases, all processes would send a request.
    pub(super) fn load_accepted(
        &self,
        key: &StoreKey,
        wanted: &RecordRequirement,
    ) -> Option<Record> {
        if wanted.is_fresh {
            return None;
        }
        match self.load(key) {
            Ok(record) => record.filter(|record| wanted.accepts(record, self.clock.wall())),
            Err(error) => {
                tracing::warn!(%error, "the stored record is not used");
                None
            }
        }
    }

    /// Takes the lock of a key if it is free, or if its holder has been watched for `stale_after`.
    pub(super) fn take_lock(
        &self,
        key: &StoreKey,
        stale_after: Duration,
        holder: &mut Observation,
    ) -> io::Result<Option<Lock>> {
        let name = self.name(key, LOCK);
        match Lock::attempt(&self.directory, &name)? {
            LockAttempt::Taken(lock) => Ok(Some(lock)),
            LockAttempt::Removed => Ok(None),
            LockAttempt::Held(file) => {
                if holder.look(file, self.clock.boot())? < stale_after {
                    return Ok(None);
                }
                let lock = Lock::replace(&self.directory, &name, holder)?;
                if lock.is_some() {
                    tracing::warn!("a process that holds a lease does not run; it is replaced");
                }
                Ok(lock)
            }
        }
    }

    /// Returns the identity of a key's record file; `None` if there is none.
    pub(super) fn stamp(&self, key: &StoreKey) -> Option<FileStamp> {
        self.directory.stamp(&self.name(key, RECORD))
    }

    /// Reads the current records of a profile, latest first.
    pub(super) fn records(&self, profile: &ProfileKey) -> io::Result<Vec<Record>> {
        let (prefix, now) = (self.prefix(profile), self.clock.wall());
        let mut records = Vec::new();
        for name in self.directory.names()? {
            if name.starts_with(&prefix) && name.ends_with(RECORD) {
                records.extend(self.read(&name)?.0);
            }
        }
        Ok(latest_first(records.into_iter().filter(|record| record.is_current(now))))
    }

    pub(super) fn name(&self, key: &StoreKey, extension: &str) -> String {
        let request = self.keys.name(key.as_bytes());
        format!("{}{request}{extension}", self.prefix(key.profile()))
    }

    /// Returns how the names of a profile's files begin.
    pub(super) fn prefix(&self, profile: &ProfileKey) -> String {
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

    pub(super) fn lock_directory(&self) -> io::Result<Lock> {
        Lock::take_blocking(&self.directory, DIRECTORY_LOCK, DIRECTORY_LOCK_TIMEOUT)?
            .ok_or_else(|| io::Error::other("another process holds the folder's lock"))
    }

    pub(super) fn save(
        &self,
        name: &str,
        lease: &Lock,
        record: &Record,
    ) -> io::Result<SaveOutcome> {
        let now = self.clock.wall();
        if !record.is_current(now) {
            return Ok(SaveOutcome::Older);
        }
        let sealed = record
            .encode()
            .and_then(|plain| self.keys.seal(name, 0, seconds_up(record.expires_at()), &plain))
            .filter(|sealed| sealed.len() <= MAX_FILE)
            .ok_or_else(|| io::Error::other("it is too long, or there is no randomness"))?;
        let temp = self.directory.write(&sealed)?;
        let directory = self.lock_directory()?;
        let (stored, is_replaceable) = self.read(name)?;
        if lease.is_marked()? {
            return Ok(SaveOutcome::Forgotten);
        }
        if lease.is_lost()? {
            return Ok(SaveOutcome::Late);
        }
        if !record.replaces(stored.as_ref(), now) {
            return Ok(SaveOutcome::Older);
        }
        if !is_replaceable {
            return Err(io::Error::other("a foreign file has its name"));
        }
        temp.replace(name)?;
        let profile = name.split_inclusive('-').next().unwrap_or(name);
        // If this fails, the next save tries again.
        let _ = self.remove_expired(profile, now);
        // Others need not wait for the disk, nor for this process if it is stopped now.
        drop(directory);
        self.directory.sync()?;
        Ok(SaveOutcome::Kept)
    }

    /// Removes the record under a name if it is a failure.
    pub(super) fn clear_failure(&self, name: &str, lease: &Lock) -> io::Result<()> {
        let _directory = self.lock_directory()?;
        if !lease.is_lost()? && matches!(self.read(name)?, (Some(Record::Failure(_)), true)) {
            self.directory.remove(name)?;
        }
        Ok(())
    }

    /// Removes the expired records of a profile, and the leftovers of killed processes.
    fn remove_expired(&self, profile: &str, now: SystemTime) -> io::Result<()> {
        for name in self.names_of(profile, now)? {
            if name.ends_with(RECORD) {
                if self.has_expired(&name, now)? {
                    self.directory.remove(&name)?;
                }
            } else if name.ends_with(LOCK) && self.directory.is_old(&name, now) {
                // The holder of a lock removes its file.
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

    pub(super) fn remove_profile(&self, profile: &str) -> io::Result<usize> {
        let _directory = self.lock_directory()?;
        let mut count = 0;
        for name in self.names_of(profile, self.clock.wall())? {
            if name.ends_with(RECORD) {
                let is_outcome = self.read(&name)?.0.is_none_or(|record| record.is_outcome());
                count += usize::from(self.directory.remove(&name)? && is_outcome);
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

/// How many threads may wait for the disk at a time.
static DISK_THREADS: Semaphore = Semaphore::const_new(64);

/// Runs work that waits for the disk on a thread of its own, or here without a runtime or a thread.
///
/// tokio's own threads are not used, because tokio panics if the machine starts none.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match Handle::try_current() {
        Ok(_) => {
            let permit = DISK_THREADS.acquire().await.map_err(io::Error::other)?;
            let (done, outcome) = oneshot::channel();
            on_thread(move || {
                // The caller may have stopped waiting. The permit ends with the work.
                let _ = done.send(work());
                drop(permit);
            });
            outcome.await.map_err(io::Error::other)?
        }
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

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Folder")
    }
}
