//! ProviderInfo: the facts about a provider, as data.

use std::time::Duration;

use crate::settings::Settings;
use crate::{Error, Provider, Result};

/// What a provider is and which fields a profile of it has. A const builder, so that providers
/// elsewhere keep compiling when facts are added.
///
/// The config reader, `gatepass providers`, the README's table and the conformance suite all come
/// out of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProviderInfo {
    /// The id: `provider = "…"` in a profile, and the feature's name.
    pub id: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Who runs it.
    pub vendor: &'static str,
    /// Other words people look for it by.
    pub aliases: &'static [&'static str],
    /// The vendor's page about its token endpoint.
    pub docs: &'static str,
    /// Named addresses, the default first.
    pub environments: &'static [EnvironmentInfo],
    /// Every field a profile of it may have, besides those every profile may have.
    pub fields: &'static [Field],
    build: fn(&Settings) -> Result<Box<dyn Provider>>,
}

impl ProviderInfo {
    /// Begins the facts with an id (`[a-z][a-z0-9-]*`) and a title.
    pub const fn new(id: &'static str, title: &'static str) -> Self {
        Self {
            id,
            title,
            vendor: title,
            aliases: &[],
            docs: "",
            environments: &[],
            fields: &[],
            build: |_| Err(Error::internal("this provider has no build function")),
        }
    }

    /// Who runs it, if that is not its title.
    pub const fn vendor(mut self, vendor: &'static str) -> Self {
        self.vendor = vendor;
        self
    }

    /// Other words people look for it by, lower case.
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The vendor's page about its token endpoint.
    pub const fn docs(mut self, docs: &'static str) -> Self {
        self.docs = docs;
        self
    }

    /// Named addresses, the default first.
    pub const fn environments(mut self, environments: &'static [EnvironmentInfo]) -> Self {
        self.environments = environments;
        self
    }

    /// The fields of its profiles.
    pub const fn fields(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        self
    }

    /// How to make one from a profile's settings.
    pub const fn build(mut self, build: fn(&Settings) -> Result<Box<dyn Provider>>) -> Self {
        self.build = build;
        self
    }

    /// Whether a profile with these settings must have this field.
    pub fn requires(&self, field: &Field, settings: &Settings) -> bool {
        field.required
            && field.only_with.is_none_or(|(other, value)| {
                let default = || self.field(other).and_then(|other| other.default);
                settings.optional_text(other).or_else(default) == Some(value)
            })
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Makes the provider.
    ///
    /// `Config` for a missing or unknown setting or a value that is not one of a field's choices;
    /// the error names the field and never the value.
    pub fn provider(&self, settings: &Settings) -> Result<Box<dyn Provider>> {
        settings.check(self)?;
        (self.build)(settings).map_err(|error| error.with_provider(self.id))
    }
}

/// A named address of a vendor.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EnvironmentInfo {
    /// What a profile calls it.
    pub name: &'static str,
    /// Scheme and host.
    pub url: &'static str,
}

impl EnvironmentInfo {
    /// An environment.
    pub const fn new(name: &'static str, url: &'static str) -> Self {
        Self { name, url }
    }
}

/// One field of a profile.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Field {
    /// Its key in a profile.
    pub name: &'static str,
    /// What its value is.
    pub kind: FieldKind,
    /// Whether a profile must have it.
    pub required: bool,
    /// The field that makes this one unnecessary.
    pub unless: Option<&'static str>,
    /// The choice that a profile must have made for this field to mean anything.
    pub only_with: Option<(&'static str, &'static str)>,
    /// What holds where a profile does not say.
    pub default: Option<&'static str>,
    /// One line of help: what it is, or where to find it in the vendor's console.
    pub help: &'static str,
}

/// What a field's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// A text.
    Text,
    /// A text that says where requests, and so secrets, go.
    Address,
    /// A secret.
    Secret,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A duration, such as `90s`, `10m` or `1h30m`.
    Duration,
    /// A file's path.
    Path,
    /// Addresses, several.
    Addresses,
    /// Where the vendor sends the browser after a login: a [`RedirectUri`](crate::RedirectUri).
    RedirectUri,
}

impl FieldKind {
    /// The kind's stable name, as the command's JSON says it.
    pub fn name(self) -> &'static str {
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
        }
    }
}

impl Field {
    /// A required text.
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

    /// Where the vendor sends the browser after a login, required.
    pub const fn redirect_uri(name: &'static str, help: &'static str) -> Self {
        Self::new(name, FieldKind::RedirectUri, help)
    }

    /// One of several words; the first is the default.
    pub const fn choice(
        name: &'static str,
        choices: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        let mut field = Self::new(name, FieldKind::Choice(choices), help).optional();
        field.default = choices.first().copied();
        field
    }

    /// A field of any kind, required.
    pub const fn new(name: &'static str, kind: FieldKind, help: &'static str) -> Self {
        Self { name, kind, required: true, unless: None, only_with: None, default: None, help }
    }

    /// A profile may do without it.
    pub const fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// A profile may do without it if it has the other field.
    pub const fn unless(mut self, other: &'static str) -> Self {
        self.unless = Some(other);
        self
    }

    /// It means something only where the other field, a choice, has this value; required or not
    /// is said of that case.
    pub const fn only_with(mut self, choice: &'static str, value: &'static str) -> Self {
        self.only_with = Some((choice, value));
        self
    }

    /// What holds where a profile does not say.
    pub const fn default_value(mut self, default: &'static str) -> Self {
        self.required = false;
        self.default = Some(default);
        self
    }

    /// Whether its value is secret.
    pub fn is_secret(&self) -> bool {
        self.kind == FieldKind::Secret
    }
}

/// What a vendor promises about its tokens, for the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshHints {
    /// The vendor answers with the same token until it ends: asking early brings nothing.
    pub same_token_until_end: bool,
    /// The vendor's documentation forbids storing the token: memory only.
    pub memory_only: bool,
    /// Token requests a minute that the vendor allows.
    pub requests_per_minute: Option<u32>,
    /// How long before its end a token is refreshed at the latest, where its life allows.
    pub refresh_ahead_min: Duration,
    /// How long before its end a token is refreshed at the earliest.
    pub refresh_ahead_max: Option<Duration>,
}

impl RefreshHints {
    /// No promise.
    pub const fn new() -> Self {
        Self {
            same_token_until_end: false,
            memory_only: false,
            requests_per_minute: None,
            refresh_ahead_min: Duration::ZERO,
            refresh_ahead_max: None,
        }
    }

    /// The same token comes back until it ends.
    pub const fn same_token_until_end(mut self) -> Self {
        self.same_token_until_end = true;
        self
    }

    /// Tokens stay in memory unless the profile says otherwise.
    pub const fn memory_only(mut self) -> Self {
        self.memory_only = true;
        self
    }

    /// Refreshes at least so long before the end (but not before half the life).
    pub const fn refresh_ahead_at_least(mut self, ahead: Duration) -> Self {
        self.refresh_ahead_min = ahead;
        self
    }

    /// Refreshes at most so long before the end.
    pub const fn refresh_ahead_at_most(mut self, ahead: Duration) -> Self {
        self.refresh_ahead_max = Some(ahead);
        self
    }

    /// At most so many token requests a minute.
    pub const fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = Some(requests);
        self
    }
}
