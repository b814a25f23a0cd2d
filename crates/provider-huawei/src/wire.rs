//! Bytes out, bytes in: Huawei OneAccess's token request, its answer, and the API's refusals.

use std::time::SystemTime;

use gatepass_core::{
    ApiResponse, AuthorizationRequest, Credential, Error, ErrorKind, Request, Response, Result,
    Token, TokenVerdict, oauth2,
};

use crate::settings::{ClientAuth, Settings, UseToken};

pub(crate) fn request(settings: &Settings, credential: &Credential) -> Result<Request> {
    if settings.implicit.is_some() {
        return Err(Error::login_required("login needed"));
    }
    let request = Request::post(settings.base.join("/api/v2/tenant/token")?);
    let id = credential.text("client_id")?;
    let secret = credential.secret("client_secret")?;
    match settings.client_auth {
        ClientAuth::Form => {
            let secret = secret.expose_secret();
            Ok(request.form([GRANT, ("client_id", id), ("client_secret", secret)]))
        }
        ClientAuth::Basic => request.form([GRANT]).basic(id, secret, settings.basic_encoding),
    }
}

/// <https://support.huaweicloud.com/api-oneaccess/IssueOIDCImplicitAuthCode.html>
pub(crate) fn authorization_request(
    settings: &Settings,
    credential: &Credential,
) -> Result<AuthorizationRequest> {
    let Some(redirect_uri) = settings.implicit.clone() else {
        return Err(Error::config("this grant needs no login"));
    };
    let endpoint = settings.base.join("/api/v1/oauth2/authorize")?;
    let login =
        AuthorizationRequest::implicit(endpoint, credential.text("client_id")?, redirect_uri);
    Ok(login.response_type("id_token token").scope("openid"))
}

/// `expires_in` is what is left of a life that may have begun with an earlier request.
pub(crate) fn token(settings: &Settings, response: &Response, sent: SystemTime) -> Result<Token> {
    chosen(settings, &oauth2::read_json(response, sent)?, sent)
}

/// The part of the answer that the profile wants as its token.
pub(crate) fn chosen(
    settings: &Settings,
    body: &oauth2::TokenResponse,
    sent: SystemTime,
) -> Result<Token> {
    match settings.use_token {
        UseToken::AccessToken => body.token("/access_token", sent)?.build(),
        UseToken::IdToken => {
            let access_token = body.optional_secret("/access_token");
            body.token("/id_token", sent)?.extra("access_token", access_token).build()
        }
    }
}

/// A dead token is 400 here, as is every other fault of a request; the body tells them apart:
/// <https://open.bccastle.com/en/development/standard-protocol/oauth2/oauth-error-list.html>
pub(crate) fn refusal(answer: &ApiResponse<'_>) -> TokenVerdict {
    match (answer.status.as_u16(), answer.body) {
        (401, _) => TokenVerdict::Rejected,
        (400, None) => TokenVerdict::NeedsBody,
        (400, Some(_)) if answer.json_member("error").as_deref() == Some("invalid_token") => {
            TokenVerdict::Rejected
        }
        _ => TokenVerdict::NotRejected,
    }
}

pub(crate) fn explain(settings: &Settings, credential: &Credential, error: Error) -> Error {
    match settings.client_auth {
        ClientAuth::Basic => oauth2::explain_basic(error, credential, settings.basic_encoding),
        ClientAuth::Form if is_refused(&error) => {
            error.hint("some tenants take Basic only: client_auth = \"basic\"")
        }
        ClientAuth::Form => error,
    }
}

