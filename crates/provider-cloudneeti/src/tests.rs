//! Tests of Cloudneeti's peculiarities.

use gatepass_testkit::Fixture;
use proptest::prelude::*;

use super::*;

gatepass_testkit::conformance!(super::INFO, "fixtures");

const SENT: SystemTime = SystemTime::UNIX_EPOCH;
const CANARY: &str = "CNRY0secret0canary";

fn application() -> Credential {
    Credential::new()
        .with_text("api_application_id", "app-1")
        .with_secret("api_application_secret", CANARY)
        .with_secret("subscription_key", "CNRY0key0canary0")
}

fn license() -> Cloudneeti {
    Cloudneeti::new("L-1").unwrap()
}

fn read(status: u16, body: &str) -> Result<Token> {
    license().read_token(&Fixture::json(status, body.to_owned()).response(), SENT)
}

#[test]
fn request_is_json_with_key_in_header() {
    let request = license().token_request(&application()).unwrap();
    let url = "https://api.cloudneeti.com/api/authorize/license/L-1/token";
    assert_eq!(request.endpoint().as_str(), url);
    let json = r#"{"APIApplicationId":"app-1","Secret":"CNRY0secret0canary"}"#;
    assert_eq!(request.body(), json.as_bytes());
    assert!(request.headers()[KEY_HEADER].is_sensitive());
    assert!(!format!("{request:?}").contains("CNRY"), "{request:?}");
}

#[test]
fn account_is_in_query_and_prefix_before_path() {
    let base_url = Endpoint::parse("http://127.0.0.1:9000/cloudneeti").unwrap();
    let cspm = license().account_id("a&b").unwrap().base_url(base_url).path_prefix("").unwrap();
    let request = cspm.token_request(&application()).unwrap();
    let url = "http://127.0.0.1:9000/cloudneeti/authorize/license/L-1/token?accountId=a%26b";
    assert_eq!(request.endpoint().as_str(), url);
}

#[test]
fn invalid_id_or_prefix_is_refused() {
    for bad in ["", ".", ".."] {
        assert_eq!(id("license_id", bad).unwrap_err().kind(), ErrorKind::Config, "{bad}");
    }
    for bad in ["api", "/a?b", "/a#b", "/..", "/./a", "/%2e%2e", "/ä", "/a b", "https://h"] {
        assert_eq!(checked_prefix(bad).unwrap_err().kind(), ErrorKind::Config, "{bad}");
    }
    assert_eq!(checked_prefix("/v1/api/").unwrap(), "/v1/api");
    assert_eq!(checked_prefix("/").unwrap(), "");
}

#[test]
fn token_is_read_in_envelope_and_flat() {
    for body in [
        r#"{"result":{"token":"t-1"},"statusCode":200,"message":"Request Successful"}"#,
        r#"{"token":"t-1","statusCode":200,"message":"Request Successful"}"#,
        r#"{"token":"t-1","result":{"token":"t-1"}}"#,
        r#"{"token":"t-1","result":"Token made"}"#,
        r#"{"token":"t-1","result":{"token":null}}"#,
    ] {
        assert_eq!(read(200, body).unwrap().expose_secret(), "t-1", "{body}");
    }
}

