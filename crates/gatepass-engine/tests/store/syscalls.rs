//! One writer that strace kills, or fails, at each of its system calls in turn.
//!
//! Without a runtime the store does all its work on one thread, whose calls have the same order in
//! each run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use gatepass_engine::{FileStore, HistoryEntry, SaveOutcome, StoreKey, TokenStore};
use gatepass_testkit::block_on;

use super::damage::{names, records};
use super::processes::{print, read_line};
use super::{HOUR, key, now, save_new, text, token};

/// Every call that opens, changes, names, locks or inspects a file.
const CALLS: &str = "openat,read,write,fsync,fdatasync,fstat,newfstatat,statx,renameat,renameat2,\
                     linkat,unlinkat,mkdir,mkdirat,fchmod,ftruncate,flock,getdents64,close,lseek";
/// Paths that do not exist: opening them marks in a trace where the writer begins and ends.
const BEGIN: &str = "/the-writer-begins";
const END: &str = "/the-writer-ends";
const OLD: &str = "the-old-token-of-the-tests";
const NEW: &str = "the-new-token-of-the-tests";

fn prod() -> StoreKey {
    key("prod", "s-1")
}

/// Not a test: the writer. It prints the outcome of saving a token.
#[test]
#[ignore = "a child of other tests"]
fn writer() {
    let dir = PathBuf::from(read_line());
    // strace counts the calls of each thread. These make the writer's numbers differ from those of
    // the first thread, which loads the program.
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
    print(&outcome);
}

fn write(dir: &Path) -> String {
    let store = match FileStore::open(dir) {
        Ok(store) => store,
        Err(error) => return error.kind().code().to_owned(),
    };
    let saved = block_on(async {
        let lease = store.lease(&prod(), Duration::ZERO).await?;
        let Some(lease) = lease else { return Ok(SaveOutcome::Late) };
        lease.save(&token(NEW, now())).await
    });
    let note = HistoryEntry::new("example", now(), HOUR, Ok(now() + HOUR));
    // A history that cannot be written does not fail the save.
    let _ = block_on(store.append_history(prod().profile(), &note));
    saved.map_or_else(|error| error.kind().code().to_owned(), |saved| format!("{saved:?}"))
}

/// Runs the writer under strace with a fault to inject.
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

/// Lists the calls of the writer: name, and strace's number of the call.
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

/// Creates a directory without a store, or with a store that has the old token.
fn folder(has_old: bool) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    if has_old {
        let store = FileStore::open(&state).unwrap();
        block_on(save_new(&store, &prod(), &token(OLD, now() - HOUR / 2)));
    }
    (dir, state)
}

/// Asserts that the writer's files are private and reveal nothing, and that the record is whole.
/// Returns which one it is.
fn assert_whole(state: &Path, has_old: bool, what: &str) -> String {
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
        "none" => assert!(!has_old && records(state).is_empty(), "{what}: it is lost"),
        other => assert_eq!(other, NEW, "{what}"),
    }
    found
}

/// Asserts that the next writer succeeds, and removes leftovers after an hour.
fn assert_next_writer_succeeds(state: &Path, what: &str) {
    for name in names(state).iter().filter(|name| name.starts_with(".tmp")) {
        let long_ago = now() - 2 * HOUR;
        File::options().write(true).open(state.join(name)).unwrap().set_modified(long_ago).unwrap();
    }
    let store = FileStore::open(state).unwrap();
    let lease = block_on(store.lease(&prod(), Duration::ZERO)).unwrap();
    assert!(lease.is_some(), "{what}: the lease is held");
    let lease = lease.unwrap();
    let next = token("next", now() + Duration::from_secs(1));
    assert_eq!(block_on(lease.save(&next)).unwrap(), SaveOutcome::Kept, "{what}");
    drop(lease);
    assert_eq!(block_on(text(&store, &prod())), "next", "{what}");
    let left: Vec<_> = names(state).into_iter().filter(|name| name.starts_with(".tmp")).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
}

#[test]
fn writer_killed_at_any_call_leaves_a_whole_token() {
    for has_old in [false, true] {
        let (dir, state) = folder(has_old);
        let calls = calls(&state, &dir.path().join("log"));
        let of = |name: &str| calls.iter().filter(|(call, _)| call.starts_with(name)).count();
        // The trace contains the calls that every writer makes.
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
                *found.entry(assert_whole(&state, has_old, &what)).or_default() += 1;
                assert_next_writer_succeeds(&state, &what);
            }
        }
        // Some kills came before the token changed, and some after.
        let before = if has_old { OLD } else { "none" };
        assert!(found[before] > 10 && found[NEW] > 5, "{found:?}");
    }
}

#[test]
fn failed_system_call_never_loses_the_old_token() {
    let (dir, state) = folder(true);
    let calls = calls(&state, &dir.path().join("log"));
    let changing = ["openat", "write", "fsync", "rename", "flock", "unlink", "getdents"];
    let errors = ["ENOSPC", "EIO", "EROFS", "EDQUOT"];
    let (mut failed, mut saved) = (0, 0);
    for (at, (name, count)) in calls.iter().enumerate() {
        // Calls that change the disk fail in every way; calls that read it fail in one.
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
            let found = assert_whole(&state, true, &what);
            match outcome {
                "Kept" => {
                    assert_eq!(found, NEW, "{what}: the writer reported success");
                    saved += 1;
                }
                other => {
                    assert_eq!(other, "internal", "{what}");
                    failed += 1;
                }
            }
            let has_leftover = names(&state).iter().any(|name| name.starts_with(".tmp"));
            assert!(!has_leftover || name.starts_with("unlink"), "{what}: a leftover");
            assert_next_writer_succeeds(&state, &what);
        }
    }
    assert!(failed > 10 && saved > 10, "{failed} failed, {saved} did not");
}
