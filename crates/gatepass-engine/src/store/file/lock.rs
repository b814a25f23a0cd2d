//! Locks between processes: a file each, locked by the kernel, which frees a killed one's.
//!
//! A lock's file is removed by who holds it, and by nobody else: so the file under the name is
//! always the one to lock, and whoever locks another one begins again.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::folder::Folder;

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);
/// How often a file may be removed under our hands.
const TRIES: usize = 100;

/// A lock that is held; dropping it frees it.
#[derive(Debug)]
pub(super) struct Lock {
    folder: Arc<Folder>,
    name: String,
    file: File,
    marks: u64,
}

impl Lock {
    /// Takes the lock, unless another has it.
    pub(super) fn try_take(folder: &Arc<Folder>, name: &str) -> io::Result<Option<Self>> {
        for _ in 0..TRIES {
            match Self::of(folder, name, folder.open_lock(name)?)? {
                Attempt::Taken(lock) => return Ok(Some(lock)),
                Attempt::Held => return Ok(None),
                Attempt::Gone => {}
            }
        }
        Ok(None)
    }

    /// Locks this file, which stood under the name a moment ago.
    fn of(folder: &Arc<Folder>, name: &str, file: File) -> io::Result<Attempt> {
        match file.try_lock() {
            Ok(()) if folder.is_at(&file, name)? => {}
            Ok(()) => return Ok(Attempt::Gone),
            Err(TryLockError::WouldBlock) => return Ok(Attempt::Held),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let marks = file.metadata()?.len();
        let (folder, name) = (folder.clone(), name.to_owned());
        Ok(Attempt::Taken(Self { folder, name, file, marks }))
    }

    /// Takes the lock, or waits for it. Cancel it to stop waiting.
    pub(super) async fn take(folder: &Arc<Folder>, name: &str) -> io::Result<Self> {
        let mut pauses = Pauses::new();
        loop {
            if let Some(lock) = Self::try_take(folder, name)? {
                return Ok(lock);
            }
            tokio::time::sleep(pauses.next()).await;
        }
    }

    /// Takes the lock, or blocks the thread for it, for about `wait` at most.
    pub(super) fn take_blocking(
        folder: &Arc<Folder>,
        name: &str,
        wait: Duration,
    ) -> io::Result<Option<Self>> {
        let (mut pauses, mut left) = (Pauses::new(), wait);
        loop {
            let lock = Self::try_take(folder, name)?;
            if lock.is_some() || left.is_zero() {
                return Ok(lock);
            }
            let pause = pauses.next().min(left);
            std::thread::sleep(pause);
            left -= pause;
        }
    }

    /// Tells whoever holds the lock that it is worth nothing any more.
    pub(super) fn mark(folder: &Folder, name: &str) -> io::Result<()> {
        folder.open_lock(name)?.write_all(b".")
    }

    /// Whether somebody has marked the lock since it was taken.
    pub(super) fn is_marked(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() != self.marks)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Only while we hold it may it be removed; closing it frees it.
        if self.folder.is_at(&self.file, &self.name).unwrap_or(false) {
            let _ = self.folder.remove(&self.name);
        }
    }
}

/// What comes of locking a file.
#[derive(Debug)]
enum Attempt {
    Taken(Lock),
    Held,
    /// Who held it has removed it.
    Gone,
}

/// How long to wait between two tries: longer each time, and not in step with others.
struct Pauses {
    next: Duration,
}

impl Pauses {
    fn new() -> Self {
        Self { next: FIRST_PAUSE }
    }

    fn next(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = self.next.mul_f64(1.5).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_file_that_was_removed_before_it_was_locked_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::open(dir.path()).unwrap());
        let lock = Lock::try_take(&folder, "a").unwrap().unwrap();
        let open = || folder.open_lock("a").unwrap();
        let early = open();
        assert!(matches!(Lock::of(&folder, "a", open()), Ok(Attempt::Held)));
        drop(lock);
        assert!(matches!(Lock::of(&folder, "a", early), Ok(Attempt::Gone)));
        assert!(matches!(Lock::of(&folder, "a", open()), Ok(Attempt::Taken(_))));
    }

    #[test]
    fn one_at_a_time_holds_a_lock_whose_file_comes_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::open(dir.path()).unwrap());
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let take = || {
            while taken.load(Ordering::SeqCst) < 300 {
                if let Some(lock) = Lock::try_take(&folder, "a").unwrap() {
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
        assert!(!folder.names().unwrap().contains(&"a".to_owned()));
    }

    #[test]
    fn pauses_grow_to_25_ms_and_differ() {
        let (mut one, mut other) = (Pauses::new(), Pauses::new());
        let pauses: Vec<_> = (0..40).map(|_| (one.next(), other.next())).collect();
        assert!(pauses.iter().all(|(a, b)| a.max(b) <= &LONGEST_PAUSE));
        assert!(pauses.iter().all(|(a, b)| a.min(b) >= &(FIRST_PAUSE / 2)));
        assert!(pauses.iter().any(|(a, b)| a != b));
        assert!(pauses.last().unwrap().0 >= LONGEST_PAUSE / 2);
    }
}
