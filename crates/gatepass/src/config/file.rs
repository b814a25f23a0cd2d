//! The config file: TOML to raw profiles. No error shows a line of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gatepass_core::{Error, Result, Secret};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::is_profile_name;
use super::profile::ProfileOrigin;
use super::value::{Entry, KeyringEntry, RawProfile, Reference, Value};
use crate::registry::{nearest, shown};

const MAX_FILE: u64 = 1024 * 1024;

pub(crate) fn load(path: &Path) -> Result<BTreeMap<String, RawProfile>> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "is the path right? `gatepass init` writes a config",
            _ => "it must be a file that you may read",
        };
        Error::config(format!("the config file {shown} cannot be read: {}", why(&error)))
            .with_hint(hint)
    };
    // Asked before it is opened, since a pipe would wait for a writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::config(format!("the config file {shown} is not a file"))
            .with_hint("name the file itself, as in --config FOLDER/config.toml"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.mode() & 0o022 != 0 {
        return Err(Error::config(format!("others may write the config file {shown}"))
            .with_hint(format!("it decides where secrets go: chmod go-w {shown}")));
    }
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() != us && meta.uid() != 0 {
        return Err(Error::config(format!("the config file {shown} belongs to another user"))
            .with_hint("it decides where secrets go, so it must be yours or root's"));
    }
    let mut text = Zeroizing::new(String::with_capacity(meta.len().min(MAX_FILE) as usize + 1));
    let size = file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if size as u64 > MAX_FILE {
        return Err(Error::config(format!("the config file {shown} is larger than 1 MiB")));
    }
    // A symlink's folder is the one the user named: ConfigMaps are mounted that way.
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Reader::new(path, folder, &text, meta.mode() & 0o077 == 0).profiles()
}

/// Why a file cannot be read or written, as people say it.
pub(crate) fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => String::from("no such file"),
        kind => kind.to_string(),
    }
}

pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, RawProfile>> {
    Reader::new(Path::new("config"), PathBuf::new(), text, true).profiles()
}

