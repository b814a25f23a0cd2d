//! The facts about a provider, as data: its id, its environments and the fields of its profiles.
//!
//! Facts are borrowed in a `const` of a provider crate, or owned if they were made at run time. The
//! config reader, `gatepass providers`, the README's table, the completions and the conformance
//! suite are made from them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::const_list::{StringList, ValueList, replace};
use crate::settings::Settings;
use crate::{Endpoint, Error, Provider, Result};

/// What a provider is, and which fields its profiles have.
///
/// A `const` in a provider crate:
///
/// ```
/// # use gatepass_core::{Error, Field, ProviderInfo};
/// pub const INFO: ProviderInfo = ProviderInfo::new("acme", "Acme Cloud")
///     .docs("https://acme.example/docs/tokens")
///     .fields(const { &[
///         Field::client_id("Console > Keys"),
///         Field::client_secret("shown once, when the key is created"),
///     ] })
///     .build(|settings| Err(Error::internal("make the provider from the settings here")));
/// ```
///
/// The same made at run time:
///
/// ```
/// # use gatepass_core::{Error, Field, FieldKind, ProviderInfo};
/// # let (id, title) = (String::from("acme"), String::from("Acme Cloud"));
/// let mut info = ProviderInfo::owned(id, title);
/// info.fields = vec![Field::owned("api_key", FieldKind::Secret, "Console > Keys")].into();
/// let info = info.build_with(move |settings| Err(Error::internal("make the provider here")));
/// assert!(info.field("api_key").is_some_and(|field| field.is_secret()));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProviderInfo {
    /// The id: `provider = "…"` in a profile, and the name of the Cargo feature.
    pub id: Cow<'static, str>,
    /// The name of the product.
    pub title: Cow<'static, str>,
    /// The company that runs it.
    pub vendor: Cow<'static, str>,
    /// Other words that users look for, in lower case.
    pub aliases: StringList,
    /// The vendor's page about its token endpoint.
    pub docs: Cow<'static, str>,
    /// The environments. The first one is the default, unless
    /// [`is_environment_required`](Self::is_environment_required).
    pub environments: Cow<'static, [EnvironmentInfo]>,
    /// Whether a profile must choose an environment, also if it has a `base_url`.
    pub is_environment_required: bool,
    /// Every field of a profile, besides the fields of all profiles.
    pub fields: Cow<'static, [Field]>,
    build: Build,
}

/// Makes a provider from a profile's settings.
#[derive(Clone)]
enum Build {
    Function(fn(&Settings) -> Result<Box<dyn Provider>>),
    Closure(Arc<BuildFn>),
}

type BuildFn = dyn Fn(&Settings) -> Result<Box<dyn Provider>> + Send + Sync;

impl ProviderInfo {
    /// Begins the facts with an id (`[a-z][a-z0-9-]*`) and a title.
    pub const fn new(id: &'static str, title: &'static str) -> Self {
        Self {
            id: Cow::Borrowed(id),
            title: Cow::Borrowed(title),
            vendor: Cow::Borrowed(title),
            aliases: StringList::new(&[]),
            docs: Cow::Borrowed(""),
            environments: Cow::Borrowed(&[]),
            is_environment_required: false,
            fields: Cow::Borrowed(&[]),
            build: Build::Function(|_| Err(Error::internal("this provider has no build function"))),
        }
    }

    /// Begins facts that are made at run time. Set the public fields for the rest.
    pub fn owned(id: impl Into<String>, title: impl Into<String>) -> Self {
        let title = title.into();
        Self {
            id: Cow::Owned(id.into()),
            vendor: Cow::Owned(title.clone()),
            title: Cow::Owned(title),
            ..Self::new("", "")
        }
    }

    /// Sets the company that runs it, if that is not the title.
    pub const fn vendor(mut self, vendor: &'static str) -> Self {
        replace!(self.vendor, Cow::Borrowed(vendor));
        self
    }

