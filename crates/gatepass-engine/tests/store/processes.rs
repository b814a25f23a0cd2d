//! Processes that share a folder, and are killed. Each child process is this test program.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use gatepass_core::{ErrorKind, Token};
use gatepass_engine::{
    FileStore, LeaseOutcome, Record, RecordRequirement, SaveOutcome, TokenStore,
};
use gatepass_testkit::block_on;
use rustix::process::{Pid, Signal};

use super::damage::{names, records};
use super::{HOUR, key, now, save_new, text, token};

/// A child process; killed when dropped.
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `task` on the store in `dir`, after the shell has run `first`.
    fn start(first: &str, task: &str, dir: &Path) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{first}\nexec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{task}\n{}", dir.to_str().unwrap()).unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { child, input, output };
        assert_eq!(process.next().as_deref(), Some("ready"));
        process
    }

    /// Lets the child begin.
    fn go(&mut self) {
        writeln!(self.input, "go").unwrap();
    }

    /// Returns the child's next line; `None` when it has ended.
    fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            // The test harness of the child prints lines of its own.
            if let Some((_, line)) = line.trim_end().split_once('@') {
                return Some(line.to_owned());
            }
            line.clear();
        }
        None
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

pub(crate) fn read_line() -> String {
    let mut line = Vec::new();
    for byte in std::io::stdin().lock().bytes() {
        match byte.unwrap() {
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    String::from_utf8(line).unwrap()
}

/// Not a test: the code of the child processes.
#[test]
#[ignore = "a child of other tests"]
fn child() {
    let (task, dir) = (read_line(), PathBuf::from(read_line()));
    print("ready");
    read_line();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        match task.as_str().split(' ').next().unwrap() {
            "write" => write(task.split_once(' ').unwrap().1.parse().unwrap(), &dir).await,
            "acquire" => acquire(&dir).await,
            "hold" => {
                let store = FileStore::open(&dir).unwrap();
                let lease = store.lease(&key("prod", "s-1"), HOUR).await.unwrap().unwrap();
                print("held");
                read_line();
                match lease.save(&token("late", now())).await {
                    Ok(saved) => print(&format!("{saved:?}")),
                    Err(error) => print(error.kind().code()),
                }
            }
            "succeed" => succeed(&dir).await,
            // Each child has its own secret, and so its own record.
            "save" => {
                let store = FileStore::open(&dir).unwrap();
                let own = std::process::id().to_string();
                save_new(&store, &key("prod", &own), &token(&own, now())).await;
                print(&own);
            }
            "fill" => {
                let store = FileStore::open(&dir).unwrap();
                let key = key("prod", "s-1");
                let lease = store.lease(&key, HOUR).await.unwrap().unwrap();
                let error = lease.save(&token("t-2", now())).await.unwrap_err();
                print(error.kind().code());
                print(&text(&store, &key).await);
            }
            _ => {}
        }
    });
}

/// A token whose text is its number, issued this many milliseconds after `begun` (in seconds).
fn numbered(begun: u64, number: u64) -> Record {
    let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(begun);
    let issued_at = begun + Duration::from_millis(number);
    let token = Token::builder(number.to_string().into(), issued_at);
    Record::Token(token.expires_in((240 * HOUR).into()).build().unwrap())
}

/// Writes ever newer tokens, prints each one, and tries to write an older one after it.
async fn write(begun: u64, dir: &Path) {
    let (store, key) = (FileStore::open(dir).unwrap(), key("prod", "s-1"));
    loop {
        let lease = store.lease(&key, HOUR).await.unwrap().unwrap();
        let held = text(&store, &key).await;
        let held = if held == "none" { 0 } else { held.parse().unwrap() };
        assert_eq!(lease.save(&numbered(begun, held + 1)).await.unwrap(), SaveOutcome::Kept);
        if lease.save(&numbered(begun, held)).await.unwrap() == SaveOutcome::Kept {
            print("an older token replaced it");
        }
        drop(lease);
        print(&(held + 1).to_string());
    }
}

#[test]
fn killed_writers_leave_the_old_or_the_new_token() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let newest = Mutex::new(0);
    let day_ago = (now() - 24 * HOUR).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let task = format!("write {}", day_ago.as_secs());
    thread::scope(|scope| {
        for writer in 0..8_usize {
            let (state, newest, task) = (&state, &newest, &task);
            scope.spawn(move || {
                for round in 0..8 {
                    let mut process = Process::start("umask 0", task, state);
                    process.go();
                    // Killed at some moment after its n-th write.
                    for _ in 0..(writer * 5 + round * 3) % 7 {
                        let number: u64 = process.next().unwrap().parse().unwrap();
                        let mut newest = newest.lock().unwrap();
                        *newest = number.max(*newest);
                    }
                    spin(writer * 7 + round * 13);
                    process.kill();
                    check(state);
                }
            });
        }
    });
    let newest = *newest.lock().unwrap();
    let store = FileStore::open(&state).unwrap();
    let left: u64 = block_on(text(&store, &key("prod", "s-1"))).parse().unwrap();
    // The last token may have been written but not printed.
    assert!(newest > 8 && left >= newest, "{left} is older than {newest}");
    // No killed process holds the lease.
    assert!(block_on(store.lease(&key("prod", "s-1"), Duration::ZERO)).unwrap().is_some());
}

