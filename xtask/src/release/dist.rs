//! The folder with the files of a release, which is replaced as a whole.

use std::fs;
use std::path::PathBuf;

use semver::Version;

use super::contents::recreate;
use super::sums;
use crate::error::{Error, Result};
use crate::workspace;

/// The files of a release before they are written.
#[derive(Debug)]
pub(super) struct Dist {
    version: Version,
    files: Vec<(String, Vec<u8>)>,
}

impl Dist {
    pub(super) fn new(version: &Version) -> Self {
        Self { version: version.clone(), files: Vec::new() }
    }

    pub(super) fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.push((name.into(), bytes.into()));
    }

    /// Returns the checksums of all files, for the note and for `sha256sum --check`.
    fn sums(&self) -> String {
        sums::lines(self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
    }

    /// Writes all files, their checksums, and the note with the changes and how to verify the files.
    pub(super) fn write(mut self, changes: &str, recheck: &str) -> Result<Vec<String>> {
        let sums = self.sums();
        let note = note(&self.version, changes, &sums, recheck);
        self.add(SUMS, sums);
        self.add(NOTE, note);
        let folder = folder(&self.version);
        let made = folder.with_added_extension("partial");
        recreate(&made)?;
        for (name, bytes) in &self.files {
            let path = made.join(name);
            fs::write(&path, bytes).map_err(|error| bad(&path, &error))?;
        }
        // The new folder is complete before it replaces the old one.
        recreate(&folder)?;
        fs::rename(&made, &folder).map_err(|error| bad(&folder, &error))?;
        let mut names: Vec<String> = self.files.into_iter().map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }
}

/// Returns the names of a version's files if all exist and match their checksums.
pub(super) fn whole(version: &Version) -> Option<Vec<String>> {
    let folder = folder(version);
    let mut names = vec![SUMS.to_owned(), NOTE.to_owned()];
    for line in fs::read_to_string(folder.join(SUMS)).ok()?.lines() {
        let (sum, name) = line.split_once("  ")?;
        let bytes = fs::read(folder.join(name)).ok()?;
        if sums::sha256(&bytes) != sum {
            return None;
        }
        names.push(name.to_owned());
    }
    names.sort();
    folder.join(NOTE).is_file().then_some(names)
}

/// Returns the folder of a version's files.
pub(super) fn folder(version: &Version) -> PathBuf {
    workspace::path("target").join(format!("release-{version}"))
}

/// Returns the text for the page of the release.
fn note(version: &Version, changes: &str, sums: &str, recheck: &str) -> String {
    format!(
        "# gatepass {version}\n\n{changes}\n\n## Verifying the files\n\n\
         ```text\n{sums}```\n\n\
         `sha256sum --check --ignore-missing {SUMS}` verifies the files. The build is reproducible: the \
         same source, compiler and target give the same bytes:\n\n```sh\n{recheck}```\n"
    )
}

fn bad(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::failed(format!("{} cannot be written: {error}", path.display()))
}

const SUMS: &str = "SHA256SUMS";
const NOTE: &str = "RELEASE-NOTE.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_has_changes_and_checksums() {
        let note = note(&Version::new(1, 2, 3), "- New.", "abc  file\n", "cargo build\n");
        for part in
            ["# gatepass 1.2.3\n", "\n- New.\n", "abc  file\n", "--ignore-missing SHA256SUMS"]
        {
            assert!(note.contains(part), "{part} is not in {note}");
        }
    }

    #[test]
    fn files_replace_the_previous_folder_as_a_whole() {
        let version = Version::parse("0.0.0-test.1").unwrap();
        let folder = folder(&version);
        for (name, other) in [("a", "b"), ("b", "a")] {
            let mut dist = Dist::new(&version);
            dist.add(name, "x");
            assert_eq!(dist.write("", "").unwrap(), [NOTE, SUMS, name]);
            assert!(folder.join(name).exists() && !folder.join(other).exists());
            assert!(!folder.with_added_extension("partial").exists());
            assert_eq!(whole(&version).unwrap(), [NOTE, SUMS, name]);
        }
        fs::write(folder.join("b"), "y").unwrap();
        assert_eq!(whole(&version), None);
        fs::remove_dir_all(folder).unwrap();
    }
}
