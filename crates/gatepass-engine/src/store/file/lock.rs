//! Locks between processes: one file each, with the kernel's advisory lock on it.
//!
//! The requirements: the lock of a killed process must be free at once, the folder must not fill
//! up with one lock file for each secret that was ever used, and a stopped process must not hold
//! its lock for ever. The kernel's `flock` gives the first. The others mean that files are removed,
//! which is where the difficulty is: between opening a file and locking it, another process may
//! have removed it. Two processes would then hold the lock, each on a file of its own.
//!
//! The invariant is that a lock file is removed by its holder, or by a successor that holds the
//! folder's lock. A process that has locked a file therefore compares it with the file that has the
//! name now (device and inode). If it is the same, the process is the holder. If it differs, the
//! lock is worthless and the process starts over, `MAX_TRIES` times at most. A holder can lose its
//! lock to a successor only after [`MIN_STALE_AFTER`]. From then on it removes its file under the
//! folder's lock, because a process can be stopped between comparing a file and removing it. What a
//! holder writes, it writes under the folder's lock after another comparison.
//!
//! A waiter replaces a holder that it has seen for `stale_after`. It recognises the holder by the
//! file, which it keeps open so that its inode is not used again, and by the file's modification
//! time, which each holder sets: a killed process leaves its file to the next holder. Time during
//! which the waiter did not run does not count, since the holder may have been stopped with it.
//!
//! Waiting is polling with a pause that grows to 25 ms and is jittered. A blocking `flock` would
//! need a thread for each waiting caller, which cannot be cancelled. Rejected alternatives: a file
//! created with `O_EXCL` (stays after a kill, and a process id in it may belong to another
//! process), `fcntl` locks (belong to the process, so that two stores in one process would not
//! exclude each other, and closing any descriptor of the file frees them), and one lock file for
//! the whole store (one slow vendor would delay all profiles).
//!
//! A lock can be marked by another process, by appending a byte to its file. The holder sees that
//! its length has changed, and does not save what `forget` has removed.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::Clock;

use super::directory::Directory;
use crate::SystemClock;

/// The folder's lock, which is held while names change, for some milliseconds. It is not replaced.
pub(super) const DIRECTORY_LOCK: &str = "lock";
/// The shortest time after which a waiter may replace a holder.
pub(super) const MIN_STALE_AFTER: Duration = Duration::from_secs(1);

const MIN_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(25);
/// How often the file may be removed between opening and locking it.
const MAX_TRIES: usize = 100;
/// The longest time between two looks at a lock that counts as watched.
const MAX_GAP: Duration = Duration::from_secs(1);
/// How long a holder waits for the folder's lock before it leaves its file to the next holder.
const REMOVE_TIMEOUT: Duration = Duration::from_millis(100);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    directory: Arc<Directory>,
    name: String,
    file: File,
    marks: u64,
    /// On the boot clock.
    taken_at: Duration,
}

/// The outcome of locking a file.
#[derive(Debug)]
pub(super) enum LockAttempt {
    Taken(Lock),
    /// Another holder has this file.
    Held(File),
    /// Another process has removed the file.
    Removed,
}

/// What a waiter has seen of the holder of a lock.
#[derive(Debug, Default)]
pub(super) struct Observation {
    holder: Option<(File, SystemTime)>,
    /// How long the waiter has watched this holder.
    watched: Duration,
    /// When it looked last, on its boot clock.
    seen_at: Duration,
}

impl Lock {
    /// Takes the lock; `None` if another holder has it.
    pub(super) fn try_take(directory: &Arc<Directory>, name: &str) -> io::Result<Option<Self>> {
        Ok(match Self::attempt(directory, name)? {
            LockAttempt::Taken(lock) => Some(lock),
            LockAttempt::Held(_) | LockAttempt::Removed => None,
        })
    }

    /// Takes the lock, or returns the file that another holder has.
    pub(super) fn attempt(directory: &Arc<Directory>, name: &str) -> io::Result<LockAttempt> {
        for _ in 0..MAX_TRIES {
            let attempt = Self::lock(directory, name, directory.open_lock(name)?)?;
            if !matches!(attempt, LockAttempt::Removed) {
                return Ok(attempt);
            }
        }
        Ok(LockAttempt::Removed)
    }

