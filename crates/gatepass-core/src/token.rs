//! The access token with its expiry, and its builder.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use zeroize::Zeroizing;

use crate::http::sensitive;
use crate::token::charset::{check, is_scope};
pub(crate) use crate::token::lifetime::jwt_claims;
use crate::token::lifetime::{Clocks, JwtTimes};
use crate::token::packed_times::{PackedLifetime, from_nanos, nanos};
use crate::{Error, Result, Secret};

/// The maximum length of a token, in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;

mod charset;
mod lifetime;
mod packed_times;
mod rules;

pub use lifetime::{ASSUMED_LIFETIME, Lifetime, MAX_LIFETIME};
pub use rules::{TokenCharset, TokenRules};

const SCHEME: &str = "Bearer ";

/// An access token. A clone increments a reference count.
///
/// The token's text and the `Authorization` value share one buffer, which is zeroed when the last
/// clone is dropped. There is no `Display`, `Serialize` or `Deref`, and `Debug` shows the type and
/// the times.
///
/// A token is one pointer. Programs may hold millions of tokens: its clones share 111 bytes on the
/// heap besides the text (with 64-bit pointers). Only a scope, extras or warnings, which few tokens
/// have, need another allocation.
#[derive(Clone)]
pub struct Token(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    header: HeaderValue,
    /// Nanoseconds since 1970; the range is 1677 to 2262.
    issued_at: i64,
    lifetime: PackedLifetime,
    extras: Option<Box<Extras>>,
}

/// The parts that few tokens have.
#[derive(Clone, Default)]
struct Extras {
    scope: Option<String>,
    extras: Vec<(Cow<'static, str>, Secret)>,
    warnings: Vec<Cow<'static, str>>,
}

/// The source of a token's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Expiry {
    /// The vendor's response.
    Vendor,
    /// The `exp` claim of the token itself, a JWT (RFC 7519 section 4.1.4).
    Jwt,
    /// The profile's `lifetime`.
    Configured,
    /// No source: [`ASSUMED_LIFETIME`].
    Assumed,
}

impl Token {
    /// Returns a builder for a token whose request was sent at `sent`. The lifetime counts from
    /// there, so that network delay shortens it.
    pub fn builder(token: Secret, sent: SystemTime) -> TokenBuilder {
        TokenBuilder {
            token,
            sent,
            date: None,
            lifetime: None,
            expires_at: None,
            scope: None,
            extras: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Returns the token's text. For an HTTP header, [`authorization`](Self::authorization) is safer.
    pub fn expose_secret(&self) -> &str {
        let text = std::str::from_utf8(self.0.header.as_bytes()).unwrap_or_default();
        text.get(SCHEME.len()..).unwrap_or_default()
    }

    /// Returns the value of an `Authorization` header, marked sensitive. It shares the token's buffer.
    pub fn authorization(&self) -> &HeaderValue {
        &self.0.header
    }

    /// Returns the token's type, always `Bearer` (RFC 6750): other types are rejected.
    pub fn token_type(&self) -> &'static str {
        SCHEME.trim_ascii_end()
    }

    /// Returns when the token request was sent.
    pub fn issued_at(&self) -> SystemTime {
        from_nanos(self.0.issued_at)
    }

    /// Returns when the token expires.
    pub fn expires_at(&self) -> SystemTime {
        self.issued_at() + self.lifetime()
    }

    /// Returns the token's total lifetime.
    pub fn lifetime(&self) -> Duration {
        self.0.lifetime.length()
    }

    /// Returns the remaining lifetime at `now`; zero for an expired token.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.expires_at().duration_since(now).unwrap_or_default()
    }

    /// Returns the source of the expiry.
    pub fn expiry(&self) -> Expiry {
        self.0.lifetime.expiry()
    }

    /// Returns the granted scope, if the vendor returned one (space separated, RFC 6749 section 3.3).
    pub fn scope(&self) -> Option<&str> {
        self.0.extras.as_ref()?.scope.as_deref()
    }

    /// Returns a further secret of the response: `refresh_token`, `id_token`.
    pub fn extra(&self, name: &str) -> Option<&Secret> {
        let extras = &self.0.extras.as_ref()?.extras;
        extras.iter().find(|(key, _)| *key == name).map(|(_, secret)| secret)
    }

    /// Returns this token without further secrets, for a store: a `refresh_token` outlives the token
    /// and must not be stored with it. The text is not copied.
    pub fn without_extras(&self) -> Self {
        let Some(extras) = self.0.extras.as_ref().filter(|extras| !extras.extras.is_empty()) else {
            return self.clone();
        };
        let (scope, warnings) = (extras.scope.clone(), extras.warnings.clone());
        let extras = Extras { scope, extras: Vec::new(), warnings }.boxed();
        Self(Arc::new(Inner { header: self.0.header.clone(), extras, ..*self.0 }))
    }

