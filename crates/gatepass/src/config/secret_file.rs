//! The rules for a secret's file: who may write it, who may own it, and who may read it.
//!
//! The rules apply to the file that is read, which is the last link of a chain, and not to its name:
//! Kubernetes mounts secrets as links. They are checked on the open file, so that it cannot be
//! replaced between the check and the reading.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use gatepass_core::{Error, Hint, Result};
use zeroize::Zeroizing;

/// The maximum size of a secret's file.
const MAX: u64 = 64 * 1024;

/// The outcome of reading a file.
pub(crate) enum FileError {
    Io(io::Error),
    /// The file breaks a rule.
    Refused(Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a secret's file. `owner` is the further user that it may belong to.
pub(crate) fn read(path: &Path, owner: Option<u32>) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
    }
    check(path, &meta, owner).map_err(FileError::Refused)?;
    if others_can_read(&meta) && meta.uid() != 0 {
        warn_once(path, &meta);
    }
    // Allocated once, because growing would leave copies of the secret in memory. The length of a
    // pipe is unknown.
    let size = if meta.is_file() && meta.len() > 0 { meta.len().clamp(1024, MAX) } else { MAX };
    let mut bytes = Zeroizing::new(Vec::with_capacity(size as usize + 1));
    file.take(MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
    }
    Ok(bytes)
}

/// `Config` if a user other than the owner and root could replace the secret, or if the owner is
/// neither the caller nor root nor admitted.
fn check(path: &Path, meta: &Metadata, owner: Option<u32>) -> Result<()> {
    // A terminal or /dev/null has no content of its own.
    if !meta.is_file() && !meta.file_type().is_fifo() {
        return Ok(());
    }
    let shown = path.display();
    if meta.mode() & 0o022 != 0 {
        let mode = meta.mode() & 0o7777;
        let message = format!("other users can write the secret file {shown} (mode {mode:04o})");
        let command = ["chmod", "go-w", &shown.to_string()];
        return Err(
            Error::config(message).hint(Hint::run("they could replace the secret", command))
        );
    }
    let (uid, us) = (meta.uid(), rustix::process::geteuid().as_raw());
    if uid == us || uid == 0 || owner == Some(uid) {
        return Ok(());
    }
    Err(Error::config(format!("the secret file {shown} belongs to another user (uid {uid})"))
        .hint(format!("if that user may choose the secret, add owner = {uid} to the reference")))
}

fn others_can_read(meta: &Metadata) -> bool {
    meta.is_file() && meta.mode() & 0o004 != 0
}

fn warn_once(path: &Path, meta: &Metadata) {
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.insert(path.to_owned()) {
        let (mode, shown) = (meta.mode() & 0o7777, path.display());
        let reason = format!("{shown} has mode {mode:04o}; chmod o-r {shown}");
        tracing::warn!(reason, "other users can read a secret file");
    }
}

/// Returns remarks on a secret's file that do not prevent its use, each with a hint.
pub(crate) fn remarks(path: &Path) -> Vec<(String, Hint)> {
    let Ok(meta) = fs::metadata(path) else { return Vec::new() };
    let (mut remarks, shown) = (Vec::new(), path.display());
    if others_can_read(&meta) {
        let mode = meta.mode() & 0o7777;
        let remark = format!("other users can read it (mode {mode:04o})");
        let hint = match meta.uid() {
            0 => Hint::new("if it is mounted, mount it with mode 0440 or 0400"),
            _ => Hint::run("only its owner should read it", ["chmod", "o-r", &shown.to_string()]),
        };
        remarks.push((remark, hint));
    }
    if meta.is_file() && meta.nlink() > 1 {
        let remark = format!("the file has {} names (hard links)", meta.nlink());
        let hint = "who can write the directory of another name may keep the file after you \
                    replace this one";
        remarks.push((remark, Hint::new(hint)));
    }
    let (uid, us) = (meta.uid(), rustix::process::geteuid().as_raw());
    if meta.is_file() && uid != us && uid != 0 {
        let remark = format!("it belongs to the admitted user (uid {uid})");
        remarks.push((remark, Hint::new("that user can replace the secret")));
    }
    remarks
}

/// Returns the id of a user of this machine's list of users.
///
/// A name that only a directory service knows is an error: the number always works.
pub(crate) fn user_id(name: &str) -> Result<u32> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let id = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    id.ok_or_else(|| {
        Error::config("`owner` names no user in /etc/passwd").hint("write the user's number: id -u")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn file_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "made-up").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let read_with = |mode: u32| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            [&path, &link].map(|path| read(path, None).is_ok())
        };
        for mode in [0o600, 0o400, 0o440, 0o640, 0o644, 0o444, 0o700] {
            assert_eq!(read_with(mode), [true, true], "{mode:o}");
        }
        for mode in [0o602, 0o620, 0o660, 0o666, 0o622, 0o777] {
            assert_eq!(read_with(mode), [false, false], "{mode:o}");
        }
    }

    #[test]
    fn remarks_name_readers_and_hard_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "made-up").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(remarks(&path).is_empty());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::hard_link(&path, folder.path().join("other")).unwrap();
        let texts: Vec<String> = remarks(&path).into_iter().map(|(text, _)| text).collect();
        assert!(texts[0].contains("mode 0644") && texts[1].contains("2 names"), "{texts:?}");
    }

    #[test]
    fn owner_has_name_or_number() {
        assert_eq!(user_id("root").unwrap(), 0);
        assert!(user_id("no-such-user-of-these-tests").is_err());
        assert!(user_id("").is_err());
    }
}
