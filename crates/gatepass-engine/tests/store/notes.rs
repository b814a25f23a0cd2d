//! Notes of exchanges: what every store promises of them, and what the journal in a file does.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use gatepass_core::{Clock, Credential, Error, ErrorKind};
use gatepass_engine::{FileStore, HistoryEntry, NextStep, ProfileKey, TokenStore};
use gatepass_testkit::{TestClock, block_on, canary, find_leak};

use super::contract::stores;
use super::{HOUR, failure, key, now, save, token};

const SECOND: Duration = Duration::from_secs(1);

fn prod() -> ProfileKey {
    ProfileKey::new("prod")
}

/// A note that can be told from others by its duration.
fn note(number: u64) -> HistoryEntry {
    let clock = TestClock::new();
    let took = Duration::from_millis(number);
    HistoryEntry::new("example", clock.wall(), took, Ok(clock.wall() + HOUR))
        .with_credential(&Credential::client("client", "secret"))
        .with_origin("https://vendor.example.com")
}

fn numbers(notes: &[HistoryEntry]) -> Vec<u128> {
    notes.iter().map(|note| note.took().as_millis()).collect()
}

async fn noted(store: &dyn TokenStore) -> Vec<u128> {
    numbers(&store.history(&prod()).await.unwrap())
}

/// A store in a folder, with one note in it, and where its journal is.
fn journal() -> (tempfile::TempDir, FileStore, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    block_on(store.append_history(&prod(), &note(1))).unwrap();
    let path = journals(dir.path()).remove(0);
    (dir, store, path)
}

fn journals(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_str().unwrap().ends_with("-journal")).collect()
}

#[tokio::test]
async fn a_note_comes_back_as_it_was() {
    let (stores, _dir) = stores(&TestClock::new());
    let at = TestClock::new().wall();
    for store in stores {
        let error = Error::denied("refused").with_status(401).with_vendor_code("invalid_client");
        let error = error.with_vendor_text("no such client").hint("act");
        let saved = HistoryEntry::new("example", at, 7 * SECOND, Err(&error))
            .with_next_step(NextStep::Denied(at + HOUR))
            .with_process(4711, "token");
        store.append_history(&prod(), &saved).await.unwrap();
        store.append_history(&prod(), &note(2)).await.unwrap();
        let [first, second] = store.history(&prod()).await.unwrap().try_into().unwrap();
        assert_eq!(format!("{first:?}"), format!("{saved:?}"), "{store:?}");
        assert_eq!(first.error().unwrap().to_string(), error.to_string());
        assert_eq!((first.expires_at(), first.fingerprint()), (None, None));
        assert_eq!(second.expires_at(), Some(at + HOUR));
        assert_eq!(second.origin(), Some("https://vendor.example.com"));
        assert_eq!(second.fingerprint().unwrap().len(), 8);
        assert!(second.error().is_none());
    }
}

#[tokio::test]
async fn a_profile_keeps_its_latest_notes_until_they_are_forgotten() {
    let (stores, _dir) = stores(&TestClock::new());
    for store in stores {
        let other = ProfileKey::new("other");
        store.append_history(&other, &note(7)).await.unwrap();
        for number in 0..40 {
            store.append_history(&prod(), &note(number)).await.unwrap();
        }
        assert_eq!(noted(&store).await, (8..40).collect::<Vec<_>>());
        assert_eq!(store.forget(&prod()).await.unwrap(), 0);
        assert_eq!(noted(&store).await.len(), 32);
        assert_eq!(store.clear_history(&prod()).await.unwrap(), 32);
        assert_eq!(store.clear_history(&prod()).await.unwrap(), 0);
        assert!(noted(&store).await.is_empty());
        assert_eq!(numbers(&store.history(&other).await.unwrap()), [7]);
    }
}

#[tokio::test]
async fn a_secret_has_one_fingerprint_in_a_store_and_another_in_the_next() {
    let (clock, mut prints) = (TestClock::new(), Vec::new());
    let (one, _one) = stores(&clock);
    let (other, _other) = stores(&clock);
    for store in one.into_iter().chain(other) {
        for secret in ["s-1", "s-2", "s-1"] {
            let note = note(0).with_credential(&Credential::client("client", secret));
            store.append_history(&prod(), &note).await.unwrap();
        }
        let notes = store.history(&prod()).await.unwrap();
        let of: Vec<_> = notes.iter().map(|n| n.fingerprint().unwrap().to_owned()).collect();
        assert_eq!(of[0], of[2]);
        prints.extend([of[0].clone(), of[1].clone()]);
    }
    let count = prints.len();
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), count);
}

