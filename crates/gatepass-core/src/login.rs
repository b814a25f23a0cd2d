//! The implicit grant (RFC 6749 section 4.2): its request and the response in the redirect.
//!
//! There is no I/O here: the command opens the browser and listens for the redirect.

mod attempt;
mod redirect;

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::Method;

pub use self::attempt::{ExpectedState, LoginAttempt};
use crate::oauth2::TokenResponse;
use crate::{Credential, Endpoint, Error, RedirectUri, Request, Result, Retry, Token};

/// The vendors' own advice for a redirect without a response.
const NOTHING: &str = "check redirect_uri and client_id in the profile, and in the vendor's \
                       console that the implicit grant is allowed for this client";

/// A provider whose grant type needs the user's browser.
///
/// Such a token cannot be requested without the user: each login returns one, and after its expiry
/// another login is required.
pub trait Interactive: fmt::Debug + Send + Sync {
    /// Builds the request that the user's browser opens (RFC 6749 section 4.2.1).
    fn authorization_request(&self, credential: &Credential) -> Result<AuthorizationRequest>;

    /// Reads the redirect's response (RFC 6749 section 4.2.2), after its `state` was verified.
    /// `sent` is when the login began: lifetimes count from there.
    fn read_redirect(&self, answer: &TokenResponse, sent: SystemTime) -> Result<Token> {
        answer.token("/access_token", sent)?.build()
    }
}

/// An authorization request: the address with which a login begins.
#[derive(Clone)]
pub struct AuthorizationRequest {
    endpoint: Endpoint,
    client_id: String,
    response_type: Cow<'static, str>,
    redirect_uri: RedirectUri,
    scope: Option<String>,
}

impl AuthorizationRequest {
    /// Creates a request for an access token by redirect (`response_type=token`) to `endpoint`.
    pub fn implicit(
        endpoint: Endpoint,
        client_id: impl Into<String>,
        redirect_uri: RedirectUri,
    ) -> Self {
        let client_id = client_id.into();
        Self { endpoint, client_id, response_type: "token".into(), redirect_uri, scope: None }
    }

    /// Sets another `response_type`, such as `id_token token`.
    pub fn response_type(mut self, response_type: impl Into<Cow<'static, str>>) -> Self {
        self.response_type = response_type.into();
        self
    }

    /// Sets the scope.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Returns the redirect URI.
    pub fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    /// Returns the error of a login that received no response in time.
    pub fn timed_out(&self, waited: Duration) -> Error {
        let waited = waited.as_secs();
        Error::unavailable(format!("no response came from the browser within {waited} s"))
            .hint(format!("if you did log in: {NOTHING}"))
            .with_retry(Retry::Never)
    }

    /// Sets the port of a loopback redirect URI that was registered with port 0.
    pub fn with_port(mut self, port: u16) -> Self {
        if self.redirect_uri.port() == 0 {
            self.redirect_uri = self.redirect_uri.with_port(port);
        }
        self
    }

    /// Returns the complete address for one login, always with `redirect_uri` and `state`.
    pub fn url(&self, attempt: &LoginAttempt) -> String {
        let nonce = if self.has_id_token() { attempt.nonce() } else { Default::default() };
        let url = self.endpoint.with_query(self.parameters());
        let url = url.with_query([("state", attempt.state()), ("nonce", nonce)]);
        url.as_str().to_owned()
    }

    /// Returns the parameters as a request, which identifies the login in cache keys and is never sent.
    pub fn to_request(&self) -> Request {
        Request::post(self.endpoint.with_query(self.parameters())).with_method(Method::GET)
    }

    fn parameters(&self) -> [(&str, &str); 4] {
        [
            ("response_type", &*self.response_type),
            ("client_id", &self.client_id),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("scope", self.scope.as_deref().unwrap_or_default()),
        ]
    }

    fn has_id_token(&self) -> bool {
        self.response_type.split(' ').any(|part| part == "id_token")
    }
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("endpoint", &self.endpoint)
            .field("response_type", &self.response_type)
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::redirect::MAX_RESPONSE;
    use super::*;
    use crate::{ErrorKind, Expiry};

    const STATE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

    #[derive(Debug)]
    struct Plain;

    impl Interactive for Plain {
        fn authorization_request(&self, _: &Credential) -> Result<AuthorizationRequest> {
            Ok(request())
        }
    }

    fn request() -> AuthorizationRequest {
        let endpoint = Endpoint::parse("https://vendor.example.com/authorize").unwrap();
        let redirect_uri = RedirectUri::parse("http://localhost/app/index.html").unwrap();
        AuthorizationRequest::implicit(endpoint, "app 1", redirect_uri)
    }

