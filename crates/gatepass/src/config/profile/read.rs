//! The check of a raw profile: known keys, values of the right type, a provider that is linked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{
    ConfigPlace, Endpoint, Error, Field, FieldKind, Hint, ProviderInfo, Result, Secret, Settings,
    TokenCharset, TokenRules,
};

use super::super::env::{Env, prefix};
use super::super::file::{describe_io, read_text};
use super::super::form::Wrapping;
use super::super::secret::{RELATIVE, is_block};
use super::super::value::{ConfigEntry, RawProfile, SecretSource, Value};
use super::{COMMON_FIELDS, Profile, ProfileOptions, ProfileOrigin};
use crate::provider::Registry;
use crate::registry::{nearest, quoted_name};

/// Checks a profile, after replacing the keys in `set`.
///
/// `Config` for the first mistake, with its place.
pub(crate) fn read(
    raw: &RawProfile,
    registry: &Registry,
    env: &Env,
    set: &[(String, String)],
) -> Result<Profile> {
    let named = |error: Error| error.with_profile(&raw.name);
    if let Some(error) = raw.entries.iter().find_map(|entry| match &entry.value {
        Value::Wrong(error) => Some(error.clone()),
        _ => None,
    }) {
        return Err(named(error));
    }
    let mut reader = Reader { raw: raw.clone(), env };
    let id = match reader.raw.entry("provider") {
        Some(entry) => reader.text(entry).map_err(named)?,
        None => raw.name.clone(),
    };
    let info = &registry.get(&id).map_err(|error| match raw.entry("provider") {
        Some(entry) => named(error.with_place(entry.place.clone())),
        None => named(error.with_place(raw.place.clone()))
            .with_hints([Hint::new("name the vendor: set provider = \"…\" in the profile")]),
    })?;
    let named = |error: Error| error.with_provider(&info.id).with_profile(&raw.name);
    for (key, text) in set {
        reader.set(info, key, text).map_err(named)?;
    }
    reader.profile(info).map_err(|error| {
        let raw = &reader.raw;
        let unset = error.field().filter(|field| {
            matches!(raw.origin, ProfileOrigin::Environment) && raw.entry(field).is_none()
        });
        let error = match unset.map(|field| prefix(&raw.name) + &field.to_uppercase()) {
            Some(name) => error.hint(format!("set {name}, or {name}_FILE to a file that holds it")),
            None => error,
        };
        named(raw.places().locate(error))
    })
}

struct Reader<'a> {
    raw: RawProfile,
    env: &'a Env,
}

