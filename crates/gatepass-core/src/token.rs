//! Token: the access token, when it ends, and how sure of that we are.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use zeroize::Zeroizing;

use crate::http::sensitive;
use crate::oauth2::Lifetime;
use crate::token::compact::{Life, moment, nanos};
pub(crate) use crate::token::text::jwt_claims;
use crate::token::text::{check, is_scope, jwt_span};
use crate::{Error, Result, Secret};

/// How long a token of unknown life is used.
pub const ASSUMED_LIFETIME: Duration = Duration::from_secs(300);
/// No token is used for longer, whatever the vendor says.
pub const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest token that is accepted, in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;

mod compact;
mod rules;
mod text;

pub use rules::{TokenCharset, TokenRules};

const SCHEME: &str = "Bearer ";

/// An access token. Cloning it counts a reference.
///
/// The text and the ready `Authorization` value share one buffer, which is cleared when the last
/// clone is dropped. There is no `Display`, `Serialize` or `Deref`, and `Debug` shows the type and
/// the times.
///
/// It is made for being held a million times: 64 bytes in place and, shared by its clones, 31 more
/// than the text on the heap (with pointers of 64 bits). Only what few tokens have, a scope, extras
/// or warnings, costs another allocation.
#[derive(Clone)]
pub struct Token {
    header: HeaderValue,
    /// Nanoseconds since 1970: from 1677 to 2262.
    issued_at: i64,
    life: Life,
    rare: Option<Arc<Rare>>,
}

/// What few tokens have.
#[derive(Clone, Default)]
struct Rare {
    scope: Option<String>,
    extras: Vec<(Cow<'static, str>, Secret)>,
    warnings: Vec<Cow<'static, str>>,
}

/// Where a token's expiry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Expiry {
    /// The vendor said it.
    Vendor,
    /// The `exp` of the token itself, a JWT (RFC 7519 section 4.1.4).
    Jwt,
    /// The profile's `lifetime`.
    Configured,
    /// Nobody said: [`ASSUMED_LIFETIME`].
    Assumed,
}

impl Token {
    /// Begins a token that was asked for at `sent`: its life counts from there, so that travel
    /// time errs on the safe side.
    pub fn builder(token: Secret, sent: SystemTime) -> TokenBuilder {
        TokenBuilder {
            token,
            sent,
            lifetime: None,
            expires_at: None,
            scope: None,
            extras: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The token's text, for a place that needs just that. [`authorization`](Self::authorization)
    /// is the safer way to an HTTP header.
    pub fn expose_secret(&self) -> &str {
        let text = std::str::from_utf8(self.header.as_bytes()).unwrap_or_default();
        text.get(SCHEME.len()..).unwrap_or_default()
    }

    /// The value of an `Authorization` header, marked sensitive. It shares the token's buffer.
    pub fn authorization(&self) -> &HeaderValue {
        &self.header
    }

    /// The token's type: always `Bearer` (RFC 6750), since others are refused.
    pub fn token_type(&self) -> &'static str {
        SCHEME.trim_ascii_end()
    }

    /// When the request for it was sent.
    pub fn issued_at(&self) -> SystemTime {
        moment(self.issued_at)
    }

    /// When it ends.
    pub fn expires_at(&self) -> SystemTime {
        self.issued_at() + self.lifetime()
    }

    /// Its whole life.
    pub fn lifetime(&self) -> Duration {
        self.life.length()
    }

    /// What is left of its life at `now`; zero when it has ended.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.expires_at().duration_since(now).unwrap_or_default()
    }

    /// Where its expiry comes from.
    pub fn expiry(&self) -> Expiry {
        self.life.expiry()
    }

    /// The scope the vendor granted, if it said (space separated, RFC 6749 section 3.3).
    pub fn scope(&self) -> Option<&str> {
        self.rare.as_ref()?.scope.as_deref()
    }