    fn attempt() -> LoginAttempt {
        LoginAttempt::new([1; 48])
    }

    fn read(answer: &str) -> Result<Token> {
        let body = attempt().read(&request(), &answer.replace("STATE", STATE))?;
        Plain.read_redirect(&body, SystemTime::UNIX_EPOCH)
    }

    fn kind(answer: &str) -> ErrorKind {
        read(answer).expect_err(answer).kind()
    }

    #[test]
    fn url_has_redirect_uri_and_state() {
        let url = request().url(&attempt());
        let wanted = format!(
            "https://vendor.example.com/authorize?response_type=token&client_id=app%201&\
             redirect_uri=http%3A%2F%2Flocalhost%2Fapp%2Findex.html&state={STATE}"
        );
        assert_eq!(url, wanted);
        let both = request().response_type("id_token token").scope("openid").url(&attempt());
        assert!(both.contains("&scope=openid&state=") && both.contains("&nonce=AQEB"), "{both:?}");
    }

    #[test]
    fn logins_share_no_values() {
        let other = LoginAttempt::new([2; 48]);
        let url = request().url(&other);
        assert!(!url.contains(STATE));
        assert_eq!(format!("{other:?}"), "LoginAttempt");
        assert_eq!(request().to_request().endpoint(), request().to_request().endpoint());
        assert!(!request().to_request().endpoint().as_str().contains("state"));
    }

