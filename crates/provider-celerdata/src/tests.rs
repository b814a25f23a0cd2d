//! Tests of CelerData's peculiarities.

use gatepass_core::ErrorKind;
use gatepass_testkit::Fixture;
use proptest::prelude::*;

use super::*;

gatepass_testkit::conformance!(super::INFO, "fixtures");

const SENT: SystemTime = SystemTime::UNIX_EPOCH;

fn app() -> Credential {
    Credential::client("app-1", "s/e+c")
}

fn body(request: &Request) -> &str {
    std::str::from_utf8(request.body()).unwrap()
}

fn in_body(scope: &str) -> CelerData {
    CelerData::new().in_body(scope)
}

#[test]
fn query_has_grant_type_and_no_secret() {
    let request = CelerData::new().token_request(&app()).unwrap();
    let url = "https://cloud-api.celerdata.com/api/1.0/token?grant_type=client_credentials";
    assert_eq!(request.endpoint().as_str(), url);
    assert_eq!(request.headers()["authorization"], "Basic YXBwLTE6cy9lK2M=");
    assert!(request.headers()["authorization"].is_sensitive());
    assert!(request.body().is_empty() && !request.has_secret_in_url());
}

#[test]
fn body_takes_grant_type_and_scope() {
    let base_url = Endpoint::parse("http://127.0.0.1:9000/celerdata").unwrap();
    let lake = in_body("all-apis").base_url(base_url).basic_encoding(BasicEncoding::Form);
    let request = lake.token_request(&app()).unwrap();
    assert_eq!(request.endpoint().as_str(), "http://127.0.0.1:9000/celerdata/api/1.0/token");
    assert_eq!(request.headers()["authorization"], "Basic YXBwLTE6cyUyRmUlMkJj");
    assert_eq!(body(&request), "grant_type=client_credentials&scope=all-apis");
    assert_eq!(lake.scope(), Some("all-apis"));
}

#[test]
fn scope_without_body_names_both_settings() {
    let profile = Settings::new().with("scope", "all-apis");
    let error = CelerData::from_settings(&profile).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("scope")));
    assert_eq!(error.message(), "needs grant_type_in = \"body\"");
    assert!(CelerData::from_settings(&profile.with("grant_type_in", "body")).is_ok());
}

#[test]
fn refresh_token_is_kept_as_secret() {
    let body =
        r#"{"access_token":"T-1","expires_in":3600,"refresh_token":"R-1","token_type":"Bearer"}"#;
    let token = CelerData::new().read_token(&Fixture::json(200, body).response(), SENT).unwrap();
    assert_eq!(token.expose_secret(), "T-1");
    assert_eq!(token.extra("refresh_token").unwrap().expose_secret(), "R-1");
    assert!(!format!("{token:?}").contains("R-1"));
}

#[test]
fn status_401_and_its_codes_reject_the_token() {
    let verdict = |status, body: Option<&'static str>| {
        let response = Fixture::json(status, "").response();
        let response = ApiResponse::new(response.status(), response.headers());
        let response = body.map_or(response, |body| response.with_body(body.as_bytes()));
        CelerData::new().token_verdict(&response)
    };
    assert_eq!(verdict(401, None), TokenVerdict::Rejected);
    assert_eq!(verdict(200, None), TokenVerdict::NeedsBody);
    assert_eq!(verdict(200, Some(r#"{"code":40100,"message":"invalid"}"#)), TokenVerdict::Rejected);
    for code in ["0", "20000", "40004", "40300", "42900", "50000", "null"] {
        let body = format!(r#"{{"code":{code},"data":{{}}}}"#).leak();
        assert_eq!(verdict(200, Some(body)), TokenVerdict::NotRejected, "{body}");
    }
    assert_eq!(verdict(429, None), TokenVerdict::NotRejected);
    assert_eq!(verdict(503, Some(r#"{"code":40100}"#)), TokenVerdict::NotRejected);
}

#[test]
fn denied_special_character_hints_at_other_encoding() {
    let body = r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#;
    let error =
        CelerData::new().read_token(&Fixture::json(401, body).response(), SENT).unwrap_err();
    let hint = |lake: &CelerData, credential: &Credential| {
        let error = lake.explain(credential, error.clone());
        error.hints().iter().map(|hint| format!("{hint}\n")).collect::<String>()
    };
    let (raw, form) = (BasicEncoding::Raw, BasicEncoding::Form);
    for (basic_encoding, other) in [(raw, "\"form\""), (form, "\"raw\"")] {
        let lake = CelerData::new().basic_encoding(basic_encoding);
        assert!(hint(&lake, &app()).contains(&format!("basic_encoding = {other}")));
        assert!(!hint(&lake, &Credential::client("a-1", "b2")).contains("encoding"));
    }
}

proptest! {
    #[test]
    fn any_id_and_secret_stay_in_the_header(id in "[^:]+", secret in ".+", scope in ".+") {
        let credential = Credential::client(id.as_str(), secret.as_str());
        for lake in [CelerData::new(), in_body(&scope)] {
            let request = lake.token_request(&credential).unwrap();
            let url = request.endpoint().as_str().to_owned();
            let query = url.strip_prefix("https://cloud-api.celerdata.com/api/1.0/token");
            let query = query.unwrap().trim_start_matches('?').to_owned();
            let sent = format!("{query}{}", body(&request));
            prop_assert!(sent.starts_with("grant_type=client_credentials"));
            prop_assert_eq!(sent.contains('&'), lake.scope().is_some());
            prop_assert!(sent.matches('&').count() < 2);
            prop_assert!(http::Request::try_from(request).is_ok());
        }
    }
}
