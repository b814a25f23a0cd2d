//! Reading a profile: its keys are known, its values of their kinds, and its provider is linked.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gatepass_core::{
    Endpoint, Error, Field, FieldKind, ProviderInfo, Result, Secret, Settings, TokenCharset,
    TokenRules,
};

use super::super::COMMON_FIELDS;
use super::super::env::{Env, prefix};
use super::super::file::{read_text, why};
use super::super::secret::{RELATIVE, Source};
use super::super::value::{Entry, RawProfile, Value, at};
use super::{Profile, ProfileOptions, ProfileOrigin, help};
use crate::Registry;
use crate::registry::{nearest, shown};

/// Reads a profile, with what the command line sets in it.
///
/// `Config` for each mistake, with its place.
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
        Some(entry) => reader.text(entry, "provider").map_err(named)?,
        None => raw.name.clone(),
    };
    let info = registry.get(&id).map_err(|error| match raw.entry("provider") {
        Some(entry) => named(at(&entry.place, error)),
        None => named(at(&raw.place, error))
            .with_hint("which vendor? set provider = \"…\" in the profile"),
    })?;
    let named = |error: Error| error.with_provider(info.id).with_profile(&raw.name);
    for (key, text) in set {
        reader.set(info, key, text).map_err(named)?;
    }
    reader.profile(info).map_err(|error| {
        let error = with_variables(error, &reader.raw);
        named(reader.raw.places().name(error))
    })
}

/// Tells whoever defines a profile by variables which one is missing.
fn with_variables(error: Error, raw: &RawProfile) -> Error {
    let key = error.message().strip_prefix('`').and_then(|rest| rest.strip_suffix("` is missing"));
    match key {
        Some(key) if matches!(raw.origin, ProfileOrigin::Environment) => {
            let name = prefix(&raw.name) + &key.to_uppercase();
            error.and_hint(&format!("set {name}, or {name}_FILE to a file that holds it"))
        }
        _ => error,
    }
}

struct Reader<'a> {
    raw: RawProfile,
    env: &'a Env,
}

