//! Tests of Huawei OneAccess's peculiarities.

use std::time::Duration;

use gatepass_core::{BasicEncoding, Expiry, LoginAttempt};
use gatepass_testkit::Fixture;
use proptest::prelude::*;

use super::*;

gatepass_testkit::conformance!(super::INFO, "fixtures");

const SENT: SystemTime = SystemTime::UNIX_EPOCH;

fn app() -> Credential {
    Credential::client("app-1", "s/e+c")
}

fn tenant() -> Huawei {
    Huawei::new("acme.huaweioneaccess.com").unwrap()
}

fn by(client_auth: ClientAuth) -> ClientCredentials {
    ClientCredentials::new().auth(client_auth)
}

fn body(request: &Request) -> &str {
    std::str::from_utf8(request.body()).unwrap()
}

#[test]
fn form_goes_to_tenant_domain() {
    let request = tenant().token_request(&app()).unwrap();
    let url = "https://acme.huaweioneaccess.com/api/v2/tenant/token";
    assert_eq!(request.endpoint().as_str(), url);
    let form = "grant_type=client_credentials&client_id=app-1&client_secret=s%2Fe%2Bc";
    assert_eq!(body(&request), form);
}

#[test]
fn login_requests_both_tokens_and_uses_chosen_one() {
    let redirect_uri = RedirectUri::parse("http://127.0.0.1:8400/cb").unwrap();
    let iam = tenant().implicit(redirect_uri);
    let user = Credential::new().with_text("client_id", "app-1");
    let (attempt, sent) = (LoginAttempt::new([1; 48]), SystemTime::UNIX_EPOCH);
    // The claims are the nonce of these random bytes.
    let nonce = ["eyJub25jZSI6Ik", "FRRUJBUUVCQVFF", "QkFRRUJBUUVCQVEifQ"].concat();
    let id_token = format!("e30.{nonce}.e30");
    for (iam, wanted) in [(iam.clone(), "a-1"), (iam.clone().use_id_token(), &*id_token)] {
        let interactive = iam.interactive().unwrap();
        let login = interactive.authorization_request(&user).unwrap();
        let url = login.url(&attempt);
        let begin = "https://acme.huaweioneaccess.com/api/v1/oauth2/authorize?\
                     response_type=id_token%20token&client_id=app-1&";
        assert!(url.starts_with(begin) && url.contains("&scope=openid&"), "{url:?}");
        let state = url.split("&state=").nth(1).unwrap().split('&').next().unwrap();
        let answer = "#access_token=a-1&token_type=Bearer";
        let redirect = format!("{answer}&id_token={id_token}&state={state}");
        let body = attempt.read(&login, &redirect).unwrap();
        let token = interactive.read_redirect(&body, sent).unwrap();
        assert_eq!(token.expose_secret(), wanted);
    }
    assert_eq!(iam.token_request(&user).unwrap_err().kind(), ErrorKind::LoginRequired);
}

#[test]
fn base_url_replaces_domain() {
    let base_url = Endpoint::parse("http://127.0.0.1:9000/huawei").unwrap();
    let profile = Settings::new().with_base_url(base_url);
    let request = Huawei::from_settings(&profile).unwrap().token_request(&app()).unwrap();
    let url = "http://127.0.0.1:9000/huawei/api/v2/tenant/token";
    assert_eq!(request.endpoint().as_str(), url);
}

#[test]
fn invalid_domain_is_refused() {
    for bad in ["", "acme/x", "u:p@acme", "http://acme.example", "acme.example?x", "a b"] {
        let profile = Settings::new().with("domain", bad);
        let error = Huawei::from_settings(&profile).expect_err(bad);
        assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
        assert_eq!(error.field(), Some("domain"), "{error}");
    }
}

