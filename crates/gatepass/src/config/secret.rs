//! Resolves the references of a profile: a variable, a file, a command's output, a systemd
//! credential, a keyring entry, standard input.

mod command;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use gatepass_core::__private::on_thread;
use gatepass_core::{Error, FieldKind, Result, Secret};
use zeroize::Zeroizing;

use self::command::run;
use super::env::Env;
use super::file::describe_io;
use super::form::{self, Wrapping};
use super::origins::Origins;
use super::secret_file::{self, FileError};
use super::value::{KeyringEntry, ReadOptions, Reference, SecretSource};

/// The time limit for a command to print a secret, and again for it to exit.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The time limit for the keyring: long enough to type its password.
pub(crate) const KEYRING_TIMEOUT: Duration = Duration::from_secs(60);

/// The hint for a path that does not exist.
pub(crate) const RELATIVE: &str =
    "a relative path begins at the config file's directory, or for a variable at the current one";

/// The time limit for standard input and pipes: the program that writes may have to ask the user.
const PIPE_TIMEOUT: Duration = Duration::from_secs(60);

/// The maximum size of a secret from a command or standard input.
const MAX: u64 = 64 * 1024;

/// A secret that a reference was resolved to.
pub(crate) struct ResolvedSecret {
    pub(crate) secret: Secret,
    /// The origins that it may be sent to, if gatepass has stored it.
    pub(crate) origins: Option<Origins>,
}

impl SecretSource {
    /// Returns how long reading it may take.
    pub(crate) fn read_timeout(&self) -> Duration {
        match self {
            Self::Literal(_) => Duration::ZERO,
            Self::Reference(reference, _) => reference.read_timeout(),
        }
    }

    /// Returns whether reading it can block, so that an event loop must not do it.
    pub(crate) fn blocks(&self) -> bool {
        matches!(self, Self::Reference(reference, _) if !matches!(reference, Reference::Env(_)))
    }

    /// Returns whether reading it runs no program, asks no user and consumes no input.
    pub(crate) fn reads_without_prompt(&self) -> bool {
        use Reference::{Env, File, Systemd};
        matches!(self, Self::Literal(_) | Self::Reference(Env(_) | File(_) | Systemd(_), _))
    }
}

impl Reference {
    /// Returns how long reading it may take: the user may have to unlock it.
    pub(crate) fn read_timeout(&self) -> Duration {
        match self {
            Self::Command(_) => COMMAND_TIMEOUT * 2,
            Self::Keyring(_) => KEYRING_TIMEOUT,
            _ if self.is_pipe() => PIPE_TIMEOUT,
            Self::Env(_) | Self::File(_) | Self::Systemd(_) | Self::Stdin => Duration::ZERO,
        }
    }

    /// Returns whether another program writes it while it is read.
    pub(crate) fn is_pipe(&self) -> bool {
        match self {
            Self::Stdin => true,
            Self::File(path) => is_pipe(path),
            _ => false,
        }
    }

