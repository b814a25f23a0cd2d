//! A file written beside its place: private from its first moment, put there as a whole, and swept
//! by a later one where whoever wrote it was killed.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use tempfile::NamedTempFile;

/// A file of mode 0600 that nobody finds under its name yet. It goes when this is dropped.
///
/// It is locked for as long as it is written, and a lock ends with its process however that ends:
/// one that can be locked was left behind.
#[derive(Debug)]
pub(crate) struct Beside(NamedTempFile);

impl Beside {
    /// A file in this folder with this text, on the disk.
    pub(crate) fn new(folder: &Path, text: &[u8]) -> io::Result<Self> {
        let mut temp = locked(folder)?;
        temp.write_all(text)?;
        temp.as_file().sync_all()?;
        Ok(Self(temp))
    }

    /// Puts it there, whatever was there before.
    pub(crate) fn put(self, path: &Path) -> io::Result<File> {
        self.0.persist(path).map_err(|error| error.error)
    }

    /// Puts it there, where nothing is.
    pub(crate) fn put_new(self, path: &Path) -> io::Result<File> {
        self.0.persist_noclobber(path).map_err(|error| error.error)
    }
}

/// An empty file that is locked; another process may have swept it before it was.
fn locked(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let temp = tempfile::Builder::new()
            .prefix(BEGIN)
            .suffix(END)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        // Where the system has no locks nothing can be swept, either.
        let _ = flock(temp.as_file(), FlockOperation::LockExclusive);
        if temp.path().exists() {
            return Ok(temp);
        }
    }
}

/// Removes what processes that were killed while they wrote have left in this folder.
pub(crate) fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_our_name)) {
        let path = entry.path();
        if let Ok(Some(_locked)) = abandoned(&path) {
            // One that cannot be removed is left to the next.
            let _ = fs::remove_file(&path);
        }
    }
}

/// The file at this path, locked, if it is one of ours and nobody writes it.
fn abandoned(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags | OFlags::NOCTTY, Mode::empty())?);
    let meta = file.metadata()?;
    let is_ours =
        meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o7777 == 0o600;
    if !(meta.is_file() && is_ours) {
        return Ok(None);
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    // It may have been put in its place, or swept, before it was locked here.
    let there = fs::symlink_metadata(path)?;
    Ok(((there.dev(), there.ino()) == (meta.dev(), meta.ino())).then_some(file))
}

/// Nobody else gives a file such a name.
fn is_our_name(name: &str) -> bool {
    let random = name.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    random.is_some_and(|text| {
        text.len() == RANDOM && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

const BEGIN: &str = ".gatepass-";
const END: &str = ".part";
const RANDOM: usize = 16;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn who_writes_while_others_sweep_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let write = |writer: usize| {
            let path = folder.path().join(writer.to_string());
            for round in 0..50 {
                sweep(folder.path());
                let text = format!("{writer} {round}");
                let beside = Beside::new(folder.path(), text.as_bytes()).unwrap();
                sweep(folder.path());
                beside.put(&path).unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), text);
            }
        };
        let write = &write;
        thread::scope(|scope| (0..8).for_each(|writer| drop(scope.spawn(move || write(writer)))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 8);
    }

    #[test]
    fn a_name_that_somebody_may_have_chosen_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let beside = Beside::new(folder.path(), b"").unwrap();
        assert!(is_our_name(beside.0.path().file_name().unwrap().to_str().unwrap()));
        for name in [
            ".gatepass-backup",
            ".gatepass-backup.part",
            ".gatepass-of-the-first.part",
            "a.gatepass-0123456789abcdef.part",
            ".gatepass-0123456789abcdef",
        ] {
            assert!(!is_our_name(name), "{name}");
        }
    }
}