    /// Sets other words that users look for, in lower case.
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        replace!(self.aliases, StringList::new(aliases));
        self
    }

    /// Sets the vendor's page about its token endpoint.
    pub const fn docs(mut self, docs: &'static str) -> Self {
        replace!(self.docs, Cow::Borrowed(docs));
        self
    }

    /// Sets the environments, the default first.
    pub const fn environments(mut self, environments: &'static [EnvironmentInfo]) -> Self {
        replace!(self.environments, Cow::Borrowed(environments));
        self
    }

    /// Gives the environments no default: a profile chooses one, also if it has a `base_url`,
    /// because the environment selects more than the address.
    pub const fn environment_required(mut self) -> Self {
        self.is_environment_required = true;
        self
    }

    /// Sets the fields of its profiles.
    pub const fn fields(mut self, fields: &'static [Field]) -> Self {
        replace!(self.fields, Cow::Borrowed(fields));
        self
    }

    /// Sets the function that makes a provider from a profile's settings.
    pub const fn build(mut self, build: fn(&Settings) -> Result<Box<dyn Provider>>) -> Self {
        replace!(self.build, Build::Function(build));
        self
    }

    /// Sets the closure that makes a provider from a profile's settings.
    pub fn build_with(
        mut self,
        build: impl Fn(&Settings) -> Result<Box<dyn Provider>> + Send + Sync + 'static,
    ) -> Self {
        self.build = Build::Closure(Arc::new(build));
        self
    }

    /// Returns whether a profile with these settings must have this field.
    pub fn requires(&self, field: &Field, settings: &Settings) -> bool {
        field.required
            && field
                .only_with
                .as_ref()
                .is_none_or(|(other, value)| settings.text_or_default(other, self) == Some(value))
    }

    /// Returns the field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Describes all environments: `"one" (host: label) or "two" (host: label)`.
    pub fn environment_choices(&self) -> String {
        let all =
            self.environments.iter().map(|one| format!("\"{}\" ({})", one.name, one.summary()));
        all.collect::<Vec<_>>().join(" or ")
    }

    /// Returns the environment of that name.
    pub fn environment(&self, name: &str) -> Option<&EnvironmentInfo> {
        self.environments.iter().find(|environment| environment.name == name)
    }

    /// Makes the provider.
    ///
    /// # Errors
    ///
    /// `Config` for a missing or unknown setting, or a value that is not one of a field's choices;
    /// the error names the field and never the value.
    pub fn provider(&self, settings: &Settings) -> Result<Box<dyn Provider>> {
        settings.check(self)?;
        let provider = match &self.build {
            Build::Function(build) => build(settings),
            Build::Closure(build) => build(settings),
        };
        provider.map_err(|error| error.with_provider(&self.id))
    }
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Build")
    }
}

/// One of a vendor's environments: a name for the values of some fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EnvironmentInfo {
    /// The name in a profile.
    pub name: Cow<'static, str>,
    /// What it is for, in a few words.
    pub label: Cow<'static, str>,
    /// The values that it stands for, by field: `base_url` is scheme and host.
    pub values: ValueList,
}

impl EnvironmentInfo {
    /// An environment with its label and its values, such as `&[("base_url", "https://…")]`.
    pub const fn new(
        name: &'static str,
        label: &'static str,
        values: &'static [(&'static str, &'static str)],
    ) -> Self {
        let (name, label) = (Cow::Borrowed(name), Cow::Borrowed(label));
        Self { name, label, values: ValueList::new(values) }
    }

    /// Returns its host, if it has a `base_url`, and its label.
    pub fn summary(&self) -> String {
        let host = self.base_url().map(|url| url.trim_start_matches("https://"));
        host.map_or_else(|| self.label.to_string(), |host| format!("{host}: {}", self.label))
    }

    /// Returns an address among its values.
    ///
    /// # Errors
    ///
    /// `Internal` if it has no such value, and those of [`Endpoint::parse`].
    pub fn address(&self, value: &str) -> Result<Endpoint> {
        let missing = || Error::internal("an environment without address");
        Endpoint::parse(self.values.get(value).ok_or_else(missing)?)
    }