    /// Returns the file that it is read from.
    pub(crate) fn file(&self, env: &Env) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Systemd(name) => Some(env.path("CREDENTIALS_DIRECTORY")?.join(name)),
            _ => None,
        }
    }

    /// Returns the origins that it may be sent to, if gatepass has stored it.
    pub(crate) fn origins(&self) -> Result<Option<Origins>> {
        match self {
            Self::File(path) => Origins::from_file(path),
            #[cfg(feature = "keyring")]
            Self::Keyring(entry) => match crate::keyring::find_entry(&entry.of_origins())? {
                Some(text) => Origins::from_entry(&entry.to_string(), &text).map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Reads it now, for a field of this kind. A program's relative path begins at `folder`.
    ///
    /// One trailing newline is dropped, and a value in a [`Wrapping`] is an error, unless the options
    /// say `raw`. An empty value is an error.
    pub(crate) fn read(
        &self,
        options: &ReadOptions,
        kind: &FieldKind,
        env: &Env,
        folder: &Path,
    ) -> Result<ResolvedSecret> {
        let mut origins = None;
        let bytes = match self {
            Self::Env(name) => read_variable(name, env)?,
            Self::File(path) => {
                origins = Origins::from_file(path)?;
                read_file(path, options.owner, PIPE_TIMEOUT)?
            }
            Self::Command(words) => run(words, folder, COMMAND_TIMEOUT)?,
            Self::Systemd(name) => read_systemd(name, env)?,
            Self::Stdin => read_stdin(PIPE_TIMEOUT)?,
            Self::Keyring(entry) => {
                let (bytes, stored) = read_keyring(entry)?;
                origins = stored;
                bytes
            }
        };
        let text = form::to_text(&bytes).map_err(|problem| {
            Error::config(format!("{} {problem}", self.describe())).hint(form::ENCODING)
        })?;
        let text = self.unwrap(&text, options, kind)?;
        if text.is_empty() {
            return Err(Error::config(format!("{} is empty", self.describe())));
        }
        Ok(ResolvedSecret { secret: Secret::from(text), origins })
    }

    /// Returns the value without its newline, if it has no other wrapping.
    fn unwrap<'a>(
        &self,
        text: &'a str,
        options: &ReadOptions,
        kind: &FieldKind,
    ) -> Result<&'a str> {
        let source = self.describe();
        let value = match options.line {
            _ if options.raw => text,
            None => form::drop_newline(text),
            Some(line) => text.lines().nth(line - 1).ok_or_else(|| {
                let count = text.lines().count();
                Error::config(format!("{source} has {count} lines, and no line {line}"))
            })?,
        };
        let wrapping = match Wrapping::of(value) {
            Some(Wrapping::Nul) => Some(Wrapping::Nul),
            _ if options.raw || is_block(kind) => None,
            wrapping => wrapping,
        };
        let Some(wrapping) = wrapping else { return Ok(value) };
        let error = Error::config(format!("{source} {}", wrapping.describe()));
        let error = match (wrapping, self) {
            (Wrapping::Lines, Self::Command(_)) => {
                error.hint("take one of them: { command = […], line = 1 }")
            }
            _ => error.hint(wrapping.hint()),
        };
        Err(match wrapping {
            Wrapping::Nul => error,
            _ => error.hint("or add raw = true to the reference, if all of it is the secret"),
        })
    }

    /// Describes it without its value, for errors and `gatepass inspect`.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Env(name) => format!("the variable {name}"),
            Self::File(path) => format!("the file {}", path.display()),
            Self::Command(words) => {
                format!("the output of {}", words.first().map_or("", String::as_str))
            }
            Self::Systemd(name) => format!("the systemd credential {name}"),
            Self::Keyring(entry) => format!("the keyring entry {entry}"),
            Self::Stdin => String::from("standard input"),
        }
    }
}

/// Returns whether a value of this kind is a block of lines with a form of its own.
pub(crate) fn is_block(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Key | FieldKind::Certificate)
}

fn read_variable(name: &str, env: &Env) -> Result<Zeroizing<Vec<u8>>> {
    let value = env.bytes(name).ok_or_else(|| {
        Error::config(format!("the variable {name} is not set"))
            .hint(format!("set {name}; in a shell, export it"))
    })?;
    Ok(value)
}

fn read_file(path: &Path, owner: Option<u32>, limit: Duration) -> Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let read = match is_pipe(path) {
        false => secret_file::read(path, owner),
        true => {
            let path = path.to_owned();
            within(limit, move || secret_file::read(&path, owner)).ok_or_else(|| {
                let seconds = limit.as_secs();
                Error::config(format!("the pipe {shown} was not closed within {seconds} s"))
                    .hint("check that a program writes the secret to the pipe, and closes it")
            })?
        }
    };
    read.map_err(|error| match error {
        FileError::Refused(error) => error,
        FileError::Io(error) => unreadable(&shown.to_string(), &error),
    })
}

fn unreadable(shown: &str, error: &io::Error) -> Error {
    // Too large a file is one that was named by mistake, and not a limit of the machine.
    let is_too_large = error.kind() == io::ErrorKind::FileTooLarge;
    let read = format!("cannot read {shown}");
    if !is_too_large && let Some(error) = Error::machine_limit(&read, error) {
        return error;
    }
    Error::config(format!("{read}: {}", describe_io(error))).hint(match error.kind() {
        io::ErrorKind::FileTooLarge => {
            "a secret has at most 64 KiB: check that this is the right file"
        }
        io::ErrorKind::IsADirectory => "it is a directory: name the file in it",
        io::ErrorKind::PermissionDenied => {
            "its owner must allow this user to read it, and to enter its directory"
        }
        _ => RELATIVE,
    })
}

/// Returns whether it is a named pipe, a shell's `<(…)`, or a terminal.
fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// Runs `read` on its own thread and returns its result, or `None` after the time limit. The thread
/// is not stopped: a blocking read cannot be cancelled.
fn within<T: Send + 'static>(
    limit: Duration,
    read: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, outcome) = mpsc::channel();
    on_thread(move || {
        // After the time limit the receiver is gone.
        let _ = done.send(read());
    });
    outcome.recv_timeout(limit).ok()
}

