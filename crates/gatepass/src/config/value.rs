//! The values of a profile as written in the file, before a reference is resolved.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use gatepass_core::{ConfigPlace, Error, Result, Secret};

use super::origins::SUFFIX;
use super::profile::ProfileOrigin;

/// One profile as written, unchecked.
#[derive(Clone, Debug)]
pub(crate) struct RawProfile {
    pub(crate) name: String,
    pub(crate) origin: ProfileOrigin,
    /// The directory that relative paths are relative to.
    pub(crate) folder: PathBuf,
    /// Whether only the owner can read the file, so that it may have literal secrets.
    pub(crate) private: bool,
    /// The line of the profile's header, or the environment.
    pub(crate) place: ConfigPlace,
    pub(crate) entries: Vec<ConfigEntry>,
}

/// One key of a profile, and its value.
#[derive(Clone, Debug)]
pub(crate) struct ConfigEntry {
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) place: ConfigPlace,
}

/// A value as written. `Debug` shows only its type, since every value may be a secret, if only
/// by mistake.
#[derive(Clone)]
pub(crate) enum Value {
    /// A string, or a reference to one. Strings are held like secrets.
    Source(SecretSource),
    Flag(bool),
    List(Vec<String>),
    /// A type that no field accepts, by its name in TOML.
    Other(&'static str),
    /// A malformed reference.
    Wrong(Error),
}

/// The source of a field's value.
#[derive(Clone)]
pub(crate) enum SecretSource {
    Literal(Secret),
    Reference(Reference, ReadOptions),
}

/// How a reference is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadOptions {
    /// Whether the value is used byte for byte.
    pub(crate) raw: bool,
    /// The only line of a command's output that is used; the first is 1.
    pub(crate) line: Option<usize>,
    /// The further user that a file may belong to.
    pub(crate) owner: Option<u32>,
}

/// The place that a value is read from when it is needed.
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
    /// Parses a name. The service ends at the first `/`, because an account may contain one.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let (service, account) = name.split_once('/').unwrap_or(("gatepass", name));
        if service.is_empty() || account.is_empty() || name.contains(char::is_control) {
            return Err(Error::config("not a name of a keyring entry").hint(
                "write it like \"service/account\", or \"account\" for the service gatepass",
            ));
        }
        Ok(Self { service: service.to_owned(), account: account.to_owned() })
    }

    /// Returns the entry with the origins of the secret in this one.
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
    pub(crate) fn entry(&self, key: &str) -> Option<&ConfigEntry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Returns the places of the profile and its keys.
    pub(crate) fn places(&self) -> KeyPlaces {
        let keys = self.entries.iter().map(|entry| (entry.key.clone(), entry.place.clone()));
        KeyPlaces { profile: self.place.clone(), keys: keys.collect() }
    }
}

/// The places of a profile and its keys, for errors of code that knows only the key.
#[derive(Clone, Debug)]
pub(crate) struct KeyPlaces {
    profile: ConfigPlace,
    keys: BTreeMap<String, ConfigPlace>,
}

impl KeyPlaces {
    /// Returns the place of a key.
    pub(crate) fn of(&self, key: &str) -> Option<&ConfigPlace> {
        self.keys.get(key)
    }

    /// Adds the place of the error's field: its key's, or the profile's if it has no such key.
    pub(crate) fn locate(&self, error: Error) -> Error {
        let place = error.field().map(|field| self.keys.get(field).unwrap_or(&self.profile));
        match place.cloned() {
            Some(place) => error.with_place(place),
            None => error,
        }
    }
}

impl Value {
    /// Returns the type's name, for an error that must not show the value.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Source(SecretSource::Literal(_)) => "a string",
            Self::Source(SecretSource::Reference(..)) => "a reference",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Other(name) => name,
            Self::Wrong(_) => "a malformed reference",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    use super::*;

    #[test]
    fn debug_of_config_shows_no_value() {
        let config = Config::from_toml(
            "[profiles.a]\nclient_secret = [\"unsaid\"]\nclient_id = { env = \"UNSAID\" }\n\
             scope = \"unsaid\"\nhost = { command = [\"unsaid\"] }\n",
        );
        let shown = format!("{:?}", config.unwrap());
        assert!(shown.contains("client_secret"), "{shown}");
        assert!(!shown.to_lowercase().contains("unsaid"), "{shown}");
    }

    #[test]
    fn keyring_service_ends_at_first_slash() {
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
