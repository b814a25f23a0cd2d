//! The files of the repository, read once for all rules.

use std::fs;
use std::path::Path;

use crate::code::code_only;
use crate::error::{Error, Result};
use crate::workspace;

/// The repository's files, by path.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
}

/// A file: its path from the root with `/`, its text, and for Rust its code alone.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
}

impl Tree {
    pub(crate) fn read() -> Result<Self> {
        let mut tree = Self::default();
        tree.walk(workspace::root(), "")?;
        Ok(tree)
    }

    /// Returns a made-up tree for a test.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// Returns the manifests of the workspace's members.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with("/Cargo.toml") && !file.is_outside())
    }

    /// Returns the files below `folder`, each with its path from there.
    pub(crate) fn below(&self, folder: &str) -> Vec<(&str, &File)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.path.strip_prefix(folder)?.strip_prefix('/')?, file)))
            .collect()
    }

    /// Returns the ids of the providers: the folders `crates/provider-*`, sorted.
    pub(crate) fn providers(&self) -> Vec<&str> {
        let id = |file: &'_ File| -> Option<(usize, usize)> {
            let rest = file.path.strip_prefix(PROVIDERS)?;
            Some((PROVIDERS.len(), PROVIDERS.len() + rest.find('/')?))
        };
        let mut ids: Vec<&str> = self
            .files
            .iter()
            .filter_map(|file| id(file).map(|(start, end)| &file.path[start..end]))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn walk(&mut self, folder: &Path, below: &str) -> Result<()> {
        let failed = |error| Error::failed(format!("{} cannot be read: {error}", folder.display()));
        let mut entries = fs::read_dir(folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{below}{name}");
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && (!is_ours(&name) || NOT_KEPT.contains(&path.as_str())) {
                continue;
            } else if is_folder {
                self.walk(&entry.path(), &format!("{path}/"))?;
            } else if let Ok(bytes) = fs::read(entry.path()) {
                // Inputs for fuzzing may be binary, and can still contain a secret.
                self.files.push(File::new(&path, &String::from_utf8_lossy(&bytes)));
            }
        }
        Ok(())
    }
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let is_rust = Path::new(path).extension().is_some_and(|extension| extension == "rs");
        let code = if is_rust { code_only(text) } else { String::new() };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    pub(crate) fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }

    /// Returns whether the file belongs to a crate outside the workspace: `fuzz/`, `tests/outside`.
    pub(crate) fn is_outside(&self) -> bool {
        !["crates/", "tests/Cargo.toml", "xtask/"].iter().any(|ours| self.path.starts_with(ours))
    }

    /// Returns the last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

fn is_ours(folder: &str) -> bool {
    folder != "target"
        && (!folder.starts_with('.') || [".cargo", ".ci", ".github"].contains(&folder))
}

/// Output of fuzzing.
const NOT_KEPT: [&str; 2] = ["fuzz/artifacts", "fuzz/corpus"];

const PROVIDERS: &str = "crates/provider-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_the_folders_with_the_prefix() {
        let tree = Tree::of(&[
            ("crates/provider-huawei/Cargo.toml", ""),
            ("crates/provider-cisco/Cargo.toml", ""),
            ("crates/provider-cisco/src/lib.rs", ""),
            ("crates/gatepass/Cargo.toml", ""),
        ]);
        assert_eq!(tree.providers(), ["cisco", "huawei"]);
    }

    #[test]
    fn build_folder_is_not_read() {
        let tree = Tree::read().unwrap();
        assert!(tree.get("xtask/src/tidy/tree.rs").is_some());
        assert!(!tree.files().iter().any(|file| file.path.starts_with("target/")));
    }
}
