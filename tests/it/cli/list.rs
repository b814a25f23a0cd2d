//! Tests of `gatepass list`: the profiles' states from the store.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gatepass_tests::{Home, Reply, Run, Server, normalize, vendor};
use insta::assert_snapshot;
use serde_json::Value;

/// Runs `token` once against this reply and returns the run.
fn run_token(id: &str, reply: Reply, more: &str) -> (Server, Home, Run) {
    let server = Server::responding([reply]);
    let home = Home::with_config(&vendor(id).profile(&server.url(), more));
    let run = home.gatepass(["token", id, "--wait", "0s"]).run();
    (server, home, run)
}

fn rows(home: &Home) -> Vec<Value> {
    let rows = home.gatepass(["list", "--format", "json"]).run().json();
    rows.as_array().unwrap().clone()
}

fn row(home: &Home) -> Value {
    let [row] = rows(home).try_into().unwrap();
    row
}

fn token(seconds: u64) -> Reply {
    let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{seconds}");
    Reply::json(200, format!("{{\"access_token\":\"token-1\",{fields}}}"))
}

#[test]
fn unused_profile_is_ready() {
    let home = Home::with_config(&vendor("cisco").profile("http://127.0.0.1:9", ""));
    let row = row(&home);
    let mut names: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "error",
            "expires_at",
            "expires_in",
            "last_error",
            "next",
            "origin",
            "profile",
            "provider",
            "refresh_in",
            "retry_at",
            "secret_sources",
            "state"
        ]
    );
    assert_eq!((&row["profile"], &row["provider"]), (&"cisco".into(), &"cisco".into()));
    assert_eq!((&row["state"], &row["next"]), (&"ready".into(), &"gatepass token cisco".into()));
    for name in ["error", "expires_at", "expires_in", "last_error", "refresh_in", "retry_at"] {
        assert!(row[name].is_null(), "{name}");
    }
    let origin = row["origin"].as_str().unwrap();
    assert!(origin.ends_with("config.toml"));
    assert_eq!(row["secret_sources"]["client_secret"], origin);
}

