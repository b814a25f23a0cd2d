//! Requests of git, docker, Bazel and kubectl to a credential helper.

use std::sync::OnceLock;
use std::time::Duration;

use gatepass_cli::fuzzing::{HelperOutcome, is_exec_info, read_helper_request};
use gatepass_core::{Secret, Token};
use http::Uri;
use serde_json::Value;

use super::canary;
use super::token_response::sent;

/// The first line is the program and its operation, the rest is its input on stdin.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, input) = text.split_once('\n').unwrap_or((text, ""));
    let Some(input) = canary::planted(input) else { return };
    if first == "kubernetes" {
        assert!(!is_exec_info(&input) || input.contains("client.authentication.k8s.io"));
        return;
    }
    let (program, operation) = match first.split_once(' ') {
        Some((program, operation)) => (program, Some(operation)),
        None => (first, None),
    };
    match read_helper_request(program, operation, &input, token()) {
        Some(HelperOutcome::Token(addresses, reply)) => {
            assert!((1..=2).contains(&addresses.len()), "{} addresses", addresses.len());
            match program {
                "git" => git(&input, &addresses, &reply),
                "docker" => docker(&input, &addresses, &reply),
                _ => bazel(&input, &addresses, &reply),
            }
        }
        Some(HelperOutcome::Forget(refused)) => {
            assert!(refused.is_none_or(|refused| input.contains(&refused)));
        }
        Some(HelperOutcome::Respond(response)) => assert!(response.len() < 100),
        _ => {}
    }
}

/// git sends the token to the host of its request, so the check must be about that host.
fn git(input: &str, addresses: &[String], reply: &str) {
    let last = |key: &str| {
        let mut lines = input.lines().filter_map(|line| line.split_once('='));
        lines.rfind(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let (protocol, host) = (last("protocol").unwrap_or(""), last("host").unwrap_or(""));
    for address in addresses {
        let Ok(uri) = address.parse::<Uri>() else { continue };
        assert!(uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case(protocol)));
        assert_eq!(
            uri.authority().map(|authority| authority.as_str()),
            Some(host),
            "another host than git's"
        );
    }
    assert!(reply.ends_with('\n') && !reply.contains(['\r', '\0']), "lines that git refuses");
    let mut values = Vec::new();
    for line in reply.lines() {
        let (key, value) = line.split_once('=').expect("git's lines have a key");
        assert!(!values.iter().any(|(known, _)| *known == key), "{key} is repeated");
        values.push((key, value));
    }
    let value = |key| values.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    assert_eq!(value("credential").or_else(|| value("password")), Some(TOKEN));
    let is_named = |name: &str| name == "x-token" || input.contains(&format!("username={name}"));
    assert!(value("username").is_none_or(is_named), "another user than git's");
}

fn docker(input: &str, addresses: &[String], reply: &str) {
    let server = input.trim();
    let place = server.split_once("://").map_or(server, |(_, rest)| rest);
    let place = place.split(['/', '?', '#']).next();
    for address in addresses {
        // An address without a host receives no token.
        let Some(authority) = address.parse().ok().and_then(|uri: Uri| uri.authority().cloned())
        else {
            continue;
        };
        assert_eq!(Some(authority.as_str()), place, "another host than docker's");
    }
    let reply: Value = serde_json::from_str(reply).expect("docker reads JSON");
    assert_eq!(reply["ServerURL"], server);
    assert_eq!(reply["Secret"], TOKEN);
    assert_ne!(reply["Username"], "<token>");
}

fn bazel(input: &str, addresses: &[String], reply: &str) {
    let input: Value = serde_json::from_str(input).expect("a request with an address is JSON");
    let uri = input["uri"].as_str().unwrap_or_default();
    assert!(addresses.iter().all(|address| address.ends_with(uri)), "another address");
    let reply: Value = serde_json::from_str(reply).expect("Bazel reads JSON");
    assert_eq!(reply["headers"]["Authorization"][0], format!("Bearer {TOKEN}"));
}

fn token() -> &'static Token {
    static ONE: OnceLock<Token> = OnceLock::new();
    ONE.get_or_init(|| {
        let token = Token::builder(Secret::from(TOKEN), sent());
        token.expires_in(Duration::from_secs(3600).into()).build().expect("a token")
    })
}

const TOKEN: &str = "t0ken-A.b~c+d/e=";
