//! Stores a new profile's secrets, and reads them from standard input. A secret is never read from
//! an argument.

use std::collections::BTreeMap;
use std::io::{self, Read};

use clap::ValueEnum;
use gatepass::cli_support::{self, BoundSecret};
use gatepass::provider::Field;
#[cfg(feature = "keyring")]
use gatepass::{Error, Secret, keyring};
use zeroize::Zeroizing;

use super::config_file::{ConfigFile, SecretFile};
use super::edit::{ConfigText, toml_string};
use crate::error::{CommandError, usage};
use crate::output::Output;

/// The values of `--secrets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SecretStorage {
    /// The keyring of this machine
    Keyring,
    /// A file for each, beside the config, that only you can read
    File,
    /// The config itself, which only you can read
    Config,
}

/// The storage location of each secret of a profile.
pub(super) enum SecretTargets {
    /// Keyring entries by field name, each with whether it is new.
    Keyring(BTreeMap<String, (String, bool)>),
    /// File names by field name.
    File(BTreeMap<String, String>),
    Config,
}

impl SecretTargets {
    /// Chooses the storage that the user asked for, or the keyring, or files if it cannot be used.
    pub(super) async fn choose(
        storage: Option<SecretStorage>,
        profile: &str,
        fields: &[Field],
        config: &ConfigText,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let files = || Self::files_of(profile, fields);
        match storage {
            Some(SecretStorage::Config) => Ok(Self::Config),
            Some(SecretStorage::File) => Ok(files()),
            None if fields.is_empty() => Ok(files()),
            storage => match free_entries(profile, fields, config).await {
                Ok(entries) => Ok(Self::Keyring(entries)),
                Err(error) if storage.is_none() => {
                    print_fallback(&error, output);
                    Ok(files())
                }
                Err(error) => Err(error),
            },
        }
    }

    fn files_of(profile: &str, fields: &[Field]) -> Self {
        let name = |field: &Field| (field.name.to_string(), format!("{profile}.{}", field.name));
        Self::File(fields.iter().map(name).collect())
    }

    /// Writes the keyring entries. If that fails, for example because the keyring is locked, the
    /// secrets go to files, unless the user asked for the keyring.
    pub(super) fn store_or_use_files(
        self,
        storage: Option<SecretStorage>,
        profile: &str,
        secrets: &[(Field, Zeroizing<String>)],
        origins: &str,
        output: &Output,
    ) -> Result<Self, CommandError> {
        match self.store(secrets, origins) {
            Ok(()) => Ok(self),
            Err(error) if storage.is_none() => {
                print_fallback(&error, output);
                let fields: Vec<_> = secrets.iter().map(|(field, _)| field.clone()).collect();
                Ok(Self::files_of(profile, &fields))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the value that the config has for a secret: a reference, or the secret itself.
    pub(super) fn config_value(&self, field: &Field, secret: &str) -> Zeroizing<String> {
        let reference = |kind: &str, name: &str| {
            Zeroizing::new(format!("{{ {kind} = {} }}", toml_string(name).as_str()))
        };
        match self {
            Self::Keyring(entries) => match entries.get(&*field.name) {
                Some((entry, _)) => reference("keyring", entry),
                None => reference("keyring", &field.name),
            },
            Self::File(names) => {
                reference("file", names.get(&*field.name).map_or(&*field.name, String::as_str))
            }
            Self::Config => toml_string(secret),
        }
    }

    /// Describes where a secret is stored.
    pub(super) fn describe(&self, field: &Field, config: &ConfigFile) -> String {
        match self {
            Self::Keyring(entries) => {
                let entry = entries.get(&*field.name).map_or("", |(entry, _)| entry);
                format!("the keyring entry {entry}")
            }
            Self::File(names) => {
                let name = names.get(&*field.name).map_or("", String::as_str);
                config.sibling(name).display().to_string()
            }
            Self::Config => config.path().display().to_string(),
        }
    }

    /// Returns whether the secrets are bound to their origins. A secret in the config cannot be:
    /// its addresses are in the same file.
    pub(super) fn are_bound(&self) -> bool {
        !matches!(self, Self::Config)
    }

    /// Returns the files to write. The origins of a secret precede it, so that it is never stored
    /// unbound.
    pub(super) fn files<'a>(
        &'a self,
        secrets: &'a [(Field, Zeroizing<String>)],
        origins: &'a str,
    ) -> Vec<SecretFile<'a>> {
        let Self::File(names) = self else { return Vec::new() };
        let files = |(field, secret): &'a (Field, Zeroizing<String>)| {
            let name = names.get(&*field.name)?;
            let origins_name = format!("{name}{}", BoundSecret::SUFFIX);
            Some([
                SecretFile { name: origins_name.into(), contents: origins },
                SecretFile { name: name.into(), contents: secret },
            ])
        };
        secrets.iter().filter_map(files).flatten().collect()
    }

