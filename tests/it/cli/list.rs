//! Tests of `gatepass list`: the profiles' states from the store.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gatepass_tests::{Home, Reply, Run, Server, gatepass_binary, normalize, vendor};
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
    let more = "environment = \"cloudsso\"\ngrant = \"implicit\"\nredirect_uri = \"http://127.0.0.1:0/callback\"";
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
    assert_eq!(table.len(), 2, "{plain}");
    assert!(table.iter().all(|line| line.chars().count() <= 80), "{plain}");
}

/// A config with a usable, an unusable and a broken profile. Its longest name has 23 characters.
fn mixed() -> (Server, Home) {
    let server = Server::new(|_, request| match request.path().contains("/as/") {
        true => token(3600),
        false => Reply::json(401, r#"{"error":"invalid_client"}"#),
    });
    let config = format!(
        "{}{}[profiles.a-broken-profile-of-ours]\nprovider = \"huawei\"\nclient_idd = \"x\"\n",
        vendor("cisco").profile(&server.url(), ""),
        vendor("configapi").profile(&server.url(), ""),
    );
    let home = Home::with_config(&config);
    home.gatepass(["token", "cisco"]).run().ok();
    home.gatepass(["token", "configapi"]).run().failed(3);
    (server, home)
}

#[test]
fn list_fits_narrow_terminals_with_messages_below() {
    let (_server, home) = mixed();
    for columns in [60, 80, 100, 200] {
        let list = home.gatepass(["list"]).env("NO_COLOR", "1").at_terminal_of(columns);
        let (code, screen) = list.finish();
        assert_eq!(code, Some(0));
        let (table, messages) = screen.split_once("\r\n\r\n").unwrap();
        let table: Vec<&str> = table.lines().collect();
        // One line for the header and for each profile, so no cell is wrapped.
        assert_eq!(table.len(), 4, "{screen}");
        assert!(table[0].starts_with("PROFILE") && table[0].contains("STATE"), "{screen}");
        assert!(table[1].contains("config error") && table[2].contains("token good"), "{screen}");
        let is_path = |line: &str| line.trim().starts_with('/') || line.contains("config.toml: /");
        for line in screen.lines().filter(|line| !is_path(line)) {
            assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}");
        }
        let flat = messages.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("unknown key `client_idd`"), "{screen}");
        let denied = "configapi: the vendor rejected client id or secret (401 invalid_client)";
        assert!(flat.contains(denied), "{screen}");
        // The next command is a column if that fits, and else below the message.
        let is_below = !table[0].contains("NEXT");
        assert!(is_below == (columns < 200), "{screen}");
        assert_eq!(flat.contains("next: gatepass why configapi"), is_below, "{screen}");
        assert!(screen.contains("gatepass doctor a-broken-profile-of-ours"), "{screen}");
    }
    let narrow = home.gatepass(["list"]).env("NO_COLOR", "1").at_terminal_of(40).finish().1;
    assert!(narrow.contains("cisco\r\n  token good, expires in "), "{narrow}");
}

#[test]
fn list_shows_one_profile() {
    let (_server, home) = mixed();
    let run = home.gatepass(["list", "configapi"]).run();
    assert!(run.ok().contains("refused") && !run.stdout.contains("cisco"), "{run:#?}");
    let one = home.gatepass(["list", "cisco", "--format", "json"]).run().json();
    assert_eq!((one.as_array().unwrap().len(), &one[0]["profile"]), (1, &"cisco".into()));
    let broken = home.gatepass(["list", "a-broken-profile-of-ours"]).run();
    assert!(broken.ok().contains("unknown key `client_idd`"), "{broken:#?}");
    let run = home.gatepass(["list", "cizco"]).run();
    assert!(run.failed(2).contains("no profile `cizco`") && run.stderr.contains("cisco"));
}

#[test]
fn watch_prints_a_json_line_per_change() {
    let (_server, home) = mixed();
    let watch = home.gatepass(["list", "cisco", "--watch", "--format", "json"]).spawn();
    let next = || {
        let line: Value = serde_json::from_str(&watch.line()).unwrap();
        let state = line[0]["state"].as_str().unwrap().to_owned();
        (state, line[0]["expires_at"].clone())
    };
    let (state, first) = next();
    assert_eq!(state, "token good");
    home.gatepass(["forget", "cisco"]).run().ok();
    assert_eq!(next(), (String::from("ready"), Value::Null));
    home.gatepass(["token", "cisco"]).run().ok();
    let (state, second) = next();
    assert_eq!(state, "token good");
    assert_ne!(first, second);
    // A broken file ends nothing, and a new profile is a change.
    let path = home.path("config/gatepass/config.toml");
    let config = fs::read_to_string(&path).unwrap();
    home.write("config/gatepass/config.toml", &config.replace("client_id =", "client_idd ="));
    assert_eq!(next().0, "config error");
    watch.interrupt();
    let run = watch.finish();
    // No other line was printed, although the remaining lifetime changed each second.
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn watch_in_a_pipe_ends_with_its_reader() {
    let (_server, home) = mixed();
    let watch = home.gatepass(["list", "configapi", "--watch"]).spawn();
    assert!(watch.line().starts_with("PROFILE"));
    assert!(watch.line().contains("refused"));
    while !watch.line().starts_with("config.toml: ") {}
    home.gatepass(["forget", "configapi"]).run().ok();
    assert_eq!(watch.line(), "\n");
    assert!(watch.line().starts_with("PROFILE") && watch.line().contains("ready"));
    watch.terminate();
    watch.finish().ok();
    let gatepass = gatepass_binary().to_str().unwrap();
    let head = ["-c", "\"$0\" list --watch | head -n 1", gatepass];
    assert!(home.program("sh".as_ref(), head).run().ok().starts_with("PROFILE"));
}

#[test]
fn watch_redraws_a_terminal_and_restores_it() {
    let (_server, home) = mixed();
    let mut watch = home.gatepass(["list", "--watch"]).at_terminal();
    let screen = watch.wait_for("token good");
    assert!(screen.starts_with("\x1b[?1049h\x1b[?25l"), "{screen:?}");
    home.gatepass(["forget", "cisco"]).run().ok();
    watch.wait_for("ready");
    watch.interrupt();
    let (code, screen) = watch.finish();
    assert_eq!(code, Some(0));
    assert!(screen.ends_with("\x1b[?25h\x1b[?1049l"), "{screen:?}");
    let plain = home.gatepass(["list", "--watch"]).env("TERM", "dumb");
    let mut plain = plain.at_terminal();
    plain.wait_for("configapi");
    plain.interrupt();
    assert!(!plain.finish().1.contains("\x1b[?1049h"));
}

#[test]
fn list_works_without_a_usable_store() {
    let (_server, home, _) = run_token("cisco", token(3600), "");
    fs::set_permissions(home.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let run = home.gatepass(["list"]).run();
    assert!(run.ok().contains("ready"), "{run:#?}");
    assert!(run.stderr.contains("tokens are not cached"), "{run:#?}");
}
