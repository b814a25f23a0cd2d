//! Tests of `gatepass doctor`: its steps, states and hints.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Home, Received, Reply, Run, Server, VENDORS, Vendors, vendor};
use jiff::Timestamp;
use serde_json::Value;

/// Checks the report and its exit code. Returns each step as `name state` and as JSON.
#[track_caller]
fn check_report(run: &Run, exit: i32) -> (Vec<String>, Vec<Value>) {
    assert_eq!(run.code, Some(exit), "{run:#?}");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let names: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(names, ["exit", "ok", "steps"]);
    assert_eq!((&report["exit"], &report["ok"]), (&exit.into(), &(exit == 0).into()));
    let steps = report["steps"].as_array().unwrap().clone();
    for step in &steps {
        let names: Vec<&String> = step.as_object().unwrap().keys().collect();
        assert_eq!(names, ["code", "detail", "hint", "hints", "profile", "state", "step"]);
        let is_failed = step["state"] == "failed";
        assert_eq!(step["code"].is_string(), is_failed, "{step}");
        assert!(!is_failed || step["hint"].is_string(), "a failed step has a hint: {step}");
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (
        steps
            .iter()
            .map(|step| format!("{} {}", text(&step["step"]), text(&step["state"])))
            .collect(),
        steps,
    )
}

fn json(home: &Home, args: &[&str]) -> Run {
    home.gatepass(["doctor", "--format", "json"].into_iter().chain(args.iter().copied())).run()
}

/// Returns the only failed step with this exit code, and the states of all steps.
#[track_caller]
fn single_failure(run: &Run, exit: i32, step: &str, text: &str) -> (Vec<String>, Value) {
    let (states, steps) = check_report(run, exit);
    let failed: Vec<&Value> = steps.iter().filter(|step| step["state"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{run:#?}");
    let failed = failed[0];
    assert_eq!(failed["step"], step, "{run:#?}");
    let report = format!("{} {}", failed["detail"], failed["hint"]);
    assert!(report.contains(text), "{report}");
    (states, failed.clone())
}

const SKIPPED_NETWORK_STEPS: [&str; 6] =
    ["dns skipped", "tcp skipped", "tls skipped", "clock skipped", "token skipped", "api skipped"];

/// Starts a vendor with a token, an API and this reply for other requests.
fn cisco(api: Reply, other: Reply) -> Server {
    let vendor = vendor("cisco");
    Server::new(move |_, request: &Received| match request.path() {
        path if path == vendor.token_path => Reply::json(200, vendor.token_response("token-1")),
        path if path == vendor.api_path => api.clone(),
        _ => other.clone(),
    })
}

fn home_of(server: &Server) -> Home {
    Home::with_config(&vendor("cisco").profile(&server.url(), ""))
}

#[test]
fn doctor_passes_for_each_vendor_and_uses_the_store() {
    let vendors = Vendors::start();
    let home = vendors.home();
    let (states, steps) = check_report(&json(&home, &[]), 0);
    assert!(
        states.iter().all(|step| step.ends_with(" ok") || step == "token warning"),
        "{states:?}"
    );
    assert_eq!(states[..2], ["config ok", "state ok"]);
    for vendor in &VENDORS {
        let own: Vec<&Value> = steps.iter().filter(|step| step["profile"] == vendor.id).collect();
        let names: Vec<String> =
            own.iter().map(|step| step["step"].as_str().unwrap().into()).collect();
        let secrets = vendor.secrets.iter().map(|name| format!("secret {name}"));
        let mut expected: Vec<String> = secrets.collect();
        expected.insert(0, String::from("profile"));
        expected.extend(["dns", "tcp", "tls", "clock", "token", "api"].map(String::from));
        assert_eq!(names, expected);
        assert!(own.iter().any(|step| step["detail"].to_string().contains("200 from ")), "{own:?}");
    }
    let issued = |vendors: &Vendors| vendors.sandbox.state().provider("cisco").issued;
    assert_eq!(issued(&vendors), 1);
    let (_, steps) = check_report(&json(&home, &["cisco"]), 0);
    assert!(steps.iter().any(|step| step["detail"].to_string().contains("cached")));
    assert_eq!(issued(&vendors), 1);
    check_report(&json(&home, &["cisco", "--fresh"]), 0);
    assert_eq!(issued(&vendors), 2);
    vendors.stop();
}

#[test]
fn doctor_shows_marks_and_colours_on_a_terminal_only() {
    let home = Home::with_config(&vendor("cisco").profile("http://127.0.0.1:1", ""));
    let run = home.gatepass(["doctor"]).run();
    assert_eq!(run.code, Some(6), "{run:#?}");
    for line in [
        "✓ config ",
        "\ncisco\n  ✓ profile ",
        "  ✗ tcp ",
        "    hint: ",
        "\n  – tls, clock, token, api: not tested, because tcp failed\n",
    ] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
    let summary = "\n\n✗ 5 ok, 1 failed, 4 not tested; exit code 6, because of cisco: tcp\n";
    assert!(run.stdout.ends_with(summary), "{}", run.stdout);
    assert_eq!(run.stdout.matches("not tested,").count(), 1);
    assert!(!run.stdout.contains('\x1b') && run.stderr.is_empty(), "{run:#?}");
    let (code, screen) = home.gatepass(["doctor"]).at_terminal().finish();
    assert_eq!(code, Some(6));
    assert!(screen.contains("\x1b[31m✗\x1b[0m"), "{screen:?}");
    // A path has no space to break at.
    let plain = home.gatepass(["doctor"]).env("NO_COLOR", "1").at_terminal().finish().1;
    let is_wide = |line: &&str| line.chars().count() > 80 && line.trim().contains("  ");
    assert_eq!(plain.lines().find(is_wide), None);
    let narrow = home.gatepass(["doctor"]).env("NO_COLOR", "1").at_terminal_of(60).finish().1;
    assert!(narrow.contains("check the address and its port, the network and\r\n"), "{narrow}");
}

#[test]
fn doctor_summary_counts_all_profiles() {
    let server = cisco(Reply::empty(200), Reply::empty(404));
    let home = home_of(&server);
    let run = home.gatepass(["doctor"]).run();
    assert!(run.ok().ends_with("\n\n✓ 9 ok, 1 not tested\n"), "{run:#?}");
    let broken = "[profiles.a]\nprovider = \"cizco\"\n[profiles.b]\nprovider = \"cizco\"\n";
    home.write("config/gatepass/config.toml", broken);
    let run = home.gatepass(["doctor"]).run();
    let summary = "\n\n✗ 2 ok, 2 failed, 12 not tested; exit code 2, because of a: profile\n";
    assert!(run.stdout.ends_with(summary), "{run:#?}");
    let rest = "  – dns, tcp, tls, clock, token, api: not tested, because profile failed\n";
    assert_eq!(run.stdout.matches(rest).count(), 2, "{run:#?}");
    let none = Home::new().gatepass(["doctor"]).run();
    assert!(none.stdout.ends_with("– profile: not tested, because config failed\n\n✗ 1 ok, 1 failed, 1 not tested; exit code 2, because of config\n"), "{none:#?}");
}

#[test]
fn doctor_without_config_names_its_path() {
    let home = Home::new();
    let (states, step) = single_failure(&json(&home, &[]), 2, "config", "gatepass/config.toml");
    assert_eq!(states, ["config failed", "state ok", "profile skipped"]);
    assert_eq!(step["code"], "config");
    let server = cisco(Reply::empty(200), Reply::empty(404));
    let run = home
        .gatepass(["doctor", "--format", "json"])
        .env("GATEPASS_CISCO_ENVIRONMENT", "cloudsso")
        .env("GATEPASS_CISCO_CLIENT_ID", "app-1")
        .env("GATEPASS_CISCO_CLIENT_SECRET", "from-a-variable")
        .env("GATEPASS_CISCO_BASE_URL", server.url())
        .run();
    let (_, steps) = check_report(&run, 0);
    assert!(steps[0]["detail"].as_str().unwrap().contains("1 profile from variables"));
}

#[test]
fn doctor_reports_a_bad_config_and_checks_the_folder() {
    let home = Home::new();
    let good = vendor("cisco").profile("http://127.0.0.1:1", "");
    let cases = [
        (home.write_as("open.toml", &good, 0o666), "chmod go-w"),
        (home.write("broken.toml", "[profiles.cisco\n"), "not valid TOML"),
        (home.path("none.toml"), "cannot be read: no such file"),
        (home.path("state"), "is not a file"),
    ];
    for (path, text) in cases {
        let run = json(&home, &["--config", path.to_str().unwrap()]);
        let (states, _) = single_failure(&run, 2, "config", text);
        assert_eq!(states, ["config failed", "state ok", "profile skipped"]);
    }
}

#[test]
fn doctor_reports_a_bad_state_folder_and_continues() {
    let server = cisco(Reply::empty(200), Reply::empty(404));
    let home = home_of(&server);
    let file = home.write("a-file", "");
    let doctor = || home.gatepass(["doctor", "--format", "json"]);
    let run = doctor().env("GATEPASS_STATE_DIR", &file).run();
    let (states, _) = single_failure(&run, 2, "state", "GATEPASS_STATE_DIR");
    assert_eq!(states.last().unwrap(), "api ok");
    let run = doctor().without_env("GATEPASS_STATE_DIR").without_env("HOME").run();
    assert_eq!(check_report(&run, 0).0[1], "state warning");
}

#[test]
fn doctor_checks_all_profiles_and_exits_with_first_failure() {
    let server = cisco(Reply::empty(200), Reply::empty(404));
    let config = format!(
        "[profiles.a]\nprovider = \"cizco\"\n{}",
        vendor("cisco").profile(&server.url(), "")
    );
    let home = Home::with_config(&config);
    let (states, step) = single_failure(&json(&home, &[]), 2, "profile", "cisco");
    assert_eq!(step["profile"], "a");
    assert_eq!(states[3..9], SKIPPED_NETWORK_STEPS);
    assert_eq!(states.last().unwrap(), "api ok");
    single_failure(&json(&home, &["unknown"]), 2, "profile", "no profile");
    // A wrong CA file is a config error.
    let path = home.write("ca.pem", "no certificate");
    let more = format!("ca_file = \"{}\"", path.display());
    let config = vendor("cisco").profile("https://127.0.0.1:1", &more);
    single_failure(&json(&Home::with_config(&config), &[]), 2, "profile", "certificate");
}

#[test]
fn doctor_reports_missing_secrets_and_checks_the_network() {
    let server = cisco(Reply::empty(200), Reply::empty(404));
    for (reference, text) in [
        ("{ env = \"UNSET_SECRET\" }", "UNSET_SECRET"),
        ("{ file = \"nowhere\" }", "nowhere"),
        ("{ command = [\"false\"] }", "failed (1)"),
        ("{ stdin = true }", "standard input"),
    ] {
        let config = vendor("cisco").profile_with(&server.url(), "", |_| reference.to_owned());
        let home = Home::with_config(&config);
        let (states, _) = single_failure(&json(&home, &[]), 2, "secret client_secret", text);
        assert_eq!(states[4..6], ["dns ok", "tcp ok"]);
        assert_eq!(states[8..], ["token skipped", "api skipped"]);
    }
    assert!(server.requests().iter().all(|request| request.path() == "/"));
}

#[test]
fn doctor_distinguishes_dns_and_connection_failures() {
    let home_at = |url: &str| Home::with_config(&vendor("cisco").profile(url, ""));
    let home = home_at("https://no-such-host.invalid");
    let (states, _) = single_failure(&json(&home, &[]), 6, "dns", "name not found");
    assert_eq!(states[5..], SKIPPED_NETWORK_STEPS[1..]);
    let (states, _) =
        single_failure(&json(&home_at("http://127.0.0.1:1"), &[]), 6, "tcp", "refused");
    assert_eq!(states[6..], SKIPPED_NETWORK_STEPS[2..]);
}

#[test]
fn doctor_times_out_on_a_silent_server() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let home = Home::with_config(&vendor("cisco").profile(&url, ""));
    let (states, _) = single_failure(&json(&home, &[]), 6, "tls", "5 s");
    assert_eq!(states[7..], SKIPPED_NETWORK_STEPS[3..]);
}

#[test]
fn doctor_reports_an_unknown_ca_and_trusts_ca_file() {
    let home = Home::new();
    let run = home.gatepass(["sandbox", "--listen", "127.0.0.1:0", "--tls", "--format", "json"]);
    let sandbox = run.spawn();
    let ready: Value = serde_json::from_str(&sandbox.line()).unwrap();
    let path = ready["config"].as_str().unwrap();
    check_report(&json(&home, &["cisco", "--config", path]), 0);
    let without: String = fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with("ca_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    let without_ca = home.write("stranger.toml", &without);
    let run = json(&home, &["cisco", "--fresh", "--config", without_ca.to_str().unwrap()]);
    let (_, step) = single_failure(&run, 6, "tls", "ca_file");
    assert!(step["detail"].to_string().contains("certificate"), "{step}");
    sandbox.interrupt();
    sandbox.finish();
}

#[test]
fn doctor_checks_the_proxy_and_hides_its_password() {
    let proxy = Server::responding([Reply::empty(407)]);
    let address = proxy.url().replace("http://", "http://me:unsaid-word@");
    let home = Home::with_config(&vendor("cisco").profile("https://vendor.invalid", ""));
    let run = home
        .gatepass(["doctor", "--format", "json"])
        .env("HTTPS_PROXY", &address)
        .env("RUST_LOG", "trace")
        .run();
    let (states, steps) = check_report(&run, 6);
    assert_eq!(states[4..7], ["dns ok", "tcp ok", "tls failed"]);
    assert!(steps[5]["detail"].to_string().contains("the proxy of the environment, 127.0.0.1:"));
    assert!(!run.all().contains("unsaid-word"), "{run:#?}");
}

#[test]
fn doctor_reports_clock_skew() {
    for (seconds, state, exit) in [(10, "ok", 0), (150, "warning", 0), (7200, "failed", 2)] {
        for now in [
            SystemTime::now() + Duration::from_secs(seconds),
            SystemTime::now() - Duration::from_secs(seconds),
        ] {
            let date = Timestamp::try_from(now).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT");
            let server = cisco(Reply::empty(200), Reply::empty(404).with("date", date.to_string()));
            let (states, steps) = check_report(&json(&home_of(&server), &[]), exit);
            assert_eq!(states[7], format!("clock {state}"));
            assert_eq!(states[9], "api ok");
            let side = if now > SystemTime::now() { "behind" } else { "ahead of" };
            assert!(state == "ok" || steps[7]["detail"].to_string().contains(side), "{steps:?}");
        }
    }
}

#[test]
fn doctor_sends_a_denied_credential_once() {
    let vendor = vendor("configapi");
    let denied = Reply::json(401, r#"{"error":"invalid_client"}"#);
    let server = Server::responding([denied]);
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    for _ in 0..3 {
        let (states, _) = single_failure(&json(&home, &["configapi"]), 3, "token", "rejected");
        assert_eq!(states.last().unwrap(), "api skipped");
    }
    let token_requests = |server: &Server| {
        server.requests().iter().filter(|request| request.path() == vendor.token_path).count()
    };
    assert_eq!(token_requests(&server), 1);
    single_failure(&json(&home, &["configapi", "--fresh"]), 3, "token", "rejected");
    assert_eq!(token_requests(&server), 2);
}

#[test]
fn doctor_reports_an_invalid_token_response() {
    let html = "<!doctype html><title>Welcome</title>";
    for (reply, exit, text) in [
        (Reply::new(200, "text/html", html), 6, ""),
        (Reply::empty(429).with("retry-after", "600"), 5, "not before"),
        (Reply::empty(503), 6, ""),
    ] {
        let server = Server::responding([Reply::empty(404), reply]);
        single_failure(&json(&home_of(&server), &[]), exit, "token", text);
    }
}

#[test]
fn doctor_reports_an_api_rejection() {
    let throttled = |after: &str| Reply::empty(429).with("retry-after", after);
    for (reply, exit, text) in [
        (Reply::empty(401), 3, "rejected the token"),
        (Reply::empty(403), 3, "does not allow"),
        (throttled("600"), 5, "not before"),
        (throttled("Sat, 21 Nov 2099 08:49:37 GMT"), 5, "not before"),
        // An invalid time.
        (throttled("18446744073709551615"), 5, "not before"),
        (Reply::empty(404), 6, "api_url"),
        (Reply::empty(502), 6, "502"),
    ] {
        let server = cisco(reply, Reply::empty(404));
        single_failure(&json(&home_of(&server), &[]), exit, "api", text);
    }
    // A cached token may have been revoked.
    let server = cisco(Reply::empty(401), Reply::empty(404));
    let home = home_of(&server);
    home.gatepass(["token", "cisco"]).run().ok();
    single_failure(&json(&home, &[]), 3, "api", "gatepass doctor cisco --fresh");
}

#[test]
fn doctor_names_the_login_command() {
    let vendors = Vendors::start();
    let home = vendors.home();
    let run = json(&home, &["cisco", "--set", "grant=implicit"]);
    let (states, step) = single_failure(&run, 4, "token", "gatepass login cisco");
    assert!(states.contains(&String::from("tls ok")));
    assert_eq!(step["code"], "login_required");
    vendors.stop();
}

#[test]
fn doctor_shows_no_secret() {
    for vendor in &VENDORS {
        let (secret, token) = (canary("secret"), canary("token"));
        let response = vendor.token_response(token.text());
        for status in [200, 401] {
            let response = response.clone();
            let server = Server::new(move |_, request: &Received| match request.path() {
                path if path == vendor.token_path => Reply::json(status, response.clone()),
                _ => Reply::json(200, "{}"),
            });
            let quoted = format!("\"{}\"", secret.text());
            let config = vendor.profile_with(&server.url(), "", |_| quoted.clone());
            for format in ["text", "json"] {
                let home = Home::with_config(&config);
                let args = ["doctor", "-vv", "--format", format];
                let run = home.gatepass(args).env("RUST_LOG", "trace").run();
                assert!(run.stdout.contains("token"), "{run:#?}");
                assert!(run.code == Some(0) || status == 401, "{run:#?}");
                assert_eq!(find_leak(&run.all(), &[secret.clone(), token.clone()]), None);
            }
        }
    }
}
