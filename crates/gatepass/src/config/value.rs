//! Values as a profile writes them: where they come from, before anything is read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use gatepass_core::{Error, ErrorKind, Result, Secret};

use super::origins::SUFFIX;
use super::profile::ProfileOrigin;

/// One profile as written.
#[derive(Clone, Debug)]
pub(crate) struct RawProfile {
    pub(crate) name: String,
    pub(crate) origin: ProfileOrigin,
    /// What relative paths are relative to.
    pub(crate) folder: PathBuf,
    /// Whether only its owner can read the file, so that literal secrets may stand in it.
    pub(crate) private: bool,
    /// Where it begins: `config.toml:11`, or the environment.
    pub(crate) place: String,
    pub(crate) entries: Vec<Entry>,
}

/// One key of a profile.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// Where it stands: `config.toml:12`, or the variable's name.
    pub(crate) place: String,
}

/// A value as written. `Debug` shows what it is: any may be a secret, if only by mistake.
#[derive(Clone)]
pub(crate) enum Value {
    /// A text; perhaps a secret, so it is held like one.
    Text(Secret),
    Flag(bool),
    List(Vec<String>),
    Reference(Reference),
    /// Something no field takes, by its name in TOML.
    Other(&'static str),
    /// A reference with a mistake in it.
    Wrong(Error),
}

/// Where a value is to be read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    Env(String),
    File(PathBuf),
    Command(Vec<String>),
    Systemd(String),
    Keyring(KeyringEntry),
    Stdin,
}

/// An entry of the keyring: `service/account`, or an account of the service `gatepass`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyringEntry {
    pub(crate) service: String,
    pub(crate) account: String,
}

impl KeyringEntry {
    /// The service ends at the first `/`: an account may have one.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let (service, account) = name.split_once('/').unwrap_or(("gatepass", name));
        if service.is_empty() || account.is_empty() || name.contains(char::is_control) {
            return Err(Error::config("no name of a keyring's entry")
                .with_hint("write it like \"service/account\", or \"account\" of gatepass's own"));
        }
        Ok(Self { service: service.to_owned(), account: account.to_owned() })
    }

    /// The entry with the origins of what is kept in this one.
    pub(crate) fn of_origins(&self) -> Self {
        Self { service: self.service.clone(), account: format!("{}{SUFFIX}", self.account) }
    }
}

impl fmt::Display for KeyringEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.account)
    }
}

impl RawProfile {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Where it and its keys stand.
    pub(crate) fn places(&self) -> Places {
        let keys = self.entries.iter().map(|entry| (entry.key.clone(), entry.place.clone()));
        Places { profile: self.place.clone(), keys: keys.collect() }
    }
}

/// Where a profile and its keys stand, for errors of those who see only values.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    profile: String,
    keys: BTreeMap<String, String>,
}

impl Places {
    /// Puts the place before a mistake whose message begins with a key's name: `` `timeout` … ``.
    pub(crate) fn name(&self, error: Error) -> Error {
        let key = error.message().strip_prefix('`').and_then(|rest| rest.split('`').next());
        let (Some(key), ErrorKind::Config) = (key, error.kind()) else { return error };
        let place = self.keys.get(key).unwrap_or(&self.profile);
        at(place, error)
    }
}

/// The same mistake with where it stands.
pub(crate) fn at(place: &str, error: Error) -> Error {
    let placed = Error::config(format!("{place}: {}", error.message()));
    match error.hint() {
        Some(hint) => placed.with_hint(hint.to_owned()),
        None => placed,
    }
}

impl Value {
    /// What it is, for an error that must not show it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Reference(_) => "a reference",
            Self::Other(kind) => kind,
            Self::Wrong(_) => "a reference with a mistake",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    use super::*;

    #[test]
    fn a_configs_debug_shows_no_value_whatever_its_type() {
        let config = Config::from_toml(
            "[profiles.a]\nclient_secret = [\"unsaid\"]\nclient_id = { env = \"UNSAID\" }\n\
             scope = \"unsaid\"\nhost = { command = [\"unsaid\"] }\n",
        );
        let shown = format!("{:?}", config.unwrap());
        assert!(shown.contains("client_secret"), "{shown}");
        assert!(!shown.to_lowercase().contains("unsaid"), "{shown}");
    }

    #[test]
    fn a_keyrings_service_ends_at_the_first_slash_and_defaults_to_gatepass() {
        let parts = |name| KeyringEntry::parse(name).map(|entry| (entry.service, entry.account));
        for (name, service, account) in [
            ("cisco", "gatepass", "cisco"),
            ("acme/cisco", "acme", "cisco"),
            ("acme/cisco/prod", "acme", "cisco/prod"),
            (" a / b ", " a ", " b "),
        ] {
            assert_eq!(parts(name).unwrap(), (service.to_owned(), account.to_owned()));
        }
        for name in ["", "/", "/cisco", "acme/", "a\0b", "a\nb/c"] {
            assert!(parts(name).is_err(), "{name:?}");
        }
    }
}