#[test]
fn two_tokens_and_no_token_are_errors() {
    for (body, kind) in [
        (r#"{"token":"t-1","result":{"token":"t-2"}}"#, ErrorKind::UnsafeToken),
        (r#"{"token":"t-1","result":{"token":""}}"#, ErrorKind::UnsafeToken),
        (r#"{"token":7,"result":{"token":"t-1"}}"#, ErrorKind::UnsafeToken),
        (r#"{"token":"t-1","token_type":"mac"}"#, ErrorKind::Protocol),
        (r#"{"result":{},"statusCode":200}"#, ErrorKind::Protocol),
    ] {
        assert_eq!(read(200, body).unwrap_err().kind(), kind, "{body}");
    }
}

#[test]
fn status_in_body_wins() {
    let body = r#"{"statusCode":401,"message":"Invalid API application id or secret"}"#;
    assert_eq!(read(200, body).unwrap_err().kind(), ErrorKind::Denied);
    let body = r#"{"statusCode":429,"message":"Rate limit is exceeded."}"#;
    assert_eq!(read(200, body).unwrap_err().kind(), ErrorKind::Throttled);
}

#[test]
fn token_beside_unsuccessful_status_is_refused() {
    for (status, kind) in [
        ("-1", ErrorKind::Protocol),
        ("0", ErrorKind::Protocol),
        ("70000", ErrorKind::Protocol),
        ("\"failed\"", ErrorKind::Protocol),
        ("false", ErrorKind::Protocol),
        ("200,\"statusCode\":401", ErrorKind::UnsafeToken),
    ] {
        let body = format!(r#"{{"result":{{"token":"t-1"}},"statusCode":{status}}}"#);
        assert_eq!(read(200, &body).unwrap_err().kind(), kind, "{status}");
    }
    for status in ["200", "201", "\"200\"", "null", "200,\"statusCode\":200"] {
        let body = format!(r#"{{"result":{{"token":"t-1"}},"statusCode":{status}}}"#);
        assert_eq!(read(200, &body).unwrap().expose_secret(), "t-1", "{status}");
    }
    let denied = read(401, r#"{"statusCode":-1}"#).unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);
}

#[test]
fn hint_names_setting_that_helps() {
    let hint = |cspm: &Cloudneeti, status, body| {
        let error = cspm.explain(&application(), read(status, body).unwrap_err());
        error.hints().iter().map(|hint| format!("{hint}\n")).collect::<String>()
    };
    let lost = r#"{ "statusCode": 404, "message": "Resource not found" }"#;
    assert!(hint(&license(), 404, lost).contains("path_prefix = \"\""));
    assert!(hint(&license(), 404, "").contains("path_prefix = \"\""));
    let today = license().path_prefix("").unwrap();
    assert!(!hint(&today, 404, lost).contains("path_prefix"));
    let key =
        r#"{ "statusCode": 401, "message": "Access denied due to invalid subscription key." }"#;
    assert!(hint(&license(), 401, key).contains("subscription_key"));
}

#[test]
fn api_request_has_both_headers_marked_sensitive() {
    let token = read(200, r#"{"token":"t-1"}"#).unwrap();
    let (mut uri, mut headers) = (http::Uri::default(), http::HeaderMap::new());
    let mut request = ApiRequest::new(&mut uri, &mut headers);
    license().authorize(&application(), &token, &mut request).unwrap();
    assert!(license().authorize(&Credential::new(), &token, &mut request).is_err());
    assert_eq!(headers[AUTHORIZATION], "Bearer t-1");
    assert_eq!(headers[KEY_HEADER], "CNRY0key0canary0");
    assert!(headers.values().all(http::HeaderValue::is_sensitive));
}

proptest! {
    #[test]
    fn any_id_stays_one_segment_below_base(license in ".+", account in ".+") {
        prop_assume!(license != "." && license != ".." && account != "." && account != "..");
        let cspm = Cloudneeti::new(&license).unwrap().account_id(&account).unwrap();
        let request = cspm.token_request(&application()).unwrap();
        let url = request.endpoint().as_str().to_owned();
        let rest = url.strip_prefix("https://api.cloudneeti.com/api/authorize/license/");
        let (segment, query) = rest.unwrap().split_once("/token?accountId=").unwrap();
        for part in [segment, query] {
            prop_assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-._*".contains(&b)));
        }
        prop_assert_eq!(cspm.probe(&application()).unwrap().unwrap().split('/').count(), 9);
        let sent = http::Request::try_from(request).unwrap();
        prop_assert_eq!(sent.uri().to_string(), url);
    }

    #[test]
    fn any_prefix_is_refused_or_stays_below_base(prefix in "[ -~]{0,12}|/[a-z./%]{0,9}") {
        if let Ok(cspm) = license().path_prefix(&prefix) {
            let request = cspm.token_request(&application());
            let url = request.unwrap().endpoint().as_str().to_owned();
            prop_assert!(url.starts_with("https://api.cloudneeti.com/"));
            prop_assert!(url.ends_with("/authorize/license/L-1/token"));
        }
    }
}