/// Spends some microseconds, which differ by number.
fn spin(number: usize) {
    for _ in 0..number * number % 101 * 1000 {
        std::hint::spin_loop();
    }
}

/// Asserts that every file is private, and that the record is whole.
fn check(state: &Path) {
    if !state.exists() {
        return;
    }
    for name in names(state) {
        // Another process may have moved or removed the file since.
        if let Ok(is) = fs::symlink_metadata(state.join(&name)) {
            assert_eq!(is.mode() & 0o7777, 0o600, "{name}");
        }
    }
    if state.join("key").exists() {
        let store = FileStore::open(state).unwrap();
        let is_there = !records(state).is_empty();
        let text = block_on(text(&store, &key("prod", "s-1")));
        let is_whole = text.parse::<u64>().is_ok();
        assert!(is_whole || (text == "none" && !is_there), "{text}");
    }
}

/// Acquires a token as an engine does, from a vendor that counts its requests in a file.
async fn acquire(dir: &Path) {
    let (store, key) = (FileStore::open(dir.join("state")).unwrap(), key("prod", "s-1"));
    let lease = store.lease(&key, HOUR).await.unwrap().unwrap();
    let alone = fs::OpenOptions::new().write(true).create_new(true).open(dir.join("inside"));
    assert!(alone.is_ok(), "another process is inside");
    if store.load(&key).await.unwrap().is_none() {
        let mut count = fs::OpenOptions::new().append(true).create(true).open(dir.join("count"));
        count.as_mut().unwrap().write_all(b".").unwrap();
        assert_eq!(lease.save(&token("t-1", now())).await.unwrap(), SaveOutcome::Kept);
    }
    fs::remove_file(dir.join("inside")).unwrap();
    drop(lease);
    print(&text(&store, &key).await);
}

#[test]
fn twenty_processes_send_one_token_request() {
    let dir = tempfile::tempdir().unwrap();
    let mut processes: Vec<_> =
        (0..20).map(|_| Process::start("", "acquire", dir.path())).collect();
    processes.iter_mut().for_each(Process::go);
    for process in &mut processes {
        assert_eq!(process.next().as_deref(), Some("t-1"));
    }
    assert_eq!(fs::read(dir.path().join("count")).unwrap(), b".");
    // Their lock files are removed.
    assert_eq!(names(&dir.path().join("state")).len(), 2);
}

/// Acquires a token as a source does: counts its request, or prints the record of another.
async fn succeed(dir: &Path) {
    let (store, key) = (FileStore::open(dir.join("state")).unwrap(), key("prod", "s-1"));
    let mut wanted = RecordRequirement::default();
    wanted.stale_after = Duration::from_secs(1);
    print("waiting");
    match store.acquire(&key, &wanted, HOUR).await.unwrap() {
        LeaseOutcome::Lease(lease) => {
            let count = fs::OpenOptions::new().append(true).create(true).open(dir.join("count"));
            count.unwrap().write_all(b".").unwrap();
            assert_eq!(lease.save(&token("t-1", now())).await.unwrap(), SaveOutcome::Kept);
            print("t-1");
        }
        LeaseOutcome::Found(Record::Token(token)) => print(token.expose_secret()),
        other => print(&format!("{other:?}")),
    }
}

/// Starts a process that holds the lease, and waits until it does.
fn start_holder(state: &Path) -> Process {
    let mut holder = Process::start("", "hold", state);
    holder.go();
    assert_eq!(holder.next().as_deref(), Some("held"));
    holder
}

/// Starts processes that want a token, and waits until all of them wait for the lease.
fn start_waiters(dir: &Path, count: usize) -> Vec<Process> {
    let mut waiters: Vec<_> = (0..count).map(|_| Process::start("", "succeed", dir)).collect();
    waiters.iter_mut().for_each(Process::go);
    for waiter in &mut waiters {
        assert_eq!(waiter.next().as_deref(), Some("waiting"));
    }
    waiters
}

fn assert_one_request(dir: &Path, mut waiters: Vec<Process>) {
    for waiter in &mut waiters {
        assert_eq!(waiter.next().as_deref(), Some("t-1"));
    }
    assert_eq!(fs::read(dir.join("count")).unwrap(), b".");
}

