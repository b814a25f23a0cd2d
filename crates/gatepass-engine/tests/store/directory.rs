//! The store's directory: its owner and mode, the names in it, and what it never contains.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use gatepass_core::{CacheKey, Clock, Endpoint, ErrorKind, Expiry, Request, Secret, Token};
use gatepass_engine::{FileStore, ProfileKey, Record, SaveOutcome, StoreKey, TokenStore};
use gatepass_testkit::{Canary, TestClock, block_on, canary, find_leak};

use super::damage::{names, records};
use super::{HOUR, failure, key, now, save_new, text, token};

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// Returns the error of opening this directory, and asserts that no file was created in it.
fn refused(path: &Path) -> String {
    let before = fs::read_dir(path).map(|dir| dir.count()).unwrap_or_default();
    let error = FileStore::open(path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.hints().is_empty());
    assert_eq!(fs::read_dir(path).map(|dir| dir.count()).unwrap_or_default(), before);
    error.message().to_owned()
}

#[test]
fn created_directories_belong_to_the_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/b");
    let store = FileStore::open(state.join("")).unwrap();
    block_on(save_new(&store, &key("prod", "s-1"), &token("t-1", now())));
    assert_eq!((mode(dir.path().join("a")), mode(&state)), (0o700, 0o700));
    assert_eq!(mode(state.join("key")), 0o600);
    assert_eq!(mode(&records(&state)[0]), 0o600);
    assert_eq!(names(&state).len(), 2, "{:?}", names(&state));
    // Opened again it is the same store.
    let again = FileStore::open(&state).unwrap();
    assert_eq!(block_on(text(&again, &key("prod", "s-1"))), "t-1");
}

#[test]
fn unsafe_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    for open in [0o770, 0o707, 0o722, 0o1777] {
        fs::set_permissions(&state, Permissions::from_mode(open)).unwrap();
        assert!(refused(&state).ends_with("it is writable by others"));
        assert_eq!(mode(&state), open);
    }
    fs::set_permissions(&state, Permissions::from_mode(0o755)).unwrap();
    let dangling = dir.path().join("dangling");
    symlink(dir.path().join("absent"), &dangling).unwrap();
    assert!(refused(&dangling).ends_with("it is a link to a missing folder"));
    assert!(!dir.path().join("absent").exists());
    let endless = dir.path().join("endless");
    symlink("endless", &endless).unwrap();
    assert!(refused(&endless).ends_with("it is a link to too many links"));
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let link = dir.path().join("link-to-file");
    symlink(&file, &link).unwrap();
    for path in [file, link] {
        assert!(refused(&path).ends_with("it is not a folder"));
    }
    // Only the superuser can give a folder away.
    if std::os::unix::fs::chown(&state, Some(65_533), None).is_ok() {
        assert!(refused(&state).ends_with("it belongs to another user"));
    }
}

#[test]
fn own_link_leads_to_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("private/state");
    fs::create_dir_all(&state).unwrap();
    // A relative link, as systemd makes it, and a link to this link.
    let (link, second) = (dir.path().join("state"), dir.path().join("second"));
    symlink("private/state", &link).unwrap();
    symlink(&link, &second).unwrap();
    for path in [link.clone(), link.join(""), link.join("."), second] {
        let store = FileStore::open(&path).unwrap();
        block_on(save_new(&store, &key("prod", "s-1"), &token("t-1", now())));
        assert_eq!(block_on(text(&FileStore::open(&state).unwrap(), &key("prod", "s-1"))), "t-1");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
    // The rules for the directory apply behind a link as well.
    fs::set_permissions(&state, Permissions::from_mode(0o770)).unwrap();
    assert!(refused(&link).ends_with("it is writable by others"));
}

#[test]
fn link_of_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (state, link) = (dir.path().join("state"), dir.path().join("link"));
    fs::create_dir(&state).unwrap();
    symlink(&state, &link).unwrap();
    // Only the superuser can give a link away.
    if std::os::unix::fs::lchown(&link, Some(65_533), None).is_ok() {
        assert!(refused(&link).ends_with("it is a link of another user"));
    }
}