    /// What the vendor sent besides: `refresh_token`, `id_token`.
    pub fn extra(&self, name: &str) -> Option<&Secret> {
        let extras = &self.rare.as_ref()?.extras;
        extras.iter().find(|(key, _)| *key == name).map(|(_, secret)| secret)
    }

    /// This token without what the vendor sent besides, for a store: a `refresh_token` outlives
    /// it and is nobody's to keep. Its text is not copied.
    pub fn without_extras(&self) -> Self {
        let Some(rare) = self.rare.as_ref().filter(|rare| !rare.extras.is_empty()) else {
            return self.clone();
        };
        let (scope, warnings) = (rare.scope.clone(), rare.warnings.clone());
        let rare = Rare { scope, extras: Vec::new(), warnings }.shared();
        Self { header: self.header.clone(), rare, ..*self }
    }

    /// What was odd about the answer, for a person to read.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let assumed = (self.expiry() == Expiry::Assumed).then_some(ASSUMED);
        let rare = self.rare.iter().flat_map(|rare| rare.warnings.iter().map(AsRef::as_ref));
        rare.chain(assumed)
    }

    /// Whether this is a clone of `other` and shares its buffer, not merely an equal text.
    pub fn is_same_as(&self, other: &Self) -> bool {
        std::ptr::eq(self.header.as_bytes(), other.header.as_bytes())
    }

    fn without_scope(mut self, warning: &'static str) -> Self {
        Arc::make_mut(self.rare.get_or_insert_default()).scope = None;
        self.with_warning(warning)
    }

    /// Adds a warning, unless it has it already.
    pub(crate) fn with_warning(mut self, warning: impl Into<Cow<'static, str>>) -> Self {
        let warning = warning.into();
        let rare = Arc::make_mut(self.rare.get_or_insert_default());
        if !rare.warnings.contains(&warning) {
            rare.warnings.push(warning);
        }
        self
    }
}

/// As far as the clocks of two well-kept machines may be apart, and a bit more.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

const ASSUMED: &str = "the vendor does not say how long the token lives: 5 minutes are assumed";

impl Rare {
    /// Nothing for nothing, so that most tokens need no allocation for it.
    fn shared(self) -> Option<Arc<Self>> {
        let is_empty = self.scope.is_none() && self.extras.is_empty() && self.warnings.is_empty();
        (!is_empty).then(|| Arc::new(self))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("token_type", &self.token_type())
            .field("issued_at", &self.issued_at())
            .field("lifetime", &self.lifetime())
            .field("expiry", &self.expiry())
            .finish_non_exhaustive()
    }
}

/// Builds a [`Token`] from what an answer says. `Debug` shows when it was asked for.
#[must_use = "a builder does nothing until it is built"]
pub struct TokenBuilder {
    token: Secret,
    sent: SystemTime,
    lifetime: Option<Duration>,
    expires_at: Option<SystemTime>,
    scope: Option<String>,
    extras: Vec<(Cow<'static, str>, Secret)>,
    warnings: Vec<Cow<'static, str>>,
}

impl TokenBuilder {
    /// The life the answer gives, in seconds from when the request was sent.
    pub fn expires_in(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime.duration;
        self.warnings.extend(lifetime.warning.map(Cow::Borrowed));
        self
    }