fn read_systemd(name: &str, env: &Env) -> Result<Zeroizing<Vec<u8>>> {
    if name.contains('/') || name.starts_with('.') {
        return Err(Error::config("the name of a systemd credential must not be a path"));
    }
    let folder = env.path("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        Error::config("CREDENTIALS_DIRECTORY is not set")
            .hint("systemd sets it for a unit with LoadCredential=")
    })?;
    read_file(&folder.join(name), None, PIPE_TIMEOUT)
}

#[cfg(feature = "keyring")]
fn read_keyring(entry: &KeyringEntry) -> Result<(Zeroizing<Vec<u8>>, Option<Origins>)> {
    let (secret, origins) = crate::keyring::read_both(entry, &entry.of_origins())?;
    let origins = origins.map(|text| Origins::from_entry(&entry.to_string(), &text));
    Ok((Zeroizing::new(secret.as_bytes().to_vec()), origins.transpose()?))
}

#[cfg(not(feature = "keyring"))]
fn read_keyring(entry: &KeyringEntry) -> Result<(Zeroizing<Vec<u8>>, Option<Origins>)> {
    Err(Error::config("this build does not support the keyring").hint(format!(
        "build it with the feature `keyring` for {entry}, or use {{ file = … }}, \
         {{ command = … }} or {{ env = … }}"
    )))
}

/// Reads standard input, once: several fields may refer to it.
fn read_stdin(limit: Duration) -> Result<Zeroizing<Vec<u8>>> {
    static READ: OnceLock<Option<Zeroizing<Vec<u8>>>> = OnceLock::new();
    let wrong = |what| Err(Error::config(format!("standard input {what}")));
    let Some(bytes) = within(limit, || READ.get_or_init(|| read_all(io::stdin().lock()).ok()))
    else {
        let late = format!("standard input was not closed within {} s", limit.as_secs());
        return Err(Error::config(late).hint(
            "pipe the secret to it, or type the secret and press Ctrl-D on a line of its own",
        ));
    };
    match bytes {
        Some(bytes) if bytes.len() as u64 > MAX => wrong("is longer than 64 KiB"),
        Some(bytes) => Ok(bytes.clone()),
        None => wrong("cannot be read"),
    }
}

/// Reads to the end, or one byte more than the limit, into memory that is cleared on drop.
fn read_all(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Allocated once: a vector that grows leaves copies that are not cleared.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX as usize + 1));
    from.take(MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn pipe_without_writer_times_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = read_file(&path, None, Duration::from_millis(50)).unwrap_err();
        assert!(error.message().contains("was not closed within"), "{error}");
        assert!(error.hints()[0].text().contains("write"), "{error:?}");
        // Ends the thread, which still waits for a writer.
        fs::write(&path, "late").unwrap();
    }

    #[test]
    fn only_literals_and_variables_do_not_block() {
        let keyring = Reference::Keyring(KeyringEntry::parse("cisco").unwrap());
        let seconds = |source: &SecretSource| source.read_timeout().as_secs();
        for source in [
            SecretSource::Literal(Secret::from("a")),
            SecretSource::Reference(Reference::Env(String::new()), ReadOptions::default()),
        ] {
            assert!(!source.blocks() && seconds(&source) == 0);
        }
        for (reference, limit) in [
            (Reference::File(PathBuf::new()), 0),
            (Reference::File(PathBuf::from("/dev/null")), 60),
            (Reference::Command(Vec::new()), 60),
            (Reference::Systemd(String::new()), 0),
            (keyring, 60),
            (Reference::Stdin, 60),
        ] {
            let source = SecretSource::Reference(reference, ReadOptions::default());
            assert!(source.blocks());
            assert_eq!(seconds(&source), limit);
        }
    }

    #[cfg(not(feature = "keyring"))]
    #[test]
    fn build_without_keyring_names_its_feature() {
        let reference = Reference::Keyring(KeyringEntry::parse("cisco").unwrap());
        let error = reference
            .read(&ReadOptions::default(), &FieldKind::Secret, &Env::process(), Path::new(""))
            .err()
            .unwrap();
        assert_eq!(error.message(), "this build does not support the keyring");
        assert!(error.hints()[0].text().contains("feature `keyring`"), "{error:?}");
    }
}