fn is_refused(error: &Error) -> bool {
    let refused =
        error.kind() == ErrorKind::Denied || error.vendor_code() == Some("invalid_request");
    refused && matches!(error.status(), Some(400 | 401))
}

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatepass_core::{
        BasicEncoding, Endpoint, Expiry, LoginAttempt, Provider as _, RedirectUri,
    };
    use proptest::prelude::*;

    use super::*;

    const CANARY: &str = "CNRY0secret0canary";

    fn app() -> Credential {
        Credential::client("app-1", "s/e+c")
    }

    fn tenant() -> Settings {
        let profile = gatepass_core::Settings::new().with("domain", "acme.huaweioneaccess.com");
        Settings::read(&profile).unwrap()
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
    fn the_form_goes_to_the_tenants_domain() {
        let request = request(&tenant(), &app()).unwrap();
        let url = "https://acme.huaweioneaccess.com/api/v2/tenant/token";
        assert_eq!(request.endpoint().as_str(), url);
        let form = "grant_type=client_credentials&client_id=app-1&client_secret=s%2Fe%2Bc";
        assert_eq!(body(&request), form);
    }

    #[test]
    fn a_login_asks_for_both_tokens_and_takes_the_chosen_one() {
        let redirect_uri = RedirectUri::parse("http://127.0.0.1:8400/cb").unwrap();
        let iam = crate::Huawei::new("acme.huaweioneaccess.com").unwrap().implicit(redirect_uri);
        let person = Credential::new().with_text("client_id", "app-1");
        let (attempt, sent) = (LoginAttempt::new([1; 48]), SystemTime::UNIX_EPOCH);
        for (use_token, wanted) in [(UseToken::AccessToken, "a-1"), (UseToken::IdToken, "i-1")] {
            let iam = iam.clone().use_token(use_token);
            let interactive = iam.interactive().unwrap();
            let login = interactive.authorization_request(&person).unwrap();
            let url = login.url(&attempt);
            let begin = "https://acme.huaweioneaccess.com/api/v1/oauth2/authorize?\
                         response_type=id_token%20token&client_id=app-1&";
            assert!(url.starts_with(begin) && url.contains("&scope=openid&"), "{url:?}");
            let state = url.split("&state=").nth(1).unwrap().split('&').next().unwrap();
            let answer = format!("#access_token=a-1&token_type=Bearer&id_token=i-1&state={state}");
            let body = attempt.read(&login, &answer).unwrap();
            let token = interactive.read_redirect(&body, sent).unwrap();
            assert_eq!(token.expose_secret(), wanted);
        }
        assert_eq!(iam.token_request(&person).unwrap_err().kind(), ErrorKind::LoginRequired);
    }

    #[test]
    fn a_base_url_replaces_the_domain() {
        let base_url = Endpoint::parse("http://127.0.0.1:9000/huawei").unwrap();
        let profile = gatepass_core::Settings::new().with_base_url(base_url);
        let request = request(&Settings::read(&profile).unwrap(), &app()).unwrap();
        let url = "http://127.0.0.1:9000/huawei/api/v2/tenant/token";
        assert_eq!(request.endpoint().as_str(), url);
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for bad in ["", "acme/x", "u:p@acme", "http://acme.example", "acme.example?x", "a b"] {
            let profile = gatepass_core::Settings::new().with("domain", bad);
            let error = Settings::read(&profile).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
            assert_eq!(error.field(), Some("domain"), "{error}");
        }
    }

    #[test]
    fn basic_leaves_the_secret_out_of_the_form() {
        for (basic_encoding, header) in [
            (BasicEncoding::Form, "Basic YXBwLTE6cyUyRmUlMkJj"),
            (BasicEncoding::Raw, "Basic YXBwLTE6cy9lK2M="),
        ] {
            let client_auth = ClientAuth::Basic;
            let settings = Settings { client_auth, basic_encoding, ..tenant() };
            let request = request(&settings, &app()).unwrap();
            assert_eq!(request.headers()["authorization"], header);
            assert!(request.headers()["authorization"].is_sensitive());
            assert_eq!(body(&request), "grant_type=client_credentials");
        }
    }

    #[test]
    fn the_chosen_token_is_used_and_its_own_exp_shortens_its_life() {
        // {} and {"exp":600}
        let id_token = ["e30", "eyJleHAiOjYwMH0", "c2ln"].join(".");
        let json = format!(
            r#"{{"access_token":"A-1","token_type":"bearer","expires_in":1719,"scope":"all","id_token":"{id_token}"}}"#
        );
        let answer = answer(200, &[], json);
        let read = |use_token| {
            let settings = Settings { use_token, ..tenant() };
            token(&settings, &answer, SystemTime::UNIX_EPOCH).unwrap()
        };
        let access = read(UseToken::AccessToken);
        assert_eq!(access.expose_secret(), "A-1");
        assert_eq!(access.lifetime(), Duration::from_secs(1719));
        assert_eq!(access.extra("id_token").unwrap().expose_secret(), id_token);
        let id = read(UseToken::IdToken);
        assert_eq!(id.expose_secret(), id_token);
        assert_eq!((id.lifetime(), id.expiry()), (Duration::from_secs(600), Expiry::Jwt));
        assert_eq!(id.extra("access_token").unwrap().expose_secret(), "A-1");
    }

    #[test]
    fn both_error_dialects_are_refusals() {
        for (status, body) in [
            (401, r#"{"error":"invalid_client","error_description":"Bad client credentials"}"#),
            (400, r#"{"error_code":"APP.0001","error_msg":"Application does not exist."}"#),
        ] {
            let answer = answer(status, &[], body);
            let error = token(&tenant(), &answer, SystemTime::UNIX_EPOCH).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{body}");
            let error = explain(&tenant(), &app(), error);
            let hint = error.hints().iter().map(|hint| format!("{hint}\n")).collect::<String>();
            assert!(hint.contains("client_auth = \"basic\""), "{hint}");
        }
    }

    #[test]
    fn a_dead_token_is_400_and_only_the_body_says_so() {
        let judge = |status, body: Option<&'static str>| {
            let answer = answer(status, &[], "");
            let answer = ApiResponse::new(answer.status(), answer.headers());
            refusal(&body.map_or(answer, |body| answer.with_body(body.as_bytes())))
        };
        let dead = r#"{"error":"invalid_token","error_description":"Access token expired:T"}"#;
        assert_eq!(judge(401, None), TokenVerdict::Rejected);
        assert_eq!(judge(400, None), TokenVerdict::NeedsBody);
        assert_eq!(judge(400, Some(dead)), TokenVerdict::Rejected);
        assert_eq!(judge(400, Some(r#"{"error_code":"USER.0001"}"#)), TokenVerdict::NotRejected);
        assert_eq!(judge(400, Some("<html>")), TokenVerdict::NotRejected);
        assert_eq!(judge(429, Some(dead)), TokenVerdict::NotRejected);
        assert_eq!(judge(200, None), TokenVerdict::NotRejected);
    }

    proptest! {
        #[test]
        fn any_id_and_secret_stay_in_their_place(id in ".+", secret in ".+") {
            let credential = Credential::client(id.as_str(), secret.as_str());
            for (client_auth, fields) in [(ClientAuth::Form, 3), (ClientAuth::Basic, 1)] {
                let settings = Settings { client_auth, ..tenant() };
                let request = request(&settings, &credential).unwrap();
                let url = "https://acme.huaweioneaccess.com/api/v2/tenant/token";
                prop_assert_eq!(request.endpoint().as_str(), url);
                prop_assert_eq!(body(&request).split('&').count(), fields);
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
            for use_token in [UseToken::AccessToken, UseToken::IdToken] {
                let settings = Settings { use_token, ..tenant() };
                match token(&settings, &response, SystemTime::UNIX_EPOCH) {
                    Ok(token) => {
                        let token = token.expose_secret().as_bytes();
                        prop_assert!(body.windows(token.len()).any(|part| part == token));
                    }
                    Err(error) => {
                        let error = explain(&settings, &credential, error);
                        let shown = format!("{error:?}").to_lowercase();
                        prop_assert!(!shown.contains("cnry0"), "{}", shown);
                    }
                }
            }
        }
    }

    const NAMES: &str = "access_token|id_token|token_type|expires_in|scope|error|\
                         error_description|error_code|error_msg";
    const VALUES: &str = "\"CNRY0secret0canary\"|\"bearer\"|\"3600\"|3600|-1|null|\\{\\}|\\[1\\]|\
                          \"invalid_client\"|\"expired:CNRY0secret0canary\"";
}
