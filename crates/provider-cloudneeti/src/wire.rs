//! Bytes out, bytes in: Cloudneeti's token request, its answer, and the headers of its API.

use std::time::SystemTime;

use gatepass_core::{
    ApiRequest, Credential, Error, ErrorKind, Hint, Request, Response, Result, Token, oauth2,
    percent_encode,
};
use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::settings::Settings;

pub(crate) fn request(settings: &Settings, credential: &Credential) -> Result<Request> {
    let path = format!("/authorize/license/{}/token", percent_encode(&settings.license_id));
    let account = settings.account_id.as_deref().map(|account| ("accountId", account));
    let secret = credential.secret("api_application_secret")?;
    Request::post(settings.api()?.join(&path)?.with_query(account))
        .json([
            ("APIApplicationId", credential.text("api_application_id")?),
            ("Secret", secret.expose_secret()),
        ])?
        .secret_header(KEY_HEADER, credential.secret("subscription_key")?)
}

/// Not RFC 6749: the body has a status of its own, the token stands in an envelope (where
/// <https://help.zscaler.com/userGuide/tokenAPI> lists it flat), and neither type nor expiry is
/// said.
pub(crate) fn token(response: &Response, sent: SystemTime) -> Result<Token> {
    let body = oauth2::read_json_with_status(response, "/statusCode", sent)?;
    let token = match (body.secret("/result/token"), body.secret("/token")) {
        (Ok(one), Ok(other)) if one.expose_secret() != other.expose_secret() => {
            return Err(Error::unsafe_token("the answer has two tokens, and they differ"));
        }
        (Err(error), _) | (_, Err(error)) if error.kind() == ErrorKind::UnsafeToken => {
            return Err(error);
        }
        (Ok(token), _) => token,
        (Err(_), flat) => flat?,
    };
    if body.optional_text("/token_type")?.is_some() {
        body.require_bearer()?;
    }
    Token::builder(token, sent).build()
}

pub(crate) fn authorize(
    credential: &Credential,
    token: &Token,
    request: &mut ApiRequest<'_>,
) -> Result<()> {
    let key = credential.secret("subscription_key")?.to_header(&KEY_HEADER)?;
    request.set_header(AUTHORIZATION, token.authorization().clone());
    request.set_header(KEY_HEADER, key);
    Ok(())
}

pub(crate) fn explain(settings: &Settings, error: Error) -> Error {
    let of_gateway = error.vendor_text().is_some_and(|text| text.contains("subscription key"));
    match error.status() {
        Some(401) if of_gateway => error.with_hints([Hint::new(
            "the gateway refuses the subscription key: check subscription_key, not the secret",
        )]),
        Some(404) if !settings.path_prefix.is_empty() => {
            error.hint("today's hosts have no /api in their paths: try path_prefix = \"\"")
        }
        _ => error,
    }
}

/// The two kinds of token open different calls; of the account's, `rescan` is not harmless.
pub(crate) fn probe(settings: &Settings) -> String {
    let license = percent_encode(&settings.license_id);
    match &settings.account_id {
        None => format!("/onboarding/license/{license}/licenseAccounts"),
        Some(account) => {
            let account = percent_encode(account);
            format!("/audit/license/{license}/account/{account}/benchmark/CSBP/summary")
        }
    }
}

const KEY_HEADER: HeaderName = HeaderName::from_static("ocp-apim-subscription-key");

#[cfg(test)]
mod tests {
    use gatepass_core::Endpoint;
    use proptest::prelude::*;

    use super::*;
    use crate::settings::{id, path_prefix};

    const CANARY: &str = "CNRY0secret0canary";

    fn application() -> Credential {
        Credential::new()
            .with_text("api_application_id", "app-1")
            .with_secret("api_application_secret", CANARY)
            .with_secret("subscription_key", "CNRY0key0canary0")
    }

    fn license() -> Settings {
        Settings::new("L-1").unwrap()
    }

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> Response {
        http::Response::builder().status(status).body(body.into().into()).unwrap().into()
    }

