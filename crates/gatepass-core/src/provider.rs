//! Provider: the one trait, two pure functions and what can be derived from them.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use crate::{
    Clock, Credential, Endpoint, Error, ErrorKind, HttpSend, Interactive, RefreshHints, Request,
    Response, Result, Token, TokenRules,
};

/// Code that knows one vendor.
///
/// It holds settings. It does no I/O, tells no time and caches nothing, so it works with any HTTP
/// client and any runtime.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// The id of its [`ProviderInfo`](crate::ProviderInfo), for errors and logs: by default the
    /// type's name in small letters. Override it where that is another word.
    fn id(&self) -> Cow<'static, str> {
        let path = std::any::type_name::<Self>().split('<').next().unwrap_or_default();
        Cow::Owned(path.rsplit("::").next().unwrap_or(path).to_ascii_lowercase())
    }

    /// The request that asks the vendor for a token.
    fn token_request(&self, credential: &Credential) -> Result<Request>;

    /// Reads the vendor's answer. `sent` is when the request began: a life counts from there.
    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token>;

    /// Puts the token on an API request: every header the vendor wants.
    fn authorize(
        &self,
        credential: &Credential,
        token: &Token,
        headers: &mut HeaderMap,
    ) -> Result<()> {
        let _ = credential;
        headers.insert(AUTHORIZATION, token.authorization().clone());
        Ok(())
    }

    /// Whether this API answer refuses the token, as opposed to the request.
    fn token_verdict(&self, answer: &ApiResponse<'_>) -> TokenVerdict {
        if answer.status == StatusCode::UNAUTHORIZED {
            TokenVerdict::Rejected
        } else {
            TokenVerdict::NotRejected
        }
    }

    /// Adds to an error what helps this vendor's users, such as the setting to change. Every error
    /// of sending the request and of reading its answer passes through here.
    fn explain(&self, credential: &Credential, error: Error) -> Error {
        let _ = credential;
        error
    }

    /// How a person logs in, where this profile's grant needs one in a browser. Then
    /// [`token_request`](Self::token_request) is an error of kind
    /// [`LoginRequired`](ErrorKind::LoginRequired), such as [`Error::login_required`] makes.
    fn interactive(&self) -> Option<&dyn Interactive> {
        None
    }

    /// What the vendor promises about its tokens.
    fn hints(&self) -> RefreshHints {
        RefreshHints::new()
    }

    /// The scope that the request asks for.
    fn scope(&self) -> Option<&str> {
        None
    }

    /// Where the vendor's API is: what a bare path in `gatepass call` is joined to, and the origin
    /// that may see the token.
    fn api(&self) -> Option<Endpoint> {
        None
    }

    /// A harmless `GET` below [`api`](Self::api) that succeeds with a good token.
    fn probe(&self, credential: &Credential) -> Result<Option<String>> {
        let _ = credential;
        Ok(None)
    }

    /// One exchange: build, send, read. Overridden only where a vendor needs more than one round
    /// trip; then each answer goes through [`ExchangeContext::send`] and the token through
    /// [`ExchangeContext::validate`].
    async fn exchange(&self, credential: &Credential, cx: &ExchangeContext<'_>) -> Result<Token> {
        let request = self.token_request(credential)?;
        let in_url = request.has_secret_in_url();
        let explained = |error| self.explain(credential, error).redacted(credential);
        let sent = cx.clock().wall();
        let response = cx.send(request).await.map_err(explained)?;
        let skew = response.clock_skew(sent).filter(|skew| *skew > Duration::from_secs(300));
        let token = self
            .read_token(&response, sent)
            .and_then(|token| cx.validate(token, credential, self.scope()));
        match (token, skew) {
            (Ok(mut token), skew) => {
                if in_url {
                    token = token.with_warning(SECRET_IN_URL);
                }
                if let Some(skew) = skew {
                    token = token.with_warning(clocks_differ(skew));
                }
                Ok(token)
            }
            (Err(error), Some(skew)) if error.kind() == ErrorKind::Protocol => {
                Err(explained(error).with_hint(clocks_differ(skew)))
            }
            (Err(error), _) => Err(explained(error)),
        }
    }
}

const SECRET_IN_URL: &str = "the client secret was sent in the URL (client_auth = \"query\"), where \
                             servers' and proxies' logs keep it: use \"form\" or \"basic\"";

fn clocks_differ(skew: Duration) -> String {
    format!(
        "this machine's clock and the vendor's differ by {} minutes: check this machine's time",
        skew.as_secs() / 60
    )
}

/// What an exchange is given: everything it cannot know by itself.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeContext<'a> {
    http: &'a dyn HttpSend,
    clock: &'a dyn Clock,
    token_rules: &'a TokenRules,
}

impl<'a> ExchangeContext<'a> {
    /// An exchange by this sender, at this clock, with these demands on the token.
    pub fn new(http: &'a dyn HttpSend, clock: &'a dyn Clock, token_rules: &'a TokenRules) -> Self {
        Self { http, clock, token_rules }
    }

    /// The clock.
    pub fn clock(&self) -> &'a dyn Clock {
        self.clock
    }

    /// Sends a request. A redirect is an error, never followed.
    pub async fn send(&self, request: Request) -> Result<Response> {
        let asked = request.endpoint().clone();
        let response = self.http.send(request).await?;
        match response.redirect(&asked) {
            Some(error) => Err(error),
            None => Ok(response),
        }
    }

    /// Checks a token before it is used: see [`TokenRules::validate`].
    ///
    /// Errors are those of [`TokenRules::validate`].
    pub fn validate(
        &self,
        token: Token,
        credential: &Credential,
        asked_scope: Option<&str>,
    ) -> Result<Token> {
        self.token_rules.validate(token, credential, asked_scope)
    }
}

/// An API's answer, as far as it says whether the token was refused.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ApiResponse<'a> {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The body, if it was read.
    pub body: Option<&'a [u8]>,
}

impl<'a> ApiResponse<'a> {
    /// An answer of which the body has not been read.
    pub fn new(status: StatusCode, headers: &'a HeaderMap) -> Self {
        Self { status, headers, body: None }
    }

    /// Adds the body, or its beginning.
    pub fn with_body(mut self, body: &'a [u8]) -> Self {
        self.body = Some(body);
        self
    }

    /// A header's value as text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The text of a top-level member of a JSON body; a number as its digits.
    pub fn json_member(&self, name: &str) -> Option<String> {
        crate::json::Json::read(self.body?).ok()?.member_text(name)
    }
}

impl fmt::Debug for ApiResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Whether an API refuses a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenVerdict {
    /// The token is refused: another one may help.
    Rejected,
    /// It is not, whatever else went wrong.
    NotRejected,
    /// Only the body tells.
    NeedsBody,
}
