//! A new profile: its section in the config, its check and its report.

use std::sync::Arc;

use std::collections::BTreeMap;

use gatepass::cli_support;
use gatepass::config::Config;
use gatepass::provider::{ProviderInfo, Registry};
use gatepass::{Error, Hint};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::config_file::{ConfigFile, WrittenChange};
use super::prompts::ProfileValues;
use super::secrets::SecretTargets;
use crate::error::CommandError;

/// A new profile, and where its parts will be written.
pub(super) struct ProfilePlan {
    pub(super) name: String,
    pub(super) info: Arc<ProviderInfo>,
    pub(super) file: ConfigFile,
    pub(super) replaces: bool,
    pub(super) values: ProfileValues,
    pub(super) targets: SecretTargets,
    /// The origins that the secrets may be sent to, one per line.
    pub(super) origins: String,
}

impl ProfilePlan {
    /// Returns the section to write.
    pub(super) fn section(&self) -> Zeroizing<String> {
        let value = |field: &_, secret: &str| self.targets.config_value(field, secret);
        self.values.section(&self.name, &self.info, value)
    }

    /// Returns the section without secrets.
    pub(super) fn redacted_section(&self) -> Zeroizing<String> {
        let value = |field: &_, _: &str| self.targets.config_value(field, "…");
        self.values.section(&self.name, &self.info, value)
    }

    /// Checks that the section alone is a valid profile. Returns the origins that it leads to, one
    /// per line.
    pub(super) fn check(&self, registry: &Registry) -> Result<String, CommandError> {
        // The check reads no secret, but an empty one would be an error. A dry run has empty ones.
        let text = match self.values.secrets.iter().any(|(_, secret)| secret.is_empty()) {
            true => self.redacted_section(),
            false => self.section(),
        };
        let config = Config::from_toml(&text).map_err(|error| without_place(&error))?;
        let profile = config.profile(&self.name, registry, &[]);
        let origins = profile.and_then(|profile| cli_support::origins(&profile));
        origins.map(|all| all.join("\n")).map_err(|error| without_place(&error))
    }

    /// Writes the secret files and the section. If that fails, deletes new keyring entries.
    pub(super) fn write(&self) -> Result<WrittenChange, CommandError> {
        let section = self.section();
        let files = self.targets.files(&self.values.secrets, &self.origins);
        let written = self.file.write(&files, self.replaces, |config| {
            config.with_profile(&self.name, &section, self.replaces)
        });
        written.inspect_err(|_| self.targets.undo())
    }

    /// Returns the origins that the stored secrets are bound to, if there are such secrets.
    pub(super) fn bound_to(&self) -> Option<Vec<&str>> {
        let is_bound = self.targets.are_bound() && !self.values.secrets.is_empty();
        is_bound.then(|| self.origins.lines().collect())
    }

    pub(super) fn report(&self, toml: Option<&str>, expires_in: Option<u64>) -> Value {
        let secrets = self.values.secrets.iter();
        let secrets: BTreeMap<_, _> = secrets
            .map(|(field, _)| (&*field.name, self.targets.describe(field, &self.file)))
            .collect();
        json!({
            "profile": self.name,
            "provider": self.info.id,
            "config": self.file.path().display().to_string(),
            "secrets": secrets,
            "origins": self.bound_to(),
            "replaced": self.replaces,
            "toml": toml,
            "expires_in": expires_in,
        })
    }
}

/// Removes the file and line from an error about a section that the user has not seen.
pub(super) fn without_place(error: &Error) -> CommandError {
    let plain = Error::config(error.message().to_owned()).with_hints(error.hints().to_vec());
    let plain = match error.field() {
        Some(field) => plain.with_field(field.to_owned()),
        None => plain,
    };
    plain.default_hint(Hint::run("list every key", ["gatepass", "providers"])).into()
}
