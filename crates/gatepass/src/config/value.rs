//! Values as a profile writes them: where they come from, before anything is read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gatepass_core::{Error, ErrorKind, Secret};

use super::profile::Origin;

/// One profile as written.
#[derive(Clone, Debug)]
pub(crate) struct RawProfile {
    pub(crate) name: String,
    pub(crate) origin: Origin,
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

/// A value as written.
#[derive(Clone, Debug)]
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
    Keyring(String),
    Stdin,
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
