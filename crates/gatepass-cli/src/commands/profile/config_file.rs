//! Where a profile is written: the config file and the files of its secrets, each whole or not at
//! all, and readable by their owner alone from the first moment.

use std::borrow::Cow;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use gatepass::Config;
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use super::edit::Document;
use crate::atomic_file::{AtomicFile, remove_stale};
use crate::error::{CommandError, internal, usage};
use crate::quote::shell_argument;

/// A config file that may be written, or may come to be.
#[derive(Clone)]
pub(super) struct Place {
    path: PathBuf,
    folder: PathBuf,
}

/// A file of one secret or of its origins, by its name beside the config.
pub(super) struct SecretFile<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) text: &'a str,
}

/// What was written, to be taken back if somebody changes their mind.
pub(super) struct Written {
    place: Place,
    before: Option<Zeroizing<String>>,
    after: Zeroizing<String>,
    secrets: Vec<PathBuf>,
    folder_is_new: bool,
    /// Whether the file could be read by others before.
    pub(super) was_open: bool,
}

impl Place {
    /// `Config` for what is there and is not ours to write.
    pub(super) fn at(path: PathBuf) -> Result<Self, CommandError> {
        let shown = path.display();
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_symlink() => {
                let target = fs::canonicalize(&path).unwrap_or_default();
                return Err(usage(
                    format!("the config file {shown} is a link"),
                    format!("write where it leads to: --config {}", shell_argument(&target)),
                ));
            }
            Ok(meta) if meta.is_file() && meta.uid() != us() => {
                return Err(usage(
                    format!("the config file {shown} belongs to another user"),
                    "name one of your own: --config FILE",
                ));
            }
            // All that the other commands ask of it.
            Ok(_) => drop(Config::load(&path)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(&path, &error)),
        }
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if let Ok(meta) = fs::metadata(&folder)
            && meta.mode() & 0o022 != 0
            && meta.mode() & 0o1000 == 0
        {
            return Err(usage(
                format!("others may replace files in {}", folder.display()),
                format!(
                    "the config decides where secrets go: chmod go-w {}",
                    shell_argument(&folder)
                ),
            ));
        }
        Ok(Self { path, folder })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a secret of its own would be.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What stands in it.
    pub(super) fn document(&self) -> Result<Document, CommandError> {
        Ok(Document::new(self.text()?.unwrap_or_default()))
    }

    fn text(&self) -> Result<Option<Zeroizing<String>>, CommandError> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unwritable(&self.path, &error)),
        }
    }

    /// Writes the secrets and then what `change` makes of the file. Nobody else writes at the same
    /// time, and until all is written nothing can be seen of it.
    pub(super) fn write(
        &self,
        secrets: &[SecretFile<'_>],
        may_replace: bool,
        change: impl FnOnce(&Document) -> Result<Zeroizing<String>, CommandError>,
    ) -> Result<Written, CommandError> {
        let folder_is_new = !self.folder.exists();
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| unwritable(&self.folder, &error))?;
        let written = self.write_locked(secrets, may_replace, change);
        if written.is_err() && folder_is_new {
            // Only an empty one goes.
            let _ = fs::remove_dir(&self.folder);
        }
        Ok(Written { folder_is_new, ..written? })
    }

    fn write_locked(
        &self,
        secrets: &[SecretFile<'_>],
        may_replace: bool,
        change: impl FnOnce(&Document) -> Result<Zeroizing<String>, CommandError>,
    ) -> Result<Written, CommandError> {
        let _lock = self.lock()?;
        remove_stale(&self.folder);
        let before = self.text()?;
        let was_open = fs::metadata(&self.path).is_ok_and(|meta| meta.mode() & 0o077 != 0);
        let after = change(&Document::new(before.clone().unwrap_or_default()))?;
        let failed = |error: &io::Error| unwritable(&self.path, error);
        let config = self.temp(&after).map_err(|error| failed(&error))?;
        let mut files = Vec::new();
        for secret in secrets {
            let path = self.beside(&secret.name);
            let text = Zeroizing::new(format!("{}\n", secret.text));
            let temp = self.temp(&text).map_err(|error| unwritable(&path, &error))?;
            files.push((path, temp));
        }
        // All of it is on the disk: none is replaced that another could not be written beside.
        let mut new = Vec::new();
        let done = files.into_iter().try_for_each(|(path, temp)| {
            let is_new = !path.exists();
            let kept = match may_replace {
                true => temp.persist(&path),
                false => temp.persist_new(&path),
            };
            match kept {
                Ok(_) => new.extend(is_new.then_some(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(usage(
                        format!("there is a file {} already", path.display()),
                        "take it away, choose another --name, or replace it: --force",
                    ));
                }
                Err(error) => return Err(unwritable(&path, &error)),
            }
            Ok(())
        });
        let done = done.and_then(|()| {
            config.persist(&self.path).map_err(|error| failed(&error))?;
            // A rename that the disk forgets is a profile that never was, and no harm.
            let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
            Ok(())
        });
        match done {
            Ok(()) => {
                let (place, secrets) = (self.clone(), new);
                Ok(Written { place, before, after, secrets, folder_is_new: false, was_open })
            }
            Err(failure) => {
                remove(&new);
                Err(failure)
            }
        }
    }

    /// A file that nobody sees under its name yet.
    fn temp(&self, text: &str) -> io::Result<AtomicFile> {
        AtomicFile::new(&self.folder, text.as_bytes())
    }

    /// Held until it is dropped. It is the folder's own, so that nothing is left behind.
    fn lock(&self) -> Result<File, CommandError> {
        let folder = File::open(&self.folder).map_err(|error| unwritable(&self.folder, &error))?;
        flock(&folder, FlockOperation::LockExclusive)
            .map_err(|error| internal("cannot lock the config's folder", &error.into()))?;
        Ok(folder)
    }
}

impl Written {
    pub(super) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Takes it back, unless somebody has changed the file since.
    pub(super) fn undo(self) -> Result<(), CommandError> {
        let lock = self.place.lock()?;
        if self.place.text()?.as_deref() != Some(&*self.after) {
            return Err(usage(
                format!("{} was changed meanwhile", self.path().display()),
                "take the profile out by hand",
            ));
        }
        let path = self.path();
        let undone = match &self.before {
            None => fs::remove_file(path),
            Some(text) => self.place.temp(text).and_then(|temp| temp.persist(path).map(drop)),
        };
        undone.map_err(|error| unwritable(path, &error))?;
        remove(&self.secrets);
        drop(lock);
        if self.folder_is_new {
            let _ = fs::remove_dir(&self.place.folder);
        }
        Ok(())
    }
}

/// Puts a text in the place of a file's, whole or not at all.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), CommandError> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    remove_stale(folder);
    let replaced = AtomicFile::new(folder, text.as_bytes()).and_then(|temp| temp.persist(path));
    replaced.map(drop).map_err(|error| unwritable(path, &error))
}

fn remove(paths: &[PathBuf]) {
    for path in paths {
        // What is gone already is as it should be.
        let _ = fs::remove_file(path);
    }
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn unwritable(path: &Path, error: &io::Error) -> CommandError {
    usage(
        format!("{} cannot be written: {}", path.display(), error.kind()),
        "name another place: --config FILE",
    )
}
