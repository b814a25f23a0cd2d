//! Tests of the data about this machine in requests, and of TLS key logs.

use std::fs;

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Ca, Certificate, Home, Server, Step, VENDORS, vendor};

use super::Stage;

#[test]
fn user_agent_has_the_version_only() {
    const AGENT: &str = concat!("gatepass/", env!("CARGO_PKG_VERSION"));
    for one in &VENDORS {
        let stage = Stage::new(vendor(one.id));
        let traces = canary("trace");
        let mut command = stage.home.gatepass(["call", one.id, one.api_path]);
        for name in TRACES {
            command = command.env(name, traces.text());
        }
        command.run().ok();
        let [token, call] = stage.server.requests().try_into().unwrap();
        for request in [&token, &call] {
            assert_eq!(request.header("user-agent"), Some(AGENT), "{}", one.id);
            let text = format!("{} {:?} {}", request.target, request.headers, request.text());
            assert_eq!(find_leak(&text, std::slice::from_ref(&traces)), None);
            let other = request.headers.keys().find(|name| !HEADERS.contains(&name.as_str()));
            assert_eq!(other, None, "{}: {request:#?}", one.id);
        }
        // API requests have the token and the vendor's further header.
        let text = format!("{} {:?} {}", call.target, call.headers, call.text());
        let leak = find_leak(&text, &stage.canaries(&["token", "subscription_key"]));
        assert_eq!(leak, None, "{}", one.id);
        // A token request has no token.
        let text = format!("{} {:?} {}", token.target, token.headers, token.text());
        assert_eq!(find_leak(&text, &stage.tokens), None, "{}", one.id);
    }
}

/// The header fields that a request may have.
const HEADERS: [&str; 7] = [
    "accept",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "ocp-apim-subscription-key",
    "user-agent",
];

/// The variables from which tracing libraries read their context.
const TRACES: [&str; 8] = [
    "TRACEPARENT",
    "TRACESTATE",
    "BAGGAGE",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
    "HOSTNAME",
    "USER",
    "LOGNAME",
];

#[test]
fn handshake_writes_no_key_log() {
    let vendor = vendor("cisco");
    let ca = Ca::new();
    let body = vendor.token_response("token-1");
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let steps = [Step::Request, Step::send(response), Step::Finish];
    let server = Server::behind_tls(ca.server(Certificate::Good), steps);
    let home = Home::new();
    let (pem, keys) = (home.write("ca.pem", ca.pem()), home.path("tmp/keys.log"));
    let (pem, url) = (pem.to_str().unwrap(), server.url());
    let curl = ["--silent", "--cacert", pem, "--data", "a=b", &url];
    let curl = home.program("curl".as_ref(), curl).env("SSLKEYLOGFILE", &keys);
    assert_eq!(curl.run().ok(), body);
    assert!(fs::read_to_string(&keys).unwrap().contains("SECRET"), "curl wrote no keys");
    fs::remove_file(&keys).unwrap();

    home.write(
        "config/gatepass/config.toml",
        &vendor.profile(&url, &format!("ca_file = \"{pem}\"")),
    );
    let run = home.gatepass(["token", "cisco"]).env("SSLKEYLOGFILE", &keys).run();
    assert_eq!(run.ok(), "token-1\n");
    assert_eq!(server.requests().len(), 2);
    assert!(!keys.exists());
}