    /// Locks this file, which had the name when it was opened.
    fn lock(directory: &Arc<Directory>, name: &str, file: File) -> io::Result<LockAttempt> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(LockAttempt::Held(file)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // A file system without modification times cannot tell a killed holder from its successor.
        let clock = SystemClock::new();
        let _ = file.set_modified(clock.wall());
        if !directory.is_at(&file, name)? {
            return Ok(LockAttempt::Removed);
        }
        let marks = file.metadata()?.len();
        let (directory, name) = (directory.clone(), name.to_owned());
        let taken_at = clock.boot();
        Ok(LockAttempt::Taken(Self { directory, name, file, marks, taken_at }))
    }

    /// Takes the lock of a holder that has been watched for too long. Returns `None` if the lock has
    /// another holder, or if the folder's lock is held.
    pub(super) fn replace(
        directory: &Arc<Directory>,
        name: &str,
        stale: &Observation,
    ) -> io::Result<Option<Self>> {
        let Some((file, modified)) = &stale.holder else { return Ok(None) };
        let Some(_directory) = Self::try_take(directory, DIRECTORY_LOCK)? else { return Ok(None) };
        if !directory.is_at(file, name)? || file.metadata()?.modified()? != *modified {
            return Ok(None);
        }
        directory.remove(name)?;
        Self::try_take(directory, name)
    }

    /// Takes the lock, and blocks the thread for about `wait` at most.
    pub(super) fn take_blocking(
        directory: &Arc<Directory>,
        name: &str,
        wait: Duration,
    ) -> io::Result<Option<Self>> {
        let (mut backoff, mut remaining) = (Backoff::new(), wait);
        loop {
            let lock = Self::try_take(directory, name)?;
            if lock.is_some() || remaining.is_zero() {
                return Ok(lock);
            }
            let pause = backoff.next_pause().min(remaining);
            std::thread::sleep(pause);
            remaining -= pause;
        }
    }

    /// Marks the lock, so that its holder does not save.
    pub(super) fn write_marker(directory: &Directory, name: &str) -> io::Result<()> {
        directory.open_lock(name)?.write_all(b".")
    }

    /// Returns whether the lock was marked since it was taken.
    pub(super) fn is_marked(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() != self.marks)
    }

    /// Returns whether a successor has replaced the lock, or its file was removed.
    pub(super) fn is_lost(&self) -> io::Result<bool> {
        Ok(!self.directory.is_at(&self.file, &self.name)?)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let age = SystemClock::new().boot().saturating_sub(self.taken_at);
        let may_be_replaced = self.name != DIRECTORY_LOCK && age >= MIN_STALE_AFTER;
        let directory = may_be_replaced.then(|| {
            Self::take_blocking(&self.directory, DIRECTORY_LOCK, REMOVE_TIMEOUT).unwrap_or_default()
        });
        if let Some(None) = directory {
            return;
        }
        // Remove the file before closing it, because closing frees the lock.
        if !self.is_lost().unwrap_or(true) {
            let _ = self.directory.remove(&self.name);
        }
    }
}

impl Observation {
    /// Looks at the file of a lock that is held, at `now` on the waiter's boot clock. Returns how
    /// long the waiter has watched its holder.
    pub(super) fn look(&mut self, file: File, now: Duration) -> io::Result<Duration> {
        let modified = file.metadata()?.modified()?;
        let is_same = match &self.holder {
            Some((seen, at)) => *at == modified && Directory::is_same(seen, &file)?,
            None => false,
        };
        if is_same {
            self.watched += now.saturating_sub(self.seen_at).min(MAX_GAP);
        } else {
            (self.holder, self.watched) = (Some((file, modified)), Duration::ZERO);
        }
        self.seen_at = now;
        Ok(self.watched)
    }

    /// Returns how long the holder must still be watched before it may be replaced; zero if it
    /// never is.
    pub(super) fn stale_in(&self, stale_after: Duration) -> Duration {
        match stale_after {
            Duration::MAX => Duration::ZERO,
            _ => stale_after.saturating_sub(self.watched),
        }
    }
}