struct Reader<'a> {
    path: &'a Path,
    folder: PathBuf,
    text: &'a str,
    private: bool,
    /// Where each line ends: every key's place is asked for.
    ends: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a Path, folder: PathBuf, text: &'a str, private: bool) -> Self {
        let ends = text.match_indices('\n').map(|(end, _)| end).collect();
        Self { path, folder, text, private, ends }
    }

    fn profiles(&self) -> Result<BTreeMap<String, RawProfile>> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            // The parser quotes the text in some of its messages; those are left out.
            let why = error.message();
            let plain = !why.contains(['`', '\'', '"', '\n']) && why.len() < 80;
            let why = if plain { format!(": {why}") } else { String::new() };
            Error::config(format!("{}: not valid TOML{why}", self.place(at)))
                .with_hint("texts stand in quotes: client_id = \"abc\"")
        })?;
        let mut profiles = BTreeMap::new();
        for (key, value) in root.get_ref() {
            let at = key.span().start;
            if key.get_ref() != "profiles" {
                let error = Error::config(format!(
                    "{}: unknown key {} at the top level",
                    self.place(at),
                    shown(key.get_ref())
                ));
                return Err(error.with_hint("a profile begins with [profiles.NAME]"));
            }
            let DeValue::Table(tables) = value.get_ref() else {
                return Err(Error::config(format!(
                    "{}: `profiles` must be a table",
                    self.place(at)
                ))
                .with_hint("a profile begins with [profiles.NAME]"));
            };
            for (name, value) in tables {
                profiles.insert(name.get_ref().to_string(), self.profile(name, value)?);
            }
        }
        Ok(profiles)
    }

    fn profile(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<RawProfile> {
        let at = name.span().start;
        if !is_profile_name(name.get_ref()) {
            return Err(Error::config(format!(
                "{}: {} is not a profile's name",
                self.place(at),
                shown(name.get_ref())
            ))
            .with_hint(
                "a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit",
            ));
        }
        let DeValue::Table(table) = value.get_ref() else {
            return Err(Error::config(format!(
                "{}: `profiles.{}` must be a table",
                self.place(at),
                name.get_ref()
            ))
            .with_hint(format!("write [profiles.{}] on a line of its own", name.get_ref())));
        };
        let entries = table
            .iter()
            .map(|(key, value)| {
                let place = self.place(key.span().start);
                // A mistake in one profile is no other profile's.
                let value = self.value(value.get_ref()).unwrap_or_else(|error| {
                    let message = format!("{place}: `{}`: {}", key.get_ref(), error.message());
                    Value::Wrong(Error::config(message).with_hint(REFERENCES))
                });
                Entry { key: key.get_ref().to_string(), value, place }
            })
            .collect();
        Ok(RawProfile {
            name: name.get_ref().to_string(),
            origin: ProfileOrigin::File(self.path.to_owned()),
            folder: self.folder.clone(),
            private: self.private,
            place: self.place(at),
            entries,
        })
    }

    fn value(&self, value: &DeValue<'_>) -> Result<Value> {
        Ok(match value {
            DeValue::String(text) => Value::Text(Secret::from(text.as_ref())),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Array(items) => match texts(items) {
                Some(items) => Value::List(items),
                None => Value::Other("a list of other things than texts"),
            },
            DeValue::Table(table) => Value::Reference(self.reference(table)?),
            DeValue::Integer(_) | DeValue::Float(_) => Value::Other("a number"),
            DeValue::Datetime(_) => Value::Other("a date"),
        })
    }

    fn reference(&self, table: &DeTable<'_>) -> Result<Reference> {
        let mut items = table.iter();
        let (Some((kind, value)), None) = (items.next(), items.next()) else {
            return Err(Error::config("a reference has exactly one key"));
        };
        let wrong = || {
            Err(Error::config(format!("the reference {} has a wrong value", shown(kind.get_ref()))))
        };
        let text = || match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        };
        Ok(match (kind.get_ref().as_ref(), text(), value.get_ref()) {
            ("env", Some(name), _) => Reference::Env(name),
            ("file", Some(path), _) => Reference::File(self.folder.join(path)),
            ("systemd", Some(name), _) => Reference::Systemd(name),
            ("keyring", Some(name), _) => Reference::Keyring(KeyringEntry::parse(&name)?),
            ("stdin", _, DeValue::Boolean(true)) => Reference::Stdin,
            ("command", _, DeValue::Array(items)) => match texts(items) {
                Some(words) if words.first().is_some_and(|first| !first.is_empty()) => {
                    Reference::Command(words)
                }
                _ => return wrong(),
            },
            ("command", Some(_), _) => {
                return Err(Error::config("`command` is a list of words, since no shell reads it"));
            }
            ("env" | "file" | "systemd" | "keyring" | "stdin" | "command", ..) => return wrong(),
            (other, ..) => {
                let known = ["env", "file", "command", "keyring", "systemd", "stdin"];
                let near = nearest(other, known).map(|near| format!("; did you mean `{near}`?"));
                let near = near.unwrap_or_default();
                return Err(Error::config(format!(
                    "no reference is called {}{near}",
                    shown(other)
                )));
            }
        })
    }

    /// `file:line` of a byte offset.
    fn place(&self, at: usize) -> String {
        let line = 1 + self.ends.partition_point(|end| *end < at);
        format!("{}:{line}", self.path.display())
    }
}

const REFERENCES: &str = "a reference is one of { env = \"NAME\" } { file = \"PATH\" } \
                          { command = [\"PROGRAM\", \"ARGUMENT\"] } { systemd = \"NAME\" } \
                          { keyring = \"NAME\" } { stdin = true }";

fn texts(items: &[Spanned<DeValue<'_>>]) -> Option<Vec<String>> {
    items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
}

/// Reads a file that a profile refers to, at most 64 KiB of it.
pub(super) fn read_text(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    const MAX: u64 = 64 * 1024;
    let meta = fs::metadata(path)?;
    if meta.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    // Room for all of it, since growing would leave a copy behind; a pipe does not tell how much.
    let size = if meta.is_file() && meta.len() > 0 { meta.len().clamp(1024, MAX) } else { MAX };
    let mut bytes = Zeroizing::new(Vec::with_capacity(size as usize + 1));
    File::open(path)?.take(MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
