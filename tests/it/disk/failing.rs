//! Tests of storing a token on a disk that is full, broken, read-only or over quota.

use std::path::Path;

use gatepass_tests::{Home, Run, gatepass_binary, vendor};

use super::{assert_private, files, files_with_suffix};

/// Runs `gatepass token cisco --fresh` with this system call failing each time.
fn run_with_failing_call(home: &Home, call: &str, error: &str) -> Run {
    let inject = format!("inject={call}:error={error}");
    let (log, binary) = (home.path("tmp/log"), gatepass_binary().to_str().unwrap());
    let args = ["-f", "-qq", "-o", log.to_str().unwrap(), "-e", &inject, binary];
    let args = args.into_iter().chain(["token", "cisco", "--fresh"]);
    let run = home.program(Path::new("strace"), args).run();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("(INJECTED)"), "{call} was not called: {run:#?}");
    run
}

#[test]
fn disk_failure_warns_and_returns_the_token() {
    let (server, home) = vendor("cisco").counting("");
    assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-1\n");
    let (mut exchanges, mut stored_token) = (1, String::from("token-1\n"));
    for call in ["fsync", "renameat", "flock"] {
        for error in ["ENOSPC", "EIO", "EROFS", "EDQUOT"] {
            let run = run_with_failing_call(&home, call, error);
            exchanges += 1;
            // The file exists until its directory entry is lost.
            let token = format!("token-{exchanges}\n");
            assert_eq!(run.ok(), token, "{call} {error}");
            let warning = "gatepass: warning: the store is not used: the ";
            let is_reported = run.stderr.starts_with(warning) && run.stderr.lines().count() == 1;
            assert!(is_reported, "{call} {error}: {run:#?}");
            assert!(!run.stderr.contains("token-"), "{run:#?}");
            assert!(!files(&home).iter().any(|path| path.to_str().unwrap().contains("/.tmp-")));
            assert_private(&home);
            // The old record is intact, and the next command uses it.
            assert_eq!(files_with_suffix(&home, ".token").len(), 2);
            let next = home.gatepass(["token", "cisco"]).run();
            assert_eq!(next.ok(), stored_token, "{call} {error}");
        }
        stored_token = format!("token-{}\n", exchanges + 1);
        assert_eq!(home.gatepass(["token", "cisco", "--fresh"]).run().ok(), stored_token);
        exchanges += 1;
    }
    assert_eq!(server.requests().len(), exchanges);
}

#[test]
fn file_size_limit_does_not_block_tokens() {
    let (server, home) = vendor("cisco").counting("");
    let binary = gatepass_binary().to_str().unwrap();
    let script = format!("trap '' XFSZ; ulimit -f 0; exec {binary} token cisco");
    for n in 1..=2 {
        let run = home.program(Path::new("/bin/sh"), ["-c", &script]).run();
        assert_eq!(run.ok(), format!("token-{n}\n"));
        assert!(run.stderr.contains("warning"), "{run:#?}");
        assert!(files_with_suffix(&home, ".token").is_empty());
    }
    assert_eq!(server.requests().len(), 2);
}
