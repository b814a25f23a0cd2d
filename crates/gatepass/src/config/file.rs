//! The reader of the config file: TOML to raw profiles.
//!
//! No error quotes the file, because any line may hold a secret, if only by mistake.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gatepass_core::{ConfigPlace, Error, Hint, Result, Secret};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::form::{self, Wrapping};
use super::is_profile_name;
use super::profile::ProfileOrigin;
use super::secret_file::user_id;
use super::value::{
    ConfigEntry, KeyringEntry, RawProfile, ReadOptions, Reference, SecretSource, Value,
};
use crate::registry::{nearest, quoted_name};

const MAX_FILE: u64 = 1024 * 1024;

/// The content of a config file.
pub(crate) struct Contents {
    pub(crate) profiles: BTreeMap<String, RawProfile>,
    /// `path` of `[store]`.
    pub(crate) store_path: Option<PathBuf>,
}

/// The config of all users of a machine. It is read if the user has none.
pub const SYSTEM_CONFIG: &str = "/etc/gatepass/config.toml";

/// The tables at the top level.
pub const TABLES: [&str; 2] = ["profiles", "store"];
/// The keys of `[store]`.
pub const STORE_KEYS: [&str; 1] = ["path"];

/// The keys of a reference that name the place. It has exactly one of them.
pub const REFERENCES: [&str; 6] = ["env", "file", "command", "keyring", "systemd", "stdin"];

/// The keys that a reference may have in addition to the one that names the place.
pub const REFERENCE_OPTIONS: [&str; 3] = ["raw", "line", "owner"];

