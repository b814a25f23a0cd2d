//! The error type: kinds by what the caller can do, and structured parts.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{Credential, Hint, redact};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error: its kind states what the caller can do, its hints what would help.
///
/// Its parts are structured: a [kind](ErrorKind), the setting and its place, provider and profile,
/// the vendor's status and error code, and [hints](Hint). No program has to parse its message.
///
/// An error never holds a secret, a URL with a query, a response body or a parser's own text. The
/// vendor's description is cut to 200 characters, and everything in it that looks like a secret is
/// removed.
///
/// Cloning is cheap: all callers that wait for one token request get the same failure.
///
/// ```
/// use gatepass_core::{ConfigPlace, Error, ErrorKind, Hint};
///
/// let error = Error::config("not a duration")
///     .with_profile("cisco")
///     .with_field("timeout")
///     .with_place(ConfigPlace::Line { file: "config.toml".into(), line: 12 })
///     .hint("write it like 90s, 10m or 1h30m")
///     .hint(Hint::run("read about the keys", ["gatepass", "providers"]));
/// assert_eq!(error.to_string(), "cisco: config.toml:12: `timeout`: not a duration");
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert_eq!(error.hints().len(), 2);
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: Cow<'static, str>,
    hints: Vec<Hint>,
    provider: Option<String>,
    profile: Option<String>,
    field: Option<Cow<'static, str>>,
    place: Option<ConfigPlace>,
    status: Option<u16>,
    vendor_code: Option<String>,
    vendor_text: Option<String>,
    retry_after: Option<Duration>,
    age: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The place where a setting is written.
///
/// ```
/// # use gatepass_core::ConfigPlace;
/// let place = ConfigPlace::Line { file: "config.toml".into(), line: 12 };
/// assert_eq!(place.to_string(), "config.toml:12");
/// assert_eq!(ConfigPlace::Variable("GATEPASS_CISCO_TIMEOUT".into()).to_string(), "GATEPASS_CISCO_TIMEOUT");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigPlace {
    /// A line of a config file; the first line is 1.
    Line {
        /// The config file.
        file: PathBuf,
        /// The number of the line.
        line: usize,
    },
    /// The environment variable of this name.
    Variable(String),
    /// The environment, for a profile that variables define.
    Environment,
    /// An option of the command line, such as `--set`.
    Option(Cow<'static, str>),
}

impl fmt::Display for ConfigPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Environment => f.write_str("the environment"),
            Self::Option(option) => f.write_str(option),
        }
    }
}

/// What the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fix the configuration; a retry changes nothing.
    Config,
    /// The vendor refused the credential, and the user must act. Never retried by itself, because
    /// retries lock accounts.
    Denied,
    /// The grant needs a login by the user, and no login is stored.
    LoginRequired,
    /// Retry later, not before [`Error::retry_after`] if the vendor named a time.
    Throttled,
    /// The vendor or the network is down; retry with back-off.
    Unavailable,
    /// The response is not a token response.
    Protocol,
    /// The response has a token that would be dangerous to use.
    UnsafeToken,
    /// A defect in gatepass, or a limit of this machine.
    Internal,
}

impl ErrorKind {
    /// Returns the kind's stable name, as in the command's JSON.
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

impl fmt::Display for ErrorKind {
    /// Writes the kind's stable name, as [`code`](Self::code) returns it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Whether a retry of the same request can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Not before something has changed.
    Never,
    /// Once, soon: the response may have been damaged in transit.
    Once,
    /// With back-off, and not before [`Error::retry_after`].
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
        /// An error of kind [`Config`](ErrorKind::Config).
        config => Config, Never;
        /// An error of kind [`Denied`](ErrorKind::Denied).
        denied => Denied, Never;
        /// An error of kind [`LoginRequired`](ErrorKind::LoginRequired).
        login_required => LoginRequired, Never;
        /// An error of kind [`Throttled`](ErrorKind::Throttled).
        throttled => Throttled, Later;
        /// An error of kind [`Unavailable`](ErrorKind::Unavailable).
        unavailable => Unavailable, Later;
        /// An error of kind [`Protocol`](ErrorKind::Protocol).
        protocol => Protocol, Once;
        /// An error of kind [`UnsafeToken`](ErrorKind::UnsafeToken).
        unsafe_token => UnsafeToken, Never;
        /// An error of kind [`Internal`](ErrorKind::Internal).
        internal => Internal, Never;
    }

    /// An error for a [`CredentialSource`](crate::CredentialSource) that could not read its
    /// credential, because a vault is down, say.
    ///
    /// The cause is kept as [`source`](StdError::source). It is not printed: its text may hold a
    /// secret.
    pub fn credential(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::unavailable("the credential could not be read").with_source(cause)
    }

