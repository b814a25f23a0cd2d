//! The config: profiles from a file, and from environment variables for those that the file lacks.

pub(crate) mod env;
pub(crate) mod file;
pub(crate) mod form;
mod origins;
pub(crate) mod profile;
mod secret;
mod secret_file;
mod value;
mod variables;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gatepass_core::{Error, Hint, Result, Settings};

use crate::provider::Registry;
use crate::registry::{nearest, quoted_name};

pub use self::env::Env;
pub use self::profile::{Profile, ProfileOptions, ProfileOrigin};
use self::value::{Reference, SecretSource, Value};
#[cfg(feature = "keyring")]
pub(crate) use self::{secret::KEYRING_TIMEOUT, value::KeyringEntry};
pub use gatepass_core::ConfigPlace;

/// The profiles of a file or of the environment, by name. No secret is read before it is needed.
///
/// ```
/// use gatepass::config::Config;
/// use gatepass::provider::Registry;
///
/// let config = Config::from_toml("[profiles.web]\nprovider = \"cisco\"\n")?;
/// assert_eq!(config.names(&Registry::linked()?), ["web"]);
/// # Ok::<(), gatepass::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Config {
    path: Option<PathBuf>,
    profiles: BTreeMap<String, value::RawProfile>,
    /// `path` of `[store]`.
    store_path: Option<PathBuf>,
    env: Env,
}

