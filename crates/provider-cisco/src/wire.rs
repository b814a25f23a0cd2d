//! Bytes out, bytes in: Cisco's token request, its answer, and the API's refusals.

use std::time::SystemTime;

use gatepass_core::{
    ApiResponse, AuthorizationRequest, Credential, Error, ErrorKind, Request, Response, Result,
    Token, TokenVerdict, oauth2,
};

use crate::settings::{ClientAuth, Environment, Settings};

pub(crate) fn request(settings: &Settings, credential: &Credential) -> Result<Request> {
    if settings.implicit.is_some() {
        return Err(Error::login_required("login needed"));
    }
    let request = Request::post(settings.token_endpoint()?);
    let id = credential.text("client_id")?;
    let secret = credential.secret("client_secret")?;
    let all = [GRANT, ("client_id", id), ("client_secret", secret.expose_secret())];
    match settings.client_auth {
        ClientAuth::Form => Ok(request.form(all)),
        ClientAuth::Basic => request.form([GRANT]).basic(id, secret, settings.basic_encoding),
        ClientAuth::Query => Ok(request.form([]).secret_query(all)),
    }
}

/// <https://docs.pingidentity.com/r/en-us/developer/zvn1601508083660>
pub(crate) fn authorization_request(
    settings: &Settings,
    credential: &Credential,
) -> Result<AuthorizationRequest> {
    let Some(redirect_uri) = settings.implicit.clone() else {
        return Err(Error::config("this grant needs no login"));
    };
    let endpoint = settings.authorization_endpoint()?;
    Ok(AuthorizationRequest::implicit(endpoint, credential.text("client_id")?, redirect_uri))
}

pub(crate) fn token(response: &Response, sent: SystemTime) -> Result<Token> {
    // The gateway says "slow down" with 403; only its header tells that from "not allowed":
    // https://developer.cisco.com/docs/psirt/browsing-sorting-filterting-and-rate-limits
    let code = response.header(GATEWAY_CODE).unwrap_or_default();
    if response.status().as_u16() == 403 && OVER_LIMIT.iter().any(|end| code.ends_with(end)) {
        let error = Error::throttled("asked to wait").with_status(403).with_vendor_code(code);
        return Err(match response.retry_after(sent) {
            Some(after) => error.with_retry_after(after),
            None => error,
        });
    }
    oauth2::read_token(response, sent)
}

/// The gateway before the API refuses a token with 403, and much else as well; its code says why,
/// and where there is none, its web page does.
pub(crate) fn refusal(answer: &ApiResponse<'_>) -> TokenVerdict {
    let is =
        |refused: bool| if refused { TokenVerdict::Rejected } else { TokenVerdict::NotRejected };
    match (answer.status.as_u16(), answer.header(GATEWAY_CODE), answer.body) {
        (401, _, _) => TokenVerdict::Rejected,
        (403, Some(code), _) => is(code == "ERR_403_NOT_AUTHORIZED"),
        (403, None, None) => TokenVerdict::NeedsBody,
        (403, None, Some(body)) => {
            is(body.windows(NOT_AUTHORIZED.len()).any(|part| part == NOT_AUTHORIZED))
        }
        _ => TokenVerdict::NotRejected,
    }
}

