//! A copy of this repository with a generated history, ready for a release.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatepass_tests::workspace;

/// A copied repository; its build output is kept for the next run.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) folder: PathBuf,
    /// The version in the manifest.
    pub(crate) version: String,
}

impl Repository {
    /// Commits the files of this working tree as a released version with one later change.
    pub(crate) fn create(folder: &Path) -> Self {
        clear(folder);
        for name in files() {
            let (from, to) = (workspace().join(&name), folder.join(&name));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let (_, rest) = manifest.split_once("[workspace.package]\nversion = \"").unwrap();
        let version = rest.split_once('"').unwrap().0.to_owned();
        let repository = Self { folder: folder.to_owned(), version };
        repository.git("init --quiet --initial-branch main");
        repository.git("config user.name tests");
        repository.git("config user.email tests@example.invalid");
        repository.git("config commit.gpgsign false");
        repository.git("config tag.gpgsign false");
        // Dependencies between the workspace's crates are resolved from the registry.
        let local_manifest =
            manifest.replace("path = \"crates/", "registry = \"local\", path = \"crates/");
        repository.write("Cargo.toml", &local_manifest);
        repository.commit("everything");
        repository.git(&format!("tag v{}", repository.version));
        let changelog = fs::read_to_string(folder.join("CHANGELOG.md")).unwrap();
        let (top, rest) = changelog.split_once("## [Unreleased]\n").unwrap();
        let changed = "## [Unreleased]\n\n### Added\n\n- A change to be released.\n";
        repository.write("CHANGELOG.md", &format!("{top}{changed}{rest}"));
        repository.commit("a change");
        repository
    }

    /// Returns git's output without the newline.
    #[track_caller]
    pub(crate) fn git(&self, args: &str) -> String {
        self.git_with(args.split_whitespace())
    }

    /// Returns all files and folders below `target/release-…`.
    pub(crate) fn released(&self) -> Vec<String> {
        let target = self.folder.join("target");
        let mut found = Vec::new();
        for entry in fs::read_dir(&target).into_iter().flatten().flatten() {
            let folder = entry.file_name().into_string().unwrap();
            if folder.starts_with("release-") {
                let files = fs::read_dir(entry.path()).unwrap();
                found.extend(files.map(|file| file.unwrap().file_name().into_string().unwrap()));
            }
        }
        found.sort();
        found
    }

    fn commit(&self, message: &str) {
        self.git("add --all");
        self.git_with(["commit", "--quiet", "--all", "--message", message]);
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    #[track_caller]
    fn git_with<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        let mut git = Command::new("git");
        let output = git.args(args).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "{git:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
    }
}

/// Returns the tracked and untracked files of this working tree, without ignored ones.
fn files() -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.current_dir(workspace()).output().unwrap();
    assert!(output.status.success(), "{git:?}");
    let names = String::from_utf8(output.stdout).unwrap();
    let exists = |name: &&str| !name.is_empty() && workspace().join(name).is_file();
    names.split('\0').filter(exists).map(str::to_owned).collect()
}

/// Removes everything except cargo's build output.
fn clear(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let releasing = Path::new("target/releasing");
    let keep = [PathBuf::from("target"), releasing.to_owned(), releasing.join("build")];
    for below in ["", "target", "target/releasing"] {
        for entry in fs::read_dir(folder.join(below)).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                _ if keep.contains(&Path::new(below).join(entry.file_name())) => {}
                true => fs::remove_dir_all(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            }
        }
    }
}
