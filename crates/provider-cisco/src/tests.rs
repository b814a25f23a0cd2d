//! Tests of Cisco's peculiarities.

use std::time::Duration;

use gatepass_core::oauth2::ClientAuth;
use gatepass_core::{BasicEncoding, ExchangeContext, LoginAttempt, TokenRules};
use gatepass_testkit::{FakeHttp, FakeResponse, Fixture, TestClock, block_on};
use proptest::prelude::*;

use super::*;

gatepass_testkit::conformance!(super::INFO, "fixtures");

const SENT: SystemTime = SystemTime::UNIX_EPOCH;

fn app() -> Credential {
    Credential::client("app-1", "s/e+c")
}

fn response(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
    let fixture = Fixture::json(status, body.to_owned());
    let add =
        |fixture: Fixture, header: &(&'static str, &str)| fixture.with_header(header.0, header.1);
    headers.iter().fold(fixture, add).response()
}

fn by(client_auth: ClientAuth) -> ClientCredentials {
    ClientCredentials::new().auth(client_auth)
}

fn body(request: &Request) -> &str {
    std::str::from_utf8(request.body()).unwrap()
}

#[test]
fn form_goes_to_chosen_service() {
    let request = Cisco::new(Environment::Cloudsso).token_request(&app()).unwrap();
    assert_eq!(request.endpoint().as_str(), "https://cloudsso.cisco.com/as/token.oauth2");
    let form = "grant_type=client_credentials&client_id=app-1&client_secret=s%2Fe%2Bc";
    assert_eq!(body(&request), form);
}

#[test]
fn base_url_leaves_path_to_environment() {
    let base_url = Endpoint::parse("http://127.0.0.1:9000/cisco/").unwrap();
    for (environment, path) in
        [(Environment::Cloudsso, "/as/token.oauth2"), (Environment::Id, "/oauth2/default/v1/token")]
    {
        let cisco = Cisco::new(environment).base_url(base_url.clone());
        let request = cisco.token_request(&app()).unwrap();
        let wanted = format!("http://127.0.0.1:9000/cisco{path}");
        assert_eq!(request.endpoint().as_str(), wanted);
        assert_eq!(cisco.api(None).as_ref(), Some(&base_url));
    }
}

#[test]
fn basic_keeps_secret_out_of_form() {
    for (basic_encoding, header) in [
        (BasicEncoding::Form, "Basic YXBwLTE6cyUyRmUlMkJj"),
        (BasicEncoding::Raw, "Basic YXBwLTE6cy9lK2M="),
    ] {
        let cisco = Cisco::new(Environment::Cloudsso)
            .client(ClientCredentials::new().auth(ClientAuth::Basic).encoding(basic_encoding));
        let request = cisco.token_request(&app()).unwrap();
        assert_eq!(request.headers()["authorization"], header);
        assert!(request.headers()["authorization"].is_sensitive());
        assert_eq!(body(&request), "grant_type=client_credentials");
    }
}

#[test]
fn login_starts_at_old_service_without_secret() {
    let redirect_uri = RedirectUri::parse("http://localhost/app/index.html").unwrap();
    let cisco = Cisco::new(Environment::Cloudsso).implicit(redirect_uri).unwrap();
    let user = Credential::new().with_text("client_id", "app-1");
    let login = cisco.interactive().unwrap().authorization_request(&user).unwrap();
    let url = login.url(&LoginAttempt::new([1; 48]));
    let wanted = "https://cloudsso.cisco.com/as/authorization.oauth2?response_type=token&\
                  client_id=app-1&redirect_uri=http%3A%2F%2Flocalhost%2Fapp%2Findex.html&state=";
    assert!(url.starts_with(wanted), "{url:?}");
    assert_eq!(cisco.token_request(&user).unwrap_err().kind(), ErrorKind::LoginRequired);
    assert!(Cisco::new(Environment::Cloudsso).interactive().is_none());
}

#[test]
fn new_service_has_no_implicit_grant() {
    let profile = Settings::new()
        .with("environment", "id")
        .with("grant", "implicit")
        .with("redirect_uri", "http://localhost/x");
    let error = Cisco::from_settings(&profile).unwrap_err();
    assert_eq!(
        (error.field(), error.message()),
        (Some("grant"), "id.cisco.com has no implicit grant")
    );
}

#[test]
fn missing_environment_is_explained() {
    let base_url = Endpoint::parse("http://127.0.0.1:9000").unwrap();
    let implicit = Settings::new()
        .with("grant", "implicit")
        .with("redirect_uri", "http://localhost/x")
        .with("client_id", "app-1");
    let service = Settings::new().with("client_id", "app-1");
    for profile in [service.clone(), service.with_base_url(base_url), implicit] {
        let error = INFO.provider(&profile).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("environment")));
        let hint = "set it to \"id\" (id.cisco.com: applications registered since March 2023) or \
                    \"cloudsso\" (cloudsso.cisco.com: older applications, and the implicit grant)";
        assert_eq!(error.hints()[0].text(), hint);
    }
}

