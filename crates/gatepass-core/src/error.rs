//! Error: one type, with kinds by what the caller can do about it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Credential, redact};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no token, and what would help.
///
/// Cheap to clone: one failure answers everybody who waited for it. It never holds a URL with a
/// query, a body, a parser's own text or a vendor's prose as it came: prose is cut to 200
/// characters, cleaned, and rid of everything that looks like a secret.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    provider: Option<String>,
    profile: Option<String>,
    status: Option<u16>,
    vendor_code: Option<String>,
    vendor_text: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fix the configuration; asking again changes nothing.
    Config,
    /// The vendor refused: a person must act. Never retried by itself, since that locks accounts.
    Denied,
    /// There is no token, and only a person's login brings one.
    LoginRequired,
    /// Ask again later, at [`Error::retry_after`] if the vendor said when.
    Throttled,
    /// The vendor or the network is down: ask again.
    Unavailable,
    /// The answer is not a token answer.
    Protocol,
    /// The answer has a token that would be dangerous to use.
    UnsafeToken,
    /// A fault of ours, or of this machine.
    Internal,
}

impl ErrorKind {
    /// The kind's stable name, as the command's JSON says it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Denied => "denied",
            Self::LoginRequired => "login_required",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Protocol => "protocol",
            Self::UnsafeToken => "unsafe_token",
            Self::Internal => "internal",
        }
    }
}

/// Whether asking the same again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Not by itself: something has to change first.
    Never,
    /// Once, soon: the answer may have been damaged on its way.
    Once,
    /// Yes, with back-off and not before [`Error::retry_after`].
    Later,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident, $retry:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
            Self::new(ErrorKind::$kind, Retry::$retry, message.into())
        })*
    };
}

impl Error {
    constructors! {
        /// Fix the configuration.
        config => Config, Never;
        /// The vendor refused.
        denied => Denied, Never;
        /// There is no token, and only a person's login brings one.
        login_required => LoginRequired, Never;
        /// Later, at a known time.
        throttled => Throttled, Later;
        /// The vendor or the network is down.
        unavailable => Unavailable, Later;
        /// Not a token answer.
        protocol => Protocol, Once;
        /// A dangerous token.
        unsafe_token => UnsafeToken, Never;
        /// Ours.
        internal => Internal, Never;
    }

    /// A credential that could not be read (a vault that is down, say). The cause is kept as
    /// [`source`](StdError::source) and not printed, since its text is not ours to vouch for.
    pub fn credential(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::unavailable("the credential could not be read").with_source(cause)
    }

    fn new(kind: ErrorKind, retry: Retry, message: Cow<'static, str>) -> Self {
        Self(Arc::new(Inner {
            kind,
            retry,
            message,
            hint: None,
            provider: None,
            profile: None,
            status: None,
            vendor_code: None,
            vendor_text: None,
            retry_after: None,
            source: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) fn with_message(self, message: String) -> Self {
        self.with(|inner| inner.message = message.into())
    }

    /// Says what to do next.
    pub fn with_hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.with(|inner| inner.hint = Some(hint.into()))
    }

    /// Says what to do next, unless somebody who knew more already has.
    pub fn or_hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        if self.hint().is_some() { self } else { self.with_hint(hint) }
    }

    /// Says another thing to do next, after what has been said already.
    pub fn and_hint(self, more: &str) -> Self {
        match self.hint().map(|hint| format!("{hint}; {more}")) {
            Some(hint) => self.with_hint(hint),
            None => self.with_hint(more.to_owned()),
        }
    }

    /// Names the provider, unless it is named already.
    pub fn with_provider(self, id: &str) -> Self {
        self.with(|inner| {
            inner.provider.get_or_insert_with(|| id.to_owned());
        })
    }

    /// Names the profile, unless it is named already.
    pub fn with_profile(self, name: &str) -> Self {
        self.with(|inner| {
            inner.profile.get_or_insert_with(|| name.to_owned());
        })
    }

    /// Adds the HTTP status.
    pub fn with_status(self, status: u16) -> Self {
        self.with(|inner| inner.status = Some(status))
    }

    /// Adds the vendor's own error code; dropped unless it is 1 to 40 of `[A-Za-z0-9._-]` and
    /// does not look like a token.
    pub fn with_vendor_code(self, code: &str) -> Self {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !(1..=40).contains(&code.len())
            || !code.bytes().all(plain)
            || redact::code_hides_a_token(code)
        {
            return self;
        }
        self.with(|inner| inner.vendor_code = Some(code.to_owned()))
    }

    /// Adds the vendor's own words, cleaned (RFC 6749 section 5.2's characters, 200 at most,
    /// without anything that looks like a secret).
    pub fn with_vendor_text(self, text: &str) -> Self {
        let text = redact::vendor_text(text);
        if text.is_empty() { self } else { self.with(|inner| inner.vendor_text = Some(text)) }
    }

    /// Adds when to ask again, counted from the answer.
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.with(|inner| inner.retry_after = Some(after))
    }

    /// Changes whether asking again can help.
    pub fn with_retry(self, retry: Retry) -> Self {
        self.with(|inner| inner.retry = retry)
    }

    /// Keeps the cause for [`source`](StdError::source). Its text must hold no secret.
    pub fn with_source(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(cause)))
    }

    /// Removes from the vendor's words whatever of this credential they repeat, in any usual
    /// encoding. The engine does this to every error of an exchange.
    pub fn redacted(self, credential: &Credential) -> Self {
        if self.0.vendor_text.is_none() && self.0.vendor_code.is_none() {
            return self;
        }
        self.with(|inner| {
            inner.vendor_text =
                inner.vendor_text.take().map(|text| redact::known(&text, credential));
            inner.vendor_code =
                inner.vendor_code.take().filter(|code| redact::known(code, credential) == *code);
        })
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether asking the same again can help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What happened, without provider, profile and vendor's words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The provider's id.
    pub fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// The profile's name.
    pub fn profile(&self) -> Option<&str> {
        self.0.profile.as_deref()
    }

    /// The HTTP status of the vendor's answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The vendor's own error code.
    pub fn vendor_code(&self) -> Option<&str> {
        self.0.vendor_code.as_deref()
    }

    /// The vendor's own words, cleaned.
    pub fn vendor_text(&self) -> Option<&str> {
        self.0.vendor_text.as_deref()
    }

    /// When to ask again, counted from the vendor's answer.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        match (&inner.provider, &inner.profile) {
            (Some(provider), Some(profile)) => write!(f, "{provider}/{profile}: ")?,
            (Some(name), None) | (None, Some(name)) => write!(f, "{name}: ")?,
            (None, None) => {}
        }
        f.write_str(&inner.message)?;
        match (inner.status, &inner.vendor_code) {
            (Some(status), Some(code)) => write!(f, " ({status} {code})")?,
            (Some(status), None) => write!(f, " ({status})")?,
            (None, Some(code)) => write!(f, " ({code})")?,
            (None, None) => {}
        }
        match &inner.vendor_text {
            Some(text) => write!(f, ": the vendor says: {text}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(\"{self}\"", self.0.kind)?;
        if let Some(hint) = &self.0.hint {
            write!(f, ", hint: \"{hint}\"")?;
        }
        f.write_str(")")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}
