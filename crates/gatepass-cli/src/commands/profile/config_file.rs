//! Writes the config file and the secret files beside it.
//!
//! A change is complete or absent: all files are written under temporary names and flushed before
//! the first one is renamed, and the config, which refers to the others, is renamed last. A secret
//! file is readable by its owner alone from the moment it exists. Changes by several processes are
//! serialized by a lock on the directory itself, so that no lock file is left behind.

use std::borrow::Cow;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use gatepass::Error;
use gatepass::cli_support;
use gatepass::config::{Config, Env};
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use super::edit::ConfigText;
use crate::atomic_file::{AtomicFile, remove_stale};
use crate::error::{CommandError, internal, usage};
use crate::options::Common;
use crate::quote::shell_argument;

/// A config file that may be written, whether it exists or not.
#[derive(Clone)]
pub(super) struct ConfigFile {
    path: PathBuf,
    dir: PathBuf,
    /// Whether the other commands read the system's config until this file exists.
    hides_system_config: bool,
}

/// A file beside the config that contains one secret, or the origins of one.
pub(super) struct SecretFile<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) contents: &'a str,
}

/// A written change with the data to undo it.
pub(super) struct WrittenChange {
    file: ConfigFile,
    before: Option<Zeroizing<String>>,
    after: Zeroizing<String>,
    new_secrets: Vec<PathBuf>,
    is_dir_new: bool,
    /// Whether other users could read the config before the change.
    pub(super) was_readable_by_others: bool,
}

impl ConfigFile {
    /// Selects the file that the other commands read: `--config`, `GATEPASS_CONFIG`, the user's own, or
    /// the system's. A user who must not write the system's gets a file of their own.
    pub(super) fn find(common: &Common) -> Result<Self, CommandError> {
        let env = Env::process();
        let variable = env.path("GATEPASS_CONFIG");
        if let Some(path) = common.config.clone().or(variable) {
            return Self::at(path);
        }
        let own = env.default_config_path();
        let system = PathBuf::from(cli_support::SYSTEM_CONFIG);
        let has_own = own.as_ref().is_some_and(|path| path.symlink_metadata().is_ok());
        let owner = system.symlink_metadata().ok().filter(|_| !has_own).map(|meta| meta.uid());
        match (own, owner) {
            (_, Some(owner)) if owner == current_uid() => Self::at(system),
            (Some(own), owner) => {
                Ok(Self { hides_system_config: owner.is_some(), ..Self::at(own)? })
            }
            (None, _) => {
                Err(usage("there is no directory for a config file", "name a file: --config FILE"))
            }
        }
    }

    /// Returns whether the system's config is no longer read once this file exists.
    pub(super) fn hides_system_config(&self) -> bool {
        self.hides_system_config
    }

    /// Checks that the file at `path` may be written. Returns an error of the kind `Config` if it
    /// is a link, belongs to another user, or is in a directory that others can write to.
    pub(super) fn at(path: PathBuf) -> Result<Self, CommandError> {
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_symlink() => {
                let target = fs::canonicalize(&path).unwrap_or_default();
                return Err(usage(
                    format!("the config file {} is a link", path.display()),
                    format!("name its target: --config {}", shell_argument(&target)),
                ));
            }
            Ok(meta) if meta.is_file() && meta.uid() != current_uid() => {
                return Err(usage(
                    format!("the config file {} belongs to another user", path.display()),
                    "name a file of your own: --config FILE",
                ));
            }
            // Makes the checks of the other commands.
            Ok(_) => drop(Config::load(&path)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot_write(&path, &error)),
        }
        let dir = match path.parent() {
            Some(dir) if dir != Path::new("") => dir.to_owned(),
            _ => PathBuf::from("."),
        };
        if let Ok(meta) = fs::metadata(&dir)
            && meta.mode() & 0o022 != 0
            && meta.mode() & 0o1000 == 0
        {
            return Err(usage(
                format!("other users may replace files in {}", dir.display()),
                format!(
                    "the config decides where secrets are sent: chmod go-w {}",
                    shell_argument(&dir)
                ),
            ));
        }
        Ok(Self { path, dir, hides_system_config: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file beside the config.
    pub(super) fn sibling(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Reads the file; a missing file is empty.
    pub(super) fn read(&self) -> Result<ConfigText, CommandError> {
        Ok(ConfigText::new(self.read_text()?.unwrap_or_default()))
    }

    fn read_text(&self) -> Result<Option<Zeroizing<String>>, CommandError> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot_write(&self.path, &error)),
        }
    }