/// Reads a file, if it and its owner are safe.
pub(crate) fn load(path: &Path) -> Result<Contents> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => {
                Hint::gatepass("check the path, or create a config file", ["init"])
            }
            _ => Hint::new("it must be a file that you can read"),
        };
        let what = format!("the config file {shown} cannot be read");
        Error::machine_limit(&what, &error)
            .unwrap_or_else(|| Error::config(format!("{what}: {}", describe_io(&error))).hint(hint))
    };
    // Checked before the file is opened, because opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::config(format!("the config file {shown} is not a file"))
            .hint("name the file itself, as in --config DIRECTORY/config.toml"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.mode() & 0o022 != 0 {
        return Err(Error::config(format!("other users can write the config file {shown}")).hint(
            Hint::run("it decides where secrets are sent", ["chmod", "go-w", &shown.to_string()]),
        ));
    }
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() != us && meta.uid() != 0 {
        return Err(Error::config(format!("the config file {shown} belongs to another user"))
            .hint("it decides where secrets are sent, so it must belong to you or to root"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(meta.len().min(MAX_FILE) as usize + 1));
    let size = file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if size as u64 > MAX_FILE {
        return Err(Error::config(format!("the config file {shown} is larger than 1 MiB")));
    }
    let text = form::to_text(&bytes).map_err(|problem| {
        Error::config(format!("the config file {shown} {problem}")).hint(form::ENCODING)
    })?;
    if text.contains('\0') {
        return Err(Error::config(format!("the config file {shown} contains NUL characters"))
            .hint(Wrapping::Nul.hint()));
    }
    // Relative paths begin at the directory that the user named, not at the target of a symbolic
    // link: ConfigMaps are mounted as links.
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Reader::new(path, folder, &text, meta.mode() & 0o077 == 0).contents()
}

/// Describes an I/O error without the system's number for it.
pub(crate) fn describe_io(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => String::from("no such file"),
        kind => kind.to_string(),
    }
}

/// Parses a string instead of a file.
pub(crate) fn parse(text: &str) -> Result<Contents> {
    Reader::new(Path::new("config"), PathBuf::new(), text, true).contents()
}

/// The error for a string that is not a valid profile name.
pub(super) fn invalid_name(name: &str) -> Error {
    Error::config(format!("{} is not a valid profile name", quoted_name(name)))
        .hint("a name has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit")
}

struct Reader<'a> {
    path: &'a Path,
    folder: PathBuf,
    text: &'a str,
    private: bool,
    /// The offsets of the line ends, for the places of keys.
    ends: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a Path, folder: PathBuf, text: &'a str, private: bool) -> Self {
        let ends = text.match_indices('\n').map(|(end, _)| end).collect();
        Self { path, folder, text, private, ends }
    }

    fn contents(&self) -> Result<Contents> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            // Some messages of the parser quote the file; those are left out.
            let detail = error.message();
            let plain = !detail.contains(['`', '\'', '"', '\n']) && detail.len() < 80;
            let detail = if plain { format!(": {detail}") } else { String::new() };
            Error::config(format!("not valid TOML{detail}"))
                .with_place(self.place(at))
                .hint("strings must be quoted: client_id = \"abc\"")
        })?;
        let mut contents = Contents { profiles: BTreeMap::new(), store_path: None };
        for (key, value) in root.get_ref() {
            let at = key.span().start;
            let name = key.get_ref().as_ref();
            if !TABLES.contains(&name) {
                let error =
                    Error::config(format!("unknown key {} at the top level", quoted_name(name)))
                        .with_place(self.place(at));
                return Err(match nearest(name, TABLES) {
                    Some("store") => error.hint("did you mean [store]?"),
                    _ => error.hint("a profile begins with [profiles.NAME]"),
                });
            }
            let DeValue::Table(table) = value.get_ref() else {
                return Err(Error::config("must be a table")
                    .with_field(name.to_owned())
                    .with_place(self.place(at))
                    .hint(match name {
                        "store" => "write [store] on a line of its own",
                        _ => "a profile begins with [profiles.NAME]",
                    }));
            };
            if name == "store" {
                contents.store_path = self.store_path(table)?;
                continue;
            }
            for (name, value) in table {
                contents.profiles.insert(name.get_ref().to_string(), self.profile(name, value)?);
            }
        }
        Ok(contents)
    }

    /// Reads `[store]`.
    fn store_path(&self, table: &DeTable<'_>) -> Result<Option<PathBuf>> {
        let mut path = None;
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !STORE_KEYS.contains(&name) {
                let error = Error::config(format!("unknown key {} of [store]", quoted_name(name)));
                let known = STORE_KEYS.join(", ");
                return Err(error
                    .with_place(self.place(key.span().start))
                    .hint(format!("[store] has: {known}")));
            }
            let text = value.get_ref().as_str().map(Path::new);
            let absolute = text.filter(|path| path.is_absolute()).ok_or_else(|| {
                Error::config("must be the absolute path of a directory")
                    .with_field("store.path")
                    .with_place(self.place(key.span().start))
                    .hint("write it like path = \"/var/lib/acme/gatepass\"")
            })?;
            path = Some(absolute.to_owned());
        }
        Ok(path)
    }

    fn profile(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<RawProfile> {
        let at = name.span().start;
        if !is_profile_name(name.get_ref()) {
            return Err(invalid_name(name.get_ref()).with_place(self.place(at)));
        }
        let DeValue::Table(table) = value.get_ref() else {
            return Err(Error::config("must be a table")
                .with_field(format!("profiles.{}", name.get_ref()))
                .with_place(self.place(at))
                .hint(format!("write [profiles.{}] on a line of its own", name.get_ref())));
        };
        let entries = table
            .iter()
            .map(|(key, value)| {
                let place = self.place(key.span().start);
                // Reported when this profile is used: the other profiles are not affected.
                let value = self.value(value.get_ref()).unwrap_or_else(|error| {
                    let error = error.with_field(key.get_ref().to_string());
                    Value::Wrong(error.with_place(place.clone()).with_hints([EXAMPLES.into()]))
                });
                ConfigEntry { key: key.get_ref().to_string(), value, place }
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
            DeValue::String(text) => {
                Value::Source(SecretSource::Literal(Secret::from(text.as_ref())))
            }
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Array(items) => match strings(items) {
                Some(items) => Value::List(items),
                None => Value::Other("a list with other values than strings"),
            },
            DeValue::Table(table) => {
                let (reference, options) = self.reference(table)?;
                Value::Source(SecretSource::Reference(reference, options))
            }
            DeValue::Integer(_) | DeValue::Float(_) => Value::Other("a number"),
            DeValue::Datetime(_) => Value::Other("a date"),
        })
    }

    fn reference(&self, table: &DeTable<'_>) -> Result<(Reference, ReadOptions)> {
        let (mut options, mut has_options) = (ReadOptions::default(), Vec::new());
        for (key, value) in table {
            if REFERENCE_OPTIONS.contains(&key.get_ref().as_ref()) {
                read_option(key.get_ref(), value.get_ref(), &mut options)?;
                has_options.push(key.get_ref().as_ref());
            }
        }
        let mut items =
            table.iter().filter(|(key, _)| !has_options.contains(&key.get_ref().as_ref()));
        let (Some((kind, value)), None) = (items.next(), items.next()) else {
            return Err(Error::config("a reference has exactly one key that names the place"));
        };
        let wrong = || {
            let kind = quoted_name(kind.get_ref());
            Err(Error::config(format!("the reference {kind} has an invalid value")))
        };
        let text = || match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        };
        let reference = match (kind.get_ref().as_ref(), text(), value.get_ref()) {
            ("env", Some(name), _) => Reference::Env(name),
            ("file", Some(path), _) => Reference::File(self.folder.join(path)),
            ("systemd", Some(name), _) => Reference::Systemd(name),
            ("keyring", Some(name), _) => Reference::Keyring(KeyringEntry::parse(&name)?),
            ("stdin", _, DeValue::Boolean(true)) => Reference::Stdin,
            ("command", _, DeValue::Array(items)) => match strings(items) {
                Some(words) if words.first().is_some_and(|first| !first.is_empty()) => {
                    Reference::Command(words)
                }
                _ => return wrong(),
            },
            ("command", Some(_), _) => {
                return Err(Error::config(
                    "`command` must be a list: gatepass runs it without a shell",
                ));
            }
            ("env" | "file" | "systemd" | "keyring" | "stdin" | "command", ..) => return wrong(),
            (other, ..) => {
                let known = REFERENCES.into_iter().chain(REFERENCE_OPTIONS);
                let near = nearest(other, known).map(|near| format!("; did you mean `{near}`?"));
                let near = near.unwrap_or_default();
                let other = quoted_name(other);
                return Err(Error::config(format!("unknown reference {other}{near}")));
            }
        };
        for (option, is_allowed) in [
            ("owner", matches!(reference, Reference::File(_))),
            ("line", matches!(reference, Reference::Command(_)) && !options.raw),
        ] {
            if has_options.contains(&option) && !is_allowed {
                let kind = if option == "owner" { "file" } else { "command without `raw`" };
                return Err(Error::config(format!("`{option}` is for a {kind} only")));
            }
        }
        Ok((reference, options))
    }

    /// Returns the place of a byte offset.
    fn place(&self, at: usize) -> ConfigPlace {
        let line = 1 + self.ends.partition_point(|end| *end < at);
        ConfigPlace::Line { file: self.path.to_owned(), line }
    }
}