#[test]
fn invalid_key_is_refused_and_left_alone() {
    type Spoil = fn(&Path);
    let bad: [(&str, Spoil); 5] = [
        ("it is not 32 bytes long", |key| fs::write(key, [7; 31]).unwrap()),
        ("it is readable or writable by others", |key| {
            fs::set_permissions(key, Permissions::from_mode(0o640)).unwrap();
        }),
        ("it is a link", |key| {
            fs::rename(key, key.with_extension("moved")).unwrap();
            symlink(key.with_extension("moved"), key).unwrap();
        }),
        ("it is not a file", |key| {
            fs::remove_file(key).unwrap();
            fs::create_dir(key).unwrap();
        }),
        ("it belongs to another user", |key| {
            if std::os::unix::fs::chown(key, Some(65_533), None).is_err() {
                fs::set_permissions(key, Permissions::from_mode(0o666)).unwrap();
            }
        }),
    ];
    for (why, spoil) in bad {
        let dir = tempfile::tempdir().unwrap();
        FileStore::open(dir.path()).unwrap();
        let key = dir.path().join("key");
        spoil(&key);
        let before = fs::symlink_metadata(&key).unwrap();
        let says = refused(dir.path());
        assert!(says.ends_with(why) || why.contains("another user"), "{says}");
        let after = fs::symlink_metadata(&key).unwrap();
        assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
    }
}

#[test]
fn link_in_place_of_a_lock_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let key = key("prod", "s-1");
    let lease = block_on(store.lease(&key, HOUR)).unwrap().unwrap();
    let lock = names(dir.path()).into_iter().find(|name| name.ends_with(".lock")).unwrap();
    drop(lease);
    let target = dir.path().join("target");
    symlink(&target, dir.path().join(lock)).unwrap();
    assert_eq!(block_on(store.lease(&key, HOUR)).unwrap_err().kind(), ErrorKind::Internal);
    assert!(!target.exists());
}

#[test]
fn lease_with_a_removed_file_leaves_others_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let lease = || block_on(store.lease(&key("prod", "s-1"), Duration::ZERO)).unwrap();
    let lost = lease().unwrap();
    let lock = names(dir.path()).into_iter().find(|name| name.ends_with(".lock")).unwrap();
    fs::remove_file(dir.path().join(lock)).unwrap();
    let held = lease().unwrap();
    drop(lost);
    assert!(lease().is_none());
    drop(held);
    assert!(lease().is_some());
}

#[test]
fn files_and_names_reveal_no_secret_or_profile() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let names_of = ["token", "secret", "client", "host", "profile", "scope", "hint", "code"];
    let canaries = names_of.map(canary);
    let [text, secret, client, host, profile, scope, hint, _] =
        canaries.each_ref().map(Canary::text);
    let endpoint = Endpoint::parse(&format!("https://{host}.example.com/token")).unwrap();
    let form = [("client_id", client), ("client_secret", secret)];
    let header: Secret = secret.into();
    let request = Request::post(endpoint).form(form);
    let request = request.secret_header(http::header::AUTHORIZATION, &header).unwrap();
    let cache_key = CacheKey::from_request(&request).with("use", scope.as_bytes());
    let key = StoreKey::new(&ProfileKey::new(profile), "example", &cache_key);
    let saved = Token::builder(text.into(), now()).scope(Some(scope));
    let saved = saved.build_with_expiry(now() + HOUR, Expiry::Vendor).unwrap();
    let lease = block_on(store.lease(&key, HOUR)).unwrap().unwrap();
    assert_eq!(block_on(lease.save(&Record::Token(saved))).unwrap(), SaveOutcome::Kept);

    let mut shown =
        format!("{store:?} {store:#?} {lease:?} {lease:#?} {key:?} {:?}", key.profile());
    shown += &format!("{:?}", block_on(store.load(&key)).unwrap());
    let canaries = canaries.to_vec();
    // A scope may be printed, but not stored in clear text.
    let secrets: Vec<Canary> = canaries.iter().filter(|c| c.name() != "scope").cloned().collect();
    assert_eq!(find_leak(&shown, &secrets), None);

    let error = gatepass_core::Error::denied("refused").hint(hint.to_owned());
    let refused = gatepass_engine::FailureRecord::new(&error, now(), now() + HOUR);
    let other = super::key(profile, "s-2");
    block_on(save_new(&store, &other, &Record::Failure(refused)));
    assert_eq!(names(dir.path()).len(), 4);
    for name in names(dir.path()) {
        let bytes = fs::read(dir.path().join(&name)).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let all = format!("{name} {} {hex}", String::from_utf8_lossy(&bytes));
        assert_eq!(find_leak(&all, &canaries), None, "{name}");
    }
}

