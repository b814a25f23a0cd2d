//! Tests of `gatepass inspect`: a token's properties, never the token.

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Home, Reply, Server, normalize, vendor};
use insta::assert_snapshot;
use serde_json::Value;

const TOKEN: &str = "token-not-shown-1234567890";

fn fixture() -> (Server, Home) {
    let response = vendor("huawei").token_response(TOKEN);
    let server = Server::responding([Reply::json(200, response)]);
    let home = Home::with_config(&vendor("huawei").profile(&server.url(), ""));
    (server, home)
}

/// Returns the output with the home's path replaced.
fn inspect(home: &Home, args: &[&str]) -> String {
    let run = home.gatepass(args.iter().copied()).run();
    normalize(&run.ok().replace(home.path("").to_str().unwrap(), "HOME/"))
}

#[test]
fn inspect_describes_a_cached_token_offline() {
    let (server, home) = fixture();
    home.gatepass(["token", "huawei"]).run().ok();
    assert_snapshot!(inspect(&home, &["inspect", "huawei"]), @"
    profile        huawei (Huawei OneAccess), from HOME/config/gatepass/config.toml
    client_secret  from HOME/config/gatepass/config.toml
    state          token good
    token          Bearer, 26 characters
    acquired       TIME (SPAN ago)
    expires        TIME (in SPAN; from the vendor's response)
    scope          all
    ");
    let json = home.gatepass(["inspect", "huawei", "--format", "json"]).run().json();
    for (name, value) in [
        ("profile", "huawei"),
        ("provider", "huawei"),
        ("state", "token good"),
        ("token_type", "Bearer"),
        ("expiry_from", "the vendor's answer"),
        ("scope", "all"),
        ("source", "cache"),
    ] {
        assert_eq!(json[name], value, "{name}");
    }
    assert_eq!(json["length"], 26);
    assert!((1600..=1719).contains(&json["expires_in"].as_u64().unwrap()), "{json}");
    for name in ["acquired_at", "expires_at"] {
        assert!(json[name].as_str().unwrap().ends_with('Z'), "{json}");
    }
    assert_eq!(server.requests().len(), 1);
    let all = format!("{}{json}", home.gatepass(["inspect", "huawei"]).run().all());
    for secret in ["token-not", "of-the-tests", "ID-7Q"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn inspect_without_a_token_names_the_command() {
    let (server, home) = fixture();
    assert_snapshot!(inspect(&home, &["inspect", "huawei"]), @"
    profile        huawei (Huawei OneAccess), from HOME/config/gatepass/config.toml
    client_secret  from HOME/config/gatepass/config.toml
    state          ready
    token          not cached
    next           gatepass token huawei
    ");
    let json = home.gatepass(["inspect", "huawei", "--format", "json"]).run().json();
    assert_eq!((&json["state"], &json["next"]), (&"ready".into(), &"gatepass token huawei".into()));
    for name in ["token_type", "length", "expires_at", "expires_in", "source", "acquired_at"] {
        assert_eq!(json[name], Value::Null, "{name}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn inspect_fresh_sends_a_token_request() {
    let (server, home) = fixture();
    let json = || home.gatepass(["inspect", "huawei", "--fresh", "--format", "json"]).run().json();
    assert_eq!(json()["source"], "vendor");
    assert_eq!(json()["length"], 26);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn inspect_reports_memory_only_tokens() {
    let response = vendor("cloudneeti").token_response(TOKEN);
    let server = Server::responding([Reply::json(200, response)]);
    let home = Home::with_config(&vendor("cloudneeti").profile(&server.url(), ""));
    home.gatepass(["token", "cloudneeti"]).run().ok();
    let text = inspect(&home, &["inspect", "cloudneeti"]);
    assert!(text.contains("not cached: this profile's tokens stay in memory"), "{text}");
    assert!(text.contains("gatepass inspect cloudneeti --fresh"), "{text}");
    assert_eq!(server.requests().len(), 1);
    let fresh = inspect(&home, &["inspect", "cloudneeti", "--fresh"]);
    assert!(fresh.contains("26 characters") && fresh.contains("assumed"), "{fresh}");
}

#[test]
fn inspect_reports_a_stored_failure() {
    let server = Server::responding([Reply::json(401, r#"{"error":"invalid_client"}"#)]);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    home.gatepass(["token", "cisco"]).run().failed(3);
    let text = inspect(&home, &["inspect", "cisco"]);
    for line in [
        "refused",
        "the vendor rejected client id or secret (401 invalid_client)",
        "gatepass why cisco",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn inspect_shows_unverified_jwt_claims() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let signature = canary("signature");
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = part("{\"sub\":\"app-1\",\"exp\":1800000000,\"odd\":\"\u{9b}31m\"}");
    let token = format!("{}.{claims}.{}", part("{\"alg\":\"RS256\"}"), signature.text());
    let response = vendor("cisco").token_response(&token);
    let server = Server::responding([Reply::json(200, response)]);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    home.gatepass(["token", "cisco"]).run().ok();
    let text = home.gatepass(["inspect", "cisco"]).run();
    for line in [
        "claims, decoded and not verified:",
        "\"sub\": \"app-1\"",
        "exp is 2027-01-15T08:00:00Z",
        "\\u{9b}31m",
    ] {
        assert!(text.ok().contains(line), "{text:#?}");
    }
    let json = home.gatepass(["inspect", "cisco", "--format", "json"]).run();
    assert_eq!(json.json()["claims_unverified"]["sub"], "app-1");
    assert_eq!(find_leak(&format!("{}{}", text.all(), json.all()), &[signature]), None);
}
