//! Where a new profile's secrets go, and how they come in: never by an argument.

use std::collections::BTreeMap;
use std::io::{self, Read};

use clap::ValueEnum;
use gatepass::{BoundSecret, Field};
#[cfg(feature = "keyring")]
use gatepass::{Error, Secret, keyring};
use zeroize::Zeroizing;

use super::config_file::{Place, SecretFile};
use super::edit::{Document, quoted};
use crate::error::{CommandError, usage};
use crate::output::Output;

/// What `--secrets` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Keep {
    /// The keyring of this machine
    Keyring,
    /// A file for each, beside the config, that only you can read
    File,
    /// The config itself, which only you can read
    Config,
}

/// Where each secret goes.
pub(super) enum Homes {
    /// Entries by the field's name, each with whether it is new.
    Keyring(BTreeMap<&'static str, (String, bool)>),
    /// Files by the field's name.
    File(BTreeMap<&'static str, String>),
    Config,
}

impl Homes {
    /// The keyring unless something else is wanted or none answers.
    pub(super) async fn choose(
        keep: Option<Keep>,
        profile: &str,
        fields: &[&'static Field],
        document: &Document,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let files = || Self::files_of(profile, fields);
        match keep {
            Some(Keep::Config) => Ok(Self::Config),
            Some(Keep::File) => Ok(files()),
            None if fields.is_empty() => Ok(files()),
            keep => match entries(profile, fields, document).await {
                Ok(entries) => Ok(Self::Keyring(entries)),
                Err(failure) if keep.is_none() => {
                    say_file(&failure, output);
                    Ok(files())
                }
                Err(failure) => Err(failure),
            },
        }
    }

    fn files_of(profile: &str, fields: &[&'static Field]) -> Self {
        let name = |field: &&'static Field| (field.name, format!("{profile}.{}", field.name));
        Self::File(fields.iter().map(name).collect())
    }

    /// Writes the keyring's entries. A keyring that turns out to be locked only now is as good as
    /// none, unless it was asked for.
    pub(super) fn store_or_files(
        self,
        keep: Option<Keep>,
        profile: &str,
        secrets: &[(&'static Field, Zeroizing<String>)],
        origins: &str,
        output: &Output,
    ) -> Result<Self, CommandError> {
        match self.store(secrets, origins) {
            Ok(()) => Ok(self),
            Err(failure) if keep.is_none() => {
                say_file(&failure, output);
                let fields: Vec<_> = secrets.iter().map(|(field, _)| *field).collect();
                Ok(Self::files_of(profile, &fields))
            }
            Err(failure) => Err(failure),
        }
    }

    /// A secret as the config refers to it.
    pub(super) fn reference(&self, field: &Field, secret: &str) -> Zeroizing<String> {
        let to = |kind: &str, name: &str| {
            Zeroizing::new(format!("{{ {kind} = {} }}", quoted(name).as_str()))
        };
        match self {
            Self::Keyring(entries) => match entries.get(field.name) {
                Some((entry, _)) => to("keyring", entry),
                None => to("keyring", field.name),
            },
            Self::File(names) => {
                to("file", names.get(field.name).map_or(field.name, String::as_str))
            }
            Self::Config => quoted(secret),
        }
    }

    /// Where it is, in words.
    pub(super) fn shown(&self, field: &Field, place: &Place) -> String {
        match self {
            Self::Keyring(entries) => {
                let entry = entries.get(field.name).map_or("", |(entry, _)| entry);
                format!("the keyring's {entry}")
            }
            Self::File(names) => {
                let name = names.get(field.name).map_or("", String::as_str);
                place.beside(name).display().to_string()
            }
            Self::Config => place.path().display().to_string(),
        }
    }

    /// Whether gatepass can hold each secret to its origins: not where it stands among them.
    pub(super) fn are_bound(&self) -> bool {
        !matches!(self, Self::Config)
    }

    /// The files to write: before each secret the origins that it may go to.
    pub(super) fn files<'a>(
        &'a self,
        secrets: &'a [(&'static Field, Zeroizing<String>)],
        origins: &'a str,
    ) -> Vec<SecretFile<'a>> {
        let Self::File(names) = self else { return Vec::new() };
        let files = |(field, text): &'a (&'static Field, Zeroizing<String>)| {
            let name = names.get(field.name)?;
            let of_origins = format!("{name}{}", BoundSecret::SUFFIX);
            Some([
                SecretFile { name: of_origins.into(), text: origins },
                SecretFile { name: name.into(), text },
            ])
        };
        secrets.iter().filter_map(files).flatten().collect()
    }

    /// Writes the keyring's entries; all of them or none that is new.
    #[cfg(feature = "keyring")]
    fn store(
        &self,
        secrets: &[(&'static Field, Zeroizing<String>)],
        origins: &str,
    ) -> Result<(), CommandError> {
        let Self::Keyring(entries) = self else { return Ok(()) };
        let stored = secrets.iter().try_for_each(|(field, text)| match entries.get(field.name) {
            Some((entry, _)) => {
                keyring::store(&of_origins(entry), &Secret::from(origins))?;
                keyring::store(entry, &Secret::from(text.as_str()))
            }
            None => Err(Error::internal("a secret without a place")),
        });
        stored.map_err(|error| {
            self.take_back();
            error.into()
        })
    }

    #[cfg(not(feature = "keyring"))]
    fn store(
        &self,
        _: &[(&'static Field, Zeroizing<String>)],
        _: &str,
    ) -> Result<(), CommandError> {
        Ok(())
    }

    /// Deletes the keyring's entries that were not there before.
    pub(super) fn take_back(&self) {
        #[cfg(feature = "keyring")]
        if let Self::Keyring(entries) = self {
            for (entry, _) in entries.values().filter(|(_, is_new)| *is_new) {
                // One that was not written is not there to delete.
                let _ = keyring::delete(entry);
                let _ = keyring::delete(&of_origins(entry));
            }
        }
    }
}

#[cfg(feature = "keyring")]
fn of_origins(entry: &str) -> String {
    format!("{entry}{}", BoundSecret::SUFFIX)
}

fn say_file(failure: &CommandError, output: &Output) {
    let why = failure.message();
    output.status(&format!("gatepass: {why}: the secret goes into a file that only you can read"));
}

/// An entry for each secret that is nobody else's: another config may have a profile of that name.
#[cfg(feature = "keyring")]
async fn entries(
    profile: &str,
    fields: &[&'static Field],
    document: &Document,
) -> Result<BTreeMap<&'static str, (String, bool)>, CommandError> {
    let mut entries = BTreeMap::new();
    for field in fields {
        let mut n = 1;
        let entry = loop {
            let of = if n == 1 { profile.to_owned() } else { format!("{profile}-{n}") };
            let entry = format!("gatepass/{of}/{}", field.name);
            let asked = entry.clone();
            let found = tokio::task::spawn_blocking(move || keyring::find(&asked)).await;
            let found = found.unwrap_or_else(|_| Err(Error::internal("the keyring failed")))?;
            if found.is_none() || document.mentions(&entry) {
                break (entry, found.is_none());
            }
            n += 1;
        };
        entries.insert(field.name, entry);
    }
    Ok(entries)
}

#[cfg(not(feature = "keyring"))]
async fn entries(
    _: &str,
    _: &[&'static Field],
    _: &Document,
) -> Result<BTreeMap<&'static str, (String, bool)>, CommandError> {
    Err(usage("this build has no keyring", "use --secrets file"))
}

/// The longest input that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// One secret: all of standard input, without one newline at its end.
pub(super) fn one(field: &str) -> Result<BTreeMap<String, Zeroizing<String>>, CommandError> {
    let text = input()?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(nothing());
    }
    Ok(BTreeMap::from([(field.to_owned(), Zeroizing::new(text.to_owned()))]))
}

/// A secret on each line of standard input: `KEY=VALUE`.
pub(super) fn many() -> Result<BTreeMap<String, Zeroizing<String>>, CommandError> {
    let text = input()?;
    let mut secrets = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                secrets.insert(key.to_owned(), Zeroizing::new(value.to_owned()))
            }
            _ => return Err(usage("standard input has a line that is not KEY=VALUE", HOW)),
        };
    }
    if secrets.is_empty() { Err(nothing()) } else { Ok(secrets) }
}

fn input() -> Result<Zeroizing<String>, CommandError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
    let read = io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| usage(format!("standard input cannot be read: {}", error.kind()), HOW))?;
    if bytes.len() as u64 > LONGEST {
        return Err(usage("standard input is longer than 64 KiB", HOW));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(usage("standard input is not UTF-8", HOW)),
    }
}

fn nothing() -> CommandError {
    usage("standard input has no secret", HOW)
}

const HOW: &str =
    "--secret-stdin FIELD reads one secret, --secrets-stdin a line FIELD=VALUE for each";
