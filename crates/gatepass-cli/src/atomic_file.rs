//! Atomic file replacement: writes to a private temporary file and renames it. The next run removes
//! the leftovers of a killed process.
//!
//! A process that is killed between writing and renaming leaves its temporary file behind, with
//! secrets in it. Such a file must be told apart from one that another process is still writing.
//! A process id in the name would not do: ids are reused, and a directory may be shared between
//! machines or containers. So each temporary file is locked while it is written. A lock ends with
//! its process, however that ends: a temporary file that can be locked is a leftover.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use tempfile::NamedTempFile;

/// Who may use a file: its permission bits, and its group if it is not the process's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) mode: u32,
    pub(crate) group: Option<u32>,
}

impl Access {
    /// Only the owner may read and write.
    pub(crate) const PRIVATE: Self = Self { mode: 0o600, group: None };
}

/// A complete file under a temporary name, of mode 0600 unless [`with_access`](Self::with_access)
/// changes it. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct AtomicFile(NamedTempFile);

impl AtomicFile {
    /// Writes a temporary file in `dir` and flushes it to disk.
    pub(crate) fn new(dir: &Path, contents: &[u8]) -> io::Result<Self> {
        let mut temp = create_locked(dir)?;
        temp.write_all(contents)?;
        temp.as_file().sync_all()?;
        Ok(Self(temp))
    }

    /// Changes who may use the file. Call it last: other users may then read the content.
    pub(crate) fn with_access(self, access: Access) -> io::Result<Self> {
        let file = self.0.as_file();
        if access.group.is_some() {
            fchown(file, None, access.group)?;
        }
        if access.mode != Access::PRIVATE.mode {
            file.set_permissions(Permissions::from_mode(access.mode))?;
        }
        Ok(self)
    }

    /// Renames the file to `path`, and replaces a file that exists there.
    pub(crate) fn persist(self, path: &Path) -> io::Result<File> {
        self.0.persist(path).map_err(|error| error.error)
    }

    /// Renames the file to `path`, or fails if a file exists there.
    pub(crate) fn persist_new(self, path: &Path) -> io::Result<File> {
        self.0.persist_noclobber(path).map_err(|error| error.error)
    }
}

/// Creates an empty temporary file and locks it. Another process may remove it in between, and
/// then the next one is tried.
fn create_locked(dir: &Path) -> io::Result<NamedTempFile> {
    loop {
        let temp = tempfile::Builder::new()
            .prefix(PREFIX)
            .suffix(SUFFIX)
            .rand_bytes(RANDOM_CHARS)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(dir)?;
        // On a file system without locks, `remove_stale` cannot lock the file either.
        let _ = flock(temp.as_file(), FlockOperation::LockExclusive);
        if temp.path().exists() {
            return Ok(temp);
        }
    }
}

/// Removes private temporary files of killed processes from a directory.
pub(crate) fn remove_stale(dir: &Path) {
    remove_stale_if(dir, |mode| mode == Access::PRIVATE.mode);
}

/// Removes temporary files of killed processes from a directory, with any permissions: a
/// process may have been killed after [`AtomicFile::with_access`].
pub(crate) fn remove_stale_of_any_mode(dir: &Path) {
    remove_stale_if(dir, |_| true);
}

fn remove_stale_if(dir: &Path, has_mode: impl Fn(u32) -> bool) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_temp_name)) {
        let path = entry.path();
        if let Ok(Some(_locked)) = lock_if_stale(&path, &has_mode) {
            // If it cannot be removed now, the next run tries again.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Locks the file at `path` if it is a leftover: a file of this user with such permissions that no
/// process writes.
fn lock_if_stale(path: &Path, has_mode: impl Fn(u32) -> bool) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags | OFlags::NOCTTY, Mode::empty())?);
    let meta = file.metadata()?;
    let is_own = meta.uid() == rustix::process::geteuid().as_raw();
    if !(meta.is_file() && is_own && has_mode(meta.mode() & 0o7777)) {
        return Ok(None);
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    // Another process may have renamed or removed it between the open and the lock.
    let current = fs::symlink_metadata(path)?;
    let is_same = (current.dev(), current.ino()) == (meta.dev(), meta.ino());
    Ok(is_same.then_some(file))
}

/// Returns whether a name has the exact form of a temporary file's, so that no file with a name
/// that a user chose is removed.
fn is_temp_name(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|random| {
        random.len() == RANDOM_CHARS && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

const PREFIX: &str = ".gatepass-";
const SUFFIX: &str = ".part";
const RANDOM_CHARS: usize = 16;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn concurrent_cleanup_removes_no_file_being_written() {
        let dir = tempfile::tempdir().unwrap();
        let write = |writer: usize| {
            let path = dir.path().join(writer.to_string());
            for round in 0..50 {
                remove_stale(dir.path());
                let contents = format!("{writer} {round}");
                let file = AtomicFile::new(dir.path(), contents.as_bytes()).unwrap();
                remove_stale(dir.path());
                file.persist(&path).unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), contents);
            }
        };
        let write = &write;
        thread::scope(|scope| (0..8).for_each(|writer| drop(scope.spawn(move || write(writer)))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 8);
    }

    #[test]
    fn user_chosen_names_are_not_temporary_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = AtomicFile::new(dir.path(), b"").unwrap();
        assert!(is_temp_name(file.0.path().file_name().unwrap().to_str().unwrap()));
        for name in [
            ".gatepass-backup",
            ".gatepass-backup.part",
            ".gatepass-of-the-first.part",
            "a.gatepass-0123456789abcdef.part",
            ".gatepass-0123456789abcdef",
        ] {
            assert!(!is_temp_name(name), "{name}");
        }
    }
}
