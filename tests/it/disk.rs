//! The folder of tokens on a disk that fails, among strangers' files, and under processes that are
//! killed: whatever happens there costs an exchange, never a token.

mod failing;
mod killed;
mod strange;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use gatepass_tests::Home;

/// The files in the folder of tokens.
fn files(home: &Home) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.path("state")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Those whose names end so.
fn ending(home: &Home, end: &str) -> Vec<PathBuf> {
    files(home).into_iter().filter(|path| path.to_str().unwrap().ends_with(end)).collect()
}

/// Every file is for its owner alone, and shows no token.
#[track_caller]
fn assert_private(home: &Home) {
    for path in files(home) {
        // What another process has moved or removed meanwhile is neither.
        let (Ok(meta), Ok(bytes)) = (fs::symlink_metadata(&path), fs::read(&path)) else {
            continue;
        };
        assert_eq!(meta.mode() & 0o7777, 0o600, "{}", path.display());
        assert!(!String::from_utf8_lossy(&bytes).contains("token-"), "{}", path.display());
    }
}