#[test]
fn query_is_secret_and_not_shown() {
    let cisco = Cisco::new(Environment::Cloudsso).client(by(ClientAuth::Query));
    let request = cisco.token_request(&app()).unwrap();
    assert!(request.has_secret_in_url() && request.body().is_empty());
    assert!(request.endpoint().as_str().ends_with("&client_id=app-1&client_secret=s%2Fe%2Bc"));
    assert!(!format!("{request:?}").contains("s%2Fe"), "{request:?}");
}

#[test]
fn gateway_limits_rate_with_403() {
    let headers = [(GATEWAY_CODE, "ERR_403_DEVELOPER_OVER_RATE"), ("retry-after", "7")];
    let error = Cisco::new(Environment::Cloudsso)
        .read_token(&response(403, &headers, ""), SENT)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    let headers = [(GATEWAY_CODE, "ERR_403_DEVELOPER_INACTIVE")];
    let error = Cisco::new(Environment::Cloudsso)
        .read_token(&response(403, &headers, ""), SENT)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[test]
fn only_not_authorized_rejects_token() {
    let verdict = |status, code: Option<&str>, body: Option<&'static [u8]>| {
        let headers = code.map(|code| (GATEWAY_CODE, code));
        let response = response(status, headers.as_slice(), "");
        let response = ApiResponse::new(response.status(), response.headers());
        Cisco::new(Environment::Cloudsso)
            .token_verdict(&body.map_or(response, |body| response.with_body(body)))
    };
    assert_eq!(verdict(401, None, None), TokenVerdict::Rejected);
    assert_eq!(verdict(403, Some("ERR_403_NOT_AUTHORIZED"), None), TokenVerdict::Rejected);
    assert_eq!(verdict(403, Some("ERR_403_DEVELOPER_OVER_QPS"), None), TokenVerdict::NotRejected);
    assert_eq!(verdict(429, Some("ERR_403_DEVELOPER_OVER_RATE"), None), TokenVerdict::NotRejected);
    assert_eq!(verdict(403, None, None), TokenVerdict::NeedsBody);
    let page = b"<html><body><h1>Not Authorized</h1></body></html>";
    assert_eq!(verdict(403, None, Some(page)), TokenVerdict::Rejected);
    assert_eq!(verdict(403, None, Some(b"<h1>Developer Inactive</h1>")), TokenVerdict::NotRejected);
    assert_eq!(verdict(200, None, None), TokenVerdict::NotRejected);
}

#[test]
fn error_of_unknown_client_names_other_service() {
    let ping = r#"{"error_description":"Invalid client.","error":"invalid_client"}"#;
    let error =
        Cisco::new(Environment::Cloudsso).read_token(&response(401, &[], ping), SENT).unwrap_err();
    for (environment, other) in [(Environment::Cloudsso, "id"), (Environment::Id, "cloudsso")] {
        let error = Cisco::new(environment).explain(&app(), error.clone());
        let hint = error.hints().iter().map(|hint| format!("{hint}\n")).collect::<String>();
        assert!(hint.contains("client_secret"), "{hint}");
        assert!(hint.contains(&format!("environment = \"{other}\"")), "{hint}");
    }
    let base_url = Endpoint::parse("http://127.0.0.1:1").unwrap();
    let here = Cisco::new(Environment::Cloudsso).base_url(base_url).explain(&app(), error);
    assert!(!format!("{:?}", here.hints()).contains("environment"), "{here:?}");
}

#[test]
fn redirect_of_old_service_names_new_one() {
    let moved = Fixture::json(302, "{}").with_header("location", "https://www.cisco.com/gone");
    let (http, clock) = (FakeHttp::returning([FakeResponse::from(moved)]), TestClock::new());
    let token_rules = TokenRules::default();
    let cx = ExchangeContext::new(&http, &clock, &token_rules);
    let error = block_on(cx.run(&Cisco::new(Environment::Cloudsso), &app())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsafeToken);
    assert!(
        error.hints().iter().any(|hint| hint.text().contains("environment = \"id\"")),
        "{error:?}"
    );
}

proptest! {
    #[test]
    fn any_id_and_secret_stay_in_their_parameter(id in ".+", secret in ".+") {
        let credential = Credential::client(id.as_str(), secret.as_str());
        for (client_auth, wanted) in [
            (ClientAuth::Form, (0, 3)),
            (ClientAuth::Basic, (0, 1)),
            (ClientAuth::Query, (3, 0)),
        ] {
            let cisco = Cisco::new(Environment::Cloudsso).client(by(client_auth));
            let request = cisco.token_request(&credential).unwrap();
            let url = request.endpoint().as_str().to_owned();
            let query = url.strip_prefix("https://cloudsso.cisco.com/as/token.oauth2").unwrap();
            let fields = |text: &str| text.split('&').filter(|one| !one.is_empty()).count();
            prop_assert_eq!((fields(query), fields(body(&request))), wanted);
            prop_assert!(http::Request::try_from(request).is_ok());
        }
    }
}
