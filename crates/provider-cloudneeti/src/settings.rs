//! What a profile of Cloudneeti says besides its secrets, with its defaults.

use gatepass_core::{Endpoint, Error, Result};

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) license_id: String,
    pub(crate) account_id: Option<String>,
    pub(crate) environment: Environment,
    pub(crate) base_url: Option<Endpoint>,
    pub(crate) path_prefix: String,
}

/// One of Cloudneeti's hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// `api.cloudneeti.com`.
    #[default]
    Prod,
    /// `api1.cloudneeti.com`.
    Prod1,
    /// `trialapi.cloudneeti.com`.
    Trial,
    /// `qaapi.cloudneeti-devops.com`.
    Qa,
    /// `devapi.cloudneeti-devops.com`.
    Dev,
}

impl Settings {
    pub(crate) fn new(license_id: &str) -> Result<Self> {
        Ok(Self {
            license_id: id("license_id", license_id)?,
            account_id: None,
            environment: Environment::default(),
            base_url: None,
            path_prefix: String::from("/api"),
        })
    }

    pub(crate) fn read(profile: &gatepass_core::Settings) -> Result<Self> {
        let defaults = Self::new(profile.text("license_id")?)?;
        let account_id = profile.optional_text("account_id");
        Ok(Self {
            account_id: account_id.map(|account| id("account_id", account)).transpose()?,
            environment: profile.choice(
                "environment",
                &[
                    ("prod", Environment::Prod),
                    ("prod1", Environment::Prod1),
                    ("trial", Environment::Trial),
                    ("qa", Environment::Qa),
                    ("dev", Environment::Dev),
                ],
            )?,
            base_url: profile.base_url().cloned(),
            path_prefix: match profile.optional_text("path_prefix") {
                Some(prefix) => path_prefix(prefix)?,
                None => defaults.path_prefix,
            },
            license_id: defaults.license_id,
        })
    }

    pub(crate) fn api(&self) -> Result<Endpoint> {
        let base = match &self.base_url {
            Some(base_url) => base_url.clone(),
            None => Endpoint::parse(match self.environment {
                Environment::Prod => "https://api.cloudneeti.com",
                Environment::Prod1 => "https://api1.cloudneeti.com",
                Environment::Trial => "https://trialapi.cloudneeti.com",
                Environment::Qa => "https://qaapi.cloudneeti-devops.com",
                Environment::Dev => "https://devapi.cloudneeti-devops.com",
            })?,
        };
        if self.path_prefix.is_empty() { Ok(base) } else { base.join(&self.path_prefix) }
    }
}

/// An id that will be one segment of a path: not empty, and no step within the path.
pub(crate) fn id(field: &str, text: &str) -> Result<String> {
    match text {
        "" | "." | ".." => Err(Error::config("not an id").with_field(field.to_owned())),
        id => Ok(id.to_owned()),
    }
}

pub(crate) fn path_prefix(text: &str) -> Result<String> {
    let prefix = text.trim_end_matches('/');
    let in_path = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    let is_step = |part: &str| part == "." || part == "..";
    let is_path = prefix.is_empty() || prefix.starts_with('/');
    if !is_path || !prefix.chars().all(in_path) || prefix.split('/').any(is_step) {
        return Err(Error::config("not a path")
            .with_field("path_prefix")
            .hint("it is \"\", or begins with / as in \"/api\", without % . or .. parts"));
    }
    Ok(prefix.to_owned())
}