#[test]
fn next_save_removes_expired_records_of_its_profile() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let store = FileStore::open(dir.path()).unwrap().with_clock(clock.clone());
    let save = |profile, secret, record| {
        block_on(save_new(&store, &key(profile, secret), &record));
        records(dir.path()).len()
    };
    save("prod", "s-1", token("t-1", clock.wall()));
    save("prod", "s-2", failure(clock.wall(), HOUR / 2));
    assert_eq!(save("test", "s-1", token("t-1", clock.wall())), 3);
    clock.advance(HOUR / 2);
    assert_eq!(save("prod", "s-3", token("t-3", clock.wall())), 3);
    clock.advance(HOUR / 2);
    assert_eq!(save("prod", "s-4", token("t-4", clock.wall())), 3);
    assert_eq!(block_on(store.forget(key("test", "s-1").profile())).unwrap(), 1);
    assert_eq!(records(dir.path()).len(), 2);
}

#[test]
fn leftovers_of_killed_processes_are_removed_after_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let key = key("prod", "s-1");
    let lease = block_on(store.lease(&key, HOUR)).unwrap().unwrap();
    let lock = names(dir.path()).into_iter().find(|name| name.ends_with(".lock")).unwrap();
    drop(lease);
    let made = |name: &str, age: Duration| {
        let file = File::create(dir.path().join(name)).unwrap();
        file.set_modified(now() - age).unwrap();
        name.to_owned()
    };
    let old = HOUR + Duration::from_secs(60);
    let gone = made(".tmp-0123456789abcdef", old);
    let others = lock.replace(".lock", "-other.lock");
    let stays =
        [made(".tmp-young", HOUR / 2), made("notes.tmp", old), made("other.token", old), lock];
    made(&stays[3], HOUR / 2);
    let dead = made(&others, old);
    symlink(dir.path().join("notes.tmp"), dir.path().join(".tmp-link")).unwrap();
    fs::create_dir(dir.path().join(".tmp-folder")).unwrap();
    // A save under another key does not touch the lock of this one.
    block_on(save_new(&store, &super::key("prod", "s-2"), &token("t-1", now())));
    let left = names(dir.path());
    assert!(!left.contains(&gone) && !left.contains(&dead), "{left:?}");
    for name in stays.iter().map(String::as_str).chain([".tmp-link", ".tmp-folder"]) {
        assert!(left.iter().any(|left| left == name), "{name} of {left:?}");
    }
}

#[test]
fn removed_folder_is_opened_again_by_the_next_lease() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = FileStore::open(&state).unwrap();
    let key = key("prod", "s-1");
    let lease = block_on(store.lease(&key, HOUR)).unwrap().unwrap();
    fs::remove_dir_all(&state).unwrap();
    let error = block_on(lease.save(&token("t-1", now()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(block_on(text(&store, &key)), "none");
    assert_eq!(names(dir.path()), Vec::<String>::new());

    block_on(save_new(&store, &key, &token("t-2", now())));
    drop(lease);
    let other = FileStore::open(&state).unwrap();
    for store in [store.clone(), store, other] {
        assert_eq!(block_on(text(&store, &key)), "t-2");
    }
}

#[test]
fn folder_behind_a_new_link_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (state, elsewhere) = (dir.path().join("state"), dir.path().join("elsewhere"));
    let store = FileStore::open(&state).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o777)).unwrap();
    fs::remove_dir_all(&state).unwrap();
    symlink(&elsewhere, &state).unwrap();
    let key = key("prod", "s-1");
    let error = block_on(store.lease(&key, HOUR)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(names(&elsewhere), Vec::<String>::new());

    fs::set_permissions(&elsewhere, Permissions::from_mode(0o700)).unwrap();
    block_on(save_new(&store, &key, &token("t-1", now())));
    assert_eq!(block_on(text(&store, &key)), "t-1");
}

#[test]
fn too_long_record_is_an_internal_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let refused = gatepass_core::Error::denied("a".repeat(64 * 1024));
    let refused = gatepass_engine::FailureRecord::new(&refused, now(), now() + HOUR);
    let lease = block_on(store.lease(&key("prod", "s-1"), HOUR)).unwrap().unwrap();
    let error = block_on(lease.save(&Record::Failure(refused))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(names(dir.path()).len(), 2);
}

#[test]
fn longest_token_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let long = "t".repeat(gatepass_core::MAX_TOKEN);
    let token = Token::builder(long.clone().into(), now()).scope(Some(&long)).build().unwrap();
    block_on(save_new(&store, &key("prod", "s-1"), &Record::Token(token)));
    assert_eq!(block_on(text(&store, &key("prod", "s-1"))), long);
}
