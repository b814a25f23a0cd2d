//! The store's directory: reads and writes files relative to one open directory.
//!
//! The owner and the mode of the directory are checked when it is opened, and no file is reached
//! through a link. So a file cannot be replaced between a check and its use, as it could by path.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gatepass_core::{Error, Result};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// The longest file that is read, in bytes.
pub(super) const MAX_FILE: usize = 64 * 1024;

const TEMP: &str = ".tmp-";
/// A temporary file of this age is a leftover: no write takes that long.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// Flags of every opened file: no link is followed, no child inherits it, and a pipe in its place
/// does not block.
const SAFELY: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// Readable by the owner alone, from its creation on.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// An open directory of this user.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    user: u32,
}

/// The outcome of reading a name.
pub(super) enum ReadResult {
    Missing,
    /// The content of a file of ours. It may be a key.
    File(Zeroizing<Vec<u8>>),
    /// A file of ours that must not be read.
    Unreadable(&'static str),
    /// A file that is not ours: it is left alone.
    Foreign(&'static str),
}

/// The identity of a file, also of one that replaces another under its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    inode: (u64, u64),
    changed: (i64, i64),
}

/// A new file under a temporary name; removed when dropped before it is renamed.
#[derive(Debug)]
pub(super) struct TempFile<'a> {
    directory: &'a Directory,
    name: Option<String>,
}

impl Directory {
    /// Opens the directory. Creates it with mode 0700 if it does not exist.
    ///
    /// The path may be a link of root or of this user: with `DynamicUser=`, systemd makes a service's
    /// `StateDirectory=` a link of root.
    ///
    /// Fails with `Config` if it is a link of another user or to a missing directory, belongs to
    /// another user or is writable by others; with `Internal` if it cannot be created or opened.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let refused = |reason: &str| {
            Error::config(format!("tokens are not kept in {}: {reason}", path.display()))
                .hint("set GATEPASS_STATE_DIR to a folder of your own with mode 0700")
        };
        let user = rustix::process::geteuid().as_raw();
        let target = link_target(path, user).map_err(refused)?;
        let open = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, &target, flags, Mode::empty())
        };
        let fd = match open() {
            Err(Errno::NOENT) => DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&target)
                .and_then(|()| Ok(open()?)),
            opened => opened.map_err(io::Error::from),
        };
        let fd = fd.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::LOOP | Errno::NOTDIR) => refused("it is not a folder"),
            _ => io_error(&format!("{} cannot be opened", path.display()), error),
        })?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| {
            io_error(&format!("{} cannot be read", path.display()), error.into())
        })?;
        if stat.st_uid != user {
            return Err(refused("it belongs to another user"));
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
            return Err(refused("it is writable by others"));
        }
        Ok(Self { fd, user })
    }

    /// Reads a file.
    pub(super) fn read(&self, name: &str) -> io::Result<ReadResult> {
        let fd = match rustix::fs::openat(&self.fd, name, OFlags::RDONLY | SAFELY, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(ReadResult::Missing),
            Err(Errno::LOOP) => return Ok(ReadResult::Foreign("it is a link")),
            Err(Errno::ACCESS | Errno::PERM) => {
                return Ok(ReadResult::Foreign("it may not be read"));
            }
            Err(Errno::NXIO | Errno::NODEV) => return Ok(ReadResult::Foreign("it is not a file")),
            Err(error) => return Err(error.into()),
        };
        let stat = rustix::fs::fstat(&fd)?;
        if let Err(reason) = self.check_owner(&stat) {
            return Ok(ReadResult::Foreign(reason));
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
            return Ok(ReadResult::Unreadable("it is readable or writable by others"));
        }
        // The file may grow while it is read. The buffer must not: growing leaves copies behind.
        let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX).min(MAX_FILE);
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
        File::from(fd).take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
        match bytes.len() {
            0..=MAX_FILE => Ok(ReadResult::File(bytes)),
            _ => Ok(ReadResult::Unreadable("it is too long")),
        }
    }

    /// Writes a new file under a temporary name, and waits until it is on the disk.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<TempFile<'_>> {
        let (temp, file) = self.create_temp(bytes)?;
        file.sync_all()?;
        Ok(temp)
    }

    /// Writes a new file without waiting for the disk. A power failure may lose it.
    pub(super) fn write_unsynced(&self, bytes: &[u8]) -> io::Result<TempFile<'_>> {
        Ok(self.create_temp(bytes)?.0)
    }

    fn create_temp(&self, bytes: &[u8]) -> io::Result<(TempFile<'_>, File)> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| io::ErrorKind::Unsupported)?;
        let name = format!("{TEMP}{:016x}", u64::from_le_bytes(random));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | SAFELY;
        let mut file = File::from(rustix::fs::openat(&self.fd, &name, flags, PRIVATE)?);
        let temp = TempFile { directory: self, name: Some(name) };
        file.write_all(bytes)?;
        Ok((temp, file))
    }

    /// Opens a lock file. Creates it if it does not exist.
    pub(super) fn open_lock(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | SAFELY;
        let fd = rustix::fs::openat(&self.fd, name, flags, PRIVATE)?;
        match self.check_owner(&rustix::fs::fstat(&fd)?) {
            Ok(()) => Ok(fd.into()),
            Err(reason) => Err(io::Error::other(format!("the lock {name}: {reason}"))),
        }
    }

    /// Returns whether this very file has the name.
    pub(super) fn is_at(&self, file: &File, name: &str) -> io::Result<bool> {
        let is = rustix::fs::fstat(file)?;
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok((is.st_dev, is.st_ino) == (found.st_dev, found.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the stamp of the file that has the name; `None` if there is none.
    pub(super) fn stamp(&self, name: &str) -> Option<FileStamp> {
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let changed = (stat.st_ctime, stat.st_ctime_nsec as i64);
        Some(FileStamp { inode: (stat.st_dev, stat.st_ino), changed })
    }

    /// Returns whether both are the same file.
    pub(super) fn is_same(one: &File, other: &File) -> io::Result<bool> {
        let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
        Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
    }

    /// Returns whether this folder has the path. It has not after it was removed or replaced.
    pub(super) fn is_at_path(&self, path: &Path) -> bool {
        let is = rustix::fs::fstat(&self.fd);
        let found = rustix::fs::statat(CWD, path, AtFlags::empty());
        matches!((is, found), (Ok(is), Ok(found))
            if (is.st_dev, is.st_ino) == (found.st_dev, found.st_ino))
    }

    /// Removes a file of ours, and returns whether there was one.
    pub(super) fn remove(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if self.check_owner(&stat).is_ok() => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Lists the names in the directory that are UTF-8. Ours are.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            names.extend(entry?.file_name().to_str().map(str::to_owned));
        }
        Ok(names)
    }

    /// Returns whether this is a temporary file that a killed process left behind.
    pub(super) fn is_leftover(&self, name: &str, now: SystemTime) -> bool {
        name.starts_with(TEMP) && self.is_old(name, now)
    }

    /// Returns whether this is a file of ours that has not changed for an hour.
    pub(super) fn is_old(&self, name: &str, now: SystemTime) -> bool {
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| {
            let changed = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or_default());
            let changed = SystemTime::UNIX_EPOCH + changed;
            self.check_owner(&stat).is_ok()
                && now.duration_since(changed).is_ok_and(|d| d > LEFTOVER_AGE)
        })
    }

    /// Waits until the names are on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    fn check_owner(&self, stat: &Stat) -> Result<(), &'static str> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err("it is not a file");
        }
        if stat.st_uid != self.user {
            return Err("it belongs to another user");
        }
        Ok(())
    }
}

