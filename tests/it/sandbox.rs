//! Tests of the sandbox's strictness over raw HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_tests::Vendors;

/// Sends a request with these header lines and this body and returns the response.
fn send(vendors: &Vendors, method: &str, target: &str, headers: &[&str], body: &str) -> String {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    vendors.raw(&format!(
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{lines}\
         Content-Length: {}\r\n\r\n{body}",
        vendors.sandbox.port(),
        body.len()
    ))
}

fn field(vendors: &Vendors, provider: &str, name: &str) -> String {
    vendors.sandbox.client(provider).unwrap().field(name).unwrap().to_owned()
}

#[track_caller]
fn assert_response(response: &str, status: u16, part: &str) {
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
    assert!(response.contains(part), "{response}");
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[test]
fn sandbox_cisco_denies_like_pingfederate() {
    let vendors = Vendors::start();
    let id = field(&vendors, "cisco", "client_id");
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret=wrong");
    let response = send(&vendors, "POST", "/cisco/as/token.oauth2", &[FORM], &form);
    let body =
        r#"{"error_description":"Invalid client or client credentials.","error":"invalid_client"}"#;
    assert_response(&response, 401, body);
    let response = send(&vendors, "GET", "/cisco/hello", &["Authorization: Bearer none"], "");
    assert_response(&response, 403, "<h1>Not Authorized</h1>");
    vendors.stop();
}

#[test]
fn sandbox_cloudneeti_checks_the_key_first() {
    let vendors = Vendors::start();
    let license = field(&vendors, "cloudneeti", "license_id");
    let target = format!("/cloudneeti/api/authorize/license/{license}/token");
    let json = "Content-Type: application/json";
    assert_response(
        &send(&vendors, "POST", &target, &[json], "{}"),
        401,
        "missing subscription key",
    );
    let wrong = "Ocp-Apim-Subscription-Key: wrong";
    assert_response(
        &send(&vendors, "POST", &target, &[json, wrong], "{}"),
        401,
        "invalid subscription key",
    );
    let key = field(&vendors, "cloudneeti", "subscription_key");
    let key = format!("Ocp-Apim-Subscription-Key: {key}");
    assert_response(&send(&vendors, "POST", &target, &[FORM, &key], "a=b"), 415, "statusCode");
    vendors.stop();
}

#[test]
fn sandbox_celerdata_reads_both_basic_encodings() {
    let vendors = Vendors::start();
    let (id, secret) =
        (field(&vendors, "celerdata", "client_id"), field(&vendors, "celerdata", "client_secret"));
    let target = "/celerdata/api/1.0/token?grant_type=client_credentials";
    let basic = |pair: String| format!("Authorization: Basic {}", STANDARD.encode(pair));
    assert_response(
        &send(&vendors, "POST", target, &[&basic(format!("{id}:{secret}"))], ""),
        200,
        "refresh_token",
    );
    assert_response(
        &send(&vendors, "POST", target, &[&basic(format!("{id}:wrong"))], ""),
        401,
        "invalid_client",
    );
    let no_grant = "/celerdata/api/1.0/token";
    let response = send(&vendors, "POST", no_grant, &[&basic(format!("{id}:{secret}"))], "");
    assert_response(&response, 401, "unsupported_grant_type");
    assert_response(&send(&vendors, "GET", target, &[], ""), 405, "allow: POST");
    vendors.stop();
}

#[test]
fn sandbox_huawei_repeats_and_echoes_tokens() {
    let vendors = Vendors::start();
    let (id, secret) =
        (field(&vendors, "huawei", "client_id"), field(&vendors, "huawei", "client_secret"));
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let body = || {
        let response = send(&vendors, "POST", "/huawei/api/v2/tenant/token", &[FORM], &form);
        response.split_once("\"access_token\":\"").unwrap().1.split('"').next().unwrap().to_owned()
    };
    let token = body();
    assert_eq!(body(), token);
    assert_eq!(vendors.sandbox.revoke_all("huawei").unwrap(), 2);
    let bearer = format!("Authorization: Bearer {token}");
    let users = "/huawei/api/v2/tenant/users?org_id=&offset=0&limit=10";
    let response = send(&vendors, "GET", users, &[&bearer], "");
    assert_response(&response, 400, "\"error\":\"invalid_token\"");
    assert!(response.contains(&token), "{response}");
    vendors.stop();
}

#[test]
fn sandbox_configapi_locks_the_account() {
    let vendors = Vendors::start();
    let field_of = |name| field(&vendors, "configapi", name);
    let (id, secret, scope) = (field_of("client_id"), field_of("client_secret"), field_of("scope"));
    let token = |secret: &str, scope: &str| {
        let form = format!(
            "grant_type=client_credentials&client_id={id}&client_secret={secret}&scope={scope}"
        );
        send(&vendors, "POST", "/configapi/configapi/v2/oauth/token", &[FORM], &form)
    };
    assert_response(&token(&secret, &scope), 200, "\"expires_in\":\"3600\"");
    for _ in 0..3 {
        assert_response(&token("wrong", &scope), 401, "\r\n\r\nAuthentication failed");
        assert_response(&token(&secret, "wrong"), 401, "\r\n\r\nAuthentication failed");
    }
    assert_response(&token(&secret, &scope), 401, "\r\n\r\nAuthentication failed");
    vendors.stop();
}

#[test]
fn sandbox_rejects_another_host() {
    let vendors = Vendors::start();
    let response = vendors
        .raw("GET /_sandbox/state HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n");
    assert_response(&response, 403, "loopback");
    assert_response(
        &send(&vendors, "GET", "/_sandbox/state", &["Origin: https://evil.example.com"], ""),
        403,
        "web page",
    );
    assert_response(&send(&vendors, "GET", "/_sandbox/state", &[], ""), 200, "secrets_in_url");
    vendors.stop();
}
