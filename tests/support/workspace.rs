//! Workspace: packages outside this workspace, made from text and built by path against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::build::{cargo, executable, target, workspace};

/// A workspace of its own below `target/tests`, kept from run to run so that builds stay fast. Its
/// packages are built into the `target` of these tests, where most of what they need is already.
#[derive(Debug)]
pub struct Workspace {
    folder: PathBuf,
}

impl Workspace {
    /// A workspace of that name, with these packages' folders as members.
    pub fn new(name: &str, members: &[&str]) -> Self {
        let folder = target().join("tests").join(name);
        for member in members {
            fs::create_dir_all(folder.join(member)).unwrap();
        }
        let here = Self { folder };
        // The profiles are ours, so that what we have built already serves.
        here.write(
            "Cargo.toml",
            &format!(
                "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n\
                 [profile.dev]\ndebug = \"line-tables-only\"\n\n\
                 [profile.release]\nlto = \"fat\"\ncodegen-units = 1\nstrip = \"symbols\"\n"
            ),
        );
        // The same versions as ours; cargo takes out what is not needed.
        if !here.folder.join("Cargo.lock").exists() {
            fs::copy(workspace().join("Cargo.lock"), here.folder.join("Cargo.lock")).unwrap();
        }
        here
    }

    /// Writes a file, with `GATEPASS` replaced by the path of our crates.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        let text = text.replace("GATEPASS", workspace().join("crates").to_str().unwrap());
        // An untouched file needs no new build.
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// Copies a folder of templates.
    pub fn copy(&self, from: &Path, to: &str) {
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let to = format!("{to}/{}", path.file_name().unwrap().to_str().unwrap());
            match path.is_dir() {
                true => self.copy(&path, &to),
                false => self.write(&to, &fs::read_to_string(&path).unwrap()),
            }
        }
    }

    /// Builds a package and gives the executable it has.
    pub fn build(&self, package: &str, more: &[&str]) -> PathBuf {
        executable(self.cargo("build").args(["--package", package]).args(more), package)
    }

    /// Runs a package's tests.
    pub fn test(&self, package: &str) -> Output {
        self.cargo("test").args(["--package", package]).output().unwrap()
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = cargo(command);
        cargo.current_dir(&self.folder);
        cargo
    }
}
