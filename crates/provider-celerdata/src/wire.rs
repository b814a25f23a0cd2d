//! Bytes out, bytes in: CelerData's token request, its answer, and the API's refusals.

use std::time::SystemTime;

use gatepass_core::{
    ApiResponse, Credential, Error, Hint, Request, Response, Result, Token, TokenVerdict, oauth2,
};

use crate::settings::{GrantTypeIn, Settings};

pub(crate) fn request(settings: &Settings, credential: &Credential) -> Result<Request> {
    let endpoint = settings.api()?.join("/api/1.0/token")?;
    let request = match &settings.grant_type_in {
        // RFC 6749 section 4.4.2 wants the grant type in the body; CelerData's page has the query:
        // https://docs.celerdata.com/BYOC/docs/API/actions/identity_and_access_management/tokens/create_access_token
        GrantTypeIn::Query => Request::post(endpoint.with_query([GRANT])),
        GrantTypeIn::Body { scope } => {
            Request::post(endpoint).form([GRANT, ("scope", scope.as_deref().unwrap_or_default())])
        }
    };
    let (id, secret) = (credential.text("client_id")?, credential.secret("client_secret")?);
    request.basic(id, secret, settings.basic_encoding)
}

/// The refresh token beside the token is kept as an extra and never needed.
pub(crate) fn token(response: &Response, sent: SystemTime) -> Result<Token> {
    oauth2::read_token(response, sent)
}

/// The API may answer 200 and put its own code into the body. Which code a dead token gets is not
/// documented: codes that begin as HTTP's 401 does (40100 to 40199) count as that.
pub(crate) fn refusal(answer: &ApiResponse<'_>) -> TokenVerdict {
    let is_json = answer.header("content-type").is_some_and(|kind| kind.contains("json"));
    match (answer.status.as_u16(), answer.body) {
        (401, _) => TokenVerdict::Rejected,
        (200 | 400 | 403, None) if is_json => TokenVerdict::NeedsBody,
        (200 | 400 | 403, Some(_)) => {
            let code = answer.json_member("code").and_then(|code| code.parse::<u32>().ok());
            match code {
                Some(40_100..=40_199) => TokenVerdict::Rejected,
                _ => TokenVerdict::NotRejected,
            }
        }
        _ => TokenVerdict::NotRejected,
    }
}

pub(crate) fn explain(settings: &Settings, credential: &Credential, error: Error) -> Error {
    match error.vendor_code() {
        Some("unsupported_grant_type") => error
            .with_hints([Hint::new("set grant_type_in in the profile to \"body\" or \"query\"")]),
        _ => oauth2::explain_basic(error, credential, settings.basic_encoding),
    }
}

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[cfg(test)]
mod tests {
    use gatepass_core::{BasicEncoding, Endpoint, ErrorKind};
    use proptest::prelude::*;

    use super::*;

    const CANARY: &str = "CNRY0secret0canary";

    fn app() -> Credential {
        Credential::client("app-1", "s/e+c")
    }

    fn body(request: &Request) -> &str {
        std::str::from_utf8(request.body()).unwrap()
    }

    fn in_body(scope: &str) -> Settings {
        let grant_type_in = GrantTypeIn::Body { scope: Some(scope.to_owned()) };
        Settings { grant_type_in, ..Settings::default() }
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer.body(body.into().into()).unwrap().into()
    }

    #[test]
    fn the_grant_type_is_in_the_query_and_the_secret_is_not() {
        let request = request(&Settings::default(), &app()).unwrap();
        let url = "https://cloud-api.celerdata.com/api/1.0/token?grant_type=client_credentials";
        assert_eq!(request.endpoint().as_str(), url);
        assert_eq!(request.headers()["authorization"], "Basic YXBwLTE6cy9lK2M=");
        assert!(request.headers()["authorization"].is_sensitive());
        assert!(request.body().is_empty() && !request.has_secret_in_url());
    }

    #[test]
    fn the_body_takes_grant_type_and_scope_instead() {
        let settings = Settings {
            base_url: Some(Endpoint::parse("http://127.0.0.1:9000/celerdata").unwrap()),
            basic_encoding: BasicEncoding::Form,
            ..in_body("all-apis")
        };
        let request = request(&settings, &app()).unwrap();
        assert_eq!(request.endpoint().as_str(), "http://127.0.0.1:9000/celerdata/api/1.0/token");
        assert_eq!(request.headers()["authorization"], "Basic YXBwLTE6cyUyRmUlMkJj");
        assert_eq!(body(&request), "grant_type=client_credentials&scope=all-apis");
        assert_eq!(settings.scope(), Some("all-apis"));
    }