    fn new(kind: ErrorKind, retry: Retry, message: Cow<'static, str>) -> Self {
        Self(Arc::new(Inner {
            kind,
            retry,
            message,
            hints: Vec::new(),
            provider: None,
            profile: None,
            field: None,
            place: None,
            status: None,
            vendor_code: None,
            vendor_text: None,
            retry_after: None,
            age: None,
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

    /// Adds a hint, after those that are there.
    pub fn hint(self, hint: impl Into<Hint>) -> Self {
        self.with(|inner| inner.hints.push(hint.into()))
    }

    /// Adds a hint, unless there is one already from code that knew more.
    pub fn default_hint(self, hint: impl Into<Hint>) -> Self {
        if self.0.hints.is_empty() { self.hint(hint) } else { self }
    }

    /// Replaces all hints.
    pub fn with_hints(self, hints: impl IntoIterator<Item = Hint>) -> Self {
        self.with(|inner| inner.hints = hints.into_iter().collect())
    }

    /// Adds the provider's id, unless there is one already.
    pub fn with_provider(self, id: &str) -> Self {
        self.with(|inner| {
            inner.provider.get_or_insert_with(|| id.to_owned());
        })
    }

    /// Adds the profile's name, unless there is one already.
    pub fn with_profile(self, name: &str) -> Self {
        self.with(|inner| {
            inner.profile.get_or_insert_with(|| name.to_owned());
        })
    }

    /// Adds the name of the setting that is wrong, unless there is one already.
    pub fn with_field(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|inner| {
            inner.field.get_or_insert_with(|| name.into());
        })
    }

    /// Adds the place where the mistake is written, unless there is one already.
    pub fn with_place(self, place: ConfigPlace) -> Self {
        self.with(|inner| {
            inner.place.get_or_insert(place);
        })
    }

    /// Adds the HTTP status.
    pub fn with_status(self, status: u16) -> Self {
        self.with(|inner| inner.status = Some(status))
    }

    /// Adds the vendor's own error code. A code that is not 1 to 40 of `[A-Za-z0-9._-]`, or that
    /// looks like a token, is ignored.
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

    /// Adds the vendor's description of the error: at most 200 of the characters that RFC 6749
    /// section 5.2 allows, without anything that looks like a secret.
    pub fn with_vendor_text(self, text: &str) -> Self {
        let text = redact::vendor_text(text);
        if text.is_empty() { self } else { self.with(|inner| inner.vendor_text = Some(text)) }
    }

    /// Adds the vendor's delay before a retry, counted from the response.
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.with(|inner| inner.retry_after = Some(after))
    }

    /// Marks the failure of an earlier token request, which was sent this long ago and is repeated
    /// without another request.
    pub fn with_age(self, age: Duration) -> Self {
        self.with(|inner| inner.age = Some(age))
    }

    /// Changes whether a retry can help.
    pub fn with_retry(self, retry: Retry) -> Self {
        self.with(|inner| inner.retry = retry)
    }

    /// Adds the cause, for [`source`](StdError::source). Its text must not hold a secret.
    pub fn with_source(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(cause)))
    }

    /// Removes from the vendor's description and error code all parts that repeat a secret of this
    /// credential, in any usual encoding. The engine does this to every error of an exchange.
    pub fn redacted(self, credential: &Credential) -> Self {
        if self.0.vendor_text.is_none() && self.0.vendor_code.is_none() {
            return self;
        }
        self.with(|inner| {
            inner.vendor_text =
                inner.vendor_text.take().map(|text| redact::redact_credential(&text, credential));
            inner.vendor_code = inner
                .vendor_code
                .take()
                .filter(|code| redact::redact_credential(code, credential) == *code);
        })
    }

    /// Returns what the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether a retry can help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Returns what happened, without the other parts.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns what to do next.
    pub fn hints(&self) -> &[Hint] {
        &self.0.hints
    }

    /// Returns the provider's id.
    pub fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// Returns the profile's name.
    pub fn profile(&self) -> Option<&str> {
        self.0.profile.as_deref()
    }

    /// Returns the name of the setting that is wrong or missing.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// Returns the place of the mistake in the configuration.
    pub fn place(&self) -> Option<&ConfigPlace> {
        self.0.place.as_ref()
    }

    /// Returns the HTTP status of the vendor's response.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the vendor's own error code.
    pub fn vendor_code(&self) -> Option<&str> {
        self.0.vendor_code.as_deref()
    }

    /// Returns the vendor's description of the error, redacted.
    pub fn vendor_text(&self) -> Option<&str> {
        self.0.vendor_text.as_deref()
    }

    /// Returns the vendor's delay before a retry, counted from the response.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns how long ago the request was sent that failed, if its failure is repeated from a
    /// cache and no other request was sent.
    pub fn age(&self) -> Option<Duration> {
        self.0.age
    }
}

impl fmt::Display for Error {
    /// Writes all parts but the hints:
    /// ``provider/profile: place: `field`: message (status code): the vendor's message: …``, and
    /// whether the failure is repeated from a cache.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        match (&inner.provider, &inner.profile) {
            (Some(provider), Some(profile)) => write!(f, "{provider}/{profile}: ")?,
            (Some(name), None) | (None, Some(name)) => write!(f, "{name}: ")?,
            (None, None) => {}
        }
        if let Some(place) = &inner.place {
            write!(f, "{place}: ")?;
        }
        if let Some(field) = &inner.field {
            write!(f, "`{field}`: ")?;
        }
        f.write_str(&inner.message)?;
        match (inner.status, &inner.vendor_code) {
            (Some(status), Some(code)) => write!(f, " ({status} {code})")?,
            (Some(status), None) => write!(f, " ({status})")?,
            (None, Some(code)) => write!(f, " ({code})")?,
            (None, None) => {}
        }
        if let Some(text) = &inner.vendor_text {
            write!(f, ": the vendor's message: {text}")?;
        }
        match inner.age {
            Some(_) => f.write_str(" [cached failure, no request was sent]"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(\"{self}\"", self.0.kind)?;
        for hint in &self.0.hints {
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
