//! Tests of `gatepass why`: recent token requests and the next step.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Home, Reply, Run, Server, VENDORS, normalize, vendor};
use insta::assert_snapshot;
use serde_json::{Value, json};

fn denied() -> Reply {
    Reply::json(401, r#"{"error":"invalid_client","error_description":"no such client"}"#)
}

fn home(replies: impl IntoIterator<Item = Reply>) -> (Server, Home) {
    let server = Server::responding(replies);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    (server, home)
}

fn token_reply() -> Reply {
    Reply::json(200, vendor("cisco").token_response("token-1"))
}

fn exchanges(home: &Home, profile: &str) -> Vec<Value> {
    let report = home.gatepass(["why", profile, "--last", "99", "--format", "json"]).run().json();
    assert_eq!((&report["profile"], &report["is_kept"]), (&profile.into(), &true.into()));
    report["exchanges"].as_array().unwrap().clone()
}

/// Returns the only history file in a home's store.
fn history_file(home: &Home) -> PathBuf {
    let files = fs::read_dir(home.path("state")).unwrap().map(|entry| entry.unwrap().path());
    let is_journal = |path: &PathBuf| path.to_str().unwrap().ends_with("-journal");
    let [history_file] = files.filter(is_journal).collect::<Vec<_>>().try_into().unwrap();
    history_file
}

#[test]
fn why_lists_token_requests_latest_first() {
    let throttled = Reply::empty(429).with("retry-after", "600");
    let (_server, home) = home([token_reply(), throttled, denied()]);
    home.gatepass(["token", "cisco"]).run().ok();
    home.gatepass(["token", "cisco", "--fresh", "--wait", "0s"]).run().failed(5);
    home.gatepass(["token", "cisco", "--fresh"]).run().failed(3);
    let run = home.gatepass(["why", "cisco"]).run();
    assert_snapshot!(normalize(run.ok()), @"
    TIME (SPAN ago)  refused: the vendor rejected client id or secret (401 invalid_client) (took SPAN ms)
      the vendor's message: no such client
      next: the previous token stays in use
      sent: credential PRINT to http://127.0.0.1:PORT, by `token` (process PID)

    TIME (SPAN ago)  throttled: rate limited: retry after SPAN s (429) (took SPAN ms)
      next: the previous token stays in use
      sent: credential PRINT to http://127.0.0.1:PORT, by `token` (process PID)

    TIME (SPAN ago)  token, expires at TIME (took SPAN ms)
      next: the token is cached for the next calls
      sent: credential PRINT to http://127.0.0.1:PORT, by `token` (process PID)
    ");
}

#[test]
fn why_is_a_time_line_on_a_terminal() {
    let (_server, home) = home([token_reply(), denied()]);
    home.gatepass(["token", "cisco"]).run().ok();
    home.gatepass(["token", "cisco", "--fresh"]).run().failed(3);
    for columns in [60, 80] {
        let why = home.gatepass(["why", "cisco"]).env("NO_COLOR", "1").at_terminal_of(columns);
        let (code, screen) = why.finish();
        assert_eq!(code, Some(0));
        let lines: Vec<&str> = screen.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= usize::from(columns)), "{screen}");
        let starts: String = lines.iter().filter_map(|line| line.chars().next()).collect();
        let (first, second) = starts.strip_prefix('●').unwrap().split_once('●').unwrap();
        assert!(first.chars().all(|start| start == '│') && !first.is_empty(), "{screen}");
        assert!(second.chars().all(|start| start == ' ') && !second.is_empty(), "{screen}");
        assert!(screen.contains("│   the vendor's message: no such client"), "{screen}");
        assert!(lines.iter().any(|line| line.starts_with("│ ") && line.ends_with("s before")));
    }
}

