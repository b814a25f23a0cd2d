//! The folder: every file is reached through one open folder, whose owner and mode have been
//! checked, and never through a link.

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
/// How old a file must be to be left over: no write takes so long.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// For each way of opening: not through a link, not for children, and not for as long as a pipe's
/// other end pleases.
const SAFELY: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// For the owner alone, from the first moment on.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// An open folder of this user's.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
    user: u32,
}

/// What stands under a name.
pub(super) enum Found {
    Nothing,
    /// A file of ours and what is in it. It may be a key.
    File(Zeroizing<Vec<u8>>),
    /// A file of ours that is not read.
    Unread(&'static str),
    /// Something that we have not made: it is let be.
    Foreign(&'static str),
}

/// A file on its way to its name; removed if it does not get there.
#[derive(Debug)]
pub(super) struct Temp<'a> {
    folder: &'a Folder,
    name: Option<String>,
}

impl Folder {
    /// Opens the folder, made with mode 0700 if it is absent.
    ///
    /// `Config` if it is a link, is another user's or may be written by others; `Internal` if it
    /// cannot be made or opened.
    pub(super) fn open(path: &Path) -> Result<Self> {
        // Without a slash at the end, which would lead through a link.
        let path: PathBuf = path.components().collect();
        let refused = |why: &str| {
            Error::config(format!("tokens are not kept in {}: {why}", path.display()))
                .hint("set GATEPASS_STATE_DIR to a folder of your own with mode 0700")
        };
        let open = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, &path, flags, Mode::empty())
        };
        let fd = match open() {
            Err(Errno::NOENT) => DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .and_then(|()| Ok(open()?)),
            opened => opened.map_err(io::Error::from),
        };
        let fd = fd.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::LOOP | Errno::NOTDIR) => refused("it is a link, or no folder"),
            _ => failed(&format!("{} cannot be opened", path.display()), error),
        })?;
        let stat = rustix::fs::fstat(&fd)
            .map_err(|error| failed(&format!("{} cannot be read", path.display()), error.into()))?;
        let user = rustix::process::geteuid().as_raw();
        if stat.st_uid != user {
            return Err(refused("it is another user's"));
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
            return Err(refused("others may write to it"));
        }
        Ok(Self { fd, user })
    }

    /// Reads a file of ours.
    pub(super) fn read(&self, name: &str) -> io::Result<Found> {
        let fd = match rustix::fs::openat(&self.fd, name, OFlags::RDONLY | SAFELY, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(Errno::LOOP) => return Ok(Found::Foreign("it is a link")),
            Err(Errno::ACCESS | Errno::PERM) => {
                return Ok(Found::Foreign("it is not ours to read"));
            }
            Err(Errno::NXIO | Errno::NODEV) => return Ok(Found::Foreign("it is no file")),
            Err(error) => return Err(error.into()),
        };
        let stat = rustix::fs::fstat(&fd)?;
        if let Err(why) = self.is_ours(&stat) {
            return Ok(Found::Foreign(why));
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
            return Ok(Found::Unread("others may read or write it"));
        }
        // It may grow while it is read. Room for all of it at once: what grows leaves copies.
        let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX).min(MAX_FILE);
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
        File::from(fd).take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
        match bytes.len() {
            0..=MAX_FILE => Ok(Found::File(bytes)),
            _ => Ok(Found::Unread("it is too long")),
        }
    }

    /// Writes a new file under a name of its own, down to the disk.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Temp<'_>> {
        let (temp, file) = self.begin(bytes)?;
        file.sync_all()?;
        Ok(temp)
    }

    /// The same, for what the disk may get later, or never.
    pub(super) fn write_later(&self, bytes: &[u8]) -> io::Result<Temp<'_>> {
        Ok(self.begin(bytes)?.0)
    }

    fn begin(&self, bytes: &[u8]) -> io::Result<(Temp<'_>, File)> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| io::ErrorKind::Unsupported)?;
        let name = format!("{TEMP}{:016x}", u64::from_le_bytes(random));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | SAFELY;
        let mut file = File::from(rustix::fs::openat(&self.fd, &name, flags, PRIVATE)?);
        let temp = Temp { folder: self, name: Some(name) };
        file.write_all(bytes)?;
        Ok((temp, file))
    }

    /// Opens a file of ours that is locked and never read, made if it is absent.
    pub(super) fn open_lock(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | SAFELY;
        let fd = rustix::fs::openat(&self.fd, name, flags, PRIVATE)?;
        match self.is_ours(&rustix::fs::fstat(&fd)?) {
            Ok(()) => Ok(fd.into()),
            Err(why) => Err(io::Error::other(format!("the lock {name}: {why}"))),
        }
    }

    /// Whether this very file stands under the name.
    pub(super) fn is_at(&self, file: &File, name: &str) -> io::Result<bool> {
        let is = rustix::fs::fstat(file)?;
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok((is.st_dev, is.st_ino) == (there.st_dev, there.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file of ours, and says whether there was one.
    pub(super) fn remove(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if self.is_ours(&stat).is_ok() => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Every name in the folder that is text: ours are.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            names.extend(entry?.file_name().to_str().map(str::to_owned));
        }
        Ok(names)
    }

    /// Whether this is a file that a killed process of ours has left on its way.
    pub(super) fn is_left_over(&self, name: &str, now: SystemTime) -> bool {
        name.starts_with(TEMP) && self.is_old(name, now)
    }

    /// Whether this is a file of ours that nobody has changed for an hour.
    pub(super) fn is_old(&self, name: &str, now: SystemTime) -> bool {
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| {
            let changed = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or_default());
            let changed = SystemTime::UNIX_EPOCH + changed;
            self.is_ours(&stat).is_ok() && now.duration_since(changed).is_ok_and(|d| d > LEFT_OVER)
        })
    }

    /// Brings the names down to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    fn is_ours(&self, stat: &Stat) -> Result<(), &'static str> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err("it is no file");
        }
        if stat.st_uid != self.user {
            return Err("it is another user's");
        }
        Ok(())
    }
}

impl Temp<'_> {
    /// Gives the file its name, whatever file has it now.
    pub(super) fn replace(mut self, name: &str) -> io::Result<()> {
        if let Some(temp) = &self.name {
            rustix::fs::renameat(&self.folder.fd, temp, &self.folder.fd, name)?;
        }
        self.name = None;
        Ok(())
    }

    /// Gives the file its name, unless something has it already.
    pub(super) fn claim(self, name: &str) -> io::Result<()> {
        let fd = &self.folder.fd;
        let Some(temp) = &self.name else { return Ok(()) };
        match rustix::fs::linkat(fd, temp, fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = rustix::fs::unlinkat(&self.folder.fd, name, AtFlags::empty());
        }
    }
}

/// The error of a folder that does not do what it should.
pub(super) fn failed(what: &str, error: io::Error) -> Error {
    Error::internal(format!("{what}: {error}")).with_source(error)
}