impl Reader<'_> {
    fn set(&mut self, info: &ProviderInfo, key: &str, text: &str) -> Result<()> {
        let field = field(info, key).ok_or_else(|| unknown_key(info, key, "--set"))?;
        let forbidden = match field.kind {
            FieldKind::Secret => "a secret",
            FieldKind::Address | FieldKind::Addresses | FieldKind::RedirectUri => "an address",
            _ if key == "provider" => "the provider",
            _ => {
                let value = Value::Text(Secret::from(text));
                self.raw.entries.retain(|entry| entry.key != key);
                self.raw.entries.push(Entry {
                    key: key.to_owned(),
                    value,
                    place: String::from("--set"),
                });
                return Ok(());
            }
        };
        Err(Error::config(format!("--set {key}: {forbidden} cannot be set on the command line"))
            .with_hint(
                "arguments are visible to every user of this machine: write it into the profile",
            ))
    }

    fn profile(&self, info: &'static ProviderInfo) -> Result<Profile> {
        for entry in &self.raw.entries {
            if field(info, &entry.key).is_none() {
                return Err(unknown_key(info, &entry.key, &entry.place));
            }
        }
        let options = self.options()?;
        let mut settings = Settings::new().with_plain_http(options.allow_plain_http);
        if let Some(entry) = self.raw.entry("base_url") {
            settings = settings.with_base_url(self.address(entry, options.allow_plain_http)?);
        }
        if let Some(entry) = self.raw.entry("environment") {
            settings = settings.with("environment", self.text(entry, "environment")?);
        }
        let mut values = BTreeMap::new();
        for field in info.fields {
            let Some(entry) = self.raw.entry(field.name) else {
                if let Some(default) = field.default {
                    values.insert(field.name, Source::Literal(Secret::from(default)));
                }
                continue;
            };
            if field.is_secret() {
                let source = self.secret(entry).map_err(|error| error.or_hint(help(field)))?;
                values.insert(field.name, source);
                continue;
            }
            let text = self.text(entry, field.name)?;
            if text.is_empty() && field.required {
                return Err(wrong(entry, "is empty").with_hint(help(field)));
            }
            if text.contains(char::is_control) {
                return Err(wrong(entry, "has a control character").with_hint(help(field)));
            }
            let source = match &entry.value {
                Value::Reference(reference) => Source::Reference(reference.clone()),
                _ => Source::Literal(Secret::from(text.as_str())),
            };
            values.insert(field.name, source);
            settings = settings.with(field.name, text);
        }
        let is_missing = |field: &&Field| {
            let is_secret = field.is_secret() && info.requires(field, &settings);
            is_secret && !values.contains_key(field.name)
        };
        if let Some(field) = info.fields.iter().find(is_missing) {
            return Err(
                Error::config(format!("`{}` is missing", field.name)).with_hint(help(field))
            );
        }
        let profile = Profile {
            name: self.raw.name.clone(),
            info,
            origin: self.raw.origin.clone(),
            settings,
            options,
            values,
            env: self.env.clone(),
            folder: self.raw.folder.clone(),
            places: self.raw.places(),
        };
        // What the provider itself finds wrong is found now, not at the first token.
        let is_implicit = profile.provider()?.interactive().is_some();
        if is_implicit && !profile.options.allow_implicit {
            return Err(Error::config("allow_implicit = false forbids the implicit grant")
                .with_hint("use grant = \"client_credentials\", which needs no browser"));
        }
        Ok(profile)
    }

    fn options(&self) -> Result<ProfileOptions> {
        let plain_http = self.flag("allow_plain_http")?.unwrap_or(false);
        let address =
            |key| self.raw.entry(key).map(|entry| self.address(entry, plain_http)).transpose();
        let charset = match self.raw.entry("token_charset") {
            None => TokenCharset::default(),
            Some(entry) => match self.text(entry, "token_charset")?.as_str() {
                "b64token" => TokenCharset::B64Token,
                "vschar-no-space" => TokenCharset::VisibleAscii,
                _ => {
                    return Err(wrong(entry, "has an unknown value")
                        .with_hint("it is one of: b64token, vschar-no-space"));
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

    fn text(&self, entry: &Entry, key: &str) -> Result<String> {
        match &entry.value {
            Value::Text(text) => Ok(text.expose_secret().to_owned()),
            Value::Reference(reference) => {
                let read = reference.read(key, self.env, &self.raw.folder)?;
                Ok(read.secret.expose_secret().to_owned())
            }
            other => Err(wrong_type(entry, "a text", other)),
        }
    }

    fn secret(&self, entry: &Entry) -> Result<Source> {
        match &entry.value {
            Value::Reference(reference) => Ok(Source::Reference(reference.clone())),
            Value::Text(secret) if secret.expose_secret().is_empty() => {
                Err(wrong(entry, "is empty"))
            }
            Value::Text(_) if !self.raw.private => {
                Err(wrong(entry, "is a secret in a file that others can read").with_hint(format!(
                    "chmod 600 {}, or refer to it: {} = {{ file = \"…\" }}",
                    self.raw.origin, entry.key
                )))
            }
            Value::Text(secret) => Ok(Source::Literal(secret.clone())),
            other => {
                Err(wrong_type(entry, "a text or a reference such as { env = \"NAME\" }", other))
            }
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        let Some(entry) = self.raw.entry(key) else { return Ok(None) };
        match &entry.value {
            Value::Flag(flag) => Ok(Some(*flag)),
            // From the environment and --set everything comes as a text.
            Value::Text(text)
                if !matches!(self.raw.origin, ProfileOrigin::File(_)) || entry.place == "--set" =>
            {
                match text.expose_secret() {
                    "true" | "1" => Ok(Some(true)),
                    "false" | "0" => Ok(Some(false)),
                    _ => Err(wrong(entry, "must be true or false")
                        .with_hint("write true, false, 1 or 0")),
                }
            }
            other => Err(wrong_type(entry, FLAG, other)),
        }
    }

    fn duration(&self, key: &str) -> Result<Option<Duration>> {
        let Some(entry) = self.raw.entry(key) else { return Ok(None) };
        let text = self.text(entry, key)?;
        let parsed = text.parse::<jiff::SignedDuration>().ok();
        match parsed.and_then(|duration| Duration::try_from(duration).ok()) {
            Some(duration) if !duration.is_zero() => Ok(Some(duration)),
            _ => {
                Err(wrong(entry, "is not a duration").with_hint("write it like 90s, 10m or 1h30m"))
            }
        }
    }

    fn address(&self, entry: &Entry, plain_http: bool) -> Result<Endpoint> {
        let text = self.text(entry, &entry.key)?;
        self.endpoint(entry, &text, plain_http)
    }

    fn addresses(&self, entry: &Entry, plain_http: bool) -> Result<Vec<Endpoint>> {
        let read = |text: &str| self.endpoint(entry, text, plain_http);
        match &entry.value {
            Value::List(items) => items.iter().map(|item| read(item)).collect(),
            Value::Text(text) => {
                text.expose_secret().split([' ', ',']).filter(|s| !s.is_empty()).map(read).collect()
            }
            other => Err(wrong_type(entry, ADDRESSES, other)),
        }
    }

    fn endpoint(&self, entry: &Entry, text: &str, plain_http: bool) -> Result<Endpoint> {
        let parse = if plain_http { Endpoint::parse_plain_http } else { Endpoint::parse };
        parse(text).map_err(|error| {
            let named = wrong(entry, &format!("is refused: {}", error.message()));
            named.with_hint(
                error.hint().unwrap_or("write it like https://host:port/path").to_owned(),
            )
        })
    }

    fn ca(&self, entry: &Entry) -> Result<Vec<u8>> {
        let path = self.raw.folder.join(Path::new(&self.text(entry, "ca_file")?));
        let bytes = read_text(&path).map_err(|error| {
            wrong(entry, &format!("cannot be read: {}: {}", path.display(), why(&error)))
                .with_hint(RELATIVE)
        })?;
        Ok(bytes.to_vec())
    }
}

fn field<'a>(info: &'a ProviderInfo, key: &str) -> Option<&'a Field> {
    COMMON_FIELDS.iter().chain(info.fields).find(|field| field.name == key)
}

fn wrong(entry: &Entry, what: &str) -> Error {
    Error::config(format!("{}: `{}` {what}", entry.place, entry.key))
}

fn wrong_type(entry: &Entry, wanted: &str, found: &Value) -> Error {
    let key = &entry.key;
    wrong(entry, &format!("must be {wanted}, not {}", found.kind())).with_hint(match wanted {
        FLAG => format!("write it without quotes: {key} = true"),
        ADDRESSES => format!("write it like {key} = [\"https://host\"]"),
        _ => format!("write it in quotes: {key} = \"…\""),
    })
}

const FLAG: &str = "true or false";
const ADDRESSES: &str = "a list of addresses";

fn unknown_key(info: &ProviderInfo, key: &str, place: &str) -> Error {
    let known = COMMON_FIELDS.iter().chain(info.fields).map(|field| field.name);
    let error = Error::config(format!("{place}: unknown key {}", shown(key)));
    match nearest(key, known) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(format!("`gatepass providers` lists the keys of {}", info.id)),
    }
}
