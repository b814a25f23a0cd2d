//! Reads what a profile refers to: a variable, a file, a command's output, a systemd credential,
//! an entry of the keyring, standard input.

mod command;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use gatepass_core::{Error, Result, Secret};
use zeroize::Zeroizing;

use self::command::command;
use super::env::Env;
use super::file::{read_text, why};
use super::origins::Origins;
use super::value::{KeyringEntry, Reference, at};

/// How long a command may take to print a secret, and again to end.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the keyring may take: enough to type its password.
pub(crate) const KEYRING_TIMEOUT: Duration = Duration::from_secs(60);

/// What a path that leads nowhere may lack.
pub(crate) const RELATIVE: &str =
    "a relative path begins at the config file's folder, and a variable's at the current one";

/// How long standard input or a pipe may take: whoever writes there may have to ask a person.
const PIPE_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest secret of a command or of standard input.
const MAX: u64 = 64 * 1024;

/// Where a credential's value comes from.
#[derive(Clone)]
pub(crate) enum Source {
    Literal(Secret),
    Reference(Reference),
}

/// What a reference has given.
pub(crate) struct Given {
    pub(crate) secret: Secret,
    /// What it is kept for, if gatepass has stored it.
    pub(crate) origins: Option<Origins>,
}

impl Source {
    /// How long reading it may take, beyond what the vendor may.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Self::Literal(_) => Duration::ZERO,
            Self::Reference(reference) => reference.patience(),
        }
    }

    /// Whether reading it can take long, so that no thread of an event loop may do it.
    pub(crate) fn blocks(&self) -> bool {
        matches!(self, Self::Reference(reference) if !matches!(reference, Reference::Env(_)))
    }

    /// Whether reading it runs nothing, asks nobody and takes nothing away.
    pub(crate) fn is_at_hand(&self) -> bool {
        use Reference::{Env, File, Systemd};
        matches!(self, Self::Literal(_) | Self::Reference(Env(_) | File(_) | Systemd(_)))
    }
}

impl Reference {
    /// A person may have to unlock it.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Self::Command(_) => COMMAND_TIMEOUT * 2,
            Self::Keyring(_) => KEYRING_TIMEOUT,
            _ if self.is_pipe() => PIPE_TIMEOUT,
            Self::Env(_) | Self::File(_) | Self::Systemd(_) | Self::Stdin => Duration::ZERO,
        }
    }

    /// Whether somebody else writes while it is read.
    pub(crate) fn is_pipe(&self) -> bool {
        match self {
            Self::Stdin => true,
            Self::File(path) => is_pipe(path),
            _ => false,
        }
    }

    /// The origins that it is kept for, if gatepass has stored it.
    pub(crate) fn origins(&self, key: &str) -> Result<Option<Origins>> {
        match self {
            Self::File(path) => Origins::of_file(key, path),
            #[cfg(feature = "keyring")]
            Self::Keyring(entry) => match crate::keyring::find_entry(&entry.of_origins())? {
                Some(text) => Origins::of_entry(key, &entry.to_string(), &text).map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Reads it now. One trailing newline is dropped from all but a variable; empty is an error.
    /// `key` is what it is for, and `folder` what a program's relative path is relative to.
    pub(crate) fn read(&self, key: &str, env: &Env, folder: &Path) -> Result<Given> {
        let mut origins = None;
        let text = match self {
            Self::Env(name) => {
                let text = env.get(name).ok_or_else(|| {
                    Error::config(format!("`{key}`: the variable {name} is not set"))
                        .with_hint(format!("set {name} (export it, if this is a shell)"))
                })?;
                Zeroizing::new(text)
            }
            Self::File(path) => {
                origins = Origins::of_file(key, path)?;
                file(key, path, PIPE_TIMEOUT)?
            }
            Self::Command(words) => command(key, words, folder, COMMAND_TIMEOUT)?,
            Self::Systemd(name) => systemd(key, name, env)?,
            Self::Stdin => stdin(key, PIPE_TIMEOUT)?,
            Self::Keyring(entry) => {
                let (text, kept) = keyring(key, entry)?;
                origins = kept;
                text
            }
        };
        if text.is_empty() {
            return Err(Error::config(format!("`{key}`: {} is empty", self.shown())));
        }
        Ok(Given { secret: Secret::from(text.as_str()), origins })
    }

    /// What it is, without a value: for errors and `gatepass inspect`.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Env(name) => format!("the variable {name}"),
            Self::File(path) => format!("the file {}", path.display()),
            Self::Command(words) => {
                format!("the output of {}", words.first().map_or("", String::as_str))
            }
            Self::Systemd(name) => format!("the systemd credential {name}"),
            Self::Keyring(entry) => format!("the keyring's {entry}"),
            Self::Stdin => String::from("standard input"),
        }
    }
}

fn file(key: &str, path: &Path, limit: Duration) -> Result<Zeroizing<String>> {
    let shown = path.display();
    let read = match is_pipe(path) {
        false => read_text(path),
        true => {
            let path = path.to_owned();
            within(limit, move || read_text(&path)).ok_or_else(|| {
                let late =
                    format!("`{key}`: the pipe {shown} did not end within {} s", limit.as_secs());
                Error::config(late).with_hint("does anybody write the secret there, and close it?")
            })?
        }
    };
    let bytes = read.map_err(|error| {
        let read = format!("`{key}`: cannot read {shown}: {}", why(&error));
        Error::config(read).with_hint(match error.kind() {
            io::ErrorKind::FileTooLarge => "a secret has 64 KiB at most: is this the right file?",
            io::ErrorKind::IsADirectory => "name the file in it",
            io::ErrorKind::PermissionDenied => {
                "its owner must let this user read it, and its folder"
            }
            _ => RELATIVE,
        })
    })?;
    text(key, &format!("the file {shown}"), bytes)
}

