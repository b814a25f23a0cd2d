//! Tests of `gatepass keep`: a file with a current token, without a child.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use gatepass_tests::{Gatepass, Home, Reply, Running, Server, gatepass_binary, vendor};
use rustix::process::Signal;

/// Starts a vendor with the tokens token-0, token-1, … of this lifetime in seconds.
fn refreshing(seconds: u32) -> (Server, Home) {
    let server = Server::new(move |n, _| reply(n, seconds));
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    (server, home)
}

fn reply(n: usize, seconds: u32) -> Reply {
    Reply::json(
        200,
        format!(
            "{{\"access_token\":\"token-{n}\",\"token_type\":\"Bearer\",\"expires_in\":{seconds}}}"
        ),
    )
}

fn keep<'home>(home: &'home Home, options: &[&str]) -> Gatepass<'home> {
    let args = ["keep", "cisco", "--file", "token"].iter().chain(options);
    home.gatepass(args.copied())
}

/// Starts the command and waits until it is ready.
fn started<'home>(home: &'home Home, options: &[&str]) -> Running<'home> {
    let mut running = keep(home, options).spawn();
    running.wait_for_stderr("is ready");
    running
}

fn content(home: &Home) -> String {
    fs::read_to_string(home.path("work/token")).unwrap_or_default()
}

/// Waits until the file has this content; an empty text is a missing file.
fn wait_for_content(home: &Home, is_expected: impl Fn(&str) -> bool) {
    while !is_expected(&content(home)) {
        std::thread::yield_now();
    }
}

