//! Packages outside this workspace, written from templates and built against its crates by path.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::build::{cargo, executable, target, workspace};

/// A separate workspace below `target/tests`, kept between runs for fast builds. Its packages are
/// built into the `target` of these tests, which has most dependencies already.
#[derive(Debug)]
pub struct Workspace {
    folder: PathBuf,
}

impl Workspace {
    /// Creates a workspace with this name and these member folders.
    pub fn new(name: &str, members: &[&str]) -> Self {
        let folder = target().join("tests").join(name);
        for member in members {
            fs::create_dir_all(folder.join(member)).unwrap();
        }
        let created = Self { folder };
        // The same profiles as this workspace, so that built dependencies are reused.
        created.write(
            "Cargo.toml",
            &format!(
                "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n\
                 [profile.dev]\ndebug = \"line-tables-only\"\n\n\
                 [profile.release]\nlto = \"fat\"\ncodegen-units = 1\nstrip = \"symbols\"\n"
            ),
        );
        // The same versions as this workspace; cargo removes unused entries.
        if !created.folder.join("Cargo.lock").exists() {
            fs::copy(workspace().join("Cargo.lock"), created.folder.join("Cargo.lock")).unwrap();
        }
        created
    }

    /// Writes a file and replaces `GATEPASS` by the path of this workspace's crates.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        let text = text.replace("GATEPASS", workspace().join("crates").to_str().unwrap());
        // An unchanged file does not cause a rebuild.
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

    /// Builds a package and returns its executable.
    pub fn build(&self, package: &str, more: &[&str]) -> PathBuf {
        executable(self.cargo("build").args(["--package", package]).args(more), package)
    }

    /// Runs a package's tests.
    pub fn test(&self, package: &str) -> Output {
        self.cargo("test").args(["--package", package]).output().unwrap()
    }

    /// Lists the packages that a package and its tests need, one per line.
    pub fn dependencies(&self, package: &str) -> String {
        let mut tree = self.cargo("tree");
        let tree = tree.args(["--package", package, "--prefix", "none", "--edges", "normal,dev"]);
        String::from_utf8(tree.output().unwrap().stdout).unwrap()
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = cargo(command);
        cargo.current_dir(&self.folder);
        cargo
    }
}
