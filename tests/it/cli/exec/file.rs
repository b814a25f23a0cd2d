//! Tests of `gatepass exec --file`: a file with a current token, removed at the end.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use gatepass_tests::{Home, Reply, Server, vendor};

use super::{exec, fixture, run_in_shell};

/// Starts a vendor with a new token for each request and this lifetime in seconds.
fn refreshing(seconds: u32) -> (Server, Home) {
    let server = Server::new(move |n, _| token_reply(n, seconds));
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    (server, home)
}

fn token_reply(n: usize, seconds: u32) -> Reply {
    let token = token(n);
    let token_reply = format!(
        "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{seconds}}}"
    );
    Reply::json(200, token_reply)
}

/// Returns a token that is long enough to make a partial write visible.
fn token(n: usize) -> String {
    format!("{n}-").repeat(2000)
}

/// Returns the number of the token in a complete text.
fn number(text: &str) -> Option<usize> {
    let n = text.split('-').next()?.parse().ok()?;
    (text == token(n)).then_some(n)
}

#[test]
fn token_file_has_no_newline() {
    let (_server, home) = fixture("token-of-the-program");
    let script = "cd /; echo \"$GATEPASS_TOKEN_FILE\"; cat \"$GATEPASS_TOKEN_FILE\"";
    let run = exec(&home, &["--file", "../work/token"], &["sh", "-c", script]).run();
    let (path, text) = run.ok().split_once('\n').unwrap();
    assert!(path.starts_with('/') && path.ends_with("/token"), "{path}");
    assert_eq!(text, "token-of-the-program");
    assert_eq!(fs::read_dir(home.path("work")).unwrap().count(), 0);
}

#[test]
fn token_file_is_private_under_any_umask() {
    let (_server, home) = fixture("token-of-the-program");
    for umask in ["000", "022", "077"] {
        let script = format!(
            "umask {umask}; gatepass exec cisco --file token -- sh -c 'stat -c %a token; umask'"
        );
        let run = run_in_shell(&home, &script).run();
        assert_eq!(run.ok(), format!("600\n0{umask}\n"));
    }
}

#[test]
fn token_file_is_replaced_atomically() {
    let (server, home) = refreshing(1);
    let script = "echo ready; while :; do sleep 0.05; done";
    let running = exec(&home, &["--file", "token"], &["sh", "-c", script]).spawn();
    assert_eq!(running.line(), "ready\n");
    let path = home.path("work/token");
    let (mut numbers, mut inodes) = (Vec::new(), Vec::new());
    while numbers.len() < 4 {
        let text = fs::read_to_string(&path).unwrap();
        let n =
            number(&text).unwrap_or_else(|| panic!("an incomplete token of {} bytes", text.len()));
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.mode() & 0o777, 0o600);
        if numbers.last() != Some(&n) {
            numbers.push(n);
            inodes.push(meta.ino());
        }
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert!(
        inodes.windows(2).any(|pair| pair[0] != pair[1]),
        "the file was written in place: {inodes:?}"
    );
    running.terminate();
    let run = running.finish();
    assert_eq!((run.code, run.stderr.as_str()), (Some(143), ""), "{run:#?}");
    assert!(server.requests().len() >= 4);
    assert_eq!(fs::read_dir(home.path("work")).unwrap().count(), 0);
}

#[test]
fn failed_refresh_warns_once_and_program_continues() {
    let server = Server::new(|n, _| match n {
        0 | 4 => token_reply(n, 2),
        _ => Reply::empty(503),
    });
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let script = "echo ready; until [ -e end ]; do sleep 0.05; done";
    let mut running = exec(&home, &["--file", "token"], &["sh", "-c", script]).spawn();
    assert_eq!(running.line(), "ready\n");
    let warning = running.wait_for_stderr("warning");
    assert!(warning.contains("cisco"), "{warning}");
    assert!(warning.contains("503") && warning.contains("token"), "{warning}");
    // The first request, three failed ones, and the final one.
    (0..5).for_each(|_| server.arrival());
    // The file is missing while its token has expired.
    while number(&fs::read_to_string(home.path("work/token")).unwrap_or_default()) != Some(4) {
        std::thread::yield_now();
    }
    // The next series of failures warns again.
    running.wait_for_stderr("warning");
    home.write("work/end", "");
    let run = running.finish();
    assert_eq!(run.ok(), "");
    let warnings = |text: &str| run.stderr.lines().filter(|line| line.contains(text)).count();
    assert!(warnings("keeps the token") <= 2 && warnings("was removed") <= 2, "{run:#?}");
    let count = warnings("keeps the token") + warnings("was removed");
    assert_eq!(run.stderr.lines().count(), count, "{run:#?}");
}