    /// Writes the keyring entries. If one fails, deletes the new ones.
    #[cfg(feature = "keyring")]
    fn store(
        &self,
        secrets: &[(Field, Zeroizing<String>)],
        origins: &str,
    ) -> Result<(), CommandError> {
        let Self::Keyring(entries) = self else { return Ok(()) };
        let stored =
            secrets.iter().try_for_each(|(field, secret)| match entries.get(&*field.name) {
                Some((entry, _)) => {
                    keyring::store(&origins_entry(entry), &Secret::from(origins))?;
                    keyring::store(entry, &Secret::from(secret.as_str()))
                }
                None => Err(Error::internal("a secret has no keyring entry")),
            });
        stored.map_err(|error| {
            self.undo();
            error.into()
        })
    }

    #[cfg(not(feature = "keyring"))]
    fn store(&self, _: &[(Field, Zeroizing<String>)], _: &str) -> Result<(), CommandError> {
        Ok(())
    }

    /// Deletes the keyring entries that are new.
    pub(super) fn undo(&self) {
        #[cfg(feature = "keyring")]
        if let Self::Keyring(entries) = self {
            for (entry, _) in entries.values().filter(|(_, is_new)| *is_new) {
                // Deleting an entry that was not written fails, and that is fine.
                let _ = keyring::delete(entry);
                let _ = keyring::delete(&origins_entry(entry));
            }
        }
    }
}

#[cfg(feature = "keyring")]
fn origins_entry(entry: &str) -> String {
    format!("{entry}{}", BoundSecret::SUFFIX)
}

fn print_fallback(error: &CommandError, output: &Output) {
    output.status(&format!(
        "gatepass: {}: storing the secret in a file that only you can read",
        error.message()
    ));
}

/// Chooses a keyring entry for each secret. An entry that exists and that the config does not refer
/// to belongs to a profile with this name in another config.
#[cfg(feature = "keyring")]
async fn free_entries(
    profile: &str,
    fields: &[Field],
    config: &ConfigText,
) -> Result<BTreeMap<String, (String, bool)>, CommandError> {
    let mut entries = BTreeMap::new();
    for field in fields {
        let mut n = 1;
        let entry = loop {
            let owner = if n == 1 { profile.to_owned() } else { format!("{profile}-{n}") };
            let entry = format!("gatepass/{owner}/{}", field.name);
            let name = entry.clone();
            let found = cli_support::run_blocking(move || keyring::find(&name)).await;
            let found = found.unwrap_or_else(|| Err(Error::internal("the keyring failed")))?;
            if found.is_none() || config.contains_string(&entry) {
                break (entry, found.is_none());
            }
            n += 1;
        };
        entries.insert(field.name.to_string(), entry);
    }
    Ok(entries)
}

#[cfg(not(feature = "keyring"))]
async fn free_entries(
    _: &str,
    _: &[Field],
    _: &ConfigText,
) -> Result<BTreeMap<String, (String, bool)>, CommandError> {
    Err(usage("this build has no keyring support", "use --secrets file"))
}

/// The longest standard input, in bytes.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// Reads one secret: all of standard input, without a newline at its end.
pub(super) fn read_one(field: &str) -> Result<BTreeMap<String, Zeroizing<String>>, CommandError> {
    let text = read_stdin()?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(no_secret());
    }
    check_form(text)?;
    Ok(BTreeMap::from([(field.to_owned(), Zeroizing::new(text.to_owned()))]))
}

/// Reads a secret from each line of standard input: `FIELD=VALUE`.
pub(super) fn read_many() -> Result<BTreeMap<String, Zeroizing<String>>, CommandError> {
    let text = read_stdin()?;
    let mut secrets = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once('=') {
            Some((field, value)) if !field.is_empty() && !value.is_empty() => {
                check_form(value)?;
                secrets.insert(field.to_owned(), Zeroizing::new(value.to_owned()))
            }
            _ => {
                return Err(usage("standard input has a line that is not FIELD=VALUE", STDIN_HINT));
            }
        };
    }
    if secrets.is_empty() { Err(no_secret()) } else { Ok(secrets) }
}

/// A secret that later commands would refuse is not stored.
fn check_form(secret: &str) -> Result<(), CommandError> {
    cli_support::check_form(secret).map_err(|error| {
        let hint = "or keep such a secret in a file of your own: { file = \"…\", raw = true }";
        CommandError::Gatepass(error.hint(hint))
    })
}

fn read_stdin() -> Result<Zeroizing<String>, CommandError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_INPUT_BYTES as usize + 1));
    let read = io::stdin().lock().take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| {
        usage(format!("standard input cannot be read: {}", error.kind()), STDIN_HINT)
    })?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(usage("standard input is longer than 64 KiB", STDIN_HINT));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(usage("standard input is not UTF-8", STDIN_HINT)),
    }
}

fn no_secret() -> CommandError {
    usage("standard input contains no secret", STDIN_HINT)
}

const STDIN_HINT: &str = "--secret-stdin FIELD reads one secret, --secrets-stdin reads a line \
                          FIELD=VALUE for each";