#[tokio::test]
async fn the_records_of_a_profile_are_told_whatever_its_secret_was() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    let now = clock.wall();
    for store in stores {
        assert!(save(&store, &key("prod", "s-1"), &token("t-1", now - SECOND)).await);
        assert!(save(&store, &key("prod", "s-2"), &failure(now, 60 * SECOND)).await);
        assert!(save(&store, &key("other", "s-1"), &token("t-2", now)).await);
        let made = async || {
            let records = store.records(&prod()).await.unwrap();
            records.iter().map(gatepass_engine::Record::created_at).collect::<Vec<_>>()
        };
        assert_eq!(made().await, [now, now - SECOND]);
        clock.advance(60 * SECOND);
        assert_eq!(made().await, [now - SECOND]);
        clock.jump_wall(-60);
    }
}

#[test]
fn a_journal_is_its_owners_alone_and_says_nothing_to_who_has_no_key() {
    let (dir, store, path) = journal();
    let secret = canary("secret");
    let error = Error::denied("refused").with_vendor_text("the client is disabled");
    let note = HistoryEntry::new("example", now(), SECOND, Err(&error))
        .with_origin("https://vendor.example.com")
        .with_process(1, "the-command")
        .with_credential(&Credential::client("client", secret.text()));
    block_on(store.append_history(&prod(), &note)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the key and the journal");
    let bytes = fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(find_leak(&text, &[secret]), None);
    for word in ["vendor.example", "disabled", "the-command", "example", "client"] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(!path.to_str().unwrap().contains("prod"));
}

#[test]
fn a_damaged_journal_is_told_once_it_is_asked_for_and_is_begun_anew() {
    type Spoil = fn(&Path);
    let spoilt: [(&str, Spoil); 6] = [
        ("it is no record", |path| fs::write(path, "garbage").unwrap()),
        ("it is no record", |path| fs::write(path, "").unwrap()),
        ("it is damaged", |path| {
            let mut bytes = fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("its format is another version's", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[8] += 1;
            fs::write(path, bytes).unwrap();
        }),
        ("it is too long", |path| fs::write(path, vec![7; 100_000]).unwrap()),
        ("others may read or write it", |path| {
            fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap();
        }),
    ];
    for (why, spoil) in spoilt {
        let (_dir, store, path) = journal();
        spoil(&path);
        let error = block_on(store.history(&prod())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().ends_with(why), "{why}: {}", error.message());
        assert_eq!(block_on(store.forget(&prod())).unwrap(), 0);
        block_on(store.append_history(&prod(), &note(2))).unwrap();
        assert_eq!(block_on(noted(&store)), [2], "{why}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }
}

#[test]
fn what_stands_in_a_journals_place_and_is_not_ours_stays() {
    type Put = fn(&Path);
    let put: [Put; 2] =
        [|path| fs::create_dir(path).unwrap(), |path| symlink("elsewhere", path).unwrap()];
    for put in put {
        let (_dir, store, path) = journal();
        fs::remove_file(&path).unwrap();
        put(&path);
        let is = fs::symlink_metadata(&path).unwrap().ino();
        assert!(block_on(store.history(&prod())).is_err());
        assert!(block_on(store.append_history(&prod(), &note(2))).is_err());
        assert_eq!(block_on(store.clear_history(&prod())).unwrap(), 0);
        assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), is);
    }
}

#[test]
fn no_note_is_lost_among_many_who_note_at_once() {
    let (dir, store, _) = journal();
    thread::scope(|scope| {
        for number in 2..=20 {
            let dir = dir.path();
            scope.spawn(move || {
                let own = FileStore::open(dir).unwrap();
                block_on(own.append_history(&prod(), &note(number))).unwrap();
            });
        }
    });
    let mut numbers = block_on(noted(&store));
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the key and the journal");
}

#[test]
fn long_words_of_a_vendor_cost_the_oldest_notes_and_not_the_latest() {
    let (_dir, store, path) = journal();
    let error = Error::denied("x".repeat(10_000));
    for number in 1..=10 {
        let took = Duration::from_millis(number);
        block_on(
            store.append_history(&prod(), &HistoryEntry::new("example", now(), took, Err(&error))),
        )
        .unwrap();
    }
    assert_eq!(block_on(noted(&store)), [5, 6, 7, 8, 9, 10]);
    assert!(fs::metadata(&path).unwrap().len() <= 64 * 1024);
}