    /// The moment the answer gives, for vendors that send one.
    pub fn expires_at(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// The scope the answer gives; one with characters that no scope has (RFC 6749 section 3.3) is
    /// left out, since people are to read it.
    pub fn scope(mut self, scope: Option<&str>) -> Self {
        self.scope = scope.filter(|scope| is_scope(scope)).map(str::to_owned);
        if scope.is_some() && self.scope.is_none() {
            self.warnings.push("the vendor names a scope that is none: left out".into());
        }
        self
    }

    /// Keeps another secret of the answer. It is never handed out as the token.
    pub fn extra(mut self, name: impl Into<Cow<'static, str>>, secret: Option<Secret>) -> Self {
        self.extras.extend(secret.map(|secret| (name.into(), secret)));
        self
    }

    /// Adds something a person should know.
    pub fn warning(mut self, warning: Option<impl Into<Cow<'static, str>>>) -> Self {
        self.warnings.extend(warning.map(Into::into));
        self
    }

    /// Checks the token and its life.
    ///
    /// `UnsafeToken` for a token that cannot be one (empty, over 16 KiB, with spaces, control or
    /// non-ASCII characters); `Protocol` for one that has ended already.
    pub fn build(mut self) -> Result<Token> {
        let text = self.token.expose_secret();
        check(text)?;
        let said = match (self.lifetime, self.expires_at) {
            (Some(lifetime), _) => Some(self.sent + lifetime.min(MAX_LIFETIME)),
            (None, Some(at)) => Some(at.min(self.sent + MAX_LIFETIME)),
            (None, None) => None,
        };
        let span = jwt_span(text);
        let exp = span.ends.map(|at| at.min(self.sent + MAX_LIFETIME));
        if span.begins.is_some_and(|at| at > self.sent + CLOCKS_DIFFER) {
            let says = "the token says it begins only later: is this machine's clock right?";
            self.warnings.push(says.into());
        }
        let (expires_at, expiry) = match (said, exp) {
            (Some(said), Some(exp)) if exp < said => {
                if said.duration_since(exp).is_ok_and(|gap| gap > Duration::from_secs(300)) {
                    let says = "the token's own exp is earlier than the answer's expiry";
                    self.warnings.push(says.into());
                }
                (exp, Expiry::Jwt)
            }
            (Some(said), _) => (said, Expiry::Vendor),
            (None, Some(exp)) => (exp, Expiry::Jwt),
            (None, None) => (self.sent + ASSUMED_LIFETIME, Expiry::Assumed),
        };
        if expires_at <= self.sent {
            return Err(Error::protocol("the token has already expired")
                .hint("is this machine's clock right?"));
        }
        self.ending(expires_at, expiry)
    }

    /// Makes a token again of what a store kept of it: it ends when it ended, for the reason it
    /// had then. The builder was begun with its [`issued_at`](Token::issued_at).
    ///
    /// `UnsafeToken` as of [`build`](Self::build); `Protocol` for a life that no token has.
    pub fn build_with_expiry(self, expires_at: SystemTime, expiry: Expiry) -> Result<Token> {
        check(self.token.expose_secret())?;
        let life = expires_at.duration_since(self.sent).unwrap_or_default();
        if life.is_zero() || life > MAX_LIFETIME {
            return Err(Error::protocol("a stored token has a life that no token has"));
        }
        self.ending(expires_at, expiry)
    }

    fn ending(self, expires_at: SystemTime, expiry: Expiry) -> Result<Token> {
        let text = self.token.expose_secret();
        let mut warnings = self.warnings;
        if text.len() > 7 * 1024 {
            warnings
                .push("the token is longer than 7 KiB: some servers refuse such headers".into());
        }
        let value = Zeroizing::new([SCHEME, text].concat());
        let header = sensitive(&value)
            .ok_or_else(|| Error::unsafe_token("the token has characters that are not allowed"))?;
        let life = expires_at.duration_since(self.sent).unwrap_or_default();
        Ok(Token {
            header,
            issued_at: nanos(self.sent),
            life: Life::new(life, expiry),
            rare: Rare { scope: self.scope, extras: self.extras, warnings }.shared(),
        })
    }
}

impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuilder").field("sent", &self.sent).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const SENT: SystemTime = SystemTime::UNIX_EPOCH;
    const LIFE: Duration = Duration::from_secs(60);

