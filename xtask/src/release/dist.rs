//! The folder of files that a release is: all of them, or the one that was there before.

use std::fs;
use std::path::PathBuf;

use semver::Version;

use super::contents::fresh;
use super::sums;
use crate::failure::{Failure, Result};
use crate::workspace;

/// The files, until they are written.
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

    /// The sums of all files, for the note and for `sha256sum --check`.
    fn sums(&self) -> String {
        sums::lines(self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
    }

    /// Writes all files, their sums, and the note of what has changed and how to check them.
    pub(super) fn write(mut self, changes: &str, recheck: &str) -> Result<Vec<String>> {
        let sums = self.sums();
        let note = note(&self.version, changes, &sums, recheck);
        self.add(SUMS, sums);
        self.add(NOTE, note);
        let folder = folder(&self.version);
        let made = folder.with_added_extension("partial");
        fresh(&made)?;
        for (name, bytes) in &self.files {
            let path = made.join(name);
            fs::write(&path, bytes).map_err(|error| bad(&path, &error))?;
        }
        // From here on nothing is missing, whoever interrupts.
        fresh(&folder)?;
        fs::rename(&made, &folder).map_err(|error| bad(&folder, &error))?;
        let mut names: Vec<String> = self.files.into_iter().map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }
}

/// The names of a version's files, if all are there and have their sums.
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

/// Where a version's files are.
pub(super) fn folder(version: &Version) -> PathBuf {
    workspace::path("target").join(format!("release-{version}"))
}

/// What stands beside a release for its readers.
fn note(version: &Version, changes: &str, sums: &str, recheck: &str) -> String {
    format!(
        "# gatepass {version}\n\n{changes}\n\n## Checking what you got\n\n\
         ```text\n{sums}```\n\n\
         `sha256sum --check --ignore-missing {SUMS}` compares. The command is built so that the \
         same source, compiler and target make the same bytes:\n\n```sh\n{recheck}```\n"
    )
}

fn bad(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {error}", path.display()))
}

const SUMS: &str = "SHA256SUMS";
const NOTE: &str = "RELEASE-NOTE.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_tells_the_changes_and_how_to_check() {
        let note = note(&Version::new(1, 2, 3), "- New.", "abc  file\n", "cargo build\n");
        for part in
            ["# gatepass 1.2.3\n", "\n- New.\n", "abc  file\n", "--ignore-missing SHA256SUMS"]
        {
            assert!(note.contains(part), "{part} is not in {note}");
        }
    }

    #[test]
    fn files_replace_those_that_were_there_before_as_one() {
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