#[test]
fn list_shows_cached_tokens_offline() {
    let (server, home, run) = run_token("cisco", token(3600), "");
    run.ok();
    let row = row(&home);
    assert_eq!((&row["state"], &row["next"]), (&"token good".into(), &Value::Null));
    let (expires_in, refresh_in) =
        (row["expires_in"].as_u64().unwrap(), row["refresh_in"].as_u64().unwrap());
    assert!((3500..=3600).contains(&expires_in) && (2500..2700).contains(&refresh_in), "{row}");
    assert!(row["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(server.requests().len(), 1);
    let text = home.gatepass(["list"]).run();
    assert_snapshot!(normalize(text.ok().split("\n\n").next().unwrap()), @"
    PROFILE  PROVIDER  STATE       EXPIRES IN  REFRESH IN  SOURCE
    cisco    cisco     token good  SPAN      SPAN      config.toml
    ");
}

#[test]
fn denied_profile_is_ready_after_a_new_secret() {
    let denied = Reply::json(401, r#"{"error":"invalid_client"}"#);
    let (server, home, run) = run_token("cisco", denied, "");
    run.failed(3);
    let denied_row = row(&home);
    assert_eq!(
        (&denied_row["state"], &denied_row["next"]),
        (&"refused".into(), &"gatepass why cisco".into())
    );
    assert_eq!(
        denied_row["last_error"],
        "the vendor rejected client id or secret (401 invalid_client)"
    );
    assert!(denied_row["retry_at"].is_string());
    let config = vendor("cisco").profile_with(&server.url(), "", |_| String::from("\"another\""));
    home.write("config/gatepass/config.toml", &config);
    assert_eq!(row(&home)["state"], "ready");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn list_shows_a_state_per_failure() {
    for (reply, state, next) in [
        (Reply::empty(429).with("retry-after", "60"), "throttled", "gatepass token cisco --wait"),
        (Reply::empty(429).with("retry-after", "3000"), "throttled", "gatepass why cisco"),
        (Reply::empty(503).with("retry-after", "60"), "unavailable", "gatepass token cisco --wait"),
        (Reply::new(200, "text/html", "<p>no</p>"), "unusable response", "gatepass why cisco"),
        (Reply::json(400, r#"{"error":"invalid_scope"}"#), "config error", "gatepass why cisco"),
    ] {
        let (_server, home, run) = run_token("cisco", reply, "");
        assert_ne!(run.code, Some(0), "{run:#?}");
        let row = row(&home);
        assert_eq!(row["state"], state, "{row} {run:#?}");
        assert!(row["next"].as_str().unwrap().starts_with(next), "{row}");
        assert!(row["last_error"].is_string() && row["error"].is_null(), "{row}");
    }
}

#[test]
fn list_follows_a_token_through_its_lifetime() {
    // The leeway is half of the lifetime, and a refresh is due at five eighths remaining.
    let (_server, home, run) = run_token("cisco", token(6), "leeway = \"3s\"");
    run.ok();
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != "ready") {
        let row = row(&home);
        assert!(row["state"] != "aging" || row["refresh_in"] == 0, "{row}");
        states.push(row["state"].as_str().unwrap().to_owned());
    }
    states.dedup();
    assert_eq!(states, ["token good", "aging", "ready"]);
}

#[test]
fn list_shows_login_required() {
    let more = "grant = \"implicit\"\nredirect_uri = \"http://127.0.0.1:0/callback\"";
    let home = Home::with_config(&format!("[profiles.cisco]\nclient_id = \"app-1\"\n{more}\n"));
    let row = row(&home);
    assert_eq!(
        (&row["state"], &row["next"]),
        (&"login needed".into(), &"gatepass login cisco".into())
    );
}

#[test]
fn list_runs_no_command_and_reads_no_stdin() {
    let server = Server::responding([token(3600)]);
    let home = Home::new();
    let program = home.write_as("secret.sh", "#!/bin/sh\necho x >> ran\necho secret\n", 0o700);
    let command = format!("{{ command = [\"{}\"] }}", program.display());
    let config = vendor("cisco").profile_with(&server.url(), "", |_| command.clone());
    let stdin = vendor("huawei").profile_with(&server.url(), "", |_| "{ stdin = true }".into());
    home.write("config/gatepass/config.toml", &(config + &stdin));
    home.gatepass(["token", "cisco"]).run().ok();
    let run_count = || fs::read_to_string(home.path("work/ran")).unwrap().lines().count();
    assert_eq!(run_count(), 1);
    let [cisco, huawei] = rows(&home).try_into().unwrap();
    assert_eq!((&cisco["state"], &huawei["state"]), (&"token good".into(), &"ready".into()));
    home.gatepass(["inspect", "cisco"]).run().ok();
    assert_eq!(run_count(), 1);
    let source = cisco["secret_sources"]["client_secret"].as_str().unwrap();
    assert!(source.starts_with("the output of "), "{source}");
}

#[test]
fn list_shows_each_profile_and_its_error() {
    let config = vendor("cisco").profile("http://127.0.0.1:9", "")
        + "[profiles.broken]\nprovider = \"huawei\"\nclient_id = \"x\"\n"
        + "[profiles.unset]\nprovider = \"celerdata\"\nclient_id = \"x\"\n"
        + "client_secret = { env = \"UNSET_VARIABLE\" }\n";
    let home = Home::with_config(&config);
    let list = |args| {
        home.gatepass(args)
            .env("GATEPASS_LAKE_PROVIDER", "celerdata")
            .env("GATEPASS_LAKE_CLIENT_ID", "a")
            .env("GATEPASS_LAKE_CLIENT_SECRET", "b")
            .run()
    };
    let text = list(["list", "--format", "text"]);
    for word in ["cisco", "broken", "lake", "huawei", "celerdata", "config.toml", "environment"] {
        assert!(text.ok().contains(word), "{word}: {text:#?}");
    }
    let rows = list(["list", "--format", "json"]).json();
    let row = |name: &str| {
        rows.as_array().unwrap().iter().find(|row| row["profile"] == name).unwrap().clone()
    };
    assert_eq!(
        (&row("cisco")["error"], &row("lake")["provider"]),
        (&Value::Null, &"celerdata".into())
    );
    for (name, expected) in
        [("broken", ["client_secret", "domain"]), ("unset", ["UNSET_VARIABLE"; 2])]
    {
        assert_eq!(row(name)["state"], "config error");
        let error = row(name)["error"].as_str().unwrap().to_owned();
        assert!(expected.iter().any(|word| error.contains(word)), "{error}");
        assert_eq!(row(name)["next"], format!("gatepass doctor {name}"));
    }
    assert_eq!(rows.as_array().unwrap().len(), 4);
}

#[test]
fn list_without_profiles_names_init() {
    let run = Home::new().gatepass(["list"]).run();
    assert_eq!(run.ok(), "");
    assert!(run.stderr.contains("`gatepass init`") && run.stderr.contains("GATEPASS_"), "{run:#?}");
    assert_eq!(
        Home::new().gatepass(["list", "--format", "json"]).run().json(),
        Value::Array(vec![])
    );
}

#[test]
fn list_is_formatted_on_a_terminal_only() {
    let denied = Reply::json(401, r#"{"error":"invalid_client"}"#);
    let (_server, home, _) = run_token("cisco", denied, "");
    let piped = home.gatepass(["list"]).run();
    assert!(!piped.ok().contains('\x1b'), "{piped:#?}");
    assert!(piped.stdout.contains("the vendor rejected client id or secret (401 invalid_client)"));
    let (code, screen) = home.gatepass(["list"]).at_terminal().finish();
    assert_eq!(code, Some(0));
    assert!(screen.contains("\x1b[31mrefused\x1b[0m"), "{screen:?}");
    let (_, plain) = home.gatepass(["list"]).env("NO_COLOR", "1").at_terminal().finish();
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let table: Vec<&str> = plain.split("\r\n\r\n").next().unwrap().lines().collect();
    assert!(table.len() > 2, "{plain}");
    assert!(table.iter().all(|line| line.chars().count() <= 80), "{plain}");
}

#[test]
fn list_works_without_a_usable_store() {
    let (_server, home, _) = run_token("cisco", token(3600), "");
    fs::set_permissions(home.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let run = home.gatepass(["list"]).run();
    assert!(run.ok().contains("ready"), "{run:#?}");
    assert!(run.stderr.contains("tokens are not cached"), "{run:#?}");
}