    fn read(status: u16, body: &str) -> Result<Token> {
        token(&answer(status, body), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn the_request_is_json_with_the_key_in_a_header() {
        let request = request(&license(), &application()).unwrap();
        let url = "https://api.cloudneeti.com/api/authorize/license/L-1/token";
        assert_eq!(request.endpoint().as_str(), url);
        let json = r#"{"APIApplicationId":"app-1","Secret":"CNRY0secret0canary"}"#;
        assert_eq!(request.body(), json.as_bytes());
        assert!(request.headers()[KEY_HEADER].is_sensitive());
        assert!(!format!("{request:?}").contains("CNRY"), "{request:?}");
    }

    #[test]
    fn an_account_goes_into_the_query_and_a_prefix_before_the_path() {
        let settings = Settings {
            account_id: Some(String::from("a&b")),
            base_url: Some(Endpoint::parse("http://127.0.0.1:9000/cloudneeti").unwrap()),
            path_prefix: path_prefix("").unwrap(),
            ..license()
        };
        let request = request(&settings, &application()).unwrap();
        let url = "http://127.0.0.1:9000/cloudneeti/authorize/license/L-1/token?accountId=a%26b";
        assert_eq!(request.endpoint().as_str(), url);
    }

    #[test]
    fn what_is_no_id_or_prefix_is_refused() {
        for bad in ["", ".", ".."] {
            assert_eq!(id("license_id", bad).unwrap_err().kind(), ErrorKind::Config, "{bad}");
        }
        for bad in ["api", "/a?b", "/a#b", "/..", "/./a", "/%2e%2e", "/ä", "/a b", "https://h"] {
            assert_eq!(path_prefix(bad).unwrap_err().kind(), ErrorKind::Config, "{bad}");
        }
        assert_eq!(path_prefix("/v1/api/").unwrap(), "/v1/api");
        assert_eq!(path_prefix("/").unwrap(), "");
    }

    #[test]
    fn the_token_is_read_in_the_envelope_and_flat() {
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
    fn the_status_of_the_body_wins() {
        let body = r#"{"statusCode":401,"message":"Invalid API application id or secret"}"#;
        assert_eq!(read(200, body).unwrap_err().kind(), ErrorKind::Denied);
        let body = r#"{"statusCode":429,"message":"Rate limit is exceeded."}"#;
        assert_eq!(read(200, body).unwrap_err().kind(), ErrorKind::Throttled);
    }

    #[test]
    fn a_token_beside_a_status_that_is_none_of_success_is_not_taken() {
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
    fn the_setting_that_helps_is_named() {
        let hint = |settings: &Settings, status, body| {
            let error = explain(settings, read(status, body).unwrap_err());
            error.hints().iter().map(|hint| format!("{hint}\n")).collect::<String>()
        };
        let lost = r#"{ "statusCode": 404, "message": "Resource not found" }"#;
        assert!(hint(&license(), 404, lost).contains("path_prefix = \"\""));
        assert!(hint(&license(), 404, "").contains("path_prefix = \"\""));
        let today = Settings { path_prefix: String::new(), ..license() };
        assert!(!hint(&today, 404, lost).contains("path_prefix"));
        let key =
            r#"{ "statusCode": 401, "message": "Access denied due to invalid subscription key." }"#;
        assert!(hint(&license(), 401, key).contains("subscription_key"));
    }

    #[test]
    fn an_api_request_carries_both_headers_marked_sensitive() {
        let token = read(200, r#"{"token":"t-1"}"#).unwrap();
        let (mut uri, mut headers) = (http::Uri::default(), http::HeaderMap::new());
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        authorize(&application(), &token, &mut request).unwrap();
        assert!(authorize(&Credential::new(), &token, &mut request).is_err());
        assert_eq!(headers[AUTHORIZATION], "Bearer t-1");
        assert_eq!(headers[KEY_HEADER], "CNRY0key0canary0");
        assert!(headers.values().all(http::HeaderValue::is_sensitive));
    }

    proptest! {
        #[test]
        fn any_id_stays_one_segment_below_the_base(license in ".+", account in ".+") {
            prop_assume!(license != "." && license != ".." && account != "." && account != "..");
            let settings = Settings {
                account_id: Some(account),
                ..Settings::new(&license).unwrap()
            };
            let request = request(&settings, &application()).unwrap();
            let url = request.endpoint().as_str().to_owned();
            let rest = url.strip_prefix("https://api.cloudneeti.com/api/authorize/license/");
            let (segment, query) = rest.unwrap().split_once("/token?accountId=").unwrap();
            for part in [segment, query] {
                prop_assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-._*".contains(&b)));
            }
            prop_assert_eq!(probe(&settings).split('/').count(), 9);
            let sent = http::Request::try_from(request).unwrap();
            prop_assert_eq!(sent.uri().to_string(), url);
        }

        #[test]
        fn any_prefix_is_refused_or_stays_below_the_base(prefix in "[ -~]{0,12}|/[a-z./%]{0,9}") {
            if let Ok(path_prefix) = path_prefix(&prefix) {
                let request = request(&Settings { path_prefix, ..license() }, &application());
                let url = request.unwrap().endpoint().as_str().to_owned();
                prop_assert!(url.starts_with("https://api.cloudneeti.com/"));
                prop_assert!(url.ends_with("/authorize/license/L-1/token"));
            }
        }

        #[test]
        fn any_answer_is_read_without_panic_or_leak(
            status in 100u16..1000,
            members in proptest::collection::vec((NAMES, VALUES), 0..6),
            noise in proptest::collection::vec(any::<u8>(), 0..64),
            is_json in any::<bool>(),
        ) {
            let members: Vec<String> =
                members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let json = format!("{{{}}}", members.join(","));
            let body = if is_json { json.into_bytes() } else { [noise, json.into_bytes()].concat() };
            match token(&answer(status, body.clone()), SystemTime::UNIX_EPOCH) {
                Ok(token) => {
                    let token = token.expose_secret().as_bytes();
                    prop_assert!(body.windows(token.len()).any(|part| part == token));
                }
                Err(error) => {
                    let shown = format!("{:?}", explain(&license(), error)).to_lowercase();
                    prop_assert!(!shown.contains("cnry0"), "{}", shown);
                }
            }
        }
    }

    const NAMES: &str = "token|result|statusCode|message|error|errorCode|token_type|expires_in";
    const VALUES: &str = "\"CNRY0secret0canary\"|\\{\"token\":\"CNRY0secret0canary\"\\}|200|401|\
                          \"200\"|-1|null|\\{\\}|\\[1\\]|\"see CNRY0secret0canary\\.\"";
}
