//! Tests of `gatepass token` and its formats.

use std::time::{Duration, SystemTime};

use gatepass_tests::{Home, Reply, Server, VENDORS, Vendors, vendor};
use jiff::Timestamp;
use serde_json::Value;

#[test]
fn token_is_the_only_line_on_stdout() {
    let vendors = Vendors::start();
    let home = vendors.home();
    for vendor in &VENDORS {
        let run = home.gatepass(["token", vendor.id]).run();
        let token = run.ok().strip_suffix('\n').unwrap();
        assert!(token.len() > 20 && token.bytes().all(|byte| byte.is_ascii_graphic()), "{run:#?}");
        assert_eq!(run.stderr, "", "{}", vendor.id);
        assert_eq!(vendors.sandbox.state().provider(vendor.id).issued, 1);
    }
    vendors.stop();
}

#[test]
fn token_json_has_the_contract_fields() {
    let vendors = Vendors::start();
    let home = vendors.home();
    for vendor in &VENDORS {
        let before = seconds(SystemTime::now());
        let run = home.gatepass(["token", vendor.id, "--format", "json"]).run();
        let after = seconds(SystemTime::now());
        let Value::Object(object) = run.json() else { panic!("{run:#?}") };
        let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, FIELDS);
        let number = |name: &str| object[name].as_i64().unwrap_or_else(|| panic!("{name}"));

        assert_eq!(object["token_type"], "Bearer");
        assert_eq!(object["provider"], vendor.id);
        assert_eq!(object["profile"], vendor.id);
        assert_eq!(object["source"], "vendor");
        assert_eq!(object["expires_assumed"], false);
        let lifetime = if vendor.id == "huawei" { 1_800 } else { 3_600 };
        assert!((lifetime - 30..=lifetime).contains(&number("expires_in")), "{run:#?}");
        let expires_at = number("expires_at_unix");
        assert!((before + lifetime - 30..=after + lifetime).contains(&expires_at), "{run:#?}");
        let text = object["expires_at"].as_str().unwrap();
        assert!(text.len() == 20 && text.ends_with('Z'), "{text}");
        assert_eq!(text.parse::<Timestamp>().unwrap().as_second(), expires_at);
        match vendor.id {
            "huawei" => assert_eq!(object["scope"], "all"),
            "configapi" => assert!(object["scope"].is_string()),
            _ => assert_eq!(object["scope"], Value::Null),
        }
        let token = object["access_token"].as_str().unwrap();
        assert_eq!(run.stdout.matches(token).count(), 1);
        assert_eq!((run.stdout.lines().count(), run.stderr.as_str()), (1, ""));
    }
    vendors.stop();
}

#[test]
fn header_format_prints_all_headers() {
    for one in &VENDORS {
        let (_server, home) = vendor(one.id).counting("");
        let run = home.gatepass(["token", one.id, "--format", "header"]).run();
        let lines: Vec<&str> = run.ok().lines().collect();
        let (authorization, others) = lines.split_first().unwrap();
        assert_eq!(*authorization, "Authorization: Bearer token-1");
        match (one.id, others) {
            ("cloudneeti", [key]) => {
                let (name, value) = key.split_once(": ").unwrap();
                assert!(name.eq_ignore_ascii_case("Ocp-Apim-Subscription-Key"), "{run:#?}");
                assert_eq!(value, "subscription_key-of-the-tests");
            }
            (_, others) => assert_eq!(others, [""; 0], "{run:#?}"),
        }
    }
}

#[test]
fn format_option_is_accepted_before_the_command() {
    let (_server, home) = vendor("cisco").counting("");
    let run = home.gatepass(["--format", "env", "token", "cisco"]).run();
    assert_eq!(run.ok(), "GATEPASS_TOKEN=token-1\n");
    let run = home.gatepass(["--format", "env", "token", "cisco", "--format", "raw"]).run();
    assert_eq!(run.ok(), "token-1\n");
}

#[test]
fn env_format_is_one_assignment() {
    let (_server, home) = vendor("cisco").counting("");
    let run = home.gatepass(["token", "cisco", "--format", "env"]).run();
    assert_eq!(run.ok(), "GATEPASS_TOKEN=token-1\n");
}

