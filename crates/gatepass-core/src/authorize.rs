//! Authorize: what middleware asks of a token source; and ApiOrigins, where a token may go.

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{StatusCode, Uri};

use crate::endpoint::{Origin, is_host_and_port};
use crate::{
    AccessToken, ApiRequest, ApiResponse, Endpoint, Error, Provider, Result, Token, TokenVerdict,
};

/// Puts tokens on API requests and hears which of them an API refuses. The engine's token source is
/// one; middleware needs no more of it than this.
#[async_trait]
pub trait Authorize: AccessToken {
    /// Whether the token may go to this address.
    ///
    /// `Config` if not; see [`ApiOrigins::check`].
    fn check(&self, to: &Uri) -> Result<()>;

    /// Puts a usable token on a request to `to`: every header the vendor wants, in place of what
    /// stands there under the same names. Returns the token, for [`report_response`](Self::report_response).
    ///
    /// An error of [`check`](Self::check), which comes before a token is acquired, and whatever
    /// acquiring one brings.
    async fn authorize_request(&self, request: &mut ApiRequest<'_>) -> Result<Token>;

    /// Whether this answer refuses the token. [`TokenVerdict::Rejected`] forgets exactly that token, so that
    /// the next request gets another; for [`TokenVerdict::NeedsBody`], ask again with the body.
    fn report_response(&self, token: &Token, answer: &ApiResponse<'_>) -> TokenVerdict;
}

/// A fixed token, for tests. It goes to this machine alone.
#[async_trait]
impl Authorize for Token {
    fn check(&self, to: &Uri) -> Result<()> {
        ApiOrigins::loopback().check(to)
    }

    async fn authorize_request(&self, request: &mut ApiRequest<'_>) -> Result<Self> {
        self.check(request.uri())?;
        request.set_header(AUTHORIZATION, self.authorization().clone());
        Ok(self.clone())
    }

    fn report_response(&self, _: &Token, response: &ApiResponse<'_>) -> TokenVerdict {
        TokenVerdict::rejected_if(response.status == StatusCode::UNAUTHORIZED)
    }
}

/// The origins that may see a provider's token: its API's and those that its user adds.
///
/// ```
/// # use gatepass_core::{ApiOrigins, Endpoint};
/// let origins = ApiOrigins::new([Endpoint::parse("https://api.example.com/v1")?]);
/// assert!(origins.check(&"https://api.example.com/v2/users?page=2".parse().unwrap()).is_ok());
/// assert!(origins.check(&"https://example.com/v1".parse().unwrap()).is_err());
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ApiOrigins {
    allowed: Vec<Endpoint>,
    loopback: bool,
}

impl ApiOrigins {
    /// These origins and no other. What follows the port does not matter.
    pub fn new(allowed: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { allowed: allowed.into_iter().collect(), loopback: false }
    }

    /// The origin of this provider's API, if it is known.
    pub fn from_provider(provider: &dyn Provider) -> Self {
        Self::new(provider.api(None))
    }

    /// Every port of this machine, for tokens that are made up.
    pub fn loopback() -> Self {
        Self { allowed: Vec::new(), loopback: true }
    }

    /// Adds origins.
    pub fn with(mut self, more: impl IntoIterator<Item = Endpoint>) -> Self {
        self.allowed.extend(more);
        self
    }

    /// Whether the token may go to this address.
    ///
    /// `Config` if not; the error names the address's origin, those that are allowed, and the
    /// setting that adds others. Plain http is allowed where an [`Endpoint`] of it was given,
    /// which to another machine takes its owner's word.
    pub fn check(&self, to: &Uri) -> Result<()> {
        let Some(origin) = Origin::of(to) else {
            return Err(Error::config("the request's address is not a URL like https://host/path"));
        };
        if to.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Error::config("the address must not contain a user name or password"));
        }
        if !to.authority().is_some_and(is_host_and_port) {
            return Err(Error::config("the address has no valid host and port"));
        }
        if self.allowed.iter().any(|one| one.is_same_origin(to))
            || self.loopback
                && Endpoint::parse(&origin.to_string()).is_ok_and(|one| one.is_loopback())
        {
            return Ok(());
        }
        let mut origins: Vec<&str> = self.allowed.iter().map(Endpoint::origin).collect();
        origins.dedup();
        let allowed = match origins.as_slice() {
            [] if self.loopback => "this machine",
            [] => "none",
            some => &some.join(", "),
        };
        Err(Error::config(format!("the token must not go to {origin}"))
            .hint(format!("allowed: {allowed}; add others to api_origins")))
    }
}

#[cfg(test)]
mod tests {
    use crate::ErrorKind;

    use super::*;

    fn origins(allowed: &[&str]) -> ApiOrigins {
        ApiOrigins::new(allowed.iter().map(|text| Endpoint::parse_plain_http(text).unwrap()))
    }

    fn allows(origins: &ApiOrigins, to: &str) -> bool {
        origins.check(&to.parse().unwrap()).is_ok()
    }

    #[test]
    fn scheme_host_and_port_must_match() {
        let origins = origins(&["https://api.example.com/v1", "http://10.0.0.1:8080"]);
        for good in [
            "https://api.example.com/",
            "https://API.example.com:443/v2?x=1",
            "http://10.0.0.1:8080/x",
        ] {
            assert!(allows(&origins, good), "{good}");
        }
        for bad in [
            "http://api.example.com/v1",
            "https://api.example.com:8443/v1",
            "https://api.example.com.evil.example/v1",
            "https://api.example.com./v1",
            "https://evil.example/https://api.example.com",
            "https://api.example.com@evil.example/",
            "https://evil.example@api.example.com/",
            "https://10.0.0.1:8080/x",
            "http://10.0.0.1/x",
            "http://127.0.0.1:8080/x",
            "ftp://api.example.com/",
            "https://api.example.com:x[:]/v1",
            "/v1/users",
            "api.example.com:443",
            "*",
        ] {
            assert!(!allows(&origins, bad), "{bad}");
        }
    }

    #[test]
    fn loopback_allows_every_port() {
        let origins = ApiOrigins::loopback();
        for good in ["http://127.0.0.1:1/x", "http://[::1]:8/", "https://localhost/"] {
            assert!(allows(&origins, good), "{good}");
        }
        for bad in [
            "http://localhost.evil.example/",
            "http://[::1]evil.example/",
            "http://10.0.0.1/",
            "https://example.com/",
        ] {
            assert!(!allows(&origins, bad), "{bad}");
        }
    }

    #[test]
    fn error_names_origin_and_setting_only() {
        let to = "https://evil.example/CNRYpath?q=CNRYquery".parse().unwrap();
        let error = origins(&["https://api.example.com/CNRYbase"]).check(&to).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.to_string(), "the token must not go to https://evil.example");
        let hint = "allowed: https://api.example.com; add others to api_origins";
        assert_eq!(error.hints()[0].text(), hint);
        let error = origins(&[]).check(&to).unwrap_err();
        assert_eq!(error.hints()[0].text(), "allowed: none; add others to api_origins");
    }
}