impl Reader<'_> {
    fn set(&mut self, info: &ProviderInfo, key: &str, text: &str) -> Result<()> {
        let field = known_field(info, key)
            .ok_or_else(|| unknown_key(info, key).with_place(ConfigPlace::Option(SET.into())))?;
        let forbidden = match field.kind {
            FieldKind::Secret => "a secret",
            FieldKind::Address | FieldKind::Addresses | FieldKind::RedirectUri => "an address",
            _ if key == "provider" => "the provider",
            _ => {
                let value = Value::Source(SecretSource::Literal(Secret::from(text)));
                let place = ConfigPlace::Option(SET.into());
                self.raw.entries.retain(|entry| entry.key != key);
                self.raw.entries.push(ConfigEntry { key: key.to_owned(), value, place });
                return Ok(());
            }
        };
        Err(Error::config(format!("{forbidden} cannot be set on the command line"))
            .with_field(key.to_owned())
            .with_place(ConfigPlace::Option(SET.into()))
            .hint("all users of this machine can read arguments: write it into the profile"))
    }

    fn profile(&self, info: &Arc<ProviderInfo>) -> Result<Profile> {
        for entry in &self.raw.entries {
            if known_field(info, &entry.key).is_none() {
                return Err(unknown_key(info, &entry.key).with_place(entry.place.clone()));
            }
        }
        let options = self.options()?;
        let mut settings = Settings::new().with_plain_http(options.allow_plain_http);
        if let Some(entry) = self.raw.entry("base_url") {
            settings = settings.with_base_url(self.address(entry, options.allow_plain_http)?);
        }
        if let Some(entry) = self.raw.entry("environment") {
            settings = settings.with("environment", self.text(entry)?);
        }
        let mut values = BTreeMap::new();
        for field in &*info.fields {
            let Some(entry) = self.raw.entry(&field.name) else {
                if let Some(default) = &field.default {
                    let default = SecretSource::Literal(Secret::from(&**default));
                    values.insert(field.name.to_string(), default);
                }
                continue;
            };
            if field.is_secret() {
                let source = self
                    .secret(entry, field)
                    .map_err(|error| error.default_hint(field.help.to_string()))?;
                values.insert(field.name.to_string(), source);
                continue;
            }
            let text = self.text(entry)?;
            if text.is_empty() && field.required {
                return Err(wrong(entry, "empty").hint(field.help.to_string()));
            }
            // A variable may have the quotes of an env file; the file's own values are as written.
            let is_variable = matches!(self.raw.origin, ProfileOrigin::Environment);
            if let Some(wrapping) = Wrapping::of(&text).filter(|_| is_variable) {
                return Err(wrong(entry, wrapping.describe()).hint(wrapping.hint()));
            }
            if text.contains(char::is_control) {
                return Err(
                    wrong(entry, "contains a control character").hint(field.help.to_string())
                );
            }
            let source = match &entry.value {
                Value::Source(source @ SecretSource::Reference(..)) => source.clone(),
                _ => SecretSource::Literal(Secret::from(text.as_str())),
            };
            values.insert(field.name.to_string(), source);
            settings = settings.with(field.name.to_string(), text);
        }
        let is_missing = |field: &&Field| {
            let is_secret = field.is_secret() && info.requires(field, &settings);
            is_secret && !values.contains_key(&*field.name)
        };
        if let Some(field) = info.fields.iter().find(is_missing) {
            return Err(Error::config("missing")
                .with_field(field.name.clone())
                .hint(field.help.to_string()));
        }
        let profile = Profile {
            name: self.raw.name.clone(),
            info: Arc::clone(info),
            origin: self.raw.origin.clone(),
            settings,
            options,
            values,
            env: self.env.clone(),
            folder: self.raw.folder.clone(),
            places: self.raw.places(),
        };
        // The provider checks its settings now, not at the first token.
        let is_implicit = profile.provider()?.interactive().is_some();
        if is_implicit && !profile.options.allow_implicit {
            return Err(Error::config("the implicit grant is not allowed")
                .with_field("allow_implicit")
                .hint("use grant = \"client_credentials\", which needs no browser"));
        }
        Ok(profile)
    }

    fn options(&self) -> Result<ProfileOptions> {
        let plain_http = self.flag("allow_plain_http")?.unwrap_or(false);
        let address =
            |key| self.raw.entry(key).map(|entry| self.address(entry, plain_http)).transpose();
        let charset = match self.raw.entry("token_charset") {
            None => TokenCharset::default(),
            Some(entry) => match self.text(entry)?.as_str() {
                "b64token" => TokenCharset::B64Token,
                "vschar-no-space" => TokenCharset::VisibleAscii,
                _ => {
                    return Err(
                        wrong(entry, "unknown value").hint("use one of: b64token, vschar-no-space")
                    );
                }
            },
        };
        Ok(ProfileOptions {
            timeout: self.duration("timeout")?,
            leeway: self.duration("leeway")?,
            ca_pem: self.raw.entry("ca_file").map(|entry| self.ca(entry)).transpose()?,
            api_url: address("api_url")?,
            api_origins: match self.raw.entry("api_origins") {
                None => Vec::new(),
                Some(entry) => self.addresses(entry, plain_http)?,
            },
            persist: self.flag("persist")?,
            keep_warm: self.flag("keep_warm")?.unwrap_or(false),
            allow_plain_http: plain_http,
            allow_implicit: self.flag("allow_implicit")?.unwrap_or(true),
            token_rules: TokenRules::default()
                .with_charset(charset)
                .with_required_scope(self.flag("require_scope")?.unwrap_or(false))
                .with_lifetime(self.duration("lifetime")?),
        })
    }

    fn text(&self, entry: &ConfigEntry) -> Result<String> {
        match &entry.value {
            Value::Source(SecretSource::Literal(text)) => Ok(text.expose_secret().to_owned()),
            Value::Source(SecretSource::Reference(reference, options)) => {
                let kind = &FieldKind::Text;
                let read = reference.read(options, kind, self.env, &self.raw.folder);
                let read = read.map_err(|error| located(error, entry))?;
                Ok(read.secret.expose_secret().to_owned())
            }
            other => Err(wrong_type(entry, "a string", other)),
        }
    }

    fn secret(&self, entry: &ConfigEntry, field: &Field) -> Result<SecretSource> {
        match &entry.value {
            Value::Source(SecretSource::Literal(secret)) if secret.expose_secret().is_empty() => {
                Err(wrong(entry, "empty"))
            }
            Value::Source(SecretSource::Literal(_)) if !self.raw.private => {
                let error = wrong(entry, "a secret in a file that other users can read");
                let file = self.raw.origin.to_string();
                let key = &entry.key;
                Err(error
                    .hint(Hint::run("make the file private", ["chmod", "600", &file]))
                    .hint(format!("or refer to a file: {key} = {{ file = \"…\" }}")))
            }
            Value::Source(SecretSource::Literal(secret)) if !is_block(&field.kind) => {
                match Wrapping::of(secret.expose_secret()) {
                    None => Ok(SecretSource::Literal(secret.clone())),
                    Some(wrapping) => {
                        let error = wrong(entry, wrapping.describe()).hint(wrapping.hint());
                        Err(error.hint("or refer to a file: { file = \"…\", raw = true }"))
                    }
                }
            }
            Value::Source(source) => Ok(source.clone()),
            other => {
                Err(wrong_type(entry, "a string or a reference such as { env = \"NAME\" }", other))
            }
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        let Some(entry) = self.raw.entry(key) else { return Ok(None) };
        let is_in_file = matches!(entry.place, ConfigPlace::Line { .. });
        match &entry.value {
            Value::Flag(flag) => Ok(Some(*flag)),
            // Variables and --set have strings only.
            Value::Source(SecretSource::Literal(text)) if !is_in_file => {
                match text.expose_secret() {
                    "true" | "1" => Ok(Some(true)),
                    "false" | "0" => Ok(Some(false)),
                    _ => {
                        Err(wrong(entry, "must be true or false").hint("write true, false, 1 or 0"))
                    }
                }
            }
            other => Err(wrong_type(entry, FLAG, other)),
        }
    }

    fn duration(&self, key: &str) -> Result<Option<Duration>> {
        let Some(entry) = self.raw.entry(key) else { return Ok(None) };
        if matches!(entry.value, Value::Other(_)) {
            return Err(wrong(entry, format!("must be a string, not {}", entry.value.type_name()))
                .hint(format!("write it in quotes, with its unit: {key} = \"90s\"")));
        }
        let parsed = self.text(entry)?.parse::<jiff::SignedDuration>().ok();
        match parsed.and_then(|duration| Duration::try_from(duration).ok()) {
            Some(duration) if !duration.is_zero() => Ok(Some(duration)),
            _ => Err(wrong(entry, "not a duration").hint("write it like 90s, 10m or 1h30m")),
        }
    }

    fn address(&self, entry: &ConfigEntry, plain_http: bool) -> Result<Endpoint> {
        endpoint(entry, &self.text(entry)?, plain_http)
    }

    fn addresses(&self, entry: &ConfigEntry, plain_http: bool) -> Result<Vec<Endpoint>> {
        let read = |text: &str| endpoint(entry, text, plain_http);
        match &entry.value {
            Value::List(items) => items.iter().map(|item| read(item)).collect(),
            Value::Source(SecretSource::Literal(text)) => {
                text.expose_secret().split([' ', ',']).filter(|s| !s.is_empty()).map(read).collect()
            }
            other => Err(wrong_type(entry, ADDRESSES, other)),
        }
    }

    fn ca(&self, entry: &ConfigEntry) -> Result<Vec<u8>> {
        let path = self.raw.folder.join(Path::new(&self.text(entry)?));
        let bytes = read_text(&path).map_err(|error| {
            let reason = describe_io(&error);
            wrong(entry, format!("cannot read {}: {reason}", path.display())).hint(RELATIVE)
        })?;
        Ok(bytes.to_vec())
    }
}

