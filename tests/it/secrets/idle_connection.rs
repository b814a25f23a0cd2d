//! Tests of the memory of a process whose connection to the token endpoint is idle.
//!
//! The servers keep every connection open, so that the process itself must close it.

use std::time::{Duration, Instant};

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Ca, Certificate, Home, Running, Server, Step, Workspace, vendor};

/// A vendor, the lines of its profile, and the secret of its token request.
const VENDORS: [(&str, &str, &str); 5] = [
    ("celerdata", "", "client_secret"),
    ("huawei", "client_auth = \"basic\"", "client_secret"),
    ("huawei", "client_auth = \"form\"", "client_secret"),
    ("cisco", "client_auth = \"query\"", "client_secret"),
    ("cloudneeti", "", "api_application_secret"),
];

fn response(status: &str, body: &str) -> Vec<u8> {
    let head = "Content-Type: application/json\r\nContent-Length:";
    format!("HTTP/1.1 {status}\r\n{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Returns the steps of a connection with this response, which stays open.
fn staying(status: &str, body: &str) -> Vec<Step> {
    vec![Step::Request, Step::send(response(status, body)), Step::Stall]
}

/// Waits until the process's memory does not contain the secret.
fn is_cleared_soon(running: &Running<'_>, secret: &Canary) -> bool {
    is_true_soon(running, |memory| find_leak(memory, std::slice::from_ref(secret)).is_none())
}

/// Waits until this is true of the process's memory; false after 8 s. A pool that keeps connections
/// for API requests does so for 30 s.
fn is_true_soon(running: &Running<'_>, check: impl Fn(&str) -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(8);
    while !check(&running.memory()) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    true
}

/// Returns a home whose profile reads the secret from a file.
fn home(id: &str, more: &str, url: &str, key: &str, secret: &Canary) -> Home {
    let reference = |name: &str| match name == key {
        true => String::from("{ file = \"secret\" }"),
        false => format!("\"{name}-of-the-tests\""),
    };
    let home = Home::with_config(&vendor(id).profile_with(url, more, reference));
    home.write("config/gatepass/secret", secret.text());
    home
}

/// Starts the command with a program that waits for a file `end`.
fn exec_file<'home>(home: &'home Home, id: &str) -> Running<'home> {
    let script = "echo ready; until [ -e end ]; do sleep 0.05; done";
    let running = home.gatepass(["exec", id, "--file", "token", "--", "sh", "-c", script]).spawn();
    assert_eq!(running.line(), "ready\n");
    running
}

fn end(home: &Home, running: Running<'_>) {
    home.write("work/end", "");
    running.finish().ok();
}

#[test]
fn idle_connection_holds_no_credential() {
    for (id, more, key) in VENDORS {
        let secret = canary("secret");
        let server = Server::following(staying("200 OK", &vendor(id).token_response("token-1")));
        let home = home(id, more, &server.url(), key, &secret);
        let running = exec_file(&home, id);
        assert!(is_cleared_soon(&running, &secret), "{id} {more}");
        end(&home, running);
    }
}

#[test]
fn idle_tls_connection_holds_no_credential() {
    for (id, more, key) in VENDORS {
        let (secret, ca) = (canary("secret"), Ca::new());
        let steps = staying("200 OK", &vendor(id).token_response("token-1"));
        let server = Server::behind_tls(ca.server(Certificate::Good), steps);
        let more = format!("{more}\nca_file = \"ca.pem\"");
        let home = home(id, &more, &server.url(), key, &secret);
        home.write("config/gatepass/ca.pem", ca.pem());
        let running = exec_file(&home, id);
        assert!(is_cleared_soon(&running, &secret), "{id} {more}");
        end(&home, running);
    }
}

#[test]
fn subscription_key_is_kept_only_for_api_requests() {
    let (key, cloudneeti) = (canary("subscription key"), vendor("cloudneeti"));
    let server = Server::following(staying("200 OK", &cloudneeti.token_response("token-1")));
    let home = home("cloudneeti", "", &server.url(), "subscription_key", &key);
    let running = exec_file(&home, "cloudneeti");
    // The source keeps it beside the token, because every API request needs it.
    assert!(is_true_soon(&running, |memory| memory.matches(key.text()).count() == 1));
    end(&home, running);
}

#[test]
fn connection_of_failed_request_holds_no_credential() {
    let secret = canary("secret");
    let short = r#"{"access_token":"token-1","expires_in":2,"token_type":"Bearer"}"#;
    let server = Server::with_steps(move |number| match number {
        0 => staying("200 OK", short),
        _ => staying("401 Unauthorized", r#"{"error":"invalid_client"}"#),
    });
    let home = home("celerdata", "", &server.url(), "client_secret", &secret);
    let mut running = exec_file(&home, "celerdata");
    running.wait_for_stderr("warning");
    assert!(is_cleared_soon(&running, &secret));
    end(&home, running);
}

#[test]
fn idle_library_holds_no_credential() {
    let outside = Workspace::new("idle-library", &["idle-library"]);
    outside.copy(&gatepass_tests::workspace().join("tests/outside/idle-library"), "idle-library");
    let program = outside.build("idle-library", &[]);
    let token = vendor("celerdata").token_response("token-1");
    let ca = Ca::new();
    for (steps, line) in [
        (staying("200 OK", &token), "ready\n"),
        (staying("401 Unauthorized", r#"{"error":"invalid_client"}"#), "failed"),
    ] {
        for server in [
            Server::following(steps.clone()),
            Server::behind_tls(ca.server(Certificate::Good), steps.clone()),
        ] {
            let (secret, home) = (canary("secret"), Home::new());
            home.write("work/ca.pem", ca.pem());
            home.write("work/secret", secret.text());
            let running = home.program(&program, [server.url().as_str(), "secret"]).spawn();
            assert!(running.line().starts_with(line));
            assert!(is_cleared_soon(&running, &secret), "{} {line}", server.url());
        }
    }
}
