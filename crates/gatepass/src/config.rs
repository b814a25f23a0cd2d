//! Config: the profiles of a file, or of the environment where no file defines them.

mod env;
mod file;
mod origins;
mod profile;
mod secret;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gatepass_core::{Error, Field, FieldKind, Result, Settings};

use crate::Registry;
use crate::registry::{nearest, shown};

pub use self::env::Env;
pub use self::profile::{BoundSecret, Profile, ProfileOptions, ProfileOrigin};
#[cfg(feature = "keyring")]
pub(crate) use self::{secret::KEYRING_TIMEOUT, value::KeyringEntry};

/// Profiles by name, as written: nothing of a secret is read before it is needed.
#[derive(Debug, Default)]
pub struct Config {
    path: Option<PathBuf>,
    profiles: BTreeMap<String, value::RawProfile>,
    env: Env,
}

/// The fields every profile may have, whatever its provider.
pub const COMMON_FIELDS: &[Field] = &[
    Field::text("provider", "which vendor; defaults to the profile's name").optional(),
    Field::text("environment", "one of the provider's named addresses").optional(),
    Field::address("base_url", "replaces scheme, host and port of the vendor").optional(),
    Field::new("timeout", FieldKind::Duration, "the longest one exchange may take")
        .default_value("15s"),
    Field::new("lifetime", FieldKind::Duration, "a token's life where the vendor does not say")
        .optional(),
    Field::new("leeway", FieldKind::Duration, "how early a token counts as expired").optional(),
    Field::new(
        "ca_file",
        FieldKind::Path,
        "PEM file with a private CA to trust besides the system's",
    )
    .optional(),
    Field::address("api_url", "what a bare path in `call` is joined to").optional(),
    Field::new("api_origins", FieldKind::Addresses, "further origins that may see the token")
        .optional(),
    Field::new("persist", FieldKind::Flag, "whether the token may be kept on disk").optional(),
    Field::new("keep_warm", FieldKind::Flag, "refresh it even while nobody asks").optional(),
    Field::new(
        "allow_plain_http",
        FieldKind::Flag,
        "http beyond this machine: the secret can be read on its way",
    )
    .default_value("false"),
    Field::new("allow_implicit", FieldKind::Flag, "whether the implicit grant may be used")
        .default_value("true"),
    Field::new(
        "require_scope",
        FieldKind::Flag,
        "refuse a token whose scope is narrower than asked",
    )
    .default_value("false"),
    Field::choice(
        "token_charset",
        &["b64token", "vschar-no-space"],
        "the characters a token may have (RFC 6750 section 2.1)",
    ),
];

impl Config {
    /// Reads one file. `Config` if it is not there, not TOML, or writable by others.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let profiles = file::load(path)?;
        Ok(Self { path: Some(path.to_owned()), profiles, env: Env::process() })
    }

    /// Reads a text instead of a file; relative paths in it are relative to the current folder.
    /// The caller vouches for it: literal secrets are accepted.
    ///
    /// `Config` if it is not TOML; what is wrong with one profile is told when that one is asked for.
    pub fn from_toml(text: &str) -> Result<Self> {
        Ok(Self { profiles: file::parse(text)?, env: Env::process(), path: None })
    }

    /// Reads the file that `$GATEPASS_CONFIG` names, or else `gatepass/config.toml` in the user's
    /// configuration folder, if there is one. Never one in the current folder.
    ///
    /// Errors as of [`load`](Self::load); a file that is not there is none.
    pub fn find() -> Result<Self> {
        let env = Env::process();
        if let Some(path) = env.get("GATEPASS_CONFIG").filter(|path| !path.is_empty()) {
            return Self::load(path);
        }
        match env.default_config_path() {
            Some(path) if path.exists() => Self::load(path),
            _ => Ok(Self { env, ..Self::default() }),
        }
    }

    /// Uses another environment than the process's; for tests and for embedding.
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The environment that profiles and their references are read from.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The file the profiles come from.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The names of all profiles: the file's, then those that the environment defines.
    pub fn names(&self, registry: &Registry) -> Vec<String> {
        let mut names: Vec<String> = self.profiles.keys().cloned().collect();
        for name in env::names(&self.env, registry) {
            if !names.iter().any(|known| env::prefix(known) == env::prefix(&name)) {
                names.push(name);
            }
        }
        names
    }

    /// The variables that profiles are read from: those that a reference names, and those that
    /// define a field of any. Whoever starts another program takes them from its environment.
    pub fn variables(&self, registry: &Registry) -> Vec<String> {
        let entries = self.profiles.values().flat_map(|profile| &profile.entries);
        let named = entries.filter_map(|entry| match &entry.value {
            value::Value::Reference(value::Reference::Env(name)) => Some(name.clone()),
            _ => None,
        });
        named.chain(env::defining(&self.env, registry)).collect()
    }

    /// One profile, checked against its provider's facts. `set` replaces single keys; no secret
    /// and no address can be set so.
    ///
    /// `Config` for everything wrong with it; the error names file, line, profile and key, and the
    /// nearest known key, and never shows a value.
    pub fn profile(
        &self,
        name: &str,
        registry: &Registry,
        set: &[(String, String)],
    ) -> Result<Profile> {
        if !is_profile_name(name) {
            return Err(Error::config(format!("{} is not a profile's name", shown(name)))
                .with_hint(
                    "a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit",
                ));
        }
        let from_env;
        let raw = match self.profiles.get(name) {
            Some(raw) => raw,
            None => {
                from_env = env::profile(&self.env, name, registry)?
                    .ok_or_else(|| self.unknown_profile(name, registry))?;
                &from_env
            }
        };
        profile::read(raw, registry, &self.env, set)
    }

    fn unknown_profile(&self, name: &str, registry: &Registry) -> Error {
        let names = self.names(registry);
        let place = match &self.path {
            Some(path) => format!("in {}", path.display()),
            None => String::from("(there is no config file)"),
        };
        let error = Error::config(format!("no profile {} {place}", shown(name)));
        if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
            return error.with_hint(format!("did you mean `{near}`?"));
        }
        let prefix = env::prefix(name);
        let Ok(info) = registry.get(name) else {
            return error.with_hint(format!(
                "`gatepass list` lists the profiles; a new one: write [profiles.{name}] into the \
                 config file, or set {prefix}PROVIDER and its fields"
            ));
        };
        let fields = info.fields.iter().filter(|field| info.requires(field, &Settings::new()));
        let fields: Vec<String> =
            fields.map(|field| format!("{prefix}{}", field.name.to_uppercase())).collect();
        error.with_hint(format!(
            "`gatepass profile add {name}` asks for it and writes it; or set {}",
            fields.join(", ")
        ))
    }
}

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`
pub(crate) fn is_profile_name(name: &str) -> bool {
    name.len() <= 64
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
