//! Tests of a secret's file: who may write, own and read it, and of a secret's command.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::time::{Duration, Instant};

use gatepass_tests::{Home, Reply, Run, Server, vendor};

/// A home whose profile reads the secret from this reference, and the vendor's server.
fn with_reference(reference: &str) -> (Home, Server) {
    let vendor = vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let text = vendor.profile_with(&server.url(), "", |_| reference.to_owned());
    (Home::with_config(&text), server)
}

fn token(home: &Home) -> Run {
    home.forget_all();
    home.gatepass(["token", "cisco", "--wait", "0s"]).run()
}

fn doctor(home: &Home) -> String {
    home.gatepass(["doctor", "cisco"]).run().all()
}

#[test]
fn file_that_others_can_write_is_refused() {
    let (home, server) = with_reference("{ file = \"secret\" }");
    for mode in [0o602, 0o620, 0o660, 0o666, 0o646] {
        home.write_as("config/gatepass/secret", "made-up\n", mode);
        let error = token(&home);
        assert!(error.failed(2).contains("other users can write the secret file"), "{error:#?}");
        assert!(error.stderr.contains("chmod go-w"), "{error:#?}");
        assert!(doctor(&home).contains("other users can write"), "{mode:o}");
    }
    assert!(server.requests().iter().all(|request| request.method != "POST"));
    for mode in [0o600, 0o400, 0o440, 0o640] {
        home.write_as("config/gatepass/secret", "made-up\n", mode);
        let run = token(&home);
        assert_eq!((run.ok(), run.stderr.as_str()), ("token-1\n", ""), "{mode:o}");
        assert!(!doctor(&home).contains("chmod"), "{mode:o}");
    }
}

#[test]
fn last_link_of_a_chain_decides() {
    let (home, _server) = with_reference("{ file = \"link\" }");
    let target = home.write_as("work/secret", "made-up\n", 0o600);
    symlink(&target, home.path("work/..data")).unwrap();
    symlink(home.path("work/..data"), home.path("config/gatepass/link")).unwrap();
    assert_eq!(token(&home).ok(), "token-1\n");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(token(&home).failed(2).contains("other users can write"));
}

#[test]
fn readable_file_and_hard_link_are_reported() {
    let (home, _server) = with_reference("{ file = \"secret\" }");
    let path = home.write_as("config/gatepass/secret", "made-up\n", 0o644);
    let run = token(&home);
    assert_eq!(run.ok(), "token-1\n");
    // A file of root is mounted so by containers, and only `doctor` reports it.
    let is_root = rustix::process::getuid().is_root();
    assert_eq!(run.stderr.contains("other users can read a secret file"), !is_root, "{run:#?}");
    assert!(doctor(&home).contains("other users can read it (mode 0644)"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!doctor(&home).contains("hard link"));
    fs::hard_link(&path, home.path("work/other")).unwrap();
    assert!(doctor(&home).contains("2 names (hard links)"));
    assert_eq!(token(&home).ok(), "token-1\n");
}

#[test]
fn file_of_another_user_needs_its_owner_admitted() {
    if !rustix::process::getuid().is_root() {
        gatepass_tests::skipped("only root can give a file to another user");
        return;
    }
    let (home, server) = with_reference("{ file = \"secret\" }");
    let give = |home: &Home| {
        let path = home.write("config/gatepass/secret", "made-up\n");
        chown(&path, Some(12345), None).unwrap();
    };
    give(&home);
    let error = token(&home);
    assert!(error.failed(2).contains("belongs to another user (uid 12345)"), "{error:#?}");
    assert!(error.stderr.contains("owner = 12345"), "{error:#?}");
    assert_eq!(server.connections(), 0);
    let (home, _server) = with_reference("{ file = \"secret\", owner = 12345 }");
    give(&home);
    assert_eq!(token(&home).ok(), "token-1\n");
    assert!(doctor(&home).contains("admitted user (uid 12345)"));
    let (home, _server) = with_reference("{ file = \"secret\", owner = \"daemon\" }");
    give(&home);
    assert!(token(&home).failed(2).contains("uid 12345"));
    chown(home.path("config/gatepass/secret"), Some(1), None).unwrap();
    assert_eq!(token(&home).ok(), "token-1\n");
    // A variable that names a file obeys the same rules.
    let (home, server) = with_reference("\"literal\"");
    fs::remove_file(home.path("config/gatepass/config.toml")).unwrap();
    give(&home);
    let run = home
        .gatepass(["token", "cisco"])
        .env("GATEPASS_CISCO_CLIENT_ID", "abc")
        .env("GATEPASS_CISCO_ENVIRONMENT", "id")
        .env("GATEPASS_CISCO_BASE_URL", server.url())
        .env("GATEPASS_CISCO_CLIENT_SECRET_FILE", home.path("config/gatepass/secret"))
        .run();
    assert!(run.failed(2).contains("uid 12345"), "{run:#?}");
}

#[test]
fn daemon_of_a_secret_command_delays_nothing() {
    let script = "sleep 40 2>/dev/null & echo $! > pid; echo made-up";
    let reference = format!("{{ command = [\"sh\", \"-c\", \"{script}\"] }}");
    let (home, _server) = with_reference(&reference);
    let started = Instant::now();
    assert_eq!(token(&home).ok(), "token-1\n");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let pid = fs::read_to_string(home.path("work/pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it still runs");
}