#[test]
fn stopped_holder_has_one_successor_among_forty_processes() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut stopped = start_holder(&state);
    let process = Pid::from_child(&stopped.child);
    rustix::process::kill_process(process, Signal::STOP).unwrap();
    assert_one_request(dir.path(), start_waiters(dir.path(), 40));
    rustix::process::kill_process(process, Signal::CONT).unwrap();
    stopped.go();
    assert_eq!(stopped.next().as_deref(), Some("Late"));
    let store = FileStore::open(&state).unwrap();
    assert_eq!(block_on(text(&store, &key("prod", "s-1"))), "t-1");
    drop(stopped);
    assert_eq!(names(&state).len(), 2, "key and record: {:?}", names(&state));
}

#[test]
fn killed_holder_has_one_successor_among_waiting_processes() {
    let dir = tempfile::tempdir().unwrap();
    let mut killed = start_holder(&dir.path().join("state"));
    let waiters = start_waiters(dir.path(), 20);
    killed.kill();
    assert_one_request(dir.path(), waiters);
}

#[test]
fn folder_removed_during_the_wait_costs_one_request() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut holder = start_holder(&state);
    let waiters = start_waiters(dir.path(), 20);
    // Under its old name, a process that is creating a file in it would keep it alive.
    let removed = dir.path().join("removed");
    fs::rename(&state, &removed).unwrap();
    fs::remove_dir_all(&removed).unwrap();
    assert_one_request(dir.path(), waiters);
    holder.go();
    assert_eq!(holder.next().as_deref(), Some(ErrorKind::Internal.code()));
    let store = FileStore::open(&state).unwrap();
    assert_eq!(block_on(text(&store, &key("prod", "s-1"))), "t-1");
}

#[test]
fn lease_of_a_killed_process_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let mut process = Process::start("", "hold", dir.path());
    process.go();
    assert_eq!(process.next().as_deref(), Some("held"));
    let lease = || block_on(store.lease(&key("prod", "s-1"), Duration::ZERO)).unwrap();
    assert!(lease().is_none());
    process.kill();
    assert!(lease().is_some());
}

#[test]
fn sixteen_processes_create_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut processes: Vec<_> = (0..16).map(|_| Process::start("", "save", &state)).collect();
    processes.iter_mut().for_each(Process::go);
    let all: Vec<String> = processes.iter_mut().map(|process| process.next().unwrap()).collect();
    let store = FileStore::open(&state).unwrap();
    for own in all {
        assert_eq!(block_on(text(&store, &key("prod", &own))), own);
    }
    assert_eq!(names(&state).len(), 17);
}

#[test]
fn sixteen_threads_create_one_key() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let (state, barrier) = (dir.path().join("state"), Barrier::new(16));
        let (open, prod) = (|| FileStore::open(&state).unwrap(), key("prod", "s-1"));
        thread::scope(|scope| {
            let open = || {
                barrier.wait();
                open()
            };
            let all: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
            let stores: Vec<FileStore> = all.into_iter().map(|one| one.join().unwrap()).collect();
            block_on(save_new(&stores[0], &prod, &token("t-1", now())));
            for store in &stores {
                assert_eq!(block_on(text(store, &prod)), "t-1");
            }
        });
        assert_eq!(names(&state).len(), 2);
    }
}

#[test]
fn files_are_private_under_every_umask() {
    for umask in ["umask 0", "umask 022", "umask 077"] {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/state");
        let mut process = Process::start(umask, "hold", &state);
        process.go();
        assert_eq!(process.next().as_deref(), Some("held"));
        let mut saving = Process::start(umask, "save", &state);
        saving.go();
        saving.next().unwrap();
        assert_eq!(names(&state).len(), 3, "key, record and lock");
        for name in names(&state) {
            let mode = fs::metadata(state.join(&name)).unwrap().mode();
            assert_eq!(mode & 0o7777, 0o600, "{name} under {umask}");
        }
        for dir in [&state, state.parent().unwrap()] {
            assert_eq!(fs::metadata(dir).unwrap().mode() & 0o7777, 0o700, "{umask}");
        }
    }
}

#[test]
fn full_disk_leaves_the_old_token() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
    let store = FileStore::open(&state).unwrap();
    block_on(save_new(&store, &key("prod", "s-1"), &token("t-1", now())));
    // No file may grow, so each write fails as on a full disk.
    let mut process = Process::start("trap '' XFSZ; ulimit -f 0", "fill", &state);
    process.go();
    assert_eq!(process.next().as_deref(), Some(ErrorKind::Internal.code()));
    assert_eq!(process.next().as_deref(), Some("t-1"));
    drop(process);
    assert!(names(&state).iter().all(|name| !name.starts_with(".tmp")), "{:?}", names(&state));
}
