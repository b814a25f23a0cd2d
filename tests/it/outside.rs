//! Tests of extensions outside the workspace, built there and linked into a command.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use gatepass_tests::{Home, Reply, Running, Server, Workspace, raw};
use serde_json::{Value, json};

/// Returns the outside workspace, written once.
fn outside() -> &'static Workspace {
    static OUTSIDE: OnceLock<Workspace> = OnceLock::new();
    OUTSIDE.get_or_init(|| {
        let packages = [
            "provider-acme",
            "sandbox-acme",
            "acme-gatepass",
            "store-acme",
            "data-acme",
            "sender-acme",
        ];
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

/// The sandbox of the outside command, and a home with its config.
struct OutsideSandbox<'home> {
    running: Running<'home>,
    ready: Value,
    home: Home,
}

impl<'home> OutsideSandbox<'home> {
    fn start(owner: &'home Home, more: &[&str]) -> Self {
        let args = ["sandbox", "--listen", "127.0.0.1:0", "--format", "json"];
        let args = args.into_iter().chain(more.iter().copied());
        let running = owner.program(command(), args).spawn();
        let ready: Value = serde_json::from_str(&running.line()).unwrap();
        let config = fs::read_to_string(ready["config"].as_str().unwrap()).unwrap();
        Self { running, ready, home: Home::with_config(&config) }
    }

    /// Sends a control request and returns the response's body.
    fn control(&self, method: &str, name: &str, body: &Value) -> Value {
        let (_, port) = self.ready["url"].as_str().unwrap().rsplit_once(':').unwrap();
        let body = body.to_string();
        let response = raw(
            port.parse().unwrap(),
            &format!(
                "{method} /_sandbox/{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ),
        );
        serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Returns the counters of the outside vendor.
    fn counters(&self) -> Value {
        self.control("GET", "state", &json!({}))["providers"]["acme"].clone()
    }

    /// Calls the protected path of the vendor's API.
    fn call(&self) -> gatepass_tests::Run {
        self.home.program(command(), ["call", "acme", "/v1/whoami"]).run()
    }

    fn stop(self) {
        self.running.interrupt();
        self.running.finish().ok();
    }
}

#[test]
fn sandboxed_outside_vendor_accepts_its_own_tokens() {
    let owner = Home::new();
    let sandbox = OutsideSandbox::start(&owner, &["--ttl", "100s"]);
    let client = &sandbox.ready["clients"]["acme"];
    assert_eq!(client["tenant"], "lab");
    let run = sandbox.home.program(command(), ["token", "acme", "--format", "json"]).run();
    let (token, seconds) = (run.json()["access_token"].clone(), run.json()["expires_in"].clone());
    assert!(token.as_str().unwrap().starts_with("Sandbox"), "{token}");
    assert!((90..=100).contains(&seconds.as_u64().unwrap()), "{seconds}");

    assert_eq!(sandbox.call().json(), json!({ "tenant": "lab" }));
    let counters = sandbox.counters();
    let expected = [("token_requests", 1), ("issued", 1), ("api_requests", 1), ("refused", 0)];
    for (name, count) in expected {
        assert_eq!(counters[name], count, "{name}: {counters}");
    }

    // Text in a path that is a secret or a token does not get into the log.
    for part in [token.as_str(), client["client_secret"].as_str()] {
        let url = format!("{}/acme/{}", sandbox.ready["url"].as_str().unwrap(), part.unwrap());
        sandbox.home.program(command(), ["call", "acme", &url]).run();
    }
    let log = sandbox.control("GET", "requests", &json!({})).to_string();
    assert!(log.contains("\"/lab/v1/token\"") && log.contains("[redacted]"), "{log}");
    assert!(!log.contains(token.as_str().unwrap()), "{log}");
    assert!(!log.contains(client["client_secret"].as_str().unwrap()), "{log}");
    sandbox.stop();
}

#[test]
fn sandboxed_outside_vendor_refuses_an_old_secret() {
    let owner = Home::new();
    let sandbox = OutsideSandbox::start(&owner, &[]);
    sandbox.call().ok();
    let id = sandbox.ready["clients"]["acme"]["client_id"].clone();
    let same = json!({ "provider": "acme", "fields": { "client_id": id } });
    let rotated = sandbox.control("POST", "clients", &same);
    assert_ne!(rotated["fields"], sandbox.ready["clients"]["acme"]);
    let run = sandbox.home.program(command(), ["token", "acme", "--fresh"]).run();
    assert!(run.failed(3).contains("invalid_client"), "{run:#?}");
    sandbox.control("POST", "reset", &json!({}));
    sandbox.home.program(command(), ["token", "acme", "--fresh"]).run().ok();
    sandbox.stop();
}

#[test]
fn sandboxed_outside_vendor_expires_and_revokes_tokens() {
    let owner = Home::new();
    let sandbox = OutsideSandbox::start(&owner, &[]);
    sandbox.call().ok();
    sandbox.control("POST", "time", &json!({ "advance_seconds": 901 }));
    assert_eq!(sandbox.counters()["live_tokens"], 0);
    assert_eq!(sandbox.call().json(), json!({ "tenant": "lab" }));
    let counters = sandbox.counters();
    assert_eq!((&counters["issued"], &counters["live_tokens"]), (&json!(2), &json!(1)));
    let revoked = sandbox.control("POST", "revoke", &json!({ "provider": "acme" }));
    assert_eq!(revoked["revoked"], 1);
    assert_eq!(sandbox.counters()["live_tokens"], 0);
    sandbox.stop();
}

#[test]
fn sandboxed_outside_vendor_has_all_faults() {
    let owner = Home::new();
    let sandbox = OutsideSandbox::start(&owner, &["--fault", "acme:retry-after-seconds*1"]);
    let fresh = || {
        let args = ["token", "acme", "--fresh", "--wait", "0s", "--format", "json"];
        sandbox.home.program(command(), args).run()
    };
    let inject = |fault: &str| {
        let fault = json!({ "provider": "acme", "fault": fault, "times": 1 });
        sandbox.control("POST", "faults", &fault);
    };
    fresh().failed(5);
    fresh().ok();
    // These faults change members that the vendor names by pointers.
    inject("expires-short");
    assert!(fresh().json()["expires_in"].as_u64().unwrap() <= 2);
    inject("no-token");
    fresh().failed(6);
    inject("token-echoes-secret");
    let run = fresh();
    run.failed(6);
    let secret = sandbox.ready["clients"]["acme"]["client_secret"].as_str().unwrap();
    assert!(!run.all().contains(secret), "{run:#?}");
    assert_eq!(sandbox.counters()["faults"], 4);
    sandbox.stop();

    let misspelt = ["sandbox", "--listen", "127.0.0.1:0", "--fault", "acm:status-503"];
    let run = owner.program(command(), misspelt).run();
    assert!(run.failed(2).contains("did you mean acme?"), "{run:#?}");
    let run = owner.gatepass(["sandbox", "--listen", "127.0.0.1:0", "--fault", "acme:status-503"]);
    assert!(run.run().failed(2).contains("no provider acme"));
}

#[test]
fn demo_of_the_outside_command_tries_the_outside_vendor() {
    let run = Home::new().program(command(), ["demo", "--format", "json"]).run();
    let rows = run.json();
    let acme = rows.as_array().unwrap().iter().find(|row| row["provider"] == "acme").unwrap();
    assert_eq!((&acme["ok"], &acme["api_path"]), (&json!(true), &json!("/v1/whoami")));
    let run = Home::new().program(command(), ["demo"]).run();
    assert!(run.all().contains("next, with your own vendor: acme-gatepass init"), "{run:#?}");
}

#[test]
fn sandbox_of_the_outside_command_shows_its_own_name() {
    let home = Home::new();
    let running = home.program(command(), ["sandbox", "--listen", "127.0.0.1:0"]).spawn();
    let printed: String = (0..6).map(|_| running.line()).collect();
    let shown = printed.contains("acme-gatepass token cisco --config ");
    assert!(shown && printed.contains(" acme-gatepass call celerdata "), "{printed}");
    running.interrupt();
    running.finish().ok();
}
