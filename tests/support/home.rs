//! A temporary home folder that contains only the files of a test.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::{Gatepass, UNPRIVILEGED_ID};

/// A user's home folder, removed on drop.
#[derive(Debug)]
pub struct Home(TempDir);

impl Home {
    /// Creates an empty home.
    pub fn new() -> Self {
        let home = Self(tempfile::Builder::new().prefix("gatepass-tests-").tempdir().unwrap());
        for folder in ["config/gatepass", "state", "tmp", "work"] {
            fs::create_dir_all(home.path(folder)).unwrap();
        }
        home
    }

    /// Creates a home with a private config file at the default path.
    pub fn with_config(text: &str) -> Self {
        let home = Self::new();
        home.write(CONFIG, text);
        home
    }

    /// Returns a path below the home.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(below)
    }

    /// Writes a file that only its owner can read.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        self.write_as(path, text, 0o600)
    }

    /// Writes a file with these permissions.
    pub fn write_as(&self, path: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Removes all stored tokens and failures.
    pub fn forget_all(&self) {
        fs::remove_dir_all(self.path("state")).unwrap();
        fs::create_dir(self.path("state")).unwrap();
        fs::set_permissions(self.path("state"), Permissions::from_mode(0o700)).unwrap();
    }

    /// Gives the home to the user `nobody` if the tests run as root, and returns a copy of the command
    /// in it, because that user has no access to other folders.
    pub fn give_to_unprivileged_user(&self) -> PathBuf {
        let copy = self.path("gatepass");
        fs::copy(crate::gatepass_binary(), &copy).unwrap();
        if rustix::process::getuid().is_root() {
            give(self.0.path());
        }
        copy
    }

    /// Returns the command with this home.
    pub fn gatepass<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Gatepass<'_> {
        Gatepass::new(crate::gatepass_binary(), self).args(args)
    }

    /// Returns another program with this home.
    pub fn program<'a>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Gatepass<'_> {
        Gatepass::new(program, self).args(args)
    }
}

fn give(path: &Path) {
    chown(path, Some(UNPRIVILEGED_ID), Some(UNPRIVILEGED_ID)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// The default path of the config.
const CONFIG: &str = "config/gatepass/config.toml";
