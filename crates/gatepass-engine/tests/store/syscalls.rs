//! One writer, stopped or failed at each of its system calls in turn: strace does it. Without a
//! runtime all that the store does is done on one thread, whose calls come in the same order each time.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use gatepass_engine::{FileStore, HistoryEntry, StoreKey, TokenStore};
use gatepass_testkit::block_on;

use super::damage::{names, records};
use super::processes::{hear, say};
use super::{HOUR, key, now, save, text, token};

/// Every call that opens, changes, names or locks a file, or asks about one.
const CALLS: &str = "openat,read,write,fsync,fdatasync,fstat,newfstatat,statx,renameat,renameat2,\
                     linkat,unlinkat,mkdir,mkdirat,fchmod,ftruncate,flock,getdents64,close,lseek";
/// Nothing is there: opening these tells in a trace where the writer begins and ends.
const BEGIN: &str = "/the-writer-begins";
const END: &str = "/the-writer-ends";
const OLD: &str = "the-old-token-of-the-tests";
const NEW: &str = "the-new-token-of-the-tests";

fn prod() -> StoreKey {
    key("prod", "s-1")
}

/// Not a test: the writer. It says what came of saving a token.
#[test]
#[ignore = "a child of other tests"]
fn writer() {
    let dir = PathBuf::from(hear());
    // Each thread's calls are counted for themselves. The first thread loads the program: its numbers
    // must not be the writer's.
    for _ in 0..99 {
        let mut file = File::options().read(true).write(true).open("/dev/null").unwrap();
        assert_eq!(file.read(&mut [0]).unwrap() + file.write(&[0]).unwrap(), 1);
        assert!(fs::symlink_metadata("/dev/null").is_ok() && file.metadata().is_ok());
        rustix::fs::fstat(&file).unwrap();
        rustix::fs::stat("/dev/null").unwrap();
    }
    assert!(File::open(BEGIN).is_err());
    let outcome = write(&dir);
    assert!(File::open(END).is_err());
    say(&outcome);
}

fn write(dir: &Path) -> String {
    let store = match FileStore::open(dir) {
        Ok(store) => store,
        Err(error) => return error.kind().code().to_owned(),
    };
    let saved = block_on(async {
        let Some(lease) = store.lease(&prod(), Duration::ZERO).await? else { return Ok(false) };
        lease.save(&token(NEW, now())).await
    });
    let note = HistoryEntry::new("example", now(), HOUR, Ok(now() + HOUR));
    // Whether it is noted is no token's concern.
    let _ = block_on(store.append_history(prod().profile(), &note));
    saved.map_or_else(|error| error.kind().code().to_owned(), |is| is.to_string())
}

/// Runs the writer under strace, which is one of the packages that tests need; `inject` says what
/// befalls it.
fn trace(dir: &Path, log: &Path, inject: Option<String>) -> Output {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(log).args(["-e", &format!("trace={CALLS}")]);
    strace.args(inject.into_iter().flat_map(|inject| [String::from("-e"), inject]));
    let mut child = strace
        .arg(std::env::current_exe().unwrap())
        .args(["syscalls::writer", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", dir.to_str().unwrap()).unwrap();
    child.wait_with_output().unwrap()
}

/// Each call of the writer by its name, with the numbers strace counts it under.
fn calls(dir: &Path, log: &Path) -> Vec<(String, usize)> {
    assert!(trace(dir, log, None).status.success());
    let log = fs::read_to_string(log).unwrap();
    let begin = log.lines().find(|line| line.contains(BEGIN)).unwrap();
    let thread = begin.split(' ').next().unwrap();
    let (mut counts, mut calls, mut begun) = (BTreeMap::<&str, usize>::new(), Vec::new(), false);
    for line in log.lines().filter_map(|line| line.strip_prefix(thread)) {
        let Some((name, rest)) = line.trim_start().split_once('(') else { continue };
        let count = counts.entry(name).or_default();
        *count += 1;
        if rest.contains(END) {
            break;
        }
        if begun {
            calls.push((name.to_owned(), *count));
        }
        begun |= rest.contains(BEGIN);
    }
    let of_others = |name: &str| {
        let is = |line: &&str| !line.starts_with(thread) && line.contains(&format!(" {name}("));
        log.lines().filter(is).count()
    };
    for (name, count) in &calls {
        assert!(*count > of_others(name), "{name} {count} is another thread's as well");
    }
    calls
}

/// A folder without a store, or with one that has the old token.
fn folder(has_old: bool) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    if has_old {
        let store = FileStore::open(&state).unwrap();
        assert!(block_on(save(&store, &prod(), &token(OLD, now() - HOUR / 2))));
    }
    (dir, state)
}

/// What is there after the writer: its files are private and tell nothing, and the record is the old
/// one or the new one, whole. Gives which.
fn look(state: &Path, has_old: bool, what: &str) -> String {
    for name in names(state) {
        let path = state.join(&name);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600, "{what}: {name}");
        let bytes = fs::read(&path).unwrap();
        let tells = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!tells(OLD) && !tells(NEW), "{what}: {name}");
    }
    let store = FileStore::open(state).unwrap();
    let found = block_on(text(&store, &prod()));
    match found.as_str() {
        NEW => {}
        OLD => assert!(has_old, "{what}"),
        "nothing" => assert!(!has_old && records(state).is_empty(), "{what}: it is lost"),
        other => assert_eq!(other, NEW, "{what}"),
    }
    found
}