    #[test]
    fn a_scope_without_a_body_names_both_settings() {
        let profile = gatepass_core::Settings::new().with("scope", "all-apis");
        let error = Settings::read(&profile).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("scope") && error.message().contains("grant_type_in"));
        assert!(Settings::read(&profile.with("grant_type_in", "body")).is_ok());
    }

    #[test]
    fn the_refresh_token_is_kept_as_a_secret() {
        let body = r#"{"access_token":"T-1","expires_in":3600,"refresh_token":"R-1","token_type":"Bearer"}"#;
        let token = token(&answer(200, &[], body), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(token.expose_secret(), "T-1");
        assert_eq!(token.extra("refresh_token").unwrap().expose_secret(), "R-1");
        assert!(!format!("{token:?}").contains("R-1"));
    }

    #[test]
    fn only_401_and_its_codes_refuse_the_token() {
        let judge = |status, body: Option<&'static str>| {
            let answer = answer(status, &[("content-type", "application/json")], "");
            let answer = ApiResponse::new(answer.status(), answer.headers());
            refusal(&body.map_or(answer, |body| answer.with_body(body.as_bytes())))
        };
        assert_eq!(judge(401, None), TokenVerdict::Rejected);
        assert_eq!(judge(200, None), TokenVerdict::NeedsBody);
        assert_eq!(
            judge(200, Some(r#"{"code":40100,"message":"invalid"}"#)),
            TokenVerdict::Rejected
        );
        for code in ["0", "20000", "40004", "40300", "42900", "50000", "null"] {
            let body = format!(r#"{{"code":{code},"data":{{}}}}"#).leak();
            assert_eq!(judge(200, Some(body)), TokenVerdict::NotRejected, "{body}");
        }
        assert_eq!(judge(429, None), TokenVerdict::NotRejected);
        assert_eq!(judge(503, Some(r#"{"code":40100}"#)), TokenVerdict::NotRejected);
    }

    #[test]
    fn a_refused_special_character_is_told_the_other_encoding() {
        let body =
            r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#;
        let error = token(&answer(401, &[], body), SystemTime::UNIX_EPOCH).unwrap_err();
        let hint = |settings: &Settings, credential: &Credential| {
            let error = explain(settings, credential, error.clone());
            error.hints().iter().map(|hint| format!("{hint}\n")).collect::<String>()
        };
        let (raw, form) = (BasicEncoding::Raw, BasicEncoding::Form);
        for (basic_encoding, other) in [(raw, "\"form\""), (form, "\"raw\"")] {
            let settings = Settings { basic_encoding, ..Settings::default() };
            assert!(hint(&settings, &app()).contains(&format!("basic_encoding = {other}")));
            assert!(!hint(&settings, &Credential::client("a-1", "b2")).contains("encoding"));
        }
    }

    proptest! {
        #[test]
        fn any_id_and_secret_stay_in_the_header(id in "[^:]+", secret in ".+", scope in ".+") {
            let credential = Credential::client(id.as_str(), secret.as_str());
            for settings in [Settings::default(), in_body(&scope)] {
                let request = request(&settings, &credential).unwrap();
                let url = request.endpoint().as_str().to_owned();
                let query = url.strip_prefix("https://cloud-api.celerdata.com/api/1.0/token");
                let query = query.unwrap().trim_start_matches('?').to_owned();
                let sent = format!("{query}{}", body(&request));
                prop_assert!(sent.starts_with("grant_type=client_credentials"));
                prop_assert_eq!(sent.contains('&'), settings.scope().is_some());
                prop_assert!(sent.matches('&').count() < 2);
                prop_assert!(http::Request::try_from(request).is_ok());
            }
        }

        #[test]
        fn any_answer_is_read_without_panic_or_leak(
            status in 100u16..1000,
            after in "[ -~]{0,40}",
            members in proptest::collection::vec((NAMES, VALUES), 0..6),
            noise in proptest::collection::vec(any::<u8>(), 0..64),
            is_json in any::<bool>(),
        ) {
            let members: Vec<String> =
                members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let json = format!("{{{}}}", members.join(","));
            let body = if is_json { json.into_bytes() } else { [noise, json.into_bytes()].concat() };
            let response = answer(status, &[("retry-after", &after)], body.clone());
            let credential = Credential::client("app-1", CANARY);
            match token(&response, SystemTime::UNIX_EPOCH) {
                Ok(token) => {
                    let token = token.expose_secret().as_bytes();
                    prop_assert!(body.windows(token.len()).any(|part| part == token));
                }
                Err(error) => {
                    let error = explain(&Settings::default(), &credential, error);
                    let shown = format!("{error:?}").to_lowercase();
                    prop_assert!(!shown.contains("cnry0"), "{}", shown);
                }
            }
        }
    }

    const NAMES: &str = "access_token|token_type|expires_in|refresh_token|scope|error|\
                         error_description|code|message";
    const VALUES: &str = "\"CNRY0secret0canary\"|\"bearer\"|\"3600\"|3600|-1|null|\\{\\}|\\[1\\]|\
                          \"invalid_client\"|\"see CNRY0secret0canary\\.\"";
}
