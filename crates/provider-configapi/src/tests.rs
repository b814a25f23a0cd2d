//! Tests of the Configuration API's peculiarities.

use std::time::Duration;

use gatepass_core::{ErrorKind, Retry};
use gatepass_testkit::Fixture;
use proptest::prelude::*;

use super::*;

gatepass_testkit::conformance!(super::INFO, "fixtures");

const SENT: SystemTime = SystemTime::UNIX_EPOCH;

fn user() -> Credential {
    Credential::client("jane.doe", "s/e+c")
}

fn body(request: &Request) -> &str {
    std::str::from_utf8(request.body()).unwrap()
}

#[test]
fn form_goes_to_chosen_version_with_host_as_scope() {
    let center = ConfigApi::new("Acme.BrightPattern.com:8443").unwrap();
    for (center, version) in [(center.clone(), "v2"), (center.v3(), "v3")] {
        let request = center.token_request(&user()).unwrap();
        let url = format!("https://acme.brightpattern.com:8443/configapi/{version}/oauth/token");
        assert_eq!(request.endpoint().as_str(), url);
        let form = "grant_type=client_credentials&client_id=jane.doe&client_secret=s%2Fe%2Bc\
                    &scope=acme.brightpattern.com";
        assert_eq!(body(&request), form);
    }
}

#[test]
fn scope_is_setting_or_host_or_base_url() {
    let elsewhere = Endpoint::parse("http://127.0.0.1:9000/configapi").unwrap();
    let settings = Settings::new().with_base_url(elsewhere);
    let center = |settings: &Settings| ConfigApi::from_settings(settings).unwrap();
    assert_eq!(center(&settings).client.scope, "127.0.0.1");
    let settings = settings.with("host", "http://acme.example:8080");
    assert_eq!(center(&settings).client.scope, "acme.example");
    let settings = settings.with("scope", "tenant.example");
    assert_eq!(center(&settings).client.scope, "tenant.example");
    assert_eq!(center(&settings).base.as_str(), "http://127.0.0.1:9000/configapi");
}

#[test]
fn plain_http_needs_loopback_or_permission() {
    let settings = Settings::new().with("host", "http://acme.example");
    assert_eq!(ConfigApi::from_settings(&settings).unwrap_err().kind(), ErrorKind::Config);
    assert!(ConfigApi::from_settings(&settings.with_plain_http(true)).is_ok());
    assert!(ConfigApi::new("http://127.0.0.1:8080").is_ok());
    for bad in ["", "acme/x", "u:p@acme", "ftp://acme", "acme?x", "a b", "acme:99999"] {
        let error = ConfigApi::new(bad).expect_err(bad);
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("host")), "{bad}");
    }
}

#[test]
fn documented_sample_is_read_despite_its_comma() {
    let json = r#"{ "access_token": "A1", "token_type": "Bearer", "expires_in": "3480", "scope": "acme.example", }"#;
    let center = ConfigApi::new("acme.example").unwrap();
    let token = center.read_token(&Fixture::json(200, json).response(), SENT).unwrap();
    assert_eq!(token.lifetime(), Duration::from_secs(3480));
    assert_eq!(token.scope(), Some("acme.example"));
}

#[test]
fn denied_user_is_not_retried_and_gets_a_hint() {
    let center = ConfigApi::new("acme.example").unwrap();
    let denied = Fixture::json(401, "Authentication failed").response();
    let error = center.explain(&user(), center.read_token(&denied, SENT).unwrap_err());
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Denied, Retry::Never));
    let hint = error.hints()[0].to_string();
    assert!(hint.contains("locked") && hint.contains("scope"), "{hint}");
}

proptest! {
    #[test]
    fn any_user_and_scope_stay_in_their_parameter(id in ".+", secret in ".+", scope in ".+") {
        let credential = Credential::client(id.as_str(), secret.as_str());
        let center = ConfigApi::new("acme.example").unwrap().with_scope(scope);
        let request = center.token_request(&credential).unwrap();
        let url = "https://acme.example/configapi/v2/oauth/token";
        prop_assert_eq!(request.endpoint().as_str(), url);
        prop_assert_eq!(body(&request).split('&').count(), 4);
        prop_assert!(http::Request::try_from(request).is_ok());
    }

    #[test]
    fn any_host_is_refused_or_receives_the_request(host in "[ -~]{1,24}|\\PC{1,8}") {
        if let Ok(center) = ConfigApi::new(&host) {
            let request = center.token_request(&user()).unwrap();
            let name = request.endpoint().host_name().to_owned();
            prop_assert!(host.to_ascii_lowercase().contains(&name));
            prop_assert!(request.endpoint().as_str().ends_with("/configapi/v2/oauth/token"));
            let sent = http::Request::try_from(request).unwrap();
            prop_assert_eq!(sent.uri().host(), Some(name.as_str()));
        }
    }
}
