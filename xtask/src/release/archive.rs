//! Reproducible tar archives: the same files and the same time give the same bytes.
//!
//! The crate `tar` writes the format. This file fixes owner, order, modes and times, which no tool of
//! cargo does for an archive with completions, man pages and licences.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use crate::error::{Error, Result};

/// Files in the order of their paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug)]
struct File {
    mode: u32,
    bytes: Vec<u8>,
}

impl Files {
    /// Adds a file of mode 0644.
    pub(super) fn add(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), File { mode: 0o644, bytes: bytes.into() });
    }

    /// Adds a program, of mode 0755.
    pub(super) fn add_program(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), File { mode: 0o755, bytes: bytes.into() });
    }

    /// Returns the paths and bytes of all files.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, file)| (path.as_str(), file.bytes.as_slice()))
    }

    /// Returns a compressed tar archive of all files and their folders, owned by root, with the time
    /// `seconds`.
    pub(super) fn tar_gz(&self, seconds: u64) -> Result<Vec<u8>> {
        let bad = |error| Error::failed(format!("cannot write an archive: {error}"));
        let mut tar = Builder::new(Vec::new());
        for folder in self.folders() {
            let mut header = header(EntryType::Directory, 0o755, 0, seconds);
            tar.append_data(&mut header, format!("{folder}/"), &[][..]).map_err(bad)?;
        }
        for (path, file) in &self.files {
            let bytes = file.bytes.as_slice();
            let mut header = header(EntryType::Regular, file.mode, bytes.len() as u64, seconds);
            tar.append_data(&mut header, path, bytes).map_err(bad)?;
        }
        gz(&tar.into_inner().map_err(bad)?)
    }

    /// Returns the folders above the files, each after its parent.
    fn folders(&self) -> Vec<&str> {
        let above =
            |path: &'_ str| -> Vec<usize> { path.match_indices('/').map(|(at, _)| at).collect() };
        let mut folders: Vec<&str> = self
            .files
            .keys()
            .flat_map(|path| above(path).into_iter().map(move |end| &path[..end]))
            .collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }
}

/// Returns the bytes compressed, without a name or a time in the header.
pub(super) fn gz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gz = GzBuilder::new().write(Vec::new(), Compression::best());
    gz.write_all(bytes)
        .and_then(|()| gz.finish())
        .map_err(|error| Error::failed(format!("compressing failed: {error}")))
}

fn header(kind: EntryType, mode: u32, size: u64, seconds: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(seconds);
    header.set_uid(0);
    header.set_gid(0);
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.uname[..4].copy_from_slice(b"root");
        gnu.gname[..4].copy_from_slice(b"root");
    }
    header
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn some(order: [&str; 2]) -> Files {
        let mut files = Files::default();
        for path in order {
            files.add(path, path);
        }
        files.add_program("a/bin/run", "#!");
        files
    }

    #[test]
    fn same_files_give_the_same_archive() {
        let made = some(["a/b/c", "a/x"]).tar_gz(7).unwrap();
        assert_eq!(some(["a/x", "a/b/c"]).tar_gz(7).unwrap(), made);
        assert_ne!(some(["a/x", "a/b/c"]).tar_gz(8).unwrap(), made);
        // RFC 1952: the flags and the time are zero.
        assert_eq!(&made[3..8], [0; 5]);
    }

    #[test]
    fn archive_has_its_folders_and_belongs_to_root() {
        let made = some(["a/b/c", "a/x"]).tar_gz(7).unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(made.as_slice()));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header().clone();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.username().unwrap(), Some("root"));
            assert_eq!(header.mtime().unwrap(), 7);
            let path = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.push(format!("{:o} {path} {text}", header.mode().unwrap()));
        }
        let wanted = [
            "755 a/ ",
            "755 a/b/ ",
            "755 a/bin/ ",
            "644 a/b/c a/b/c",
            "755 a/bin/run #!",
            "644 a/x a/x",
        ];
        assert_eq!(found, wanted);
    }
}