    /// Returns the warnings about the response, for the user.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let assumed = (self.expiry() == Expiry::Assumed).then_some(ASSUMED);
        let extras = self.0.extras.iter();
        extras.flat_map(|extras| extras.warnings.iter().map(AsRef::as_ref)).chain(assumed)
    }

    /// Returns whether this is a clone of `other`, which shares its buffer.
    pub fn is_same_as(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.header.as_bytes(), other.0.header.as_bytes())
    }

    /// Replaces the lifetime by `lifetime`, at most [`MAX_LIFETIME`].
    fn with_lifetime(mut self, lifetime: Duration, expiry: Expiry) -> Self {
        Arc::make_mut(&mut self.0).lifetime =
            PackedLifetime::new(lifetime.min(MAX_LIFETIME), expiry);
        self
    }

    fn without_scope(mut self, warning: &'static str) -> Self {
        Arc::make_mut(&mut self.0).extras.get_or_insert_default().scope = None;
        self.with_warning(warning)
    }

    /// Adds a warning unless the token has it already.
    pub(crate) fn with_warning(mut self, warning: impl Into<Cow<'static, str>>) -> Self {
        let warning = warning.into();
        let extras = Arc::make_mut(&mut self.0).extras.get_or_insert_default();
        if !extras.warnings.contains(&warning) {
            extras.warnings.push(warning);
        }
        self
    }
}

const LOCAL_CLOCK: &str = "the token's expiry is an absolute time and the response has no Date: \
                           the lifetime is correct only if this machine's clock is";

const ASSUMED: &str = "the response has no lifetime; assuming 5 minutes";