    #[test]
    fn a_token_is_rebuilt_with_the_end_it_had() {
        for expiry in [Expiry::Vendor, Expiry::Jwt, Expiry::Configured, Expiry::Assumed] {
            let begun = Token::builder("t-1".into(), SENT).scope(Some("a"));
            let token = begun.build_with_expiry(SENT + LIFE, expiry).unwrap();
            assert_eq!((token.issued_at(), token.expires_at()), (SENT, SENT + LIFE));
            assert_eq!((token.expiry(), token.scope()), (expiry, Some("a")));
            assert_eq!(token.warnings().any(|w| w == ASSUMED), expiry == Expiry::Assumed);
        }
        for life in [Duration::ZERO, MAX_LIFETIME + LIFE] {
            let rebuilt =
                Token::builder("t-1".into(), SENT).build_with_expiry(SENT + life, Expiry::Vendor);
            assert_eq!(rebuilt.unwrap_err().kind(), crate::ErrorKind::Protocol);
        }
        assert!(
            Token::builder("".into(), SENT).build_with_expiry(SENT + LIFE, Expiry::Jwt).is_err()
        );
    }

    #[test]
    fn without_extras_a_token_is_the_same_and_shares_its_text() {
        let token = Token::builder("t-1".into(), SENT).extra("id_token", Some("i-1".into()));
        let token = token.build().unwrap();
        let bare = token.without_extras();
        assert!(bare.extra("id_token").is_none() && token.extra("id_token").is_some());
        assert_eq!(bare.expose_secret().as_ptr(), token.expose_secret().as_ptr());
        assert_eq!(bare.expires_at(), token.expires_at());
    }

    #[test]
    fn a_scope_that_a_terminal_would_obey_is_left_out() {
        let built = |scope| Token::builder("t-1".into(), SENT).scope(Some(scope)).build().unwrap();
        let long = "x ".repeat(9 * 1024);
        for scope in ["a\u{1b}[31m", "a\r\nb", "a\u{202e}b", "a\tb", "ä", "\"a\"", &long] {
            let token = built(scope);
            assert!(token.scope().is_none(), "{scope:.20?}");
            assert!(token.warnings().any(|it| it.contains("scope")), "{scope:.20?}");
        }
        for scope in ["all", "api://default/.default a:b", "acme.brightpattern.com", "a  b", ""] {
            assert_eq!(built(scope).scope(), Some(scope));
        }
    }

    #[test]
    fn no_debug_shows_the_vendors_scope() {
        let begun = Token::builder("t-1".into(), SENT).scope(Some("made-up-secret-1"));
        let begun = (format!("{begun:?}"), begun.build().unwrap());
        let shown = format!("{begun:?}");
        assert!(!shown.contains("made-up-secret-1"), "{shown}");
    }

    #[test]
    fn a_token_that_begins_later_makes_one_look_at_the_clock() {
        let jwt = |claims: &str| {
            let claims = URL_SAFE_NO_PAD.encode(claims);
            Token::builder(format!("e30.{claims}.e30").into(), SENT)
                .expires_in(Lifetime { duration: Some(LIFE), warning: None })
        };
        for (claims, warns) in
            [(r#"{"nbf":61}"#, true), (r#"{"iat":61.5}"#, true), (r#"{"nbf":60,"iat":0}"#, false)]
        {
            let token = jwt(claims).build().unwrap();
            assert_eq!(token.warnings().any(|it| it.contains("clock")), warns, "{claims}");
            assert_eq!(token.lifetime(), LIFE, "{claims}");
        }
    }

    #[test]
    fn a_token_is_small() {
        assert_eq!(size_of::<Token>(), 64);
        assert_eq!(size_of::<Option<Token>>(), 64);
        let token = Token::builder("t-1".into(), SENT).build().unwrap();
        assert!(token.rare.is_none(), "an ordinary token has no second allocation");
        assert_eq!(token.warnings().count(), 1);
    }

    #[test]
    fn a_clone_is_the_same_and_an_equal_text_is_not() {
        let build = || Token::builder("t-1".into(), SENT).build().unwrap();
        let (token, other) = (build(), build());
        assert!(token.is_same_as(&token.clone()) && !token.is_same_as(&other));
        assert!(token.clone().with_warning("odd").warnings().any(|warning| warning == "odd"));
        assert!(!token.warnings().any(|warning| warning == "odd"));
    }
}
