//! The token file of `exec --file` and `keep`: private, replaced atomically, removed at the end.
//!
//! The process that keeps a file holds a lock on it (`flock`), because the content does not show
//! whether a file is still kept or was left by a killed process. A lock ends with its process. A
//! process id in the file or beside it would not do: ids are reused, and containers that share a
//! directory have ids of their own.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::file_content::is_token_text;
use crate::atomic_file::{Access, AtomicFile, remove_stale_of_any_mode};
use crate::error::{CommandError, describe_io, internal, usage};

/// The longest file, in bytes, that is recognized as a token file of an earlier run.
const MAX_LEN: u64 = 64 * 1024;

/// A file that contains a token. It is removed on drop unless another file has replaced it.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    directory: PathBuf,
    access: Access,
    /// The file of an earlier run, locked.
    leftover: Option<File>,
    /// The file that was written last, locked.
    written: Option<File>,
}

impl TokenFile {
    /// Prepares a token file at this path, and removes temporary files of killed processes beside it.
    ///
    /// Fails with `Config` if all users may write to the directory, if this process may not create
    /// such a file there, if another process keeps the file, or if there is a file that gatepass
    /// cannot have written.
    pub(crate) fn at(path: &Path, access: Access) -> Result<Self, CommandError> {
        let refused = |why: &str| usage(format!("--file: {}: {why}", path.display()), HINT);
        // The program may change its working directory.
        let path = std::path::absolute(path).map_err(|_| refused("not a path of a file"))?;
        let (Some(directory), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(refused("not a path of a file"));
        };
        let meta = fs::metadata(directory)
            .map_err(|error| refused(&format!("its directory: {}", describe_io(&error))))?;
        if !meta.is_dir() {
            return Err(refused("its parent is not a directory"));
        }
        if meta.mode() & 0o002 != 0 && meta.mode() & 0o1000 == 0 {
            return Err(refused("all users may replace files in its directory"));
        }
        let mut file =
            Self { directory: directory.to_owned(), path, access, leftover: None, written: None };
        file.leftover = file.find_leftover().map_err(|error| refused(&describe_io(&error)))?;
        remove_stale_of_any_mode(&file.directory);
        // Before a token request whose token could not be stored.
        AtomicFile::new(&file.directory, &[])
            .and_then(|probe| probe.with_access(file.access))
            .map_err(|error| write_error(&file.path, &error))?;
        Ok(file)
    }

    /// Returns the absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file of a killed process, whose token may have expired.
    pub(crate) fn remove_leftover(&mut self) {
        if let Some(leftover) = self.leftover.take().filter(|file| self.is_at_path(file)) {
            // If it cannot be removed, the first token cannot be written either.
            let _ = fs::remove_file(&self.path);
            drop(leftover);
        }
    }

    /// Writes a text. A reader sees the previous or this text, never a part.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.remove_leftover();
        let current = fs::symlink_metadata(&self.path);
        let is_ours = self.written.as_ref().is_some_and(|file| self.is_at_path(file));
        if current.is_ok() && !is_ours {
            return Err(io::Error::other("another program has created or replaced the file"));
        }
        let file = AtomicFile::new(&self.directory, text)?.with_access(self.access)?;
        let written = match is_ours {
            true => file.persist(&self.path),
            false => file.persist_new(&self.path),
        };
        self.written = Some(written?);
        Ok(())
    }

    /// Removes the file, unless another file has replaced it. Returns whether a file was removed.
    pub(super) fn remove(&mut self) -> bool {
        let written = self.written.take().filter(|file| self.is_at_path(file));
        // The lock is held until the file is removed.
        written.is_some_and(|_locked| fs::remove_file(&self.path).is_ok())
    }

    /// Returns whether the path has no file.
    pub(super) fn is_missing(&self) -> bool {
        fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    fn is_at_path(&self, file: &File) -> bool {
        let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let at_path = fs::symlink_metadata(&self.path).map(identity).ok();
        at_path.is_some() && at_path == file.metadata().map(identity).ok()
    }

    /// Opens and locks the file that an earlier run left, if there is one. An empty file counts as
    /// one.
    fn find_leftover(&self) -> io::Result<Option<File>> {
        let refused = |why: &'static str| Err(io::Error::other(why));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&self.path, flags | OFlags::NOCTTY, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return refused("it is a symbolic link"),
            Err(Errno::ACCESS) => return refused("the file belongs to another user"),
            Err(Errno::NXIO) => return refused("it is not a regular file"),
            Err(error) => return Err(error.into()),
        };
        let meta = file.metadata()?;
        if !meta.is_file() {
            return refused("it is not a regular file");
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return refused("the file belongs to another user");
        }
        if meta.mode() & 0o077 & !self.access.mode != 0 {
            return refused("other users may read or write the file");
        }
        // Some file systems have no locks; their error is another one.
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return refused("another gatepass process keeps this file, or a program locks it");
        }
        if !self.is_at_path(&file) {
            return refused("another process has just replaced the file");
        }
        let mut text = Zeroizing::new(Vec::with_capacity(meta.len().min(MAX_LEN) as usize + 1));
        (&file).take(MAX_LEN + 1).read_to_end(&mut text)?;
        match text.len() as u64 <= MAX_LEN && is_token_text(&text) {
            true => Ok(Some(file)),
            false => refused("the file contains something other than a token"),
        }
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Makes the error of a token that could not be written.
pub(super) fn write_error(path: &Path, error: &io::Error) -> CommandError {
    let is_limit = [
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::FileTooLarge,
        ErrorKind::OutOfMemory,
    ];
    if is_limit.contains(&error.kind())
        || matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::IO))
    {
        return internal("--file: cannot write the token", error);
    }
    usage(format!("--file: cannot write {}: {}", path.display(), describe_io(error)), HINT)
}

const HINT: &str = "name a new file in a directory where only you may write; an empty file, or one that \
                    an earlier run left, is replaced";
