//! Limits of this machine: their errors, and work on a thread that the machine may refuse.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::Error;

impl Error {
    /// Returns the error of an operation that a limit of this machine has stopped, such as too many
    /// open files or a full disk. `None` if the operation failed for another reason.
    ///
    /// The kind is `Internal`: neither the configuration nor the vendor is at fault.
    ///
    /// ```
    /// # use gatepass_core::{Error, ErrorKind};
    /// # use std::io;
    /// let full = io::Error::from(io::ErrorKind::StorageFull);
    /// let error = Error::machine_limit("cannot write the file", &full).unwrap();
    /// assert_eq!(error.message(), "cannot write the file: the disk is full");
    /// assert_eq!(error.kind(), ErrorKind::Internal);
    /// let missing = io::Error::from(io::ErrorKind::NotFound);
    /// assert!(Error::machine_limit("cannot write the file", &missing).is_none());
    /// ```
    pub fn machine_limit(action: &str, error: &io::Error) -> Option<Self> {
        let (limit, hint) = limit(error)?;
        Some(Self::internal(format!("{action}: {limit}")).hint(hint))
    }

    /// Returns the error of a process or a thread that this machine did not start.
    pub fn process_limit(action: &str, error: &io::Error) -> Option<Self> {
        let is_limit = error.kind() == io::ErrorKind::WouldBlock;
        let limit = || {
            Self::internal(format!("{action}: the limit on processes and threads is reached"))
                .hint("raise it (ulimit -u, or the container's limit on process ids)")
        };
        is_limit.then(limit).or_else(|| Self::machine_limit(action, error))
    }
}

/// Returns the limit that an error is about, and what to do.
fn limit(error: &io::Error) -> Option<(&'static str, &'static str)> {
    /// EMFILE and ENFILE, for which Rust has no `ErrorKind`. Unix systems agree on the numbers.
    const OPEN_FILES: i32 = 24;
    const OPEN_FILES_OF_SYSTEM: i32 = 23;
    Some(match (error.raw_os_error(), error.kind()) {
        (Some(OPEN_FILES), _) if cfg!(unix) => {
            ("the limit on open files is reached", "raise it (ulimit -n)")
        }
        (Some(OPEN_FILES_OF_SYSTEM), _) if cfg!(unix) => (
            "the system's limit on open files is reached",
            "close other programs, or raise fs.file-max",
        ),
        (_, io::ErrorKind::FileTooLarge) => {
            ("the limit on the size of files is reached", "raise it (ulimit -f)")
        }
        (_, io::ErrorKind::StorageFull) => ("the disk is full", "free some space"),
        (_, io::ErrorKind::QuotaExceeded) => ("the disk quota is reached", "free some space"),
        (_, io::ErrorKind::OutOfMemory) => ("there is no memory left", "raise the memory limit"),
        _ => return None,
    })
}

/// Runs work on a thread of its own, or here if this machine starts no thread: a limit on processes
/// is reached, or a sandbox forbids it. The caller is then blocked, and gets the same result.
pub fn on_thread(work: impl FnOnce() + Send + 'static) {
    // The thread takes the work; without a thread it is still here.
    let work = Arc::new(Mutex::new(Some(work)));
    let shared = Arc::clone(&work);
    let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = thread::Builder::new().name(String::from("gatepass")).spawn(move || {
        if let Some(work) = take(&shared) {
            work();
        }
    });
    if started.is_err()
        && let Some(work) = take(&work)
    {
        work();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn work_runs_on_another_thread() {
        let (done, outcome) = mpsc::channel();
        on_thread(move || done.send(thread::current().id()).unwrap());
        assert_ne!(outcome.recv().unwrap(), thread::current().id());
    }

    #[cfg(unix)]
    #[test]
    fn error_of_limit_names_it() {
        let message = |error: io::Error| Error::machine_limit("x", &error).unwrap().to_string();
        assert!(message(io::Error::from_raw_os_error(24)).contains("open files"));
        assert!(message(io::Error::from_raw_os_error(23)).contains("system's limit on open"));
        assert!(message(io::ErrorKind::FileTooLarge.into()).contains("size of files"));
        let error = io::Error::from(io::ErrorKind::WouldBlock);
        assert!(Error::machine_limit("x", &error).is_none());
        assert!(Error::process_limit("x", &error).unwrap().message().contains("threads"));
    }
}
