//! The token's file: private, replaced as a whole, and nobody else's.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gatepass::Token;
use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::atomic_file::{AtomicFile, remove_stale};
use crate::error::{CommandError, describe_io, usage};

/// The longest token that is taken for one.
const LONGEST: u64 = 64 * 1024;

/// A file that holds a token and nothing else, not even a newline. It is removed when dropped,
/// unless something else has taken its place.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    folder: PathBuf,
    /// The file that was written last, by device and inode.
    written: Option<(u64, u64)>,
}

impl TokenFile {
    /// A file to be at this path.
    ///
    /// `Config` if its folder is open to everybody, or if anything stands there that gatepass
    /// could not have written itself.
    pub(super) fn at(path: &Path) -> Result<Self, CommandError> {
        let refused = |why: &str| usage(format!("--file: {}: {why}", path.display()), HINT);
        // The program may go to another folder.
        let path = std::path::absolute(path).map_err(|_| refused("this is no path of a file"))?;
        let (Some(folder), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(refused("this is no path of a file"));
        };
        let meta = fs::metadata(folder)
            .map_err(|error| refused(&format!("its folder: {}", describe_io(&error))))?;
        if !meta.is_dir() {
            return Err(refused("its folder is none"));
        }
        if meta.mode() & 0o002 != 0 && meta.mode() & 0o1000 == 0 {
            return Err(refused("everybody may replace files in its folder"));
        }
        let file = Self { folder: folder.to_owned(), path, written: None };
        file.check().map_err(|error| refused(&describe_io(&error)))?;
        remove_stale(&file.folder);
        Ok(file)
    }

    /// Where it is, from the root on.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the token there. A reader sees the one before or this one, whole.
    pub(super) fn write(&mut self, token: &Token) -> io::Result<()> {
        self.check()?;
        let text = token.expose_secret().as_bytes();
        let meta = AtomicFile::new(&self.folder, text)?.persist(&self.path)?.metadata()?;
        self.written = Some((meta.dev(), meta.ino()));
        Ok(())
    }

    /// Whether what stands there may be replaced: nothing, an empty file, or what an earlier run
    /// left behind.
    fn check(&self) -> io::Result<()> {
        let refused = |why: &'static str| Err(io::Error::other(why));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&self.path, flags | OFlags::NOCTTY, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(rustix::io::Errno::LOOP) => return refused("there is a link"),
            Err(rustix::io::Errno::ACCESS) => return refused("there is a file that is not yours"),
            Err(rustix::io::Errno::NXIO) => return refused("there is something else than a file"),
            Err(error) => return Err(error.into()),
        };
        let meta = file.metadata()?;
        if !meta.is_file() {
            return refused("there is something else than a file");
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return refused("there is a file that is not yours");
        }
        if meta.mode() & 0o077 != 0 {
            return refused("there is a file that others may read or write");
        }
        let mut text = Zeroizing::new(Vec::with_capacity(meta.len().min(LONGEST) as usize + 1));
        file.take(LONGEST + 1).read_to_end(&mut text)?;
        match text.len() as u64 <= LONGEST && text.iter().all(u8::is_ascii_graphic) {
            true => Ok(()),
            false => refused("there is a file that holds something else than a token"),
        }
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let there = fs::symlink_metadata(&self.path).map(|meta| (meta.dev(), meta.ino())).ok();
        if self.written.is_some() && there == self.written {
            // It may be gone by now, which is all that is wanted.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why the first token is not there.
pub(super) fn not_written(path: &Path, error: &io::Error) -> CommandError {
    usage(format!("--file: {} cannot be written: {}", path.display(), describe_io(error)), HINT)
}

const HINT: &str = "name a file that is not there yet, in a folder where you alone may write; an \
                    empty one or one that an earlier run left is replaced";