    /// Scheme and host, if the environment has them.
    pub fn base_url(&self) -> Option<&str> {
        self.values.get("base_url")
    }
}

/// One field of a profile.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Field {
    /// Its key in a profile.
    pub name: Cow<'static, str>,
    /// What its value is.
    pub kind: FieldKind,
    /// Whether a profile must have it.
    pub required: bool,
    /// The field that makes this one unnecessary.
    pub unless: Option<Cow<'static, str>>,
    /// The choice, and its value, that this field belongs to.
    pub only_with: Option<(Cow<'static, str>, Cow<'static, str>)>,
    /// The value if a profile has none.
    pub default: Option<Cow<'static, str>>,
    /// One line of help: what it is, or where it is in the vendor's console.
    pub help: Cow<'static, str>,
}

/// What a field's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// A string.
    Text,
    /// An address that requests, and so secrets, are sent to.
    Address,
    /// A secret.
    Secret,
    /// One of these words.
    Choice(StringList),
    /// True or false.
    Flag,
    /// A duration, such as `90s`, `10m` or `1h30m`.
    Duration,
    /// A file's path.
    Path,
    /// Several addresses.
    Addresses,
    /// The address that the vendor sends the browser to after a login: a
    /// [`RedirectUri`](crate::RedirectUri).
    RedirectUri,
    /// Several strings, by name.
    Table,
    /// Several strings.
    List,
    /// A private key, as PEM or JWK. It is secret.
    Key,
    /// A certificate chain, as PEM.
    Certificate,
}

impl FieldKind {
    /// The kind's stable name, as in the command's JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Address => "address",
            Self::Secret => "secret",
            Self::Choice(_) => "choice",
            Self::Flag => "flag",
            Self::Duration => "duration",
            Self::Path => "path",
            Self::Addresses => "addresses",
            Self::RedirectUri => "redirect_uri",
            Self::Table => "table",
            Self::List => "list",
            Self::Key => "key",
            Self::Certificate => "certificate",
        }
    }
}

