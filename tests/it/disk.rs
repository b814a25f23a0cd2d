//! Tests of the state folder on a failing disk, among foreign files, and with killed processes. A
//! problem there may cost a token request, never a token.

mod failing;
mod foreign;
mod killed;
mod stopped;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use gatepass_tests::Home;

/// Returns the files in the state folder.
fn files(home: &Home) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.path("state")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Returns the files with this suffix.
fn files_with_suffix(home: &Home, suffix: &str) -> Vec<PathBuf> {
    files(home).into_iter().filter(|path| path.to_str().unwrap().ends_with(suffix)).collect()
}

/// Returns the file of the token's record. The record of the credentials that worked is another one;
/// it is written first.
fn token_record(home: &Home) -> PathBuf {
    let newest = files_with_suffix(home, ".token").into_iter();
    newest.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap()
}

/// Checks that each file is private and contains no token.
#[track_caller]
fn assert_private(home: &Home) {
    for path in files(home) {
        // Another process may have moved or removed the file.
        let (Ok(meta), Ok(bytes)) = (fs::symlink_metadata(&path), fs::read(&path)) else {
            continue;
        };
        assert_eq!(meta.mode() & 0o7777, 0o600, "{}", path.display());
        assert!(!String::from_utf8_lossy(&bytes).contains("token-"), "{}", path.display());
    }
}