impl Extras {
    /// Returns `None` without any parts, so that most tokens need no allocation.
    fn boxed(self) -> Option<Box<Self>> {
        let is_empty = self.scope.is_none() && self.extras.is_empty() && self.warnings.is_empty();
        (!is_empty).then(|| Box::new(self))
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

/// A builder of a [`Token`] from a response. `Debug` shows only when the request was sent.
#[must_use = "a builder does nothing until it is built"]
pub struct TokenBuilder {
    token: Secret,
    sent: SystemTime,
    date: Option<SystemTime>,
    lifetime: Option<Duration>,
    expires_at: Option<SystemTime>,
    scope: Option<String>,
    extras: Vec<(Cow<'static, str>, Secret)>,
    warnings: Vec<Cow<'static, str>>,
}

impl TokenBuilder {
    /// Sets the response's lifetime, counted from when the request was sent.
    pub fn expires_in(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime.duration;
        self.warnings.extend(lifetime.warning.map(Cow::Borrowed));
        self
    }

    /// Sets the vendor's time, the response's [`Date`](crate::Response::date). Absolute times of the
    /// response and of a JWT are compared with it, and with the local clock only without it.
    pub fn date(mut self, date: Option<SystemTime>) -> Self {
        self.date = date;
        self
    }

    /// Sets the response's absolute expiry, by the vendor's clock: see [`date`](Self::date).
    pub fn expires_at(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Sets the response's scope. A scope with characters that RFC 6749 section 3.3 does not allow is
    /// left out, because scopes are shown to users.
    pub fn scope(mut self, scope: Option<&str>) -> Self {
        self.scope = scope.filter(|scope| is_scope(scope)).map(str::to_owned);
        if scope.is_some() && self.scope.is_none() {
            self.warnings.push("the vendor's scope is not valid: left out".into());
        }
        self
    }

    /// Adds a further secret of the response.
    pub fn extra(mut self, name: impl Into<Cow<'static, str>>, secret: Option<Secret>) -> Self {
        self.extras.extend(secret.map(|secret| (name.into(), secret)));
        self
    }

    /// Adds a warning for the user.
    pub fn warning(mut self, warning: Option<impl Into<Cow<'static, str>>>) -> Self {
        self.warnings.extend(warning.map(Into::into));
        self
    }

    /// Validates the token and its lifetime and builds it.
    ///
    /// # Errors
    ///
    /// `UnsafeToken` for an invalid token (empty, over 16 KiB, with spaces, control or non-ASCII
    /// characters); `Protocol` for an expired one.
    pub fn build(mut self) -> Result<Token> {
        let text = self.token.expose_secret();
        check(text)?;
        let clocks = Clocks { sent: self.sent, date: self.date };
        let jwt = JwtTimes::read(text);
        self.warnings.extend(jwt.not_valid_yet(clocks).map(Cow::Borrowed));
        let stated = match (self.lifetime, self.expires_at) {
            (Some(lifetime), _) => Some((lifetime, false)),
            (None, at) => at.map(|at| clocks.until(at)),
        };
        let (lifetime, is_local, expiry) = match (stated, jwt.lifetime(clocks)) {
            (Some((stated, _)), Some((rest, is_local))) if rest < stated => {
                if stated - rest > Duration::from_secs(300) {
                    let says = "the token's own exp is earlier than the response's expiry";
                    self.warnings.push(says.into());
                }
                (rest, is_local, Expiry::Jwt)
            }
            (Some((stated, is_local)), _) => (stated, is_local, Expiry::Vendor),
            (None, Some((rest, is_local))) => (rest, is_local, Expiry::Jwt),
            (None, None) => (ASSUMED_LIFETIME, false, Expiry::Assumed),
        };
        if lifetime.is_zero() {
            let error = Error::protocol("the token has already expired");
            return Err(if is_local { error.hint("check this machine's clock") } else { error });
        }
        if is_local {
            self.warnings.push(LOCAL_CLOCK.into());
        }
        let expires_at = self.sent + lifetime.min(MAX_LIFETIME);
        self.ending(expires_at, expiry)
    }

    /// Builds a stored token again, with its expiry and the expiry's source. The builder was created
    /// with the token's [`issued_at`](Token::issued_at).
    ///
    /// # Errors
    ///
    /// `UnsafeToken` as for [`build`](Self::build); `Protocol` for an invalid lifetime.
    pub fn build_with_expiry(self, expires_at: SystemTime, expiry: Expiry) -> Result<Token> {
        check(self.token.expose_secret())?;
        let lifetime = expires_at.duration_since(self.sent).unwrap_or_default();
        if lifetime.is_zero() || lifetime > MAX_LIFETIME {
            return Err(Error::protocol("a stored token has an invalid lifetime"));
        }
        self.ending(expires_at, expiry)
    }

    fn ending(self, expires_at: SystemTime, expiry: Expiry) -> Result<Token> {
        let text = self.token.expose_secret();
        let mut warnings = self.warnings;
        if text.len() > 7 * 1024 {
            warnings
                .push("the token is longer than 7 KiB: some servers reject such headers".into());
        }
        let value = Zeroizing::new([SCHEME, text].concat());
        let header = sensitive(&value)
            .ok_or_else(|| Error::unsafe_token("the token has characters that are not allowed"))?;
        let lifetime = expires_at.duration_since(self.sent).unwrap_or_default();
        Ok(Token(Arc::new(Inner {
            header,
            issued_at: nanos(self.sent),
            lifetime: PackedLifetime::new(lifetime, expiry),
            extras: Extras { scope: self.scope, extras: self.extras, warnings }.boxed(),
        })))
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
    fn stored_token_keeps_its_expiry() {
        for expiry in [Expiry::Vendor, Expiry::Jwt, Expiry::Configured, Expiry::Assumed] {
            let begun = Token::builder("t-1".into(), SENT).scope(Some("a"));
            let token = begun.build_with_expiry(SENT + LIFE, expiry).unwrap();
            assert_eq!((token.issued_at(), token.expires_at()), (SENT, SENT + LIFE));
            assert_eq!((token.expiry(), token.scope()), (expiry, Some("a")));
            assert_eq!(token.warnings().any(|w| w == ASSUMED), expiry == Expiry::Assumed);
        }
        for lifetime in [Duration::ZERO, MAX_LIFETIME + LIFE] {
            let rebuilt = Token::builder("t-1".into(), SENT)
                .build_with_expiry(SENT + lifetime, Expiry::Vendor);
            assert_eq!(rebuilt.unwrap_err().kind(), crate::ErrorKind::Protocol);
        }
        assert!(
            Token::builder("".into(), SENT).build_with_expiry(SENT + LIFE, Expiry::Jwt).is_err()
        );
    }

    #[test]
    fn without_extras_shares_the_text() {
        let token = Token::builder("t-1".into(), SENT).extra("id_token", Some("i-1".into()));
        let token = token.build().unwrap();
        let bare = token.without_extras();
        assert!(bare.extra("id_token").is_none() && token.extra("id_token").is_some());
        assert_eq!(bare.expose_secret().as_ptr(), token.expose_secret().as_ptr());
        assert_eq!(bare.expires_at(), token.expires_at());
    }

    #[test]
    fn scope_with_control_characters_is_left_out() {
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
    fn debug_hides_the_scope() {
        let begun = Token::builder("t-1".into(), SENT).scope(Some("made-up-secret-1"));
        let begun = (format!("{begun:?}"), begun.build().unwrap());
        let shown = format!("{begun:?}");
        assert!(!shown.contains("made-up-secret-1"), "{shown}");
    }

    #[test]
    fn future_token_warns_about_the_clock() {
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
        assert_eq!(size_of::<Option<Token>>(), size_of::<usize>());
        assert_eq!(size_of::<Inner>(), 64);
        let token = Token::builder("t-1".into(), SENT).build().unwrap();
        assert!(token.0.extras.is_none(), "an ordinary token has no second allocation");
        assert_eq!(token.warnings().count(), 1);
    }

    #[test]
    fn clones_are_the_same_token() {
        let build = || Token::builder("t-1".into(), SENT).build().unwrap();
        let (token, other) = (build(), build());
        assert!(token.is_same_as(&token.clone()) && !token.is_same_as(&other));
        assert!(token.clone().with_warning("odd").warnings().any(|warning| warning == "odd"));
        assert!(!token.warnings().any(|warning| warning == "odd"));
    }
}
