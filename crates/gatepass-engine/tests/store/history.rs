//! The journal of the file store: private, sealed, and replaced when it is damaged.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use gatepass_core::{Clock, Credential, Error, ErrorKind};
use gatepass_engine::{FileStore, HistoryEntry, ProfileKey, TokenStore};
use gatepass_testkit::{TestClock, block_on, canary, find_leak};

use super::contract::stores;
use super::{HOUR, now};

const SECOND: Duration = Duration::from_secs(1);

fn prod() -> ProfileKey {
    ProfileKey::new("prod")
}

/// An entry that its duration distinguishes from others.
fn entry(number: u64) -> HistoryEntry {
    let clock = TestClock::new();
    let took = Duration::from_millis(number);
    HistoryEntry::new("example", clock.wall(), took, Ok(clock.wall() + HOUR))
        .with_credential(&Credential::client("client", "secret"))
        .with_origin("https://vendor.example.com")
}

fn numbers(entries: &[HistoryEntry]) -> Vec<u128> {
    entries.iter().map(|entry| entry.took().as_millis()).collect()
}

async fn stored(store: &dyn TokenStore) -> Vec<u128> {
    numbers(&store.history(&prod()).await.unwrap())
}

/// A store with one history entry, and the path of its journal.
fn journal() -> (tempfile::TempDir, FileStore, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    block_on(store.append_history(&prod(), &entry(1))).unwrap();
    let path = journals(dir.path()).remove(0);
    (dir, store, path)
}

fn journals(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_str().unwrap().ends_with("-journal")).collect()
}

#[tokio::test]
async fn fingerprints_differ_between_stores() {
    let (clock, mut prints) = (TestClock::new(), Vec::new());
    let (one, _one) = stores(&clock);
    let (other, _other) = stores(&clock);
    for store in one.into_iter().chain(other) {
        for secret in ["s-1", "s-2", "s-1"] {
            let entry = entry(0).with_credential(&Credential::client("client", secret));
            store.append_history(&prod(), &entry).await.unwrap();
        }
        let entries = store.history(&prod()).await.unwrap();
        let of: Vec<_> = entries.iter().map(|n| n.fingerprint().unwrap().to_owned()).collect();
        assert_eq!(of[0], of[2]);
        prints.extend([of[0].clone(), of[1].clone()]);
    }
    let count = prints.len();
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), count);
}

#[test]
fn journal_is_private_and_reveals_nothing() {
    let (dir, store, path) = journal();
    let secret = canary("secret");
    let error = Error::denied("refused").with_vendor_text("the client is disabled");
    let entry = HistoryEntry::new("example", now(), SECOND, Err(&error))
        .with_origin("https://vendor.example.com")
        .with_process(1, "the-command")
        .with_credential(&Credential::client("client", secret.text()));
    block_on(store.append_history(&prod(), &entry)).unwrap();
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
fn damaged_journal_is_an_error_and_then_replaced() {
    type Spoil = fn(&Path);
    let spoilt: [(&str, Spoil); 6] = [
        ("it is damaged", |path| fs::write(path, "garbage").unwrap()),
        ("it is damaged", |path| fs::write(path, "").unwrap()),
        ("it is damaged", |path| {
            let mut bytes = fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("it has the format of another version", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[8] += 1;
            fs::write(path, bytes).unwrap();
        }),
        ("it is too long", |path| fs::write(path, vec![7; 100_000]).unwrap()),
        ("it is readable or writable by others", |path| {
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
        block_on(store.append_history(&prod(), &entry(2))).unwrap();
        assert_eq!(block_on(stored(&store)), [2], "{why}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }
}

#[test]
fn foreign_file_in_place_of_a_journal_stays() {
    type Put = fn(&Path);
    let put: [Put; 2] =
        [|path| fs::create_dir(path).unwrap(), |path| symlink("elsewhere", path).unwrap()];
    for put in put {
        let (_dir, store, path) = journal();
        fs::remove_file(&path).unwrap();
        put(&path);
        let is = fs::symlink_metadata(&path).unwrap().ino();
        assert!(block_on(store.history(&prod())).is_err());
        assert!(block_on(store.append_history(&prod(), &entry(2))).is_err());
        assert_eq!(block_on(store.clear_history(&prod())).unwrap(), 0);
        assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), is);
    }
}

#[test]
fn concurrent_processes_lose_no_entry() {
    let (dir, store, _) = journal();
    thread::scope(|scope| {
        for number in 2..=20 {
            let dir = dir.path();
            scope.spawn(move || {
                let own = FileStore::open(dir).unwrap();
                block_on(own.append_history(&prod(), &entry(number))).unwrap();
            });
        }
    });
    let mut numbers = block_on(stored(&store));
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the key and the journal");
}

#[test]
fn long_errors_push_out_the_oldest_entries() {
    let (_dir, store, path) = journal();
    let error = Error::denied("x".repeat(10_000));
    for number in 1..=10 {
        let took = Duration::from_millis(number);
        block_on(
            store.append_history(&prod(), &HistoryEntry::new("example", now(), took, Err(&error))),
        )
        .unwrap();
    }
    assert_eq!(block_on(stored(&store)), [5, 6, 7, 8, 9, 10]);
    assert!(fs::metadata(&path).unwrap().len() <= 64 * 1024);
}