fn read_option(key: &str, value: &DeValue<'_>, options: &mut ReadOptions) -> Result<()> {
    let number = match value {
        DeValue::Integer(number) if number.radix() == 10 => {
            number.as_str().replace('_', "").parse().ok()
        }
        _ => None,
    };
    match (key, value, number) {
        ("raw", DeValue::Boolean(raw), _) => options.raw = *raw,
        ("line", _, Some(line @ 1..)) => options.line = Some(line as usize),
        ("owner", _, Some(owner)) => options.owner = Some(owner),
        ("owner", DeValue::String(name), _) => options.owner = Some(user_id(name)?),
        _ => {
            return Err(Error::config(format!(
                "`{key}` must be {}",
                match key {
                    "raw" => "true or false",
                    "line" => "the number of a line, from 1",
                    _ => "the number or the name of a user",
                }
            )));
        }
    }
    Ok(())
}

const EXAMPLES: &str = "use one of { env = \"NAME\" } { file = \"PATH\" } \
                          { command = [\"PROGRAM\", \"ARGUMENT\"] } { systemd = \"NAME\" } \
                          { keyring = \"NAME\" } { stdin = true }";

fn strings(items: &[Spanned<DeValue<'_>>]) -> Option<Vec<String>> {
    items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
}

/// Reads a file that a profile refers to: 64 KiB at most.
pub(super) fn read_text(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    const MAX: u64 = 64 * 1024;
    let meta = fs::metadata(path)?;
    if meta.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    // Allocated once, because growing would leave copies of the secret in memory. The length of a
    // pipe is unknown.
    let size = if meta.is_file() && meta.len() > 0 { meta.len().clamp(1024, MAX) } else { MAX };
    let mut bytes = Zeroizing::new(Vec::with_capacity(size as usize + 1));
    File::open(path)?.take(MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
