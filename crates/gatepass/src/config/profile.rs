//! A profile: one configured use of a provider, checked against the provider's facts.

mod bound;
mod check;
mod credential;
mod form;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::__private::digest;
use gatepass_core::{
    ApiOrigins, ConfigPlace, Endpoint, Error, Field, FieldKind, Provider, ProviderInfo, Result,
    Settings, TokenCharset, TokenRules,
};

pub use self::bound::BoundSecret;
pub(crate) use self::form::check as check_form;
use self::read::known_field;
pub(crate) use self::read::{list_keys, read};
use super::env::Env;
use super::value::{KeyPlaces, Reference, SecretSource};

/// One configured use of a provider. Its secrets are read before each token request, not earlier.
#[derive(Clone)]
#[non_exhaustive]
pub struct Profile {
    /// The profile's name.
    pub name: String,
    /// The place of its definition.
    pub origin: ProfileOrigin,
    /// The settings of its provider.
    pub settings: Settings,
    /// The options of the engine and the HTTP client.
    pub options: ProfileOptions,
    info: Arc<ProviderInfo>,
    values: BTreeMap<String, SecretSource>,
    env: Env,
    folder: PathBuf,
    places: KeyPlaces,
}

/// The place of a profile's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileOrigin {
    /// This config file.
    File(PathBuf),
    /// Variables such as `GATEPASS_CISCO_CLIENT_ID`.
    Environment,
}

impl fmt::Display for ProfileOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("the environment"),
        }
    }
}

/// The options that a profile of any provider may have.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ProfileOptions {
    /// The time limit of one token request.
    pub timeout: Option<Duration>,
    /// How early a token counts as expired.
    pub leeway: Option<Duration>,
    /// A private CA to trust, in PEM format.
    pub ca_pem: Option<Vec<u8>>,
    /// The address that a path in `call` is joined to.
    pub api_url: Option<Endpoint>,
    /// Further origins that may receive the token.
    pub api_origins: Vec<Endpoint>,
    /// Whether the token may be stored on disk; `None` leaves it to the provider.
    pub persist: Option<bool>,
    /// Whether to refresh the token even while it is unused.
    pub keep_warm: bool,
    /// Whether http beyond this machine is allowed.
    pub allow_plain_http: bool,
    /// Whether the implicit grant may be used.
    pub allow_implicit: bool,
    /// The rules that a token must fulfil.
    pub token_rules: TokenRules,
}

/// The fields that a profile of any provider may have.
pub const COMMON_FIELDS: &[Field] = &[
    Field::text("provider", "the vendor; the default is the profile's name").optional(),
    Field::text("environment", "one of the provider's named addresses").optional(),
    Field::address("base_url", "replaces scheme, host and port of the vendor").optional(),
    Field::new("timeout", FieldKind::Duration, "the time limit of one token request")
        .default_value("15s"),
    Field::new(
        "lifetime",
        FieldKind::Duration,
        "a token's lifetime if the vendor does not send one",
    )
    .optional(),
    Field::new("leeway", FieldKind::Duration, "how early a token counts as expired").optional(),
    Field::new(
        "ca_file",
        FieldKind::Path,
        "PEM file with a private CA, trusted in addition to the system's",
    )
    .optional(),
    Field::address("api_url", "the address that a path in `call` is joined to").optional(),
    Field::new("api_origins", FieldKind::Addresses, "further origins that may receive the token")
        .optional(),
    Field::new("persist", FieldKind::Flag, "whether the token may be stored on disk").optional(),
    Field::new("keep_warm", FieldKind::Flag, "refresh the token even while it is unused")
        .optional(),
    Field::new(
        "allow_plain_http",
        FieldKind::Flag,
        "http beyond this machine: others can read the secret in transit",
    )
    .default_value("false"),
    Field::new("allow_implicit", FieldKind::Flag, "whether the implicit grant may be used")
        .default_value("true"),
    Field::new(
        "require_scope",
        FieldKind::Flag,
        "reject a token whose scope is narrower than requested",
    )
    .default_value("false"),
    Field::choice(
        "token_charset",
        &["b64token", "vschar-no-space"],
        "the characters a token may have (RFC 6750 section 2.1)",
    ),
];

impl Profile {
    /// Returns the facts of its provider.
    pub fn info(&self) -> &ProviderInfo {
        &self.info
    }

