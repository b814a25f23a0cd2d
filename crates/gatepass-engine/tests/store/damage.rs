//! Damaged records: each is a miss, and stays until it is replaced.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use gatepass_core::{Clock, ErrorKind};
use gatepass_engine::{FileStore, StoreKey};
use gatepass_testkit::{TestClock, block_on};
use proptest::prelude::*;

use super::{key, save_new, text, token};

struct Damaged {
    dir: tempfile::TempDir,
    store: FileStore,
    clock: TestClock,
    key: StoreKey,
    file: PathBuf,
}

/// A store with one record, `t-1`.
fn one() -> Damaged {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let store = FileStore::open(dir.path()).unwrap().with_clock(clock.clone());
    let key = key("prod", "s-1");
    block_on(save_new(&store, &key, &token("t-1", clock.wall())));
    let file = records(dir.path()).remove(0);
    Damaged { dir, store, clock, key, file }
}

pub(crate) fn records(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "token")).collect()
}

impl Damaged {
    fn text(&self) -> String {
        block_on(text(&self.store, &self.key))
    }

    /// Asserts that the record is a miss, and that the next one replaces it.
    fn assert_replaced(&self) {
        assert_eq!(self.text(), "none");
        assert!(fs::symlink_metadata(&self.file).is_ok(), "it was removed");
        block_on(save_new(&self.store, &self.key, &token("t-2", self.clock.wall())));
        assert_eq!(self.text(), "t-2");
        assert_eq!(fs::metadata(&self.file).unwrap().mode() & 0o7777, 0o600);
    }

    /// Asserts that the record is a miss, and that the foreign file stays.
    fn assert_untouched(&self) {
        assert_eq!(self.text(), "none");
        let is = fs::symlink_metadata(&self.file).unwrap();
        let error = block_on(async {
            let lease = gatepass_engine::TokenStore::lease(&self.store, &self.key, super::HOUR);
            let lease = lease.await.unwrap().unwrap();
            lease.save(&token("t-2", self.clock.wall())).await.unwrap_err()
        });
        assert_eq!(error.kind(), ErrorKind::Internal);
        let still = fs::symlink_metadata(&self.file).unwrap();
        assert_eq!((is.ino(), is.mode()), (still.ino(), still.mode()));
        let profile = self.key.profile();
        assert_eq!(block_on(gatepass_engine::TokenStore::forget(&self.store, profile)).unwrap(), 0);
        assert!(fs::symlink_metadata(&self.file).is_ok());
        assert!(names(self.dir.path()).iter().all(|name| !name.starts_with(".tmp")));
    }
}

pub(crate) fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn record_with_a_flipped_bit_is_a_miss() {
    let one = one();
    let whole = fs::read(&one.file).unwrap();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&one.file, &bytes).unwrap();
            assert_eq!(one.text(), "none", "bit {bit} of byte {at}");
            assert_eq!(fs::read(&one.file).unwrap(), bytes);
        }
    }
    fs::write(&one.file, &whole).unwrap();
    assert_eq!(one.text(), "t-1");
}

#[test]
fn cut_or_extended_record_is_a_miss() {
    let one = one();
    let whole = fs::read(&one.file).unwrap();
    for length in 0..whole.len() {
        fs::write(&one.file, &whole[..length]).unwrap();
        assert_eq!(one.text(), "none", "{length} bytes");
    }
    fs::write(&one.file, [&whole[..], &[0]].concat()).unwrap();
    one.assert_replaced();
}

#[test]
fn swapped_records_are_both_misses() {
    let one = one();
    let other = key("prod", "s-2");
    block_on(save_new(&one.store, &other, &token("t-2", one.clock.wall())));
    let [a, b] = <[PathBuf; 2]>::try_from(records(one.dir.path())).unwrap();
    let away = one.dir.path().join("away");
    fs::rename(&a, &away).unwrap();
    fs::rename(&b, &a).unwrap();
    fs::rename(&away, &b).unwrap();
    assert_eq!(one.text(), "none");
    assert_eq!(block_on(text(&one.store, &other)), "none");
}

#[test]
fn record_of_another_key_is_a_miss() {
    let (one, other) = (one(), one());
    fs::copy(&other.file, &one.file).unwrap();
    one.assert_replaced();
    // Two stores have different keys.
    assert_ne!(one.file.file_name(), other.file.file_name());
}

#[test]
fn record_of_a_newer_version_is_a_miss() {
    let one = one();
    let mut bytes = fs::read(&one.file).unwrap();
    bytes[8] += 1;
    fs::write(&one.file, bytes).unwrap();
    one.assert_replaced();
}

#[test]
fn restored_copy_is_not_used_after_its_expiry() {
    let one = one();
    let copy = fs::read(&one.file).unwrap();
    one.clock.advance(super::HOUR);
    block_on(save_new(&one.store, &one.key, &token("t-2", one.clock.wall())));
    fs::write(&one.file, copy).unwrap();
    one.assert_replaced();
}

#[test]
fn record_over_64_kib_is_a_miss() {
    let one = one();
    let mut bytes = fs::read(&one.file).unwrap();
    bytes.resize(64 * 1024 + 1, 0);
    fs::write(&one.file, bytes).unwrap();
    one.assert_replaced();
}

#[test]
fn record_open_to_other_users_is_a_miss() {
    for mode in [0o640, 0o604, 0o620, 0o602, 0o666] {
        let one = one();
        fs::set_permissions(&one.file, fs::Permissions::from_mode(mode)).unwrap();
        one.assert_replaced();
    }
}

#[test]
fn link_pipe_or_directory_is_left_alone() {
    let linked = one();
    let target = linked.dir.path().join("target");
    fs::rename(&linked.file, &target).unwrap();
    symlink(&target, &linked.file).unwrap();
    let before = fs::read(&target).unwrap();
    linked.assert_untouched();
    assert_eq!(fs::read(&target).unwrap(), before);

    let piped = one();
    fs::remove_file(&piped.file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&piped.file).status().unwrap();
    assert!(made.success() && fs::metadata(&piped.file).unwrap().file_type().is_fifo());
    piped.assert_untouched();

    let folder = one();
    fs::remove_file(&folder.file).unwrap();
    fs::create_dir(&folder.file).unwrap();
    folder.assert_untouched();

    let socket = one();
    fs::remove_file(&socket.file).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket.file).unwrap();
    socket.assert_untouched();
}

#[test]
fn file_of_another_user_is_left_alone() {
    let one = one();
    // Only the superuser can make such a file.
    if std::os::unix::fs::chown(&one.file, Some(65_533), None).is_ok() {
        one.assert_untouched();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_a_miss(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        kept in 0..80usize,
    ) {
        let one = one();
        let begins = fs::read(&one.file).unwrap();
        for bytes in [bytes.clone(), [&begins[..kept], &bytes].concat()] {
            fs::write(&one.file, &bytes).unwrap();
            prop_assert_eq!(one.text(), "none");
            prop_assert_eq!(fs::read(&one.file).unwrap(), bytes);
        }
    }
}
