//! Values as a profile writes them: where they come from, before anything is read.

use std::path::PathBuf;

use gatepass_core::Secret;

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
        }
    }
}