/// A named pipe, a shell's `<(…)`, or a terminal.
fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// What comes of it, or `None` when the time is up. A thread that nobody waits for any more stays
/// where it is.
fn within<T: Send + 'static>(
    limit: Duration,
    read: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more when the time is up.
        let _ = done.send(read());
    });
    outcome.recv_timeout(limit).ok()
}

/// UTF-8, with one trailing newline dropped.
fn text(key: &str, what: &str, mut bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>> {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Error::config(format!("`{key}`: {what} is not UTF-8"))),
    }
}

fn systemd(key: &str, name: &str, env: &Env) -> Result<Zeroizing<String>> {
    if name.contains('/') || name.starts_with('.') {
        return Err(Error::config(format!("`{key}`: a systemd credential's name is no path")));
    }
    let folder = env.get("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        Error::config(format!("`{key}`: CREDENTIALS_DIRECTORY is not set"))
            .with_hint("it is set in a systemd unit that has LoadCredential=")
    })?;
    file(key, &PathBuf::from(folder).join(name), PIPE_TIMEOUT)
}

#[cfg(feature = "keyring")]
fn keyring(key: &str, entry: &KeyringEntry) -> Result<(Zeroizing<String>, Option<Origins>)> {
    let read = crate::keyring::read_both(entry, &entry.of_origins());
    let (secret, origins) = read.map_err(|error| at(&format!("`{key}`"), error))?;
    let origins = origins.map(|text| Origins::of_entry(key, &entry.to_string(), &text));
    // A shell's echo leaves its newline in a keyring as well.
    let bytes = Zeroizing::new(secret.as_bytes().to_vec());
    Ok((text(key, &format!("the keyring's {entry}"), bytes)?, origins.transpose()?))
}

#[cfg(not(feature = "keyring"))]
fn keyring(key: &str, entry: &KeyringEntry) -> Result<(Zeroizing<String>, Option<Origins>)> {
    let error = Error::config("this build reads no keyring").with_hint(format!(
        "build it with the feature `keyring` for {entry}, or use {{ file = … }}, \
         {{ command = … }} or {{ env = … }}"
    ));
    Err(at(&format!("`{key}`"), error))
}

/// Standard input, read once: several fields may refer to it.
fn stdin(key: &str, limit: Duration) -> Result<Zeroizing<String>> {
    static READ: OnceLock<Option<Zeroizing<Vec<u8>>>> = OnceLock::new();
    let wrong = |what| Err(Error::config(format!("`{key}`: standard input {what}")));
    let Some(bytes) = within(limit, || READ.get_or_init(|| read_all(io::stdin().lock()).ok()))
    else {
        let late = format!("`{key}`: standard input did not end within {} s", limit.as_secs());
        return Err(Error::config(late).with_hint(
            "it is read to its end: pipe the secret in, or type it and press Ctrl-D in a line of its own",
        ));
    };
    match bytes {
        Some(bytes) if bytes.len() as u64 > MAX => wrong("is longer than 64 KiB"),
        Some(bytes) => text(key, "standard input", bytes.clone()),
        None => wrong("cannot be read"),
    }
}

/// All there is, or one byte more than is allowed, in memory that is cleared.
fn read_all(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Never grown, since what a vector leaves behind when it moves is not cleared.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX as usize + 1));
    from.take(MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_pipe_that_nobody_writes_is_left_after_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = file("client_secret", &path, Duration::from_millis(50)).unwrap_err();
        assert!(error.message().contains("did not end within"), "{error}");
        assert!(error.hint().unwrap().contains("write"), "{error:?}");
        // The thread that waited has it open already.
        fs::write(&path, "for the one that has left").unwrap();
    }

    #[test]
    fn only_a_literal_and_a_variable_are_read_without_waiting() {
        let keyring = Reference::Keyring(KeyringEntry::parse("cisco").unwrap());
        let seconds = |source: &Source| source.patience().as_secs();
        for source in
            [Source::Literal(Secret::from("a")), Source::Reference(Reference::Env(String::new()))]
        {
            assert!(!source.blocks() && seconds(&source) == 0);
        }
        for (reference, patience) in [
            (Reference::File(PathBuf::new()), 0),
            (Reference::File(PathBuf::from("/dev/null")), 60),
            (Reference::Command(Vec::new()), 60),
            (Reference::Systemd(String::new()), 0),
            (keyring, 60),
            (Reference::Stdin, 60),
        ] {
            let source = Source::Reference(reference);
            assert!(source.blocks());
            assert_eq!(seconds(&source), patience);
        }
    }

    #[cfg(not(feature = "keyring"))]
    #[test]
    fn a_build_without_a_keyring_says_which_feature_adds_it() {
        let reference = Reference::Keyring(KeyringEntry::parse("cisco").unwrap());
        let error = reference.read("client_secret", &Env::process(), Path::new("")).err().unwrap();
        assert_eq!(error.message(), "`client_secret`: this build reads no keyring");
        assert!(error.hint().unwrap().contains("feature `keyring`"), "{error:?}");
    }
}