impl TempFile<'_> {
    /// Renames the file. A file that has the name is replaced.
    pub(super) fn replace(mut self, name: &str) -> io::Result<()> {
        if let Some(temp) = &self.name {
            rustix::fs::renameat(&self.directory.fd, temp, &self.directory.fd, name)?;
        }
        self.name = None;
        Ok(())
    }

    /// Gives the file its name, unless another file has it.
    pub(super) fn claim(self, name: &str) -> io::Result<()> {
        let fd = &self.directory.fd;
        let Some(temp) = &self.name else { return Ok(()) };
        match rustix::fs::linkat(fd, temp, fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for TempFile<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = rustix::fs::unlinkat(&self.directory.fd, name, AtFlags::empty());
        }
    }
}

/// Follows the links at the end of a path, if each belongs to root or to this user. Another user could
/// direct its link to a directory of this user that is not a store.
fn link_target(path: &Path, user: u32) -> Result<PathBuf, &'static str> {
    // Without a trailing slash, which would follow a link.
    let mut path: PathBuf = path.components().collect();
    for followed in 0..MAX_LINKS {
        let stat = match rustix::fs::statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // The target of a link is never created: its owner expected it to exist.
            Err(Errno::NOENT) if followed > 0 => return Err("it is a link to a missing folder"),
            // Opening it reports the error.
            Err(_) => return Ok(path),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(path);
        }
        if stat.st_uid != user && stat.st_uid != 0 {
            return Err("it is a link of another user");
        }
        let target = std::fs::read_link(&path).map_err(|_| "it is a link that cannot be read")?;
        let parent = path.parent().unwrap_or_else(|| Path::new(""));
        path = parent.join(target).components().collect();
    }
    Err("it is a link to too many links")
}

/// How many links are followed from the path to the directory.
const MAX_LINKS: usize = 8;

/// Returns the error of a failed operation on the directory.
pub(super) fn io_error(what: &str, error: io::Error) -> Error {
    Error::machine_limit(what, &error)
        .unwrap_or_else(|| Error::internal(format!("{what}: {error}")))
        .with_source(error)
}