impl Config {
    /// Reads one file. `Config` if it does not exist, is not TOML, or can be written by other users.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file::Contents { profiles, store_path } = file::load(path)?;
        Ok(Self { path: Some(path.to_owned()), profiles, store_path, env: Env::process() })
    }

    /// Parses a string instead of a file. Relative paths in it begin at the current directory, and
    /// literal secrets are accepted.
    ///
    /// `Config` if it is not TOML. A mistake in one profile is reported by
    /// [`profile`](Self::profile) for that profile.
    pub fn from_toml(text: &str) -> Result<Self> {
        let file::Contents { profiles, store_path } = file::parse(text)?;
        Ok(Self { path: None, profiles, store_path, env: Env::process() })
    }

    /// Reads the first of these files: the one that `$GATEPASS_CONFIG` names, `gatepass/config.toml`
    /// in the user's configuration directory, `/etc/gatepass/config.toml`. Never reads a file in the
    /// current directory.
    ///
    /// Errors as of [`load`](Self::load), also if the user's file is a link to a missing one. Without
    /// any of these files, the config has the environment's profiles only.
    pub fn find() -> Result<Self> {
        let env = Env::process();
        if let Some(path) = env.path("GATEPASS_CONFIG") {
            return Self::load(path);
        }
        // A link whose target is missing exists: another file must not replace it unnoticed. A
        // directory that this process cannot search counts as empty, because a service's
        // `ProtectHome=` hides the user's.
        let places =
            env.default_config_path().into_iter().chain([PathBuf::from(file::SYSTEM_CONFIG)]);
        let found = places.into_iter().find(|path| path.symlink_metadata().is_ok());
        found.map_or_else(|| Ok(Self { env, ..Self::default() }), Self::load)
    }

    /// Replaces the environment of the process, for tests and for embedding.
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Returns the environment that profiles and their references are read from.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Returns the file that the profiles were read from.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the directory of the command's token store.
    pub(crate) fn state_dir(&self) -> Option<PathBuf> {
        self.env.state_dir(self.store_path.as_deref())
    }

    /// Returns the names of all profiles: the file's, then those that only variables define.
    pub fn names(&self, registry: &Registry) -> Vec<String> {
        let mut names: Vec<String> = self.profiles.keys().cloned().collect();
        for name in env::names(&self.env, registry) {
            if !names.iter().any(|known| env::prefix(known) == env::prefix(&name)) {
                names.push(name);
            }
        }
        names
    }

    /// Returns the variables that profiles are read from: those that a reference names, and those
    /// that define a field.
    pub fn variables(&self, registry: &Registry) -> Vec<String> {
        let entries = self.profiles.values().flat_map(|profile| &profile.entries);
        let named = entries.filter_map(|entry| match &entry.value {
            Value::Source(SecretSource::Reference(Reference::Env(name), _)) => Some(name.clone()),
            _ => None,
        });
        named.chain(env::defining(&self.env, registry)).collect()
    }

    /// Returns one profile, checked against its provider's facts. `set` replaces single keys, but
    /// no secrets and no addresses.
    ///
    /// `Config` for a mistake in the profile. The error has file, line, profile and key, its hint the
    /// nearest known key, and it never shows a value.
    pub fn profile(
        &self,
        name: &str,
        registry: &Registry,
        set: &[(String, String)],
    ) -> Result<Profile> {
        profile::read(&*self.raw_profile(name, registry)?, registry, &self.env, set)
    }

    /// Checks one profile without following its references; see `profile/form.rs`.
    pub(crate) fn check(&self, name: &str, registry: &Registry) -> Result<Option<Profile>> {
        profile::check_form(&*self.raw_profile(name, registry)?, registry, &self.env)
    }

    /// Returns a profile as written in the file, or as variables define it.
    fn raw_profile(&self, name: &str, registry: &Registry) -> Result<Cow<'_, value::RawProfile>> {
        if !is_profile_name(name) {
            return Err(file::invalid_name(name));
        }
        if let Some(raw) = self.profiles.get(name) {
            return Ok(Cow::Borrowed(raw));
        }
        let from_env = env::profile(&self.env, name, registry)?;
        from_env.map(Cow::Owned).ok_or_else(|| self.unknown_profile(name, registry))
    }

    /// Returns the variables that are ignored because the file defines the profile.
    pub(crate) fn ignored_variables(&self, name: &str, registry: &Registry) -> Vec<String> {
        if !self.profiles.contains_key(name) {
            return Vec::new();
        }
        let all: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
        env::ignored(&self.env, registry, name, &all)
    }

    /// Returns the variables that belong to no profile, each with the reason.
    pub(crate) fn unused_variables(&self, registry: &Registry) -> Vec<(String, String)> {
        env::unused(&self.env, registry, &self.names(registry))
    }

    /// Returns whether the file or variables define the profile, even with a mistake in it.
    pub(crate) fn is_defined(&self, name: &str, registry: &Registry) -> bool {
        self.profiles.contains_key(name)
            || !matches!(env::profile(&self.env, name, registry), Ok(None))
    }

    fn unknown_profile(&self, name: &str, registry: &Registry) -> Error {
        let names = self.names(registry);
        let place = match &self.path {
            Some(path) => format!("in {}", path.display()),
            None => String::from("(there is no config file)"),
        };
        let error = Error::config(format!("no profile {} {place}", quoted_name(name)));
        let ignored = self.env.ignored_directories().into_iter();
        let unused = self.unused_variables(registry).into_iter().take(3);
        let unused = unused.map(|(variable, reason)| format!("{variable} is not used: {reason}"));
        let error = ignored.chain(unused).fold(error, |error, reason| error.hint(reason));
        if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
            return error.hint(format!("did you mean `{near}`?"));
        }
        let prefix = env::prefix(name);
        let Ok(info) = registry.get(name) else {
            return error.hint(Hint::gatepass("list the profiles", ["list"])).hint(format!(
                "or add it: write [profiles.{name}] into the config file, or set {prefix}PROVIDER \
                 and its fields"
            ));
        };
        let fields = info.fields.iter().filter(|field| info.requires(field, &Settings::new()));
        let fields: Vec<String> =
            fields.map(|field| format!("{prefix}{}", field.name.to_uppercase())).collect();
        error
            .hint(Hint::gatepass("add the profile", ["profile", "add", name]))
            .hint(format!("or set {}", fields.join(", ")))
    }
}

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`
pub(crate) fn is_profile_name(name: &str) -> bool {
    name.len() <= 64
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