#[test]
fn basic_keeps_secret_out_of_form() {
    for (basic_encoding, header) in [
        (BasicEncoding::Form, "Basic YXBwLTE6cyUyRmUlMkJj"),
        (BasicEncoding::Raw, "Basic YXBwLTE6cy9lK2M="),
    ] {
        let iam = tenant().client(by(ClientAuth::Basic).encoding(basic_encoding));
        let request = iam.token_request(&app()).unwrap();
        assert_eq!(request.headers()["authorization"], header);
        assert!(request.headers()["authorization"].is_sensitive());
        assert_eq!(body(&request), "grant_type=client_credentials");
    }
}

#[test]
fn exp_of_chosen_token_shortens_its_lifetime() {
    // {} and {"exp":600}
    let id_token = ["e30", "eyJleHAiOjYwMH0", "c2ln"].join(".");
    let json = format!(
        r#"{{"access_token":"A-1","token_type":"bearer","expires_in":1719,"scope":"all","id_token":"{id_token}"}}"#
    );
    let response = Fixture::json(200, json).response();
    let access = tenant().read_token(&response, SENT).unwrap();
    assert_eq!(access.expose_secret(), "A-1");
    assert_eq!(access.lifetime(), Duration::from_secs(1719));
    assert_eq!(access.extra("id_token").unwrap().expose_secret(), id_token);
    let id = tenant().use_id_token().read_token(&response, SENT).unwrap();
    assert_eq!(id.expose_secret(), id_token);
    assert_eq!((id.lifetime(), id.expiry()), (Duration::from_secs(600), Expiry::Jwt));
    assert_eq!(id.extra("access_token").unwrap().expose_secret(), "A-1");
}

#[test]
fn both_error_dialects_are_denials() {
    for (status, body) in [
        (401, r#"{"error":"invalid_client","error_description":"Bad client credentials"}"#),
        (400, r#"{"error_code":"APP.0001","error_msg":"Application does not exist."}"#),
    ] {
        let response = Fixture::json(status, body).response();
        let error = tenant().read_token(&response, SENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{body}");
        let error = tenant().explain(&app(), error);
        let hint = error.hints().iter().map(|hint| format!("{hint}\n")).collect::<String>();
        assert!(hint.contains("client_auth = \"basic\""), "{hint}");
    }
}

#[test]
fn expired_token_is_recognized_by_body_of_400() {
    let verdict = |status, body: Option<&'static str>| {
        let response = Fixture::json(status, "").response();
        let response = ApiResponse::new(response.status(), response.headers());
        let response = body.map_or(response, |body| response.with_body(body.as_bytes()));
        tenant().token_verdict(&response)
    };
    let expired = r#"{"error":"invalid_token","error_description":"Access token expired:T"}"#;
    assert_eq!(verdict(401, None), TokenVerdict::Rejected);
    assert_eq!(verdict(400, None), TokenVerdict::NeedsBody);
    assert_eq!(verdict(400, Some(expired)), TokenVerdict::Rejected);
    assert_eq!(verdict(400, Some(r#"{"error_code":"USER.0001"}"#)), TokenVerdict::NotRejected);
    assert_eq!(verdict(400, Some("<html>")), TokenVerdict::NotRejected);
    assert_eq!(verdict(429, Some(expired)), TokenVerdict::NotRejected);
    assert_eq!(verdict(200, None), TokenVerdict::NotRejected);
}

proptest! {
    #[test]
    fn any_id_and_secret_stay_in_their_parameter(id in ".+", secret in ".+") {
        let credential = Credential::client(id.as_str(), secret.as_str());
        for (client_auth, fields) in [(ClientAuth::Form, 3), (ClientAuth::Basic, 1)] {
            let request = tenant().client(by(client_auth)).token_request(&credential).unwrap();
            let url = "https://acme.huaweioneaccess.com/api/v2/tenant/token";
            prop_assert_eq!(request.endpoint().as_str(), url);
            prop_assert_eq!(body(&request).split('&').count(), fields);
            prop_assert!(http::Request::try_from(request).is_ok());
        }
    }
}
