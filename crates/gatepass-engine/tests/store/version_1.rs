//! A folder that format version 1 wrote: its records are misses, its history and key are read.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatepass_core::{Clock, Credential, ErrorKind};
use gatepass_engine::{FileStore, HistoryEntry, NextStep, ProfileKey, TokenStore};
use gatepass_testkit::{TestClock, block_on};

use super::damage::{names, records};
use super::{HOUR, key, save_new, text, token};

const FIXTURE: &str = include_str!("fixtures/version-1.txt");
/// How many records the folder has: one expires after two days, the others after an hour.
const RECORDS: usize = 3;

fn prod() -> ProfileKey {
    ProfileKey::new("prod")
}

/// Writes the fixture, and opens the store in it.
fn version_1() -> (tempfile::TempDir, FileStore, TestClock) {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let state = dir.path().join("state");
    DirBuilder::new().mode(0o700).create(&state).unwrap();
    let mut file = None;
    for line in FIXTURE.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(hex) => {
                let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
                Option::as_mut(&mut file).map(|file: &mut fs::File| file.write_all(&bytes)).unwrap()
            }
            None => {
                let mut new = OpenOptions::new();
                let new = new.write(true).create_new(true).mode(0o600).open(state.join(line));
                file = Some(new.unwrap());
                Ok(())
            }
        }
        .unwrap();
    }
    let store = FileStore::open(&state).unwrap().with_clock(clock.clone());
    (dir, store, clock)
}

fn state(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("state")
}

fn is_version_1(file: &Path) -> bool {
    fs::read(file).unwrap().starts_with(b"gatepass\x01\x00")
}

#[test]
fn records_of_version_1_are_misses() {
    let (dir, store, clock) = version_1();
    assert_eq!(records(&state(&dir)).len(), RECORDS);
    assert!(block_on(store.records(&prod())).unwrap().is_empty());
    assert_eq!(block_on(text(&store, &key("prod", "s-1"))), "none");

    // Also under the name that the present version gives a record.
    block_on(save_new(&store, &key("prod", "s-1"), &token("t-1", clock.wall())));
    let new = records(&state(&dir)).into_iter().find(|file| !is_version_1(file)).unwrap();
    let old = records(&state(&dir)).into_iter().find(|file| is_version_1(file)).unwrap();
    fs::copy(old, &new).unwrap();
    assert_eq!(block_on(text(&store, &key("prod", "s-1"))), "none");
    block_on(save_new(&store, &key("prod", "s-1"), &token("t-2", clock.wall())));
    assert_eq!(block_on(text(&store, &key("prod", "s-1"))), "t-2");
}

#[test]
fn history_of_version_1_is_read_and_continued() {
    let (dir, store, clock) = version_1();
    let now = clock.wall();
    let history = || block_on(store.history(&prod())).unwrap();
    let entries = history();
    let at = |seconds| now + Duration::from_secs(seconds);
    let steps: Vec<NextStep> = entries.iter().map(HistoryEntry::next_step).collect();
    let expected = [
        NextStep::TokenStored,
        NextStep::TokenNotStored,
        NextStep::PreviousTokenKept,
        NextStep::Denied(at(3) + HOUR),
        NextStep::CooledDown(at(4) + HOUR),
        NextStep::Retried,
        NextStep::NotCached,
    ];
    assert_eq!(steps, expected);
    let (first, last) = (&entries[0], &entries[6]);
    assert_eq!((first.at(), first.took()), (now, Duration::from_millis(112)));
    assert_eq!((first.provider(), first.expires_at()), ("example", Some(now + HOUR)));
    assert_eq!(first.origin(), Some("https://vendor.example.com"));
    assert_eq!(first.process().unwrap().name, "token");
    let error = last.error().unwrap();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Denied, Some(401)));
    assert_eq!(error.message(), "the vendor refused the credential");
    assert_eq!(error.vendor_code(), Some("invalid_client"));
    assert_eq!((last.process().unwrap().id, last.fingerprint()), (4711, None));

    // The fingerprint of a credential is the same after the update.
    let credential = Credential::client("client", "s-1");
    let next = HistoryEntry::new("example", at(9), Duration::ZERO, Ok(at(9)));
    block_on(store.append_history(&prod(), &next.with_credential(&credential))).unwrap();
    let entries = history();
    assert_eq!(entries.len(), 8);
    assert_eq!(entries[7].fingerprint(), entries[0].fingerprint());
    assert!(entries[0].fingerprint().is_some());
    let journal = names(&state(&dir)).into_iter().find(|name| name.ends_with("-journal")).unwrap();
    assert!(!is_version_1(&state(&dir).join(journal)));
    assert_eq!(block_on(store.clear_history(&prod())).unwrap(), 8);
}

#[test]
fn expired_records_of_version_1_are_removed() {
    let (dir, store, clock) = version_1();
    let left = || records(&state(&dir)).iter().filter(|file| is_version_1(file)).count();
    block_on(save_new(&store, &key("prod", "s-1"), &token("t-1", clock.wall())));
    assert_eq!(left(), RECORDS);
    clock.advance(HOUR);
    block_on(save_new(&store, &key("prod", "s-1"), &token("t-2", clock.wall())));
    assert_eq!(left(), 1);
    clock.advance(47 * HOUR);
    block_on(save_new(&store, &key("prod", "s-1"), &token("t-3", clock.wall())));
    assert_eq!(left(), 0);
}

#[test]
fn forget_removes_records_of_version_1() {
    let (dir, store, _) = version_1();
    assert_eq!(block_on(store.forget(&prod())).unwrap(), RECORDS);
    assert!(records(&state(&dir)).is_empty());
}
