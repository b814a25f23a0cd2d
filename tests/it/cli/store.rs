//! Tests of tokens and failures shared between commands by the store.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gatepass_tests::{Home, Reply, Run, Server, vendor};

fn run_parallel(home: &Home, processes: usize) -> Vec<Run> {
    let running: Vec<_> =
        (0..processes).map(|_| home.gatepass(["token", "cisco"]).spawn()).collect();
    running.into_iter().map(|process| process.finish()).collect()
}

fn source(run: &Run) -> String {
    run.json()["source"].as_str().unwrap().to_owned()
}

#[test]
fn twenty_parallel_commands_send_one_token_request() {
    let (server, home) = vendor("cisco").counting("");
    for run in run_parallel(&home, 20) {
        assert_eq!(run.ok(), "token-1\n");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn hundred_denied_commands_send_one_token_request() {
    let server = Server::new(|_, _| Reply::json(401, r#"{"error":"invalid_client"}"#));
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    for run in run_parallel(&home, 100) {
        assert!(
            run.failed(3).contains("the vendor rejected client id or secret (401 invalid_client)")
        );
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn second_command_uses_the_stored_token() {
    let (server, home) = vendor("cisco").counting("");
    let json = || home.gatepass(["token", "cisco", "--format", "json"]).run();
    let (first, second) = (json(), json());
    assert_eq!((source(&first).as_str(), source(&second).as_str()), ("vendor", "cache"));
    assert_eq!(first.json()["access_token"], second.json()["access_token"]);
    assert_eq!(first.json()["expires_at"], second.json()["expires_at"]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn fresh_replaces_the_stored_token_only_on_success() {
    let response = vendor("cisco").token_response("token-1");
    let next = vendor("cisco").token_response("token-2");
    let denied = Reply::json(401, r#"{"error":"invalid_client"}"#);
    let replies = [Reply::json(200, response), denied, Reply::json(200, next)];
    let server = Server::responding(replies);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let token = |more: &[&str]| {
        home.gatepass(["token", "cisco"].into_iter().chain(more.iter().copied())).run()
    };
    assert_eq!(token(&[]).ok(), "token-1\n");
    token(&["--fresh"]).failed(3);
    assert_eq!(token(&[]).ok(), "token-1\n");
    assert_eq!(token(&["--fresh"]).ok(), "token-2\n");
    assert_eq!(token(&[]).ok(), "token-2\n");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn denial_is_cached_until_secret_changes() {
    let response = vendor("cisco").token_response("token");
    let denied = || Reply::json(401, r#"{"error":"invalid_client"}"#);
    let server = Server::responding([denied(), Reply::json(200, response)]);
    let home = Home::new();
    let config = |secret: &str| {
        let lines = format!("client_id = \"a\"\nclient_secret = \"{secret}\"");
        home.write(
            "c.toml",
            &format!(
                "[profiles.cisco]\nenvironment = \"id\"\nbase_url = \"{}\"\n{lines}\n",
                server.url()
            ),
        )
    };
    let token = |secret| home.gatepass(["token", "cisco"]).config(&config(secret)).run();
    token("first").failed(3);
    token("first").failed(3);
    assert_eq!(server.requests().len(), 1);
    token("second").ok();
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn forget_removes_one_profile_under_any_secret() {
    let (server, home) = vendor("cisco").counting("");
    home.gatepass(["token", "cisco"]).run().ok();
    let forgotten = home.gatepass(["forget", "cisco", "--format", "json"]).run().json();
    assert_eq!(forgotten["forgotten"], 1);
    assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-2\n");
    assert_eq!(server.requests().len(), 2);
    let unknown = home.gatepass(["forget", "cisko"]).run();
    assert!(unknown.failed(2).contains("no profile `cisko`"), "{unknown:#?}");
}

#[test]
fn memory_only_tokens_are_not_stored() {
    let vendor = vendor("cloudneeti");
    let server = Server::new(move |_, _| Reply::json(200, vendor.token_response("token-1")));
    for (more, exchanges) in [("", 2), ("persist = true", 3)] {
        let home = Home::with_config(&vendor.profile(&server.url(), more));
        for _ in 0..2 {
            home.gatepass(["token", "cloudneeti"]).run().ok();
        }
        assert_eq!(server.requests().len(), exchanges, "{more}");
    }
}

#[test]
fn shared_state_folder_is_not_used() {
    let (server, home) = vendor("cisco").counting("");
    fs::set_permissions(home.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
    for n in 1..=2 {
        let run = home.gatepass(["token", "cisco"]).run();
        assert_eq!(run.ok(), format!("token-{n}\n"));
        assert!(run.stderr.contains("tokens are not cached"), "{run:#?}");
    }
    assert_eq!(server.requests().len(), 2);
    assert_eq!(fs::read_dir(home.path("state")).unwrap().count(), 0);
}

#[test]
fn missing_state_folder_warns_once() {
    let (_server, home) = vendor("cisco").counting("");
    let config = home.path("config/gatepass/config.toml");
    let command = home.gatepass(["token", "cisco"]).config(&config);
    let command = command.without_env("GATEPASS_STATE_DIR").without_env("HOME");
    let run = command.without_env("XDG_STATE_HOME").run();
    assert_eq!(run.ok(), "token-1\n");
    assert_eq!(run.stderr.matches("warning").count(), 1, "{run:#?}");
}