/// The next writer needs no mercy, and removes what was left over an hour ago.
fn goes_on(state: &Path, what: &str) {
    for name in names(state).iter().filter(|name| name.starts_with(".tmp")) {
        let long_ago = now() - 2 * HOUR;
        File::options().write(true).open(state.join(name)).unwrap().set_modified(long_ago).unwrap();
    }
    let store = FileStore::open(state).unwrap();
    let lease = block_on(store.lease(&prod(), Duration::ZERO)).unwrap();
    assert!(lease.is_some(), "{what}: somebody holds the lease");
    let lease = lease.unwrap();
    assert!(
        block_on(lease.save(&token("next", now() + Duration::from_secs(1)))).unwrap(),
        "{what}"
    );
    drop(lease);
    assert_eq!(block_on(text(&store, &prod())), "next", "{what}");
    let left: Vec<_> = names(state).into_iter().filter(|name| name.starts_with(".tmp")).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
}

#[test]
fn killed_at_any_system_call_a_writer_leaves_the_old_token_or_the_new_one() {
    for has_old in [false, true] {
        let (dir, state) = folder(has_old);
        let calls = calls(&state, &dir.path().join("log"));
        let of = |name: &str| calls.iter().filter(|(call, _)| call.starts_with(name)).count();
        // The calls that a writer cannot do without are there.
        assert!(of("fsync") >= 2 && of("rename") >= 2 && of("flock") >= 3, "{calls:?}");
        let mut found = BTreeMap::<String, usize>::new();
        for (name, count) in &calls {
            let what = format!("killed at {name} {count}");
            let (dir, state) = folder(has_old);
            let inject = format!("inject={name}:signal=KILL:when={count}");
            let output = trace(&state, &dir.path().join("log"), Some(inject));
            assert!(!output.status.success(), "{what}: {output:?}");
            if state.exists() {
                assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700, "{what}");
                *found.entry(look(&state, has_old, &what)).or_default() += 1;
                goes_on(&state, &what);
            }
        }
        // It was killed before and after the moment at which the token changes.
        let before = if has_old { OLD } else { "nothing" };
        assert!(found[before] > 10 && found[NEW] > 5, "{found:?}");
    }
}

#[test]
fn a_system_call_that_fails_costs_no_token_that_was_there() {
    let (dir, state) = folder(true);
    let calls = calls(&state, &dir.path().join("log"));
    let changing = ["openat", "write", "fsync", "rename", "flock", "unlink", "getdents"];
    let errors = ["ENOSPC", "EIO", "EROFS", "EDQUOT"];
    let (mut failed, mut saved) = (0, 0);
    for (at, (name, count)) in calls.iter().enumerate() {
        // A disk that fails fails at what changes it in every way, and at what reads it in one.
        let all = changing.iter().any(|call| name.starts_with(call));
        let errors = if all { &errors[..] } else { &errors[1..2] };
        for error in errors {
            let what = format!("{error} from {name} {count}, call {at}");
            let (dir, state) = folder(true);
            let inject = format!("inject={name}:error={error}:when={count}");
            let output = trace(&state, &dir.path().join("log"), Some(inject));
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{what}: {output:?}");
            let outcome = said.split_once('@').unwrap().1.lines().next().unwrap();
            let found = look(&state, true, &what);
            match outcome {
                "true" => {
                    assert_eq!(found, NEW, "{what}: it said that it was saved");
                    saved += 1;
                }
                other => {
                    assert_eq!(other, "internal", "{what}");
                    failed += 1;
                }
            }
            let is_left = names(&state).iter().any(|name| name.starts_with(".tmp"));
            assert!(!is_left || name.starts_with("unlink"), "{what}: a file is left over");
            goes_on(&state, &what);
        }
    }
    assert!(failed > 10 && saved > 10, "{failed} failed, {saved} did not");
}