pub(crate) fn explain(settings: &Settings, credential: &Credential, error: Error) -> Error {
    let error = match settings.client_auth {
        ClientAuth::Basic => oauth2::explain_basic(error, credential, settings.basic_encoding),
        _ => error,
    };
    let elsewhere = matches!(
        (error.kind(), error.status()),
        (ErrorKind::Denied, Some(400 | 401)) | (_, Some(300..=399 | 404 | 410))
    );
    match settings.environment {
        _ if !elsewhere || settings.base_url.is_some() => error,
        Environment::Cloudsso => {
            error.hint("clients registered since 2023 need environment = \"id\"")
        }
        Environment::Id => error.hint(
            "clients registered before 2023 are unknown here: register anew, or try \
             environment = \"cloudsso\"",
        ),
    }
}

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const GATEWAY_CODE: &str = "x-mashery-error-code";
const OVER_LIMIT: [&str; 2] = ["_OVER_QPS", "_OVER_RATE"];
const NOT_AUTHORIZED: &[u8] = b"<h1>Not Authorized</h1>";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatepass_core::{
        BasicEncoding, Endpoint, ExchangeContext, LoginAttempt, Provider, RedirectUri, TokenRules,
    };
    use gatepass_testkit::{FakeHttp, FakeResponse, Fixture, TestClock, block_on};
    use proptest::prelude::*;

    use super::*;

    const CANARY: &str = "CNRY0secret0canary";

    fn app() -> Credential {
        Credential::client("app-1", "s/e+c")
    }

    fn body(request: &Request) -> &str {
        std::str::from_utf8(request.body()).unwrap()
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer.body(body.into().into()).unwrap().into()
    }

    #[test]
    fn the_form_goes_to_the_chosen_service() {
        let request = request(&Settings::default(), &app()).unwrap();
        assert_eq!(request.endpoint().as_str(), "https://cloudsso.cisco.com/as/token.oauth2");
        let form = "grant_type=client_credentials&client_id=app-1&client_secret=s%2Fe%2Bc";
        assert_eq!(body(&request), form);
    }

    #[test]
    fn a_base_url_leaves_the_path_to_the_environment() {
        let base_url = Some(Endpoint::parse("http://127.0.0.1:9000/cisco/").unwrap());
        for (environment, path) in [
            (Environment::Cloudsso, "/as/token.oauth2"),
            (Environment::Id, "/oauth2/default/v1/token"),
        ] {
            let settings =
                Settings { environment, base_url: base_url.clone(), ..Settings::default() };
            let request = request(&settings, &app()).unwrap();
            let wanted = format!("http://127.0.0.1:9000/cisco{path}");
            assert_eq!(request.endpoint().as_str(), wanted);
            assert_eq!(settings.api().ok(), settings.base_url);
        }
    }

    #[test]
    fn basic_leaves_the_secret_out_of_the_form() {
        for (basic_encoding, header) in [
            (BasicEncoding::Form, "Basic YXBwLTE6cyUyRmUlMkJj"),
            (BasicEncoding::Raw, "Basic YXBwLTE6cy9lK2M="),
        ] {
            let client_auth = ClientAuth::Basic;
            let settings = Settings { client_auth, basic_encoding, ..Settings::default() };
            let request = request(&settings, &app()).unwrap();
            assert_eq!(request.headers()["authorization"], header);
            assert!(request.headers()["authorization"].is_sensitive());
            assert_eq!(body(&request), "grant_type=client_credentials");
        }
    }

    #[test]
    fn a_login_begins_at_the_old_service_and_needs_no_secret() {
        let redirect_uri = RedirectUri::parse("http://localhost/app/index.html").unwrap();
        let cisco = crate::Cisco::new().implicit(redirect_uri);
        let person = Credential::new().with_text("client_id", "app-1");
        let login = cisco.interactive().unwrap().authorization_request(&person).unwrap();
        let url = login.url(&LoginAttempt::new([1; 48]));
        let wanted = "https://cloudsso.cisco.com/as/authorization.oauth2?response_type=token&\
                      client_id=app-1&redirect_uri=http%3A%2F%2Flocalhost%2Fapp%2Findex.html&state=";
        assert!(url.starts_with(wanted), "{url:?}");
        assert_eq!(cisco.token_request(&person).unwrap_err().kind(), ErrorKind::LoginRequired);
        assert!(crate::Cisco::new().interactive().is_none());
    }

    #[test]
    fn the_new_service_has_no_implicit_grant() {
        let profile = gatepass_core::Settings::new()
            .with("environment", "id")
            .with("grant", "implicit")
            .with("redirect_uri", "http://localhost/x");
        let error = Settings::read(&profile).unwrap_err();
        assert!(error.to_string().contains("id.cisco.com"), "{error}");
    }

    #[test]
    fn the_query_is_marked_as_secret_and_never_shown() {
        let settings = Settings { client_auth: ClientAuth::Query, ..Settings::default() };
        let request = request(&settings, &app()).unwrap();
        assert!(request.has_secret_in_url() && request.body().is_empty());
        assert!(request.endpoint().as_str().ends_with("&client_id=app-1&client_secret=s%2Fe%2Bc"));
        assert!(!format!("{request:?}").contains("s%2Fe"), "{request:?}");
    }

    #[test]
    fn the_gateway_says_slow_down_with_403() {
        let headers = [(GATEWAY_CODE, "ERR_403_DEVELOPER_OVER_RATE"), ("retry-after", "7")];
        let error = token(&answer(403, &headers, ""), SystemTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Throttled);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        let headers = [(GATEWAY_CODE, "ERR_403_DEVELOPER_INACTIVE")];
        let error = token(&answer(403, &headers, ""), SystemTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
    }

    #[test]
    fn only_not_authorized_refuses_the_token() {
        let judge = |status, code: Option<&str>, body: Option<&'static [u8]>| {
            let headers = code.map(|code| (GATEWAY_CODE, code));
            let answer = answer(status, headers.as_slice(), "");
            let answer = ApiResponse::new(answer.status(), answer.headers());
            refusal(&body.map_or(answer, |body| answer.with_body(body)))
        };
        assert_eq!(judge(401, None, None), TokenVerdict::Rejected);
        assert_eq!(judge(403, Some("ERR_403_NOT_AUTHORIZED"), None), TokenVerdict::Rejected);
        assert_eq!(judge(403, Some("ERR_403_DEVELOPER_OVER_QPS"), None), TokenVerdict::NotRejected);
        assert_eq!(
            judge(429, Some("ERR_403_DEVELOPER_OVER_RATE"), None),
            TokenVerdict::NotRejected
        );
        assert_eq!(judge(403, None, None), TokenVerdict::NeedsBody);
        let page = b"<html><body><h1>Not Authorized</h1></body></html>";
        assert_eq!(judge(403, None, Some(page)), TokenVerdict::Rejected);
        assert_eq!(
            judge(403, None, Some(b"<h1>Developer Inactive</h1>")),
            TokenVerdict::NotRejected
        );
        assert_eq!(judge(200, None, None), TokenVerdict::NotRejected);
    }

    #[test]
    fn a_client_at_the_wrong_service_is_told_the_other() {
        let ping = br#"{"error_description":"Invalid client.","error":"invalid_client"}"#.to_vec();
        let error = token(&answer(401, &[], ping), SystemTime::UNIX_EPOCH).unwrap_err();
        let settings = |environment| Settings { environment, ..Settings::default() };
        for (environment, other) in [(Environment::Cloudsso, "id"), (Environment::Id, "cloudsso")] {
            let error = explain(&settings(environment), &app(), error.clone());
            let hint = error.hints().iter().map(|hint| format!("{hint}\n")).collect::<String>();
            assert!(hint.contains("client_secret"), "{hint}");
            assert!(hint.contains(&format!("environment = \"{other}\"")), "{hint}");
        }
        let base_url = Some(Endpoint::parse("http://127.0.0.1:1").unwrap());
        let here = explain(&Settings { base_url, ..Settings::default() }, &app(), error);
        assert!(!format!("{:?}", here.hints()).contains("environment"), "{here:?}");
    }

    #[test]
    fn a_redirect_of_the_old_service_names_the_new_one() {
        let moved = Fixture::json(302, "{}").with_header("location", "https://www.cisco.com/gone");
        let (http, clock) = (FakeHttp::answering([FakeResponse::from(moved)]), TestClock::new());
        let token_rules = TokenRules::default();
        let cx = ExchangeContext::new(&http, &clock, &token_rules);
        let error = block_on(cx.run(&crate::Cisco::new(), &app())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsafeToken);
        assert!(
            error.hints().iter().any(|hint| hint.text().contains("environment = \"id\"")),
            "{error:?}"
        );
    }

    proptest! {
        #[test]
        fn any_id_and_secret_stay_in_their_place(id in ".+", secret in ".+") {
            let credential = Credential::client(id.as_str(), secret.as_str());
            for client_auth in [ClientAuth::Form, ClientAuth::Basic, ClientAuth::Query] {
                let settings = Settings { client_auth, ..Settings::default() };
                let request = request(&settings, &credential).unwrap();
                let url = request.endpoint().as_str().to_owned();
                let query = url.strip_prefix("https://cloudsso.cisco.com/as/token.oauth2").unwrap();
                let fields = |text: &str| text.split('&').filter(|one| !one.is_empty()).count();
                let wanted = match client_auth {
                    ClientAuth::Form => (0, 3),
                    ClientAuth::Basic => (0, 1),
                    ClientAuth::Query => (3, 0),
                };
                prop_assert_eq!((fields(query), fields(body(&request))), wanted);
                prop_assert!(http::Request::try_from(request).is_ok());
            }
        }

        #[test]
        fn any_answer_is_read_without_panic_or_leak(
            status in 100u16..1000,
            code in "[ -~]{0,40}",
            members in proptest::collection::vec((NAMES, VALUES), 0..6),
            noise in proptest::collection::vec(any::<u8>(), 0..64),
            is_json in any::<bool>(),
        ) {
            let members: Vec<String> =
                members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let json = format!("{{{}}}", members.join(","));
            let body = if is_json { json.into_bytes() } else { [noise, json.into_bytes()].concat() };
            let response = answer(status, &[(GATEWAY_CODE, &code)], body.clone());
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

    const NAMES: &str = "access_token|token_type|expires_in|scope|error|error_description|\
                         errorCode|errorSummary|error_code|error_msg|message";
    const VALUES: &str = "\"CNRY0secret0canary\"|\"bearer\"|\"3600\"|3600|-1|null|\\{\\}|\\[1\\]|\
                          \"invalid_client\"|\"see CNRY0secret0canary\\.\"";
}