#[test]
fn why_shows_denial_and_changed_fingerprint() {
    let (server, home) = home([denied(), token_reply()]);
    for _ in 0..3 {
        home.gatepass(["token", "cisco"]).run().failed(3);
    }
    let config = vendor("cisco").profile_with(&server.url(), "", |_| String::from("\"another\""));
    home.write("config/gatepass/config.toml", &config);
    home.gatepass(["call", "cisco", &format!("{}/x", server.url())]).run();
    let run = home.gatepass(["why", "cisco"]).run();
    assert_snapshot!(normalize(run.ok()), @"
    TIME (SPAN ago)  token, expires at TIME (took SPAN ms)
      next: the token is cached for the next calls
      sent: credential PRINT (changed since the previous request) to http://127.0.0.1:PORT, by `call` (process PID)

    TIME (SPAN ago)  refused: the vendor rejected client id or secret (401 invalid_client) (took SPAN ms)
      the vendor's message: no such client
      next: cool-down until TIME or until the credential changes; retry now: gatepass token cisco --fresh
      sent: credential PRINT to http://127.0.0.1:PORT, by `token` (process PID)
    ");
    let [second, first] = exchanges(&home, "cisco").try_into().unwrap();
    assert_ne!(first["credential"], second["credential"]);
    assert_eq!(first["credential"].as_str().unwrap().len(), 8);
}

#[test]
fn why_json_has_stable_names() {
    let (server, home) = home([denied()]);
    let command = home.gatepass(["token", "cisco"]).spawn();
    let pid = command.id();
    command.finish().failed(3);
    let [exchange] = exchanges(&home, "cisco").try_into().unwrap();
    let mut names: Vec<&str> = exchange.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "at",
            "command",
            "credential",
            "decision",
            "expires_at",
            "hint",
            "hints",
            "message",
            "origin",
            "outcome",
            "pid",
            "provider",
            "status",
            "took_ms",
            "until",
            "vendor_code",
            "vendor_text"
        ]
    );
    for (name, value) in [
        ("outcome", Value::from("denied")),
        ("status", 401.into()),
        ("vendor_code", "invalid_client".into()),
        ("vendor_text", "no such client".into()),
        ("decision", "refused".into()),
        ("origin", server.url().into()),
        ("command", "token".into()),
        ("pid", pid.into()),
        ("provider", "cisco".into()),
        ("expires_at", Value::Null),
    ] {
        assert_eq!(exchange[name], value, "{name}");
    }
    assert!(exchange["at"].is_string() && exchange["until"].is_string(), "{exchange}");
    assert!(exchange["took_ms"].is_u64(), "{exchange}");
}

#[test]
fn cached_error_points_to_why() {
    let (_server, home) = home([denied()]);
    let hints = |run: &Run| run.error(3)["hints"].as_array().unwrap().clone();
    let token = || home.gatepass(["token", "cisco", "--format", "json"]).run();
    let is_why = |hint: &Value| hint["command"] == json!(["gatepass", "why", "cisco"]);
    assert!(!hints(&token()).iter().any(is_why));
    assert!(hints(&token()).iter().any(is_why));
}

#[test]
fn parallel_commands_keep_the_history_intact() {
    // Memory-only tokens: the processes share only the history.
    let response = vendor("cloudneeti").token_response("token-1");
    let server = Server::responding([Reply::json(200, response)]);
    let home = Home::with_config(&vendor("cloudneeti").profile(&server.url(), ""));
    let running: Vec<_> = (0..20).map(|_| home.gatepass(["token", "cloudneeti"]).spawn()).collect();
    let mut pids: Vec<u64> = running.iter().map(|command| command.id().into()).collect();
    for command in running {
        command.finish().ok();
    }
    let mut recorded: Vec<u64> =
        exchanges(&home, "cloudneeti").iter().map(|one| one["pid"].as_u64().unwrap()).collect();
    pids.sort_unstable();
    recorded.sort_unstable();
    assert_eq!(recorded, pids);
    assert_eq!(exchanges(&home, "cloudneeti")[0]["decision"], "token_used");
}

#[test]
fn history_keeps_32_entries() {
    let (server, home) = home([token_reply()]);
    for _ in 0..35 {
        home.gatepass(["token", "cisco", "--fresh"]).run().ok();
    }
    assert_eq!((exchanges(&home, "cisco").len(), server.requests().len()), (32, 35));
    let five = home.gatepass(["why", "cisco"]).run();
    assert_eq!(five.ok().matches("token, expires at").count(), 5);
}