    /// Builds the provider.
    ///
    /// `Config` for a setting that the provider rejects.
    pub fn provider(&self) -> Result<Box<dyn Provider>> {
        self.info.provider(&self.settings).map_err(|error| error.with_profile(&self.name))
    }

    /// Returns a digest of the settings that can change the outcome of a token request. A failure
    /// that was kept under other settings is not repeated.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let options = &self.options;
        let rules = &options.token_rules;
        let seconds = [options.timeout, options.leeway, rules.lifetime].map(|duration| {
            duration.map_or([u8::MAX; 16], |duration| duration.as_nanos().to_le_bytes())
        });
        let is_strict = rules.charset == TokenCharset::default();
        let flags =
            [options.allow_plain_http, options.allow_implicit, rules.require_scope, is_strict];
        let flags = flags.map(u8::from);
        let base_url = self.settings.base_url().map_or("", Endpoint::as_str);
        let texts = self.settings.texts().flat_map(|(name, text)| [name, text]);
        let ca = options.ca_pem.as_deref().unwrap_or_default();
        let parts = [self.info.id.as_bytes(), base_url.as_bytes(), &flags, ca].into_iter();
        let parts = parts.chain(seconds.iter().map(<[u8; 16]>::as_slice));
        *digest("gatepass profile, version 1", parts.chain(texts.map(str::as_bytes)))
    }

    /// Returns the address of an API request: an address unchanged, if the token may be sent there,
    /// or a path joined to `api_url` or the provider's own API.
    ///
    /// `Config` if the address's origin is neither the API's nor one of
    /// [`api_origins`](Self::api_origins).
    pub fn api_endpoint(&self, provider: &dyn Provider, url_or_path: &str) -> Result<Endpoint> {
        let named = |error: Error| error.with_provider(&self.info.id).with_profile(&self.name);
        let api = self.options.api_url.clone().or_else(|| provider.api(None));
        if url_or_path.starts_with('/') {
            let api = api.ok_or_else(|| {
                named(
                    Error::config("the address of this provider's API is unknown")
                        .hint("set api_url in the profile, or use a complete address"),
                )
            })?;
            return api.join(url_or_path).map_err(named);
        }
        let (address, query) = match url_or_path.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (url_or_path, None),
        };
        if !address.contains("://") {
            return Err(named(
                Error::config("neither an address nor a path")
                    .hint("a path begins with /, an address with https://"),
            ));
        }
        let parse = if self.options.allow_plain_http {
            Endpoint::parse_plain_http
        } else {
            Endpoint::parse
        };
        let target = parse(address).map_err(named)?;
        let origins = ApiOrigins::from_provider(provider).with(self.api_origins());
        target.to_uri().and_then(|uri| origins.check(&uri)).map_err(named)?;
        match query {
            Some(query) => target.join_query(query).map_err(named),
            None => Ok(target),
        }
    }

    /// Returns the origins that may receive the token, in addition to the provider's own API: those of
    /// `api_url`, `base_url` and `api_origins`.
    pub fn api_origins(&self) -> Vec<Endpoint> {
        let options = &self.options;
        let single = [&options.api_url, &self.settings.base_url().cloned()];
        single.into_iter().flatten().chain(&options.api_origins).cloned().collect()
    }

    /// Returns the variables that its secrets are read from.
    pub(crate) fn secret_variables(&self) -> Vec<String> {
        let secrets = self.info.fields.iter().filter(|field| field.is_secret());
        let variables = secrets.filter_map(|field| match self.values.get(&*field.name)? {
            SecretSource::Reference(Reference::Env(name), _) => Some(name.clone()),
            SecretSource::Reference(..) => None,
            SecretSource::Literal(_) => match self.places.of(&field.name)? {
                ConfigPlace::Variable(name) => Some(name.clone()),
                _ => None,
            },
        });
        variables.collect()
    }

    /// Describes the source of each secret, without its value.
    pub(crate) fn secret_sources(&self) -> Vec<(&str, String)> {
        let secrets = self.info.fields.iter().filter(|field| field.is_secret());
        secrets
            .filter_map(|field| {
                let source = match self.values.get(&*field.name)? {
                    SecretSource::Literal(_) => self.origin.to_string(),
                    SecretSource::Reference(reference, _) => reference.describe(),
                };
                Some((&*field.name, source))
            })
            .collect()
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("provider", &self.info.id)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
