//! Tests of extensions outside the workspace, built there and linked into a command.

use std::path::PathBuf;
use std::sync::OnceLock;

use gatepass_tests::{Home, Reply, Server, Workspace};

/// Returns the outside workspace, written once.
fn outside() -> &'static Workspace {
    static OUTSIDE: OnceLock<Workspace> = OnceLock::new();
    OUTSIDE.get_or_init(|| {
        let packages = ["provider-acme", "acme-gatepass", "store-acme", "data-acme", "sender-acme"];
        let outside = Workspace::new("outside", &packages);
        let templates = gatepass_tests::workspace().join("tests/outside");
        for package in packages {
            outside.copy(&templates.join(package), package);
        }
        outside
    })
}

/// Returns the outside command, built once.
fn command() -> &'static PathBuf {
    static COMMAND: OnceLock<PathBuf> = OnceLock::new();
    COMMAND.get_or_init(|| outside().build("acme-gatepass", &[]))
}

/// Runs the tests of an outside package: one per check of the testkit's suite.
fn assert_tests_pass(package: &str, checks: usize) {
    let output = outside().test(package);
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains(&format!("test result: ok. {checks} passed; 0 failed")), "{report}");
}

#[test]
fn outside_provider_passes_the_conformance_suite() {
    assert_tests_pass("provider-acme", gatepass_testkit::checks::ALL.len());
}

#[test]
fn outside_store_passes_the_store_contract() {
    assert_tests_pass("store-acme", gatepass_testkit::store::ALL.len());
}

#[test]
fn outside_program_registers_providers_made_at_run_time() {
    assert_tests_pass("data-acme", 3);
}

#[test]
fn outside_sender_credential_source_and_clock_work() {
    assert_tests_pass("sender-acme", 3);
}

#[test]
fn outside_provider_does_not_build_the_engine() {
    let packages = outside().dependencies("provider-acme");
    assert!(packages.contains("gatepass-testkit"), "{packages}");
    assert!(!packages.contains("gatepass-engine") && !packages.contains("tokio"), "{packages}");
}

#[test]
fn outside_command_lists_the_outside_provider() {
    let run = Home::new().program(command(), ["providers", "--format", "json"]).run();
    let providers = run.json();
    let ids: Vec<&str> = providers
        .as_array()
        .unwrap()
        .iter()
        .map(|provider| provider["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["acme", "celerdata", "cisco", "cloudneeti", "configapi", "huawei"]);
    assert_eq!(providers[0]["docs"], "https://acme.example/docs/token");
}

#[test]
fn outside_command_shows_its_own_name() {
    let home = Home::new();
    let run = |args: &[&str]| home.program(command(), args.iter().copied()).run();
    assert_eq!(run(&["--version"]).ok(), "acme-gatepass 0.3.0\n");
    for args in [&["--help"][..], &["token", "--help"], &["help", "exec"]] {
        let help = run(args).ok().to_owned();
        assert!(help.contains("acme-gatepass token") || help.contains("acme-gatepass exec"));
        let left = help.lines().find(|line| line.trim_start().starts_with("gatepass "));
        assert_eq!(left, None, "{help}");
    }
    let page = run(&["man"]).ok().to_owned();
    assert!(page.contains("\"acme-gatepass 0.3.0\"") && page.contains("acme\\-gatepass"), "{page}");
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).ok().to_owned();
        assert!(script.contains("acme-gatepass"), "{script}");
        assert!(!script.contains("command gatepass"), "{script}");
    }
    let error = run(&["token", "nosuch"]);
    assert!(error.failed(2).contains("acme-gatepass"), "{error:#?}");
    let error = run(&["token", "nosuch", "--format", "json"]);
    assert!(!error.stderr.contains("\"gatepass\""), "{error:#?}");
}

#[test]
fn outside_provider_follows_all_token_rules() {
    let server = Server::responding([
        Reply::json(200, r#"{"data":{"jwt":"token-1","ttl":"900"}}"#),
        Reply::json(401, r#"{"error":"invalid_client","error_description":"unsaid-secret"}"#),
    ]);
    let config = format!(
        "[profiles.acme]\nbase_url = \"{}\"\ntenant = \"a/b\"\nclient_id = \"me\"\n\
         client_secret = \"unsaid-secret\"\n",
        server.url()
    );
    let home = Home::with_config(&config);
    let run = home.program(command(), ["token", "acme", "--format", "json"]).run();
    assert_eq!(run.json()["access_token"], "token-1");
    let request = server.request();
    assert_eq!(request.path(), "/a%2Fb/v1/token");
    assert_eq!(request.json(), serde_json::json!({"key": "me", "secret": "unsaid-secret"}));

    let run = home.program(command(), ["token", "acme", "--fresh"]).run();
    let error = run.failed(3);
    assert!(error.contains("invalid_client") && !error.contains("unsaid-secret"), "{error}");

    let run = home.program(command(), ["token", "acme", "--set", "tenat=x"]).run();
    assert!(run.failed(2).contains("did you mean `tenant`?"), "{run:#?}");
}

#[test]
fn command_explains_how_to_link_a_provider() {
    let home = Home::with_config("[profiles.acme]\nclient_id = \"me\"\n");
    let run = home.gatepass(["token", "acme"]).run();
    assert!(run.failed(2).contains("celerdata, cisco, cloudneeti, configapi, huawei"), "{run:#?}");
    let home = Home::with_config("[profiles.x]\nprovider = \"acme\"\n");
    let run = home.gatepass(["token", "x"]).run();
    assert!(run.failed(2).contains("use provider_acme as _;"), "{run:#?}");
}