impl Field {
    /// A required string.
    pub const fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(name, FieldKind::Text, help)
    }

    /// A required address.
    pub const fn address(name: &'static str, help: &'static str) -> Self {
        Self::new(name, FieldKind::Address, help)
    }

    /// A required secret.
    pub const fn secret(name: &'static str, help: &'static str) -> Self {
        Self::new(name, FieldKind::Secret, help)
    }

    /// A required [`RedirectUri`](crate::RedirectUri).
    pub const fn redirect_uri(name: &'static str, help: &'static str) -> Self {
        Self::new(name, FieldKind::RedirectUri, help)
    }

    /// One of several words; the first is the default.
    pub const fn choice(
        name: &'static str,
        choices: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        let field = Self::new(name, FieldKind::Choice(StringList::new(choices)), help);
        match choices {
            [first, ..] => field.default_value(first),
            [] => field.optional(),
        }
    }

    /// The client id (RFC 6749 section 2.3.1), with the vendor's words for it.
    pub const fn client_id(help: &'static str) -> Self {
        Self::text("client_id", help)
    }

    /// The client secret (RFC 6749 section 2.3.1), with the vendor's words for it.
    pub const fn client_secret(help: &'static str) -> Self {
        Self::secret("client_secret", help)
    }

    /// How the client authenticates: some of `form`, `basic` and `query`, the default first.
    pub const fn client_auth(choices: &'static [&'static str]) -> Self {
        Self::choice(
            "client_auth",
            choices,
            "how client id and secret are sent; in the query they end up in servers' logs",
        )
    }

    /// How HTTP Basic encodes client id and secret: `form` and `raw`, the default first.
    pub const fn basic_encoding(choices: &'static [&'static str]) -> Self {
        Self::choice("basic_encoding", choices, "how HTTP Basic encodes client id and secret")
    }

    /// The grant type, `client_credentials` or `implicit`.
    pub const fn grant(help: &'static str) -> Self {
        Self::choice("grant", &["client_credentials", "implicit"], help)
    }

    /// A required field of any kind.
    pub const fn new(name: &'static str, kind: FieldKind, help: &'static str) -> Self {
        let (name, help) = (Cow::Borrowed(name), Cow::Borrowed(help));
        Self { name, kind, required: true, unless: None, only_with: None, default: None, help }
    }

    /// A required field that is made at run time. Set the public fields for the rest.
    pub fn owned(name: impl Into<String>, kind: FieldKind, help: impl Into<String>) -> Self {
        let (name, help) = (Cow::Owned(name.into()), Cow::Owned(help.into()));
        Self { name, kind, required: true, unless: None, only_with: None, default: None, help }
    }

    /// Makes the field optional.
    pub const fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Makes the field unnecessary in a profile that has the other field.
    pub const fn unless(mut self, other: &'static str) -> Self {
        replace!(self.unless, Some(Cow::Borrowed(other)));
        self
    }

    /// Ties the field to a value of a choice: with another value it has no meaning. Whether it is
    /// required holds for that value.
    pub const fn only_with(mut self, choice: &'static str, value: &'static str) -> Self {
        replace!(self.only_with, Some((Cow::Borrowed(choice), Cow::Borrowed(value))));
        self
    }

    /// Makes the field optional, with a default.
    pub const fn default_value(mut self, default: &'static str) -> Self {
        self.required = false;
        replace!(self.default, Some(Cow::Borrowed(default)));
        self
    }

    /// Returns whether its value is secret.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, FieldKind::Secret | FieldKind::Key)
    }

    /// Returns whether it belongs to this value of a choice.
    pub fn is_only_with(&self, choice: &str, value: &str) -> bool {
        self.only_with.as_ref().is_some_and(|(other, wanted)| other == choice && wanted == value)
    }
}

/// What a vendor promises about its tokens, for the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshHints {
    /// The vendor returns the same token until it expires: an early request does not renew it.
    pub same_token_until_end: bool,
    /// The vendor's documentation forbids storing the token: memory only.
    pub memory_only: bool,
    /// How many token requests per minute the vendor allows.
    pub requests_per_minute: Option<u32>,
    /// The latest time before its expiry that a token is refreshed, if its lifetime allows.
    pub refresh_ahead_min: Duration,
    /// The earliest time before its expiry that a token is refreshed.
    pub refresh_ahead_max: Option<Duration>,
    /// The vendor locks accounts after repeated rejections: a refused credential is not sent again
    /// before it changes.
    pub locks_account: bool,
}

impl RefreshHints {
    /// No promises.
    pub const fn new() -> Self {
        Self {
            same_token_until_end: false,
            memory_only: false,
            requests_per_minute: None,
            refresh_ahead_min: Duration::ZERO,
            refresh_ahead_max: None,
            locks_account: false,
        }
    }

    /// The vendor returns the same token until it expires.
    pub const fn same_token_until_end(mut self) -> Self {
        self.same_token_until_end = true;
        self
    }

    /// Tokens stay in memory, unless the profile sets `persist`.
    pub const fn memory_only(mut self) -> Self {
        self.memory_only = true;
        self
    }

    /// Refreshes at least this long before the expiry, but not in the first half of the lifetime.
    pub const fn refresh_ahead_at_least(mut self, ahead: Duration) -> Self {
        self.refresh_ahead_min = ahead;
        self
    }

    /// Refreshes at most this long before the expiry.
    pub const fn refresh_ahead_at_most(mut self, ahead: Duration) -> Self {
        self.refresh_ahead_max = Some(ahead);
        self
    }

    /// Sends a refused credential again only after it changed, or if the user asks for it.
    pub const fn locks_account(mut self) -> Self {
        self.locks_account = true;
        self
    }

    /// Sends at most this many token requests per minute.
    pub const fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = Some(requests);
        self
    }
}
