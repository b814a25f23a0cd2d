//! Settings: what a profile says besides its secrets.

use std::collections::BTreeMap;

use crate::{Endpoint, Error, Field, FieldKind, ProviderInfo, RedirectUri, Result};

/// A profile's texts, by field name. Never a secret.
///
/// ```
/// # use gatepass_core::Settings;
/// let settings = Settings::new().with("domain", "acme.example.com");
/// assert_eq!(settings.text("domain")?, "acme.example.com");
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Settings {
    texts: BTreeMap<String, String>,
    base_url: Option<Endpoint>,
    plain_http: bool,
}

impl Settings {
    /// No settings: every default holds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a text.
    pub fn with(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.texts.insert(name.into(), text.into());
        self
    }

    /// Replaces scheme, host and port of whatever the provider calls; may carry a leading path.
    pub fn with_base_url(mut self, base_url: Endpoint) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// Allows plain http beyond loopback, where the owner of the profile said so.
    pub fn with_plain_http(mut self, allowed: bool) -> Self {
        self.plain_http = allowed;
        self
    }

    /// The text of a field; `Config` if there is none.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.optional_text(name).ok_or_else(|| missing(name, ""))
    }

    /// The text of a field, if there is one.
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// What a choice stands for; the first of `choices` where the profile does not say.
    ///
    /// `Config` for another word than those; the error shows neither.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T> {
        let wanted = self.optional_text(name);
        let chosen = choices.iter().find(|(word, _)| wanted.is_none_or(|wanted| wanted == *word));
        let (_, chosen) =
            chosen.ok_or_else(|| unknown_choice(name, choices.iter().map(|(word, _)| *word)))?;
        Ok(*chosen)
    }

    /// The address that replaces the vendor's own.
    pub fn base_url(&self) -> Option<&Endpoint> {
        self.base_url.as_ref()
    }

    /// `base_url` if there is one, and else the profile's environment (or the default one).
    ///
    /// `Config` for an environment that `info` does not have.
    pub fn base(&self, info: &ProviderInfo) -> Result<Endpoint> {
        if let Some(base_url) = &self.base_url {
            return Ok(base_url.clone());
        }
        let wanted = self.optional_text("environment");
        let environment = info
            .environments
            .iter()
            .find(|environment| wanted.is_none_or(|name| name == environment.name))
            .ok_or_else(|| unknown_environment(info))?;
        Endpoint::parse(environment.url)
    }

    /// `base_url` if there is one, and else the address in a field: `[http[s]://]name[:port]`.
    ///
    /// `Config` without either, and for a field that is no host.
    pub fn base_or_host(&self, field: &str) -> Result<Endpoint> {
        if let Some(base_url) = &self.base_url {
            return Ok(base_url.clone());
        }
        let text = self.text(field)?;
        let read = if self.plain_http { Endpoint::parse_plain_http } else { Endpoint::parse };
        let address = if text.contains("://") { read(text) } else { Endpoint::host(text) };
        address.map_err(|error| in_field(error, field))
    }

    /// The redirect URI in a field; `Config` if there is none or it is none.
    pub fn redirect_uri(&self, field: &str) -> Result<RedirectUri> {
        RedirectUri::parse(self.text(field)?).map_err(|error| in_field(error, field))
    }

    /// Checks names, choices and required fields against a provider's facts.
    pub(crate) fn check(&self, info: &ProviderInfo) -> Result<()> {
        let named = |error: Error| error.with_provider(info.id);
        for (name, text) in &self.texts {
            if name == "environment" {
                let known = info.environments.iter().any(|one| one.name == text);
                if !known {
                    return Err(named(unknown_environment(info)));
                }
                continue;
            }
            let field = info
                .field(name)
                .filter(|field| !field.is_secret())
                .ok_or_else(|| named(Error::config(format!("there is no setting `{name}`"))))?;
            if let FieldKind::Choice(choices) = field.kind
                && !choices.contains(&text.as_str())
            {
                return Err(named(unknown_choice(name, choices.iter().copied())));
            }
        }
        let required = |field: &&Field| info.requires(field, self) && !field.is_secret();
        for field in info.fields.iter().filter(required) {
            let replaced = match field.unless {
                Some("base_url") => self.base_url.is_some(),
                Some(other) => self.texts.contains_key(other),
                None => false,
            };
            if !replaced && !self.texts.contains_key(field.name) {
                return Err(named(missing(field.name, field.help)));
            }
        }
        Ok(())
    }
}

fn missing(name: &str, help: &str) -> Error {
    let error = Error::config(format!("`{name}` is missing"));
    if help.is_empty() { error } else { error.with_hint(format!("{name}: {help}")) }
}

fn unknown_choice<'a>(name: &str, choices: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = choices.collect();
    Error::config(format!("`{name}` has an unknown value"))
        .with_hint(format!("it is one of: {}", known.join(", ")))
}

fn in_field(error: Error, field: &str) -> Error {
    let hint = error.hint().map(str::to_owned);
    let named = Error::config(format!("`{field}`: {}", error.message()));
    match hint {
        Some(hint) => named.with_hint(hint),
        None => named,
    }
}

fn unknown_environment(info: &ProviderInfo) -> Error {
    let known: Vec<&str> = info.environments.iter().map(|one| one.name).collect();
    let hint = match known.as_slice() {
        [] => format!("{} has no environments: leave it out", info.id),
        known => format!("{} has: {}", info.id, known.join(", ")),
    };
    Error::config("`environment` has an unknown value").with_hint(hint)
}
