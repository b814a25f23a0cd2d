//! Reads what a profile refers to: a variable, a file, a command's output, a systemd credential.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use gatepass_core::{Error, Result, Secret};
use zeroize::Zeroizing;

use super::env::Env;
use super::file::read_text;
use super::value::Reference;

/// How long a command may take to print a secret.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

impl Reference {
    /// Reads it now. One trailing newline is dropped from file, command and stdin; empty is an
    /// error. `key` is what it is for, and `folder` what a program's relative path is relative to.
    pub(crate) fn read(&self, key: &str, env: &Env, folder: &Path) -> Result<Secret> {
        let text = match self {
            Self::Env(name) => {
                let text = env.get(name).ok_or_else(|| {
                    Error::config(format!("`{key}`: the variable {name} is not set"))
                        .with_hint(format!("set {name} (export it, if this is a shell)"))
                })?;
                Zeroizing::new(text)
            }
            Self::File(path) => file(key, path)?,
            Self::Command(words) => command(key, words, folder)?,
            Self::Systemd(name) => systemd(key, name, env)?,
            Self::Stdin => stdin(key)?,
            Self::Keyring(_) => {
                return Err(Error::config(format!("`{key}`: this build reads no keyring"))
                    .with_hint("use { file = … }, { command = … } or { env = … }"));
            }
        };
        if text.is_empty() {
            return Err(Error::config(format!("`{key}`: {} is empty", self.shown())));
        }
        Ok(Secret::from(text.as_str()))
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
            Self::Keyring(name) => format!("the keyring's {name}"),
            Self::Stdin => String::from("standard input"),
        }
    }
}

fn file(key: &str, path: &Path) -> Result<Zeroizing<String>> {
    let bytes = read_text(path).map_err(|error| {
        let error =
            Error::config(format!("`{key}`: cannot read {}: {}", path.display(), error.kind()));
        error.with_hint("a relative path is relative to the config file's folder")
    })?;
    text(key, &format!("the file {}", path.display()), bytes)
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
    file(key, &PathBuf::from(folder).join(name))
}

/// Standard input, read once: several fields may refer to it.
fn stdin(key: &str) -> Result<Zeroizing<String>> {
    static READ: OnceLock<Option<Zeroizing<Vec<u8>>>> = OnceLock::new();
    let bytes = READ.get_or_init(|| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        std::io::stdin().lock().take(64 * 1024).read_to_end(&mut bytes).ok().map(|_| bytes)
    });
    match bytes {
        Some(bytes) => text(key, "standard input", bytes.clone()),
        None => Err(Error::config(format!("`{key}`: standard input cannot be read"))),
    }
}

fn command(key: &str, words: &[String], folder: &Path) -> Result<Zeroizing<String>> {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Error::config(format!("`{key}`: the command is empty")))?;
    let named = |what: &str| Error::config(format!("`{key}`: the command {program} {what}"));
    // Only a path is relative to the config file; a bare name is looked up in PATH.
    let path = if program.contains('/') { folder.join(program) } else { PathBuf::from(program) };
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| named(&format!("cannot be started: {}", error.kind())))?;
    let output = read_output(&mut child);
    let status = match output {
        Some(_) => child.wait(),
        None => child.kill().and_then(|()| child.wait()),
    };
    match (output, status) {
        (None, _) => {
            Err(named("printed nothing within 30 s").with_hint("run it by hand to see why"))
        }
        (Some(bytes), Ok(status)) if status.success() => {
            text(key, &format!("the output of {program}"), bytes)
        }
        (Some(_), Ok(status)) => {
            let code =
                status.code().map_or_else(|| String::from("a signal"), |code| code.to_string());
            Err(named(&format!("failed ({code})")).with_hint("run it by hand to see why"))
        }
        (Some(_), Err(_)) => Err(named("could not be waited for")),
    }
}

/// All that the child prints, or `None` when its time is up.
fn read_output(child: &mut Child) -> Option<Zeroizing<Vec<u8>>> {
    let stdout = child.stdout.take()?;
    let (done, output) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        let read = stdout.take(64 * 1024).read_to_end(&mut bytes);
        // Nobody listens any more when the time is up.
        let _ = done.send(read.map(|_| bytes).ok());
    });
    output.recv_timeout(COMMAND_TIMEOUT).ok().flatten()
}
