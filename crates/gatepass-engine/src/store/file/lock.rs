//! Locks between processes: one file each, with the kernel's advisory lock on it.
//!
//! The requirements: the lock of a killed process must be free at once, and the folder must not
//! fill up with one lock file for each secret that was ever used. The kernel's `flock` gives the
//! first. The second means that files are removed, which is where the difficulty is: between
//! opening a file and locking it, its holder may have removed it. Two processes would then hold
//! the lock, each on a file of its own.
//!
//! The invariant is that a lock file is removed by its holder and by no other process. A process
//! that has locked a file therefore compares it with the file that has the name now (device and
//! inode). If it is the same, no other process can remove or replace it while the lock is held. If
//! it differs, the lock is worthless and the process starts over, `MAX_TRIES` times at most.
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
use std::time::Duration;

use super::directory::Directory;

const MIN_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(25);
/// How often the file may be removed between opening and locking it.
const MAX_TRIES: usize = 100;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    directory: Arc<Directory>,
    name: String,
    file: File,
    marks: u64,
}

impl Lock {
    /// Takes the lock; `None` if another holder has it.
    pub(super) fn try_take(directory: &Arc<Directory>, name: &str) -> io::Result<Option<Self>> {
        for _ in 0..MAX_TRIES {
            match Self::lock(directory, name, directory.open_lock(name)?)? {
                LockAttempt::Taken(lock) => return Ok(Some(lock)),
                LockAttempt::Held => return Ok(None),
                LockAttempt::Removed => {}
            }
        }
        Ok(None)
    }

    /// Locks this file, which had the name when it was opened.
    fn lock(directory: &Arc<Directory>, name: &str, file: File) -> io::Result<LockAttempt> {
        match file.try_lock() {
            Ok(()) if directory.is_at(&file, name)? => {}
            Ok(()) => return Ok(LockAttempt::Removed),
            Err(TryLockError::WouldBlock) => return Ok(LockAttempt::Held),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let marks = file.metadata()?.len();
        let (directory, name) = (directory.clone(), name.to_owned());
        Ok(LockAttempt::Taken(Self { directory, name, file, marks }))
    }

    /// Takes the lock, and waits for it if necessary. Cancelling the future ends the wait.
    pub(super) async fn take(directory: &Arc<Directory>, name: &str) -> io::Result<Self> {
        let mut backoff = Backoff::new();
        loop {
            if let Some(lock) = Self::try_take(directory, name)? {
                return Ok(lock);
            }
            tokio::time::sleep(backoff.next_pause()).await;
        }
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
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Remove the file before closing it, because closing frees the lock.
        if self.directory.is_at(&self.file, &self.name).unwrap_or(false) {
            let _ = self.directory.remove(&self.name);
        }
    }
}

/// The outcome of locking a file.
#[derive(Debug)]
enum LockAttempt {
    Taken(Lock),
    Held,
    /// The previous holder has removed the file.
    Removed,
}

/// The pauses between two attempts: they grow, and differ between processes.
struct Backoff {
    next: Duration,
}

impl Backoff {
    fn new() -> Self {
        Self { next: MIN_PAUSE }
    }

    fn next_pause(&mut self) -> Duration {
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
        assert!(matches!(Lock::lock(&directory, "a", open()), Ok(LockAttempt::Held)));
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