    #[test]
    fn only_port_zero_is_replaced() {
        assert_eq!(request().with_port(4711).redirect_uri().port(), 80);
        let redirect_uri = RedirectUri::parse("http://127.0.0.1:0/cb").unwrap();
        let any = AuthorizationRequest { redirect_uri, ..request() }.with_port(4711);
        assert!(any.url(&attempt()).contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcb"));
    }

    #[test]
    fn response_is_read_from_fragment_and_query() {
        let answer = "access_token=abc-1&token_type=bearer&expires_in=3599&state=STATE";
        for whole in [
            format!("http://localhost/app/index.html#{answer}"),
            format!("  http://LOCALHOST:80/app/index.html?x=y#{answer}&unknown=1\n"),
            format!("#{answer}"),
            format!("?#{answer}"),
            answer.to_owned(),
        ] {
            let token = read(&whole).expect(&whole);
            assert_eq!(token.expose_secret(), "abc-1");
            assert_eq!(token.lifetime(), Duration::from_secs(3599));
            assert_eq!(token.warnings().count(), 0);
        }
        let odd = read(&format!("?{answer}&refresh_token=r-1")).unwrap();
        assert_eq!(odd.warnings().count(), 2, "{:?}", odd.warnings().collect::<Vec<_>>());
        assert!(odd.extra("refresh_token").is_none());
        let short = read("#access_token=abc&token_type=Bearer&state=STATE").unwrap();
        assert_eq!(short.expiry(), Expiry::Assumed);
    }

    #[test]
    fn state_is_verified_first() {
        for answer in [
            "#access_token=abc&token_type=Bearer",
            "#access_token=abc&token_type=Bearer&state=",
            "#access_token=abc&token_type=Bearer&state=AQEB",
            "#access_token=abc&token_type=Bearer&state=STATEX",
            "#access_token=abc&token_type=Bearer&state=STATE&state=other",
            "#error=access_denied",
            "#error=access_denied&state=other",
            "?error=access_denied&state=other#state=STATE",
        ] {
            assert_eq!(kind(answer), ErrorKind::UnsafeToken, "{answer}");
        }
    }

    #[test]
    fn other_addresses_are_rejected() {
        let answer = "access_token=abc&token_type=Bearer&state=STATE";
        for place in ["http://localhost/app/", "https://localhost/app/index.html", "x://y"] {
            assert_eq!(kind(&format!("{place}#{answer}")), ErrorKind::UnsafeToken, "{place}");
        }
    }

    #[test]
    fn error_is_read_from_fragment_and_query() {
        for (code, wanted) in [
            ("access_denied", ErrorKind::Denied),
            ("unauthorized_client", ErrorKind::Denied),
            ("unsupported_response_type", ErrorKind::Config),
            ("invalid_scope", ErrorKind::Config),
            ("invalid_request", ErrorKind::Config),
            ("server_error", ErrorKind::Unavailable),
            ("temporarily_unavailable", ErrorKind::Unavailable),
            ("something_else", ErrorKind::Denied),
        ] {
            for mark in ["#", "?"] {
                let answer = format!("{mark}error={code}&error_description=No+way&state=STATE");
                let error = read(&answer).unwrap_err();
                assert_eq!((error.kind(), error.vendor_code()), (wanted, Some(code)));
                assert_eq!(error.vendor_text(), Some("No way"));
            }
        }
        let both = "#error=access_denied&error_description=for+abc1234&access_token=abc1234&\
                    state=STATE";
        assert!(!read(both).unwrap_err().to_string().contains("abc1234"));
    }

    #[test]
    fn missing_response_has_the_vendors_hint() {
        for answer in ["", "#", "?", "#x=y", "http://localhost/app/index.html", "?code=1"] {
            let error = read(answer).expect_err(answer);
            assert_eq!(error.kind(), ErrorKind::Protocol, "{answer}");
            let hint = error.hints()[0].text();
            assert!(hint.contains("redirect_uri") && hint.contains("implicit grant"), "{hint}");
        }
    }

    #[test]
    fn unusable_responses_are_rejected() {
        for (answer, wanted) in [
            ("#access_token=abc&state=STATE", ErrorKind::Protocol),
            ("#access_token=abc&token_type=mac&state=STATE", ErrorKind::Protocol),
            ("#access_token=&token_type=Bearer&state=STATE", ErrorKind::UnsafeToken),
            ("#access_token=a%0Ab&token_type=Bearer&state=STATE", ErrorKind::UnsafeToken),
            (
                "#access_token=a&access_token=b&token_type=Bearer&state=STATE",
                ErrorKind::UnsafeToken,
            ),
            (
                "?access_token=a#access_token=b&token_type=Bearer&state=STATE",
                ErrorKind::UnsafeToken,
            ),
            ("#access_token=%FF&token_type=Bearer&state=STATE", ErrorKind::Protocol),
            ("#access_token=abc&token_type=Bearer&expires_in=0&state=STATE", ErrorKind::Protocol),
        ] {
            assert_eq!(kind(answer), wanted, "{answer}");
        }
        let long = format!("#access_token=a&state=STATE&x={}", "y".repeat(MAX_RESPONSE));
        assert_eq!(kind(&long), ErrorKind::UnsafeToken);
    }

    #[test]
    fn id_token_of_another_login_is_rejected() {
        let id_token = |claims: &str| {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}.{}", part("{}"), part(claims), part("x"))
        };
        let answer = |claims: &str| {
            let id_token = id_token(claims);
            read(&format!("#access_token=a&id_token={id_token}&token_type=Bearer&state=STATE"))
        };
        assert!(answer("{\"nonce\":\"AQEBAQEBAQEBAQEBAQEBAQ\"}").is_ok());
        assert!(answer("{}").is_ok());
        let error = answer("{\"nonce\":\"other\"}").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsafeToken);
    }

    #[test]
    fn requested_id_token_is_required_with_its_nonce() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let id_token = |claims: &str| format!("&id_token={}.{}.{}", part("{}"), part(claims), "x");
        let nonce = "{\"nonce\":\"AQEBAQEBAQEBAQEBAQEBAQ\"}";
        let request = request().response_type("id_token token");
        let read = |more: &str| {
            let answer = format!("#access_token=a&token_type=Bearer&state={STATE}{more}");
            attempt().read(&request, &answer)
        };
        assert!(read(&id_token(nonce)).is_ok());
        for wrong in [
            String::new(),
            "&id_token=".into(),
            "&id_token=ey.ey.EVIL".into(),
            id_token("{}"),
            id_token("[]"),
            id_token("{\"nonce\":5}"),
            id_token("{\"nonce\":[\"AQEBAQEBAQEBAQEBAQEBAQ\"]}"),
            id_token("{\"nonce\":\"other\"}"),
            id_token(nonce) + &id_token("{\"nonce\":\"other\"}"),
        ] {
            assert_eq!(read(&wrong).expect_err(&wrong).kind(), ErrorKind::UnsafeToken, "{wrong}");
        }
    }

    #[test]
    fn expected_state_must_be_the_only_one() {
        let expected = attempt().expected_state();
        let state = format!("state={STATE}");
        for own in ["#", "?", "?a=b#c=d&", "http://localhost/app/index.html?"] {
            assert!(expected.matches(&format!("{own}{state}")), "{own}");
        }
        let other = format!("#{state}&state=other");
        let split = format!("?state=other#{state}");
        for foreign in ["", "#", "#state=", "?#state=AQEB", "#state=%FF", &other, &split] {
            assert!(!expected.matches(foreign), "{foreign}");
        }
        assert_eq!(format!("{expected:?}"), "ExpectedState");
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic_or_leak(text in "[?#]?[ -~\u{80}-\u{ff}]{0,80}") {
            if let Err(error) = read(&format!("{text}&access_token=CNRYcanary&expires_in=CNRYx")) {
                prop_assert!(!format!("{error:?}").contains("CNRY"), "{:?}", error);
            }
        }
    }
}