fn work_files(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path("work")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn file_has_the_token_before_readiness() {
    let (_server, home) = refreshing(3600);
    let socket = UnixDatagram::bind(home.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut message = [0; 256];
    let mut receive = || {
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut running = keep(&home, &[]).env("NOTIFY_SOCKET", home.path("notify")).spawn();
    assert_eq!(receive(), "READY=1\n");
    assert_eq!(content(&home), "token-0");
    assert_eq!(fs::metadata(home.path("work/token")).unwrap().mode() & 0o7777, 0o600);
    let line = running.wait_for_stderr("is ready");
    assert!(line.contains("cisco") && line.contains("/token"), "{line}");
    running.terminate();
    assert_eq!(receive(), "STOPPING=1\n");
    let run = running.finish();
    assert_eq!((run.ok(), run.stderr.lines().count()), ("", 1), "{run:#?}");
}

#[test]
fn signal_removes_the_file_and_exits_0() {
    let (_server, home) = refreshing(3600);
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let running = started(&home, &[]);
        assert!(!content(&home).is_empty());
        running.signal(signal);
        running.finish().ok();
        assert!(work_files(&home).is_empty(), "{signal:?}");
    }
}

#[test]
fn signal_before_the_first_token_exits_0() {
    let server = Server::responding([Reply::silence()]);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let running = keep(&home, &[]).spawn();
    server.arrival();
    running.terminate();
    running.finish().ok();
    assert!(work_files(&home).is_empty());
}

#[test]
fn file_follows_the_refreshes() {
    let (_server, home) = refreshing(2);
    let running = started(&home, &[]);
    for n in 1..=2 {
        wait_for_content(&home, |text| text == format!("token-{n}"));
    }
    running.terminate();
    assert_eq!(running.finish().stderr.lines().count(), 1);
}

#[test]
fn expired_token_is_removed_and_returns_after_the_outage() {
    let server = Server::new(|n, _| match n {
        0 => reply(n, 2),
        1..=3 => Reply::empty(503),
        _ => reply(n, 3600),
    });
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let mut running = started(&home, &[]);
    running.wait_for_stderr("was removed, because its token expired");
    wait_for_content(&home, |text| text.starts_with("token-") && text != "token-0");
    running.terminate();
    running.finish().ok();
}

#[test]
fn first_failure_exits_with_the_code_of_its_kind() {
    for (reply, options, code) in [
        (Reply::json(401, "{\"error\": \"invalid_client\"}"), [].as_slice(), 3),
        (Reply::empty(503), &["--wait", "0s"], 6),
        (Reply::json(200, vendor("cisco").token_response("t-1")), &["--min-ttl", "40h"], 8),
        (Reply::empty(200), &["--group", "no-such-group"], 2),
        (Reply::empty(200), &["--mode", "u=rw"], 2),
        (Reply::empty(200), &["--format", "kubernetes"], 2),
        (Reply::empty(200), &["--config", "nowhere.toml"], 2),
    ] {
        let server = Server::responding([reply]);
        let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
        // A file of a killed process is no longer kept.
        home.write("work/token", "token-of-a-killed-process");
        let run = keep(&home, options).run();
        run.failed(code);
        let has_asked = !server.requests().is_empty();
        assert_eq!(has_asked, code != 2, "{options:?}");
        assert_eq!(work_files(&home).is_empty(), has_asked, "{options:?} {run:#?}");
    }
    let (_server, home) = refreshing(3600);
    assert!(home.gatepass(["keep", "cisco"]).run().failed(2).contains("--file"));
    let json = home.gatepass(["keep", "unknown", "--file", "token", "--format", "json"]).run();
    assert_eq!(json.error(2)["code"], "config");
}

#[test]
fn file_has_the_requested_format_mode_and_group() {
    let (_server, home) = refreshing(3600);
    let group = rustix::process::getegid().as_raw().to_string();
    for (format, expected) in [
        ("raw", "token-0"),
        ("header", "Authorization: Bearer token-0\n"),
        ("env", "GATEPASS_TOKEN=token-0\nGATEPASS_TOKEN_EXPIRES_AT="),
        ("json", "{\"access_token\":\"token-0\","),
    ] {
        let options = ["--format", format, "--mode", "0640", "--group", &group];
        let running = started(&home, &options);
        assert!(content(&home).starts_with(expected), "{format}: {}", content(&home));
        assert_eq!(fs::metadata(home.path("work/token")).unwrap().mode() & 0o7777, 0o640);
        // The next run replaces what a killed one left.
        running.signal(Signal::KILL);
        drop(running);
        assert!(content(&home).starts_with(expected));
    }
}

#[test]
fn root_gives_the_file_to_a_group() {
    let (_server, home) = refreshing(3600);
    if !rustix::process::geteuid().is_root() {
        gatepass_tests::skipped("only root gives a file to any group");
        return;
    }
    for group in ["daemon", "1"] {
        let running = started(&home, &["--group", group, "--mode", "0640"]);
        assert_eq!(fs::metadata(home.path("work/token")).unwrap().gid(), 1, "{group}");
        running.terminate();
        running.finish().ok();
    }
}

#[test]
fn second_keeper_of_a_file_is_refused() {
    let (server, home) = refreshing(3600);
    let first = started(&home, &[]);
    let run = keep(&home, &[]).run();
    assert!(run.failed(2).contains("another gatepass process keeps this file"), "{run:#?}");
    let args = ["exec", "cisco", "--file", "token", "--", "touch", "ran"];
    assert!(home.gatepass(args).run().failed(125).contains("another gatepass process"));
    assert_eq!(content(&home), "token-0");
    first.terminate();
    first.finish().ok();
    let second = started(&home, &[]);
    second.terminate();
    second.finish().ok();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn keep_survives_a_vanished_folder() {
    let (_server, home) = refreshing(2);
    fs::create_dir(home.path("work/run")).unwrap();
    let mut running = home.gatepass(["keep", "cisco", "--file", "run/token"]).spawn();
    running.wait_for_stderr("is ready");
    fs::remove_dir_all(home.path("work/run")).unwrap();
    running.wait_for_stderr("cannot write");
    fs::create_dir(home.path("work/run")).unwrap();
    while !fs::read_to_string(home.path("work/run/token"))
        .is_ok_and(|text| text.starts_with("token-"))
    {
        std::thread::yield_now();
    }
    running.terminate();
    running.finish().ok();
    assert_eq!(fs::read_dir(home.path("work/run")).unwrap().count(), 0);
}

#[test]
fn first_write_to_a_full_disk_names_the_limit() {
    let (_server, home) = refreshing(3600);
    let log = home.path("tmp/log");
    let binary = gatepass_binary().to_str().unwrap();
    let inject = "inject=fsync:error=ENOSPC";
    let args = ["-f", "-qq", "-o", log.to_str().unwrap(), "-e", inject, binary];
    let args = args.into_iter().chain(["keep", "cisco", "--file", "token"]);
    let run = home.program(Path::new("strace"), args).run();
    assert!(run.failed(1).contains("the disk is full"), "{run:#?}");
    assert!(work_files(&home).is_empty());
}

#[test]
fn replaced_file_is_neither_removed_nor_overwritten() {
    let (server, home) = refreshing(2);
    let mut running = started(&home, &[]);
    home.write("work/new", "mine");
    fs::rename(home.path("work/new"), home.path("work/token")).unwrap();
    running.wait_for_stderr("another program has created or replaced the file");
    server.arrival();
    running.terminate();
    running.finish().ok();
    assert_eq!(content(&home), "mine");
}

#[test]
fn next_run_removes_temporary_files_of_any_mode() {
    let (_server, home) = refreshing(3600);
    home.write_as("work/.gatepass-0123456789abcdef.part", "token-of-a-killed-process", 0o640);
    home.write("work/token", "token-of-a-killed-process");
    let running = started(&home, &[]);
    assert_eq!(work_files(&home), ["token"]);
    assert_eq!(content(&home), "token-0");
    running.terminate();
    running.finish().ok();
}

#[test]
fn short_token_is_renewed_before_min_ttl() {
    // The first token is about to be shorter than --min-ttl, long before its refresh is due.
    let server = Server::new(|n, _| reply(n, if n == 0 { 3602 } else { 7200 }));
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let running = started(&home, &["--min-ttl", "1h"]);
    wait_for_content(&home, |text| text == "token-1");
    running.terminate();
    running.finish().ok();
    assert_eq!(server.requests().len(), 2);
}
