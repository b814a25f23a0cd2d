//! The token file of `exec --file`: private, replaced atomically, removed on exit.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gatepass::Token;
use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::atomic_file::{AtomicFile, remove_stale};
use crate::error::{CommandError, describe_io, usage};

/// The longest file, in bytes, that is recognized as a token file of an earlier run.
const MAX_LEN: u64 = 64 * 1024;

/// A file that contains a token without a newline. It is removed on drop unless another file has
/// replaced it.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    directory: PathBuf,
    /// Device and inode of the file that was written last.
    written: Option<(u64, u64)>,
}

impl TokenFile {
    /// Prepares a token file at this path, and removes leftovers of killed processes beside it.
    ///
    /// Fails with `Config` if all users may write to the directory, or if there is a file that
    /// gatepass cannot have written.
    pub(super) fn at(path: &Path) -> Result<Self, CommandError> {
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
        let file = Self { directory: directory.to_owned(), path, written: None };
        file.check().map_err(|error| refused(&describe_io(&error)))?;
        remove_stale(&file.directory);
        Ok(file)
    }

    /// Returns the absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the token. A reader sees the previous or this token, never a part.
    pub(super) fn write(&mut self, token: &Token) -> io::Result<()> {
        self.check()?;
        let text = token.expose_secret().as_bytes();
        let meta = AtomicFile::new(&self.directory, text)?.persist(&self.path)?.metadata()?;
        self.written = Some((meta.dev(), meta.ino()));
        Ok(())
    }

    /// Checks that the file may be replaced: that it is missing, empty, or left by an earlier run.
    fn check(&self) -> io::Result<()> {
        let refused = |why: &'static str| Err(io::Error::other(why));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&self.path, flags | OFlags::NOCTTY, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(rustix::io::Errno::LOOP) => return refused("it is a symbolic link"),
            Err(rustix::io::Errno::ACCESS) => return refused("the file belongs to another user"),
            Err(rustix::io::Errno::NXIO) => return refused("it is not a regular file"),
            Err(error) => return Err(error.into()),
        };
        let meta = file.metadata()?;
        if !meta.is_file() {
            return refused("it is not a regular file");
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return refused("the file belongs to another user");
        }
        if meta.mode() & 0o077 != 0 {
            return refused("other users may read or write the file");
        }
        let mut text = Zeroizing::new(Vec::with_capacity(meta.len().min(MAX_LEN) as usize + 1));
        file.take(MAX_LEN + 1).read_to_end(&mut text)?;
        match text.len() as u64 <= MAX_LEN && text.iter().all(u8::is_ascii_graphic) {
            true => Ok(()),
            false => refused("the file contains something other than a token"),
        }
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let current = fs::symlink_metadata(&self.path).map(|meta| (meta.dev(), meta.ino())).ok();
        if self.written.is_some() && current == self.written {
            // The file may already be gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the error of a first token that could not be written.
pub(super) fn write_error(path: &Path, error: &io::Error) -> CommandError {
    usage(format!("--file: cannot write {}: {}", path.display(), describe_io(error)), HINT)
}

const HINT: &str = "name a new file in a directory where only you may write; an empty file, or one that \
                    an earlier run left, is replaced";
