//! The settings of one profile for its provider.

use std::collections::BTreeMap;

use crate::{Endpoint, Error, Field, FieldKind, ProviderInfo, RedirectUri, Result};

/// The settings of a profile, by field name: strings, never a secret.
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
    /// Empty settings: every field has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a setting.
    pub fn with(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.texts.insert(name.into(), text.into());
        self
    }

    /// Replaces scheme, host and port of all addresses that the provider calls. A path in
    /// `base_url` is put before their paths.
    pub fn with_base_url(mut self, base_url: Endpoint) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// Allows plain http beyond loopback, if the owner of the profile did.
    pub fn with_plain_http(mut self, allowed: bool) -> Self {
        self.plain_http = allowed;
        self
    }

    /// Returns a setting; `Config` if it is missing.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.optional_text(name).ok_or_else(|| missing(name))
    }

    /// Returns a setting, if there is one.
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Returns a setting, or the default of its field.
    pub fn text_or_default<'a>(&'a self, name: &str, info: &'a ProviderInfo) -> Option<&'a str> {
        let default = || info.field(name).and_then(|field| field.default.as_deref());
        self.optional_text(name).or_else(default)
    }

    /// Returns the value of a choice; the first of `choices` if the profile does not set it.
    ///
    /// `Config` for a word that is not in `choices`. The error does not show that word.
    ///
    /// ```
    /// # use gatepass_core::Settings;
    /// let choices = [("body", false), ("query", true)];
    /// let in_query = Settings::new().with("grant_type_in", "query").choice("grant_type_in", &choices)?;
    /// assert!(in_query);
    /// # Ok::<(), gatepass_core::Error>(())
    /// ```
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T> {
        let wanted = self.optional_text(name);
        let chosen = choices.iter().find(|(word, _)| wanted.is_none_or(|wanted| wanted == *word));
        let (_, chosen) =
            chosen.ok_or_else(|| unknown_choice(name, choices.iter().map(|(word, _)| *word)))?;
        Ok(*chosen)
    }

    /// Returns all settings, sorted by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Returns the address that replaces the vendor's own.
    pub fn base_url(&self) -> Option<&Endpoint> {
        self.base_url.as_ref()
    }

    /// Returns `base_url`, or else the address of the profile's environment (or the default one).
    ///
    /// `Config` for an environment that `info` does not have.
    pub fn base(&self, info: &ProviderInfo) -> Result<Endpoint> {
        if let Some(base_url) = &self.base_url {
            return Ok(base_url.clone());
        }
        let environment = match self.optional_text("environment") {
            Some(name) => info.environment(name).ok_or_else(|| unknown_environment(info))?,
            None if info.is_environment_required => return Err(missing_environment(info)),
            None => info.environments.first().ok_or_else(|| unknown_environment(info))?,
        };
        environment.address("base_url")
    }

    /// Returns `base_url`, or else the address in a field: `[http[s]://]name[:port]`.
    ///
    /// `Config` if neither is set, or if the field is not a host.
    pub fn base_or_host(&self, field: &str) -> Result<Endpoint> {
        if let Some(base_url) = &self.base_url {
            return Ok(base_url.clone());
        }
        let text = self.text(field)?;
        let read = if self.plain_http { Endpoint::parse_plain_http } else { Endpoint::parse };
        let address = if text.contains("://") { read(text) } else { Endpoint::host(text) };
        address.map_err(|error| error.with_field(field.to_owned()))
    }

    /// Returns the redirect URI in a field; `Config` if it is missing or malformed.
    pub fn redirect_uri(&self, field: &str) -> Result<RedirectUri> {
        RedirectUri::parse(self.text(field)?).map_err(|error| error.with_field(field.to_owned()))
    }

    /// Checks names, choices and required fields against the facts of a provider.
    pub(crate) fn check(&self, info: &ProviderInfo) -> Result<()> {
        let named = |error: Error| error.with_provider(&info.id);
        for (name, text) in &self.texts {
            if name == "environment" {
                if info.environment(text).is_none() {
                    return Err(named(unknown_environment(info)));
                }
                continue;
            }
            let field = info
                .field(name)
                .filter(|field| !field.is_secret())
                .ok_or_else(|| named(Error::config("unknown setting").with_field(name.clone())))?;
            if let FieldKind::Choice(choices) = &field.kind
                && !choices.contains(text)
            {
                return Err(named(unknown_choice(name, choices.iter())));
            }
        }
        if info.is_environment_required && !self.texts.contains_key("environment") {
            return Err(named(missing_environment(info)));
        }
        let required = |field: &&Field| info.requires(field, self) && !field.is_secret();
        for field in info.fields.iter().filter(required) {
            let replaced = match field.unless.as_deref() {
                Some("base_url") => self.base_url.is_some(),
                Some(other) => self.texts.contains_key(other),
                None => false,
            };
            if !replaced && !self.texts.contains_key(&*field.name) {
                return Err(named(missing(&field.name).hint(field.help.to_string())));
            }
        }
        Ok(())
    }
}

fn missing(name: &str) -> Error {
    Error::config("missing").with_field(name.to_owned())
}

fn unknown_choice<'a>(name: &str, choices: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = choices.collect();
    Error::config("unknown value")
        .with_field(name.to_owned())
        .hint(format!("use one of: {}", known.join(", ")))
}

fn unknown_environment(info: &ProviderInfo) -> Error {
    let error = Error::config("unknown value").with_field("environment");
    let known: Vec<&str> = info.environments.iter().map(|one| &*one.name).collect();
    match known.as_slice() {
        [] => error.hint(format!("{} has no environments: remove this key", info.id)),
        known => error.hint(format!("{} has: {}", info.id, known.join(", "))),
    }
}

fn missing_environment(info: &ProviderInfo) -> Error {
    missing("environment").hint(format!("set it to {}", info.environment_choices()))
}
