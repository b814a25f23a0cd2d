//! Bytes out, bytes in: the Configuration API's token request and its answer.

use std::time::SystemTime;

use gatepass_core::{Credential, Error, Hint, Request, Response, Result, Token, oauth2};

use crate::settings::{ApiVersion, Settings};

pub(crate) fn request(settings: &Settings, credential: &Credential) -> Result<Request> {
    let path = match settings.api_version {
        ApiVersion::V2 => "/configapi/v2/oauth/token",
        ApiVersion::V3 => "/configapi/v3/oauth/token",
    };
    Ok(Request::post(settings.base.join(path)?).form([
        ("grant_type", "client_credentials"),
        ("client_id", credential.text("client_id")?),
        ("client_secret", credential.secret("client_secret")?.expose_secret()),
        ("scope", &settings.scope),
    ]))
}

/// The documented answer has `expires_in` as a text and a comma too many; both are read:
/// <https://help.brightpattern.com/5.2:User-management-api-specification/RequestAccessToken>
pub(crate) fn token(response: &Response, sent: SystemTime) -> Result<Token> {
    oauth2::read_token(response, sent)
}

/// One answer stands for every wrong parameter and for a locked account as well.
pub(crate) fn explain(error: Error) -> Error {
    match error.status() {
        Some(401) => error.with_hints([Hint::new(
            "check client_id, client_secret and scope, and whether the user is locked or disabled: \
             each failed attempt counts, so nothing is retried by itself",
        )]),
        Some(404 | 410) => error.hint("list management has api_version = \"v3\""),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatepass_core::{Endpoint, ErrorKind, Retry};
    use proptest::prelude::*;

    use super::*;

    fn user() -> Credential {
        Credential::client("jane.doe", "s/e+c")
    }

    fn center(host: &str) -> Result<Settings> {
        Settings::read(&gatepass_core::Settings::new().with("host", host))
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
    fn the_form_goes_to_the_chosen_version_with_the_host_as_scope() {
        let settings = center("Acme.BrightPattern.com:8443").unwrap();
        for (api_version, version) in [(ApiVersion::V2, "v2"), (ApiVersion::V3, "v3")] {
            let request = request(&Settings { api_version, ..settings.clone() }, &user()).unwrap();
            let url =
                format!("https://acme.brightpattern.com:8443/configapi/{version}/oauth/token");
            assert_eq!(request.endpoint().as_str(), url);
            let form = "grant_type=client_credentials&client_id=jane.doe&client_secret=s%2Fe%2Bc\
                        &scope=acme.brightpattern.com";
            assert_eq!(body(&request), form);
        }
    }

    #[test]
    fn the_scope_is_the_setting_then_the_host_then_the_base_url() {
        let elsewhere = Endpoint::parse("http://127.0.0.1:9000/configapi").unwrap();
        let profile = gatepass_core::Settings::new().with_base_url(elsewhere);
        let scope = |profile: &gatepass_core::Settings| Settings::read(profile).unwrap().scope;
        assert_eq!(scope(&profile), "127.0.0.1");
        let profile = profile.with("host", "http://acme.example:8080");
        assert_eq!(scope(&profile), "acme.example");
        let profile = profile.with("scope", "tenant.example");
        assert_eq!(scope(&profile), "tenant.example");
        let base = Settings::read(&profile).unwrap().base;
        assert_eq!(base.as_str(), "http://127.0.0.1:9000/configapi");
    }

    #[test]
    fn plain_http_is_for_loopback_or_by_choice() {
        let profile = gatepass_core::Settings::new().with("host", "http://acme.example");
        assert_eq!(Settings::read(&profile).unwrap_err().kind(), ErrorKind::Config);
        assert!(Settings::read(&profile.with_plain_http(true)).is_ok());
        assert!(center("http://127.0.0.1:8080").is_ok());
        for bad in ["", "acme/x", "u:p@acme", "ftp://acme", "acme?x", "a b", "acme:99999"] {
            let error = center(bad).expect_err(bad);
            assert!(error.message().contains("host"), "{error}");
        }
    }

    #[test]
    fn the_documented_sample_is_read_comma_and_all() {
        let json = r#"{ "access_token": "A1", "token_type": "Bearer", "expires_in": "3480", "scope": "acme.example", }"#;
        let token = token(&answer(200, &[], json), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(token.lifetime(), Duration::from_secs(3480));
        assert_eq!(token.scope(), Some("acme.example"));
    }

    #[test]
    fn a_refused_user_is_not_retried_and_told_why() {
        let error = token(&answer(401, &[], "Authentication failed"), SystemTime::UNIX_EPOCH);
        let error = explain(error.unwrap_err());
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Denied, Retry::Never));
        let hint = error.hints()[0].text();
        assert!(hint.contains("locked") && hint.contains("scope"), "{hint}");
    }

    proptest! {
        #[test]
        fn any_user_and_scope_stay_in_their_place(id in ".+", secret in ".+", scope in ".+") {
            let credential = Credential::client(id.as_str(), secret.as_str());
            let settings = Settings { scope, ..center("acme.example").unwrap() };
            let request = request(&settings, &credential).unwrap();
            let url = "https://acme.example/configapi/v2/oauth/token";
            prop_assert_eq!(request.endpoint().as_str(), url);
            prop_assert_eq!(body(&request).split('&').count(), 4);
            prop_assert!(http::Request::try_from(request).is_ok());
        }

        #[test]
        fn any_host_is_refused_or_is_the_host(host in "[ -~]{1,24}|\\PC{1,8}") {
            if let Ok(settings) = center(&host) {
                let request = request(&settings, &user()).unwrap();
                let name = request.endpoint().host_name().to_owned();
                prop_assert!(host.to_ascii_lowercase().contains(&name));
                prop_assert!(request.endpoint().as_str().ends_with("/configapi/v2/oauth/token"));
                let sent = http::Request::try_from(request).unwrap();
                prop_assert_eq!(sent.uri().host(), Some(name.as_str()));
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
            match token(&response, SystemTime::UNIX_EPOCH) {
                Ok(token) => {
                    let token = token.expose_secret().as_bytes();
                    prop_assert!(body.windows(token.len()).any(|part| part == token));
                }
                Err(error) => {
                    let shown = format!("{:?}", explain(error)).to_lowercase();
                    prop_assert!(!shown.contains("cnry0"), "{}", shown);
                }
            }
        }
    }

    const NAMES: &str = "access_token|token_type|expires_in|scope|error|error_description|\
                         errorCode|errorMessage";
    const VALUES: &str = "\"CNRY0secret0canary\"|\"bearer\"|\"3600\"|3600|-1|null|\\{\\}|\\[1\\]|\
                          \"invalid_client\"|\"see CNRY0secret0canary\\.\"";
}