/// Returns the field of this key, if a profile of the provider may have it.
pub(super) fn known_field<'a>(info: &'a ProviderInfo, key: &str) -> Option<&'a Field> {
    COMMON_FIELDS.iter().chain(&*info.fields).find(|field| field.name == key)
}

fn endpoint(entry: &ConfigEntry, text: &str, plain_http: bool) -> Result<Endpoint> {
    let parse = if plain_http { Endpoint::parse_plain_http } else { Endpoint::parse };
    parse(text)
        .map_err(|error| located(error, entry).default_hint("write it like https://host:port/path"))
}

fn wrong(entry: &ConfigEntry, message: impl Into<Cow<'static, str>>) -> Error {
    located(Error::config(message), entry)
}

/// Adds the key and the place of an entry.
fn located(error: Error, entry: &ConfigEntry) -> Error {
    error.with_field(entry.key.clone()).with_place(entry.place.clone())
}

fn wrong_type(entry: &ConfigEntry, wanted: &str, found: &Value) -> Error {
    let key = &entry.key;
    wrong(entry, format!("must be {wanted}, not {}", found.type_name())).hint(match wanted {
        FLAG => format!("write it without quotes: {key} = true"),
        ADDRESSES => format!("write it like {key} = [\"https://host\"]"),
        _ => format!("write it in quotes: {key} = \"…\""),
    })
}

const FLAG: &str = "true or false";
const ADDRESSES: &str = "a list of addresses";
const SET: &str = "--set";

fn unknown_key(info: &ProviderInfo, key: &str) -> Error {
    let known = COMMON_FIELDS.iter().chain(&*info.fields).map(|field| &*field.name);
    let error = Error::config(format!("unknown key {}", quoted_name(key)));
    match nearest(key, known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(list_keys(info)),
    }
}

/// The hint that names the command that lists the keys of a provider.
pub(crate) fn list_keys(info: &ProviderInfo) -> Hint {
    Hint::run(format!("list the keys of {}", info.id), ["gatepass", "providers"])
}