#[test]
fn unknown_format_is_a_usage_error() {
    let (server, home) = vendor("cisco").counting("");
    for format in ["text", "yaml"] {
        let run = home.gatepass(["token", "cisco", "--format", format]).run();
        assert!(run.failed(2).contains("raw"), "{run:#?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn missing_lifetime_is_marked_as_assumed() {
    let response = r#"{"access_token":"token-1","token_type":"Bearer"}"#;
    let server = Server::responding([Reply::json(200, response)]);
    let config = |more| vendor("cisco").profile(&server.url(), more);
    let home = Home::with_config(&config(""));
    let run = home.gatepass(["token", "cisco", "--format", "json"]).run();
    let token = run.json();
    assert_eq!(token["expires_assumed"], true);
    assert!((290..=300).contains(&token["expires_in"].as_i64().unwrap()), "{token}");
    assert!(run.stderr.contains("assuming 5 minutes"), "{run:#?}");
    let quiet = home.gatepass(["token", "cisco", "--quiet"]).run();
    assert_eq!((quiet.ok(), quiet.stderr.as_str()), ("token-1\n", ""));

    let home = Home::with_config(&config("lifetime = \"1h\""));
    let run = home.gatepass(["token", "cisco", "--format", "json"]).run();
    assert_eq!(run.json()["expires_assumed"], false);
    assert!((3_590..=3_600).contains(&run.json()["expires_in"].as_i64().unwrap()));
    assert_eq!(run.stderr, "");
}

#[test]
fn secret_in_url_warns_each_time() {
    let (_server, home) = vendor("cisco").counting("client_auth = \"query\"");
    for _ in 0..2 {
        let run = home.gatepass(["token", "cisco", "--fresh"]).run();
        assert!(run.ok().starts_with("token-"));
        assert!(run.stderr.contains("warning") && run.stderr.contains("URL"), "{run:#?}");
    }
}

#[test]
fn token_below_min_ttl_exits_8() {
    let (server, home) = vendor("cisco").counting("");
    let run = home.gatepass(["token", "cisco", "--min-ttl", "2h", "--format", "json"]).run();
    let error = run.error(8);
    assert_eq!(error["code"], "too_short");
    assert!(error["hint"].is_string());
    assert_eq!(server.requests().len(), 1);
    // The token satisfies a smaller requirement.
    let run = home.gatepass(["token", "cisco", "--min-ttl", "30m"]).run();
    assert_eq!(run.ok(), "token-1\n");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn fresh_sends_one_token_request() {
    let (server, home) = vendor("cisco").counting("");
    assert_eq!(home.gatepass(["token", "cisco", "--fresh"]).run().ok(), "token-1\n");
    assert_eq!(server.requests().len(), 1);
    let denied = Server::responding([Reply::json(401, r#"{"error":"invalid_client"}"#)]);
    let home = Home::with_config(&vendor("cisco").profile(&denied.url(), ""));
    home.gatepass(["token", "cisco", "--fresh"]).run().failed(3);
    assert_eq!(denied.requests().len(), 1);
}

#[test]
fn json_retry_at_is_in_utc() {
    let reply = Reply::empty(429).with("retry-after", "3600");
    let server = Server::responding([reply]);
    let home = Home::with_config(&vendor("celerdata").profile(&server.url(), ""));
    let error = home.gatepass(["token", "celerdata", "--format", "json"]).run().error(5);
    let time: Timestamp = error["retry_at"].as_str().unwrap().parse().unwrap();
    let remaining = time.as_second() - seconds(SystemTime::now());
    assert!((3_540..=3_600).contains(&remaining), "{error}");
}

#[test]
fn retry_at_without_retry_after_is_kept() {
    let server = Server::responding([Reply::empty(429)]);
    let home = Home::with_config(&vendor("celerdata").profile(&server.url(), ""));
    let retry_at = || {
        let args = ["token", "celerdata", "--format", "json", "--wait", "0s"];
        let error = home.gatepass(args).run().error(5);
        error["retry_at"].as_str().unwrap().parse::<Timestamp>().unwrap().as_second()
    };
    let before = seconds(SystemTime::now());
    let first = retry_at();
    let after = seconds(SystemTime::now());
    assert!((before + 3..=after + 6).contains(&first), "{before} {first} {after}");
    // The same time, both truncated to seconds.
    assert!((first - 1..=first + 1).contains(&retry_at()));
    assert_eq!(server.requests().len(), 1);
}

fn seconds(time: SystemTime) -> i64 {
    let since: Duration = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// The sorted fields of the contract.
const FIELDS: [&str; 10] = [
    "access_token",
    "expires_assumed",
    "expires_at",
    "expires_at_unix",
    "expires_in",
    "profile",
    "provider",
    "scope",
    "source",
    "token_type",
];

#[test]
fn json_error_is_one_object() {
    let deny = |_: usize, _: &_| Reply::json(401, r#"{"error":"invalid_client"}"#);
    let server = Server::new(deny);
    // An address of this machine that is not loopback.
    let base_url = server.url().replace("127.0.0.1", "0.0.0.0");
    let home = Home::with_config(&vendor("cisco").profile(&base_url, "allow_plain_http = true"));
    let text = home.gatepass(["token", "cisco"]).run();
    assert!(text.failed(3).contains("warning"), "{text:#?}");
    let error = home.gatepass(["token", "cisco", "--format", "json"]).run().error(3);
    assert_eq!(error["code"], "denied");
}