/// The pauses between two attempts: they grow, and differ between processes.
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: MIN_PAUSE }
    }

    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = self.next.mul_f64(1.5).min(MAX_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn file_removed_before_locking_is_not_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(dir.path()).unwrap());
        let lock = Lock::try_take(&directory, "a").unwrap().unwrap();
        let open = || directory.open_lock("a").unwrap();
        let early = open();
        assert!(matches!(Lock::lock(&directory, "a", open()), Ok(LockAttempt::Held(_))));
        drop(lock);
        assert!(matches!(Lock::lock(&directory, "a", early), Ok(LockAttempt::Removed)));
        assert!(matches!(Lock::lock(&directory, "a", open()), Ok(LockAttempt::Taken(_))));
    }

    #[test]
    fn removed_lock_files_never_give_two_holders() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(dir.path()).unwrap());
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let take = || {
            while taken.load(Ordering::SeqCst) < 300 {
                if let Some(lock) = Lock::try_take(&directory, "a").unwrap() {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    taken.fetch_add(1, Ordering::SeqCst);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(lock);
                }
                thread::yield_now();
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(take))));
        assert!(!directory.names().unwrap().contains(&"a".to_owned()));
    }

    /// Looks at the holder of "a" at this second, and returns how long it has been watched.
    fn look(seen: &mut Observation, directory: &Arc<Directory>, second: u64) -> u64 {
        let LockAttempt::Held(file) = Lock::attempt(directory, "a").unwrap() else {
            panic!("the lock is free");
        };
        seen.look(file, Duration::from_secs(second)).unwrap().as_secs()
    }

    #[test]
    fn watched_time_belongs_to_one_holder_and_excludes_gaps() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(dir.path()).unwrap());
        let mut seen = Observation::default();
        let first = Lock::try_take(&directory, "a").unwrap().unwrap();
        let watched = [100, 101, 102, 3600].map(|second| look(&mut seen, &directory, second));
        assert_eq!(watched, [0, 1, 2, 3], "the waiter did not run for an hour");
        assert_eq!(seen.stale_in(Duration::from_secs(10)).as_secs(), 7);
        drop(first);
        let second = Lock::try_take(&directory, "a").unwrap().unwrap();
        assert_eq!(look(&mut seen, &directory, 3601), 0, "another file");
        assert_eq!(look(&mut seen, &directory, 3602), 1);
        // A killed process leaves its file to the next holder.
        second.file.unlock().unwrap();
        let third = Lock::try_take(&directory, "a").unwrap().unwrap();
        assert_eq!(look(&mut seen, &directory, 3603), 0, "another holder of the same file");
        assert!(Lock::replace(&directory, "a", &Observation::default()).unwrap().is_none());
        drop(third);
    }

    #[test]
    fn replaced_holder_is_lost_and_removes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(dir.path()).unwrap());
        let stopped = Lock::try_take(&directory, "a").unwrap().unwrap();
        let (mut one, mut other) = (Observation::default(), Observation::default());
        look(&mut one, &directory, 1);
        look(&mut other, &directory, 1);
        let busy = Lock::try_take(&directory, DIRECTORY_LOCK).unwrap().unwrap();
        assert!(Lock::replace(&directory, "a", &one).unwrap().is_none(), "names change");
        drop(busy);
        let successor = Lock::replace(&directory, "a", &one).unwrap().unwrap();
        assert!(Lock::replace(&directory, "a", &other).unwrap().is_none(), "a second successor");
        assert!(stopped.is_lost().unwrap() && !successor.is_lost().unwrap());
        drop(stopped);
        assert!(Lock::try_take(&directory, "a").unwrap().is_none());
        drop(successor);
        assert!(!directory.names().unwrap().contains(&"a".to_owned()));
    }

    #[test]
    fn old_lock_is_removed_under_the_folders_lock() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(dir.path()).unwrap());
        let old = || {
            let mut lock = Lock::try_take(&directory, "a").unwrap().unwrap();
            lock.taken_at -= MIN_STALE_AFTER;
            lock
        };
        let busy = Lock::try_take(&directory, DIRECTORY_LOCK).unwrap().unwrap();
        drop(old());
        assert!(directory.names().unwrap().contains(&"a".to_owned()), "left to the next holder");
        drop(busy);
        drop(old());
        assert!(!directory.names().unwrap().contains(&"a".to_owned()));
    }

    #[test]
    fn pauses_grow_to_25_ms_and_differ() {
        let (mut one, mut other) = (Backoff::new(), Backoff::new());
        let pauses: Vec<_> = (0..40).map(|_| (one.next_pause(), other.next_pause())).collect();
        assert!(pauses.iter().all(|(a, b)| a.max(b) <= &MAX_PAUSE));
        assert!(pauses.iter().all(|(a, b)| a.min(b) >= &(MIN_PAUSE / 2)));
        assert!(pauses.iter().any(|(a, b)| a != b));
        assert!(pauses.last().unwrap().0 >= MAX_PAUSE / 2);
    }
}