#[test]
fn history_file_has_no_secret_or_token() {
    for vendor in &VENDORS {
        let (token, refresh) = (canary("token"), canary("refresh"));
        let response = vendor.token_response(token.text()).replace("REFRESH-7Q", refresh.text());
        let secrets: Vec<_> = vendor.secrets.iter().map(|name| canary(name)).collect();
        // The vendor repeats the secrets in its error.
        let values: Vec<&str> = secrets.iter().map(|secret| secret.text()).collect();
        let error =
            format!("{{\"error\":\"denied\",\"error_description\":\"bad {}\"}}", values.join(" "));
        let server = Server::responding([Reply::json(200, response), Reply::json(401, error)]);
        let home = Home::with_config(&vendor.profile_with(&server.url(), "", |name| {
            let secret = secrets.iter().find(|secret| secret.name() == name).unwrap();
            format!("\"{}\"", secret.text())
        }));
        home.gatepass(["token", vendor.id]).run().ok();
        home.gatepass(["token", vendor.id, "--fresh"]).run().failed(3);
        let path = history_file(&home);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let raw = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let text = home.gatepass(["why", vendor.id]).run();
        let json = home.gatepass(["why", vendor.id, "--format", "json"]).run();
        assert_eq!(json.json()["exchanges"].as_array().unwrap().len(), 2, "{}", vendor.id);
        let all: Vec<_> = secrets.into_iter().chain([token, refresh]).collect();
        for report in [raw, text.all(), json.all()] {
            assert_eq!(find_leak(&report, &all), None, "{}", vendor.id);
        }
    }
}

#[test]
fn damaged_history_is_reported_and_does_not_block_tokens() {
    let (_server, home) = home([token_reply()]);
    home.gatepass(["token", "cisco"]).run().ok();
    for garbage in [b"garbage".to_vec(), Vec::new(), vec![0; 100_000]] {
        fs::write(history_file(&home), garbage).unwrap();
        let why = home.gatepass(["why", "cisco"]).run();
        assert!(why.ok().contains("no token requests recorded"), "{why:#?}");
        assert!(why.stderr.contains("the history is lost"), "{why:#?}");
        assert!(home.gatepass(["list"]).run().ok().contains("token good"));
        let token = home.gatepass(["token", "cisco", "--fresh"]).run();
        assert_eq!((token.ok(), token.stderr.as_str()), ("token-1\n", ""));
        assert_eq!(exchanges(&home, "cisco").len(), 1);
    }
}

#[test]
fn forget_removes_the_history() {
    let (_server, home) = home([token_reply()]);
    home.gatepass(["token", "cisco"]).run().ok();
    let forget = home.gatepass(["forget", "cisco"]).run();
    assert!(
        forget.stderr.contains("removed 1 cached record; removed 1 history entry"),
        "{forget:#?}"
    );
    assert!(exchanges(&home, "cisco").is_empty());
    assert!(home.gatepass(["why", "cisco"]).run().ok().contains("no token requests recorded"));
    let again = home.gatepass(["forget", "cisco", "--format", "json"]).run().json();
    assert_eq!((&again["forgotten"], &again["exchanges"]), (&0.into(), &0.into()));
}

#[test]
fn why_works_for_a_removed_profile() {
    let (_server, home) = home([denied()]);
    home.gatepass(["token", "cisco"]).run().failed(3);
    home.write("config/gatepass/config.toml", "");
    assert!(home.gatepass(["why", "cisco"]).run().ok().contains("invalid_client"));
    let unknown = home.gatepass(["why", "cisko"]).run();
    assert!(unknown.failed(2).contains("no profile `cisko`"), "{unknown:#?}");
}

#[test]
fn why_reports_a_missing_store() {
    let (_server, home) = home([token_reply()]);
    let why = || {
        let config = home.path("config/gatepass/config.toml");
        let command = home.gatepass(["why", "cisco"]).config(&config);
        command.without_env("GATEPASS_STATE_DIR").without_env("HOME").without_env("XDG_STATE_HOME")
    };
    let run = why().run();
    assert!(
        run.ok().contains("no token requests recorded, because there is no state directory"),
        "{run:#?}"
    );
    let json = why().args(["--format", "json"]).run().json();
    assert_eq!((&json["is_kept"], &json["exchanges"]), (&false.into(), &Value::Array(vec![])));
}