#[test]
fn foreign_file_is_not_replaced() {
    let (server, home) = fixture("token-of-the-program");
    let key = "-----BEGIN KEY-----\nof another program\n-----END KEY-----\n";
    home.write("work/key", key);
    home.write_as("work/readable", "", 0o644);
    home.write_as("work/writable", "", 0o620);
    home.write("work/one word", "one word");
    home.write("work/elsewhere", "");
    symlink(home.path("work/elsewhere"), home.path("work/link")).unwrap();
    symlink(home.path("work/nowhere"), home.path("work/dangling")).unwrap();
    fs::create_dir(home.path("work/folder")).unwrap();
    for (path, reason) in [
        ("key", "something other than a token"),
        ("readable", "other users may read"),
        ("writable", "other users may read or write"),
        ("one word", "something other than a token"),
        ("link", "symbolic link"),
        ("dangling", "symbolic link"),
        ("folder", "not a regular file"),
        ("/dev/null", "not a regular file"),
    ] {
        let run = exec(&home, &["--file", path], &["touch", "ran"]).run();
        assert!(run.failed(125).contains(reason), "{path}: {run:#?}");
        assert!(run.stderr.contains("hint"), "{path}: {run:#?}");
    }
    for path in ["", "/", "..", "nowhere/token", "key/token"] {
        exec(&home, &["--file", path], &["touch", "ran"]).run().failed(125);
    }
    assert_eq!(fs::read_to_string(home.path("work/key")).unwrap(), key);
    assert!(home.path("work/link").is_symlink() && home.path("work/dangling").is_symlink());
    assert_eq!(server.requests().len(), 0, "no token request must be sent");
    assert!(!home.path("work/ran").exists());
}

#[test]
fn empty_and_leftover_files_are_replaced() {
    let (_server, home) = fixture("token-of-the-program");
    for leftover in ["", "token-of-an-earlier-run"] {
        home.write("work/token", leftover);
        let run = exec(&home, &["--file", "token"], &["cat", "token"]).run();
        assert_eq!(run.ok(), "token-of-the-program");
        assert!(!home.path("work/token").exists());
    }
}

#[test]
fn world_writable_folder_is_rejected() {
    let (_server, home) = fixture("token-of-the-program");
    fs::create_dir(home.path("work/open")).unwrap();
    let mode = |mode| fs::set_permissions(home.path("work/open"), Permissions::from_mode(mode));
    let run = || exec(&home, &["--file", "open/token"], &["cat", "open/token"]).run();
    mode(0o777).unwrap();
    assert!(run().failed(125).contains("all users may replace files"));
    // Sticky like /tmp: only a file's owner can remove it.
    mode(0o1777).unwrap();
    assert_eq!(run().ok(), "token-of-the-program");
    mode(0o755).unwrap();
    assert_eq!(run().ok(), "token-of-the-program");
}

#[test]
fn file_replaced_by_the_program_is_kept() {
    let (_server, home) = fixture("token-of-the-program");
    let script = "echo mine > new; mv new token";
    exec(&home, &["--file", "token"], &["sh", "-c", script]).run().ok();
    assert_eq!(fs::read_to_string(home.path("work/token")).unwrap(), "mine\n");
}

#[test]
fn expired_token_is_removed_from_the_file() {
    let server = Server::new(|n, _| if n == 0 { token_reply(n, 4) } else { Reply::empty(503) });
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let script = "cut -d- -f1 token; while [ -e token ]; do sleep 0.05; done; echo removed";
    let run = exec(&home, &["--file", "token"], &["sh", "-c", script]).run();
    assert_eq!(run.ok(), "0\nremoved\n");
    assert!(run.stderr.contains("was removed, because its token expired"), "{run:#?}");
}

#[test]
fn token_file_has_the_requested_format_and_mode() {
    let (_server, home) = fixture("token-of-the-program");
    let run = |options: &[&str]| {
        let options = [&["--file", "token"], options].concat();
        exec(&home, &options, &["sh", "-c", "stat -c %a token; cat token"]).run()
    };
    assert_eq!(run(&["--mode", "0640", "--format", "raw"]).ok(), "640\ntoken-of-the-program");
    let header = run(&["--mode", "440", "--format", "header"]);
    assert_eq!(header.ok(), "440\nAuthorization: Bearer token-of-the-program\n");
    let env = run(&["--format", "env"]);
    assert!(env.ok().starts_with("600\nGATEPASS_TOKEN=token-of-the-program\n"), "{env:#?}");
    let json = run(&["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.ok()[4..]).unwrap();
    assert_eq!(json["access_token"], "token-of-the-program");
    for options in [
        ["--format", "header"].as_slice(),
        &["--mode", "0640"],
        &["--group", "0"],
        &["--file", "token", "--mode", "u=rw"],
        &["--file", "token", "--mode", "0666"],
        &["--file", "token", "--group", "no-such-group"],
    ] {
        exec(&home, options, &["touch", "ran"]).run().failed(125);
        assert!(!home.path("work/ran").exists(), "{options:?}");
    }
}