    /// Writes the secret files, and then the text that `change` makes of the config. The lock is
    /// held while `change` runs.
    pub(super) fn write(
        &self,
        secrets: &[SecretFile<'_>],
        may_replace: bool,
        change: impl FnOnce(&ConfigText) -> Result<Zeroizing<String>, CommandError>,
    ) -> Result<WrittenChange, CommandError> {
        let is_dir_new = !self.dir.exists();
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        created.map_err(|error| cannot_write(&self.dir, &error))?;
        let written = self.write_locked(secrets, may_replace, change);
        if written.is_err() && is_dir_new {
            // Fails if another process has put a file there.
            let _ = fs::remove_dir(&self.dir);
        }
        Ok(WrittenChange { is_dir_new, ..written? })
    }

    fn write_locked(
        &self,
        secrets: &[SecretFile<'_>],
        may_replace: bool,
        change: impl FnOnce(&ConfigText) -> Result<Zeroizing<String>, CommandError>,
    ) -> Result<WrittenChange, CommandError> {
        let _lock = self.lock()?;
        remove_stale(&self.dir);
        let before = self.read_text()?;
        let was_readable_by_others =
            fs::metadata(&self.path).is_ok_and(|meta| meta.mode() & 0o077 != 0);
        let after = change(&ConfigText::new(before.clone().unwrap_or_default()))?;
        let config = self.temp_file(&after).map_err(|error| cannot_write(&self.path, &error))?;
        let mut files = Vec::new();
        for secret in secrets {
            let path = self.sibling(&secret.name);
            let contents = Zeroizing::new(format!("{}\n", secret.contents));
            let temp = self.temp_file(&contents).map_err(|error| cannot_write(&path, &error))?;
            files.push((path, temp));
        }
        // Everything is on disk now. Renaming needs no space, so a full disk cannot stop it halfway.
        let mut new_secrets = Vec::new();
        let renamed = files.into_iter().try_for_each(|(path, temp)| {
            let is_new = !path.exists();
            let persisted = match may_replace {
                true => temp.persist(&path),
                false => temp.persist_new(&path),
            };
            match persisted {
                Ok(_) => new_secrets.extend(is_new.then_some(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(usage(
                        format!("the file {} already exists", path.display()),
                        "remove it, choose another --name, or replace it: --force",
                    ));
                }
                Err(error) => return Err(cannot_write(&path, &error)),
            }
            Ok(())
        });
        let renamed = renamed.and_then(|()| {
            config.persist(&self.path).map_err(|error| cannot_write(&self.path, &error))?;
            // Best effort: if a crash undoes the rename, the profile is missing, not damaged.
            let _ = File::open(&self.dir).and_then(|dir| dir.sync_all());
            Ok(())
        });
        match renamed {
            Ok(()) => Ok(WrittenChange {
                file: self.clone(),
                before,
                after,
                new_secrets,
                is_dir_new: false,
                was_readable_by_others,
            }),
            Err(error) => {
                remove_files(&new_secrets);
                Err(error)
            }
        }
    }

    fn temp_file(&self, contents: &str) -> io::Result<AtomicFile> {
        AtomicFile::new(&self.dir, contents.as_bytes())
    }

    /// Locks the directory until the returned handle is dropped.
    fn lock(&self) -> Result<File, CommandError> {
        let dir = File::open(&self.dir).map_err(|error| cannot_write(&self.dir, &error))?;
        flock(&dir, FlockOperation::LockExclusive)
            .map_err(|error| internal("cannot lock the config's directory", &error.into()))?;
        Ok(dir)
    }
}

impl WrittenChange {
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Restores the previous files, or returns an error if the config has changed since.
    pub(super) fn undo(self) -> Result<(), CommandError> {
        let lock = self.file.lock()?;
        if self.file.read_text()?.as_deref() != Some(&*self.after) {
            return Err(usage(
                format!("{} was changed by another process", self.path().display()),
                "remove the profile by hand",
            ));
        }
        let path = self.path();
        let undone = match &self.before {
            None => fs::remove_file(path),
            Some(text) => self.file.temp_file(text).and_then(|temp| temp.persist(path).map(drop)),
        };
        undone.map_err(|error| cannot_write(path, &error))?;
        remove_files(&self.new_secrets);
        drop(lock);
        if self.is_dir_new {
            let _ = fs::remove_dir(&self.file.dir);
        }
        Ok(())
    }
}

/// Replaces the contents of a file atomically.
pub(super) fn replace(path: &Path, contents: &str) -> Result<(), CommandError> {
    let dir = path.parent().unwrap_or_else(|| Path::new(""));
    remove_stale(dir);
    let replaced = AtomicFile::new(dir, contents.as_bytes()).and_then(|temp| temp.persist(path));
    replaced.map(drop).map_err(|error| cannot_write(path, &error))
}

fn remove_files(paths: &[PathBuf]) {
    for path in paths {
        // A file that is already gone is not an error.
        let _ = fs::remove_file(path);
    }
}

fn current_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn cannot_write(path: &Path, error: &io::Error) -> CommandError {
    let what = format!("{} cannot be written", path.display());
    match Error::machine_limit(&what, error) {
        Some(error) => error.into(),
        None => usage(format!("{what}: {}", error.kind()), "name another file: --config FILE"),
    }
}
