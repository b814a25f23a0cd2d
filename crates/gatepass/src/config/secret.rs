//! Reads what a profile refers to: a variable, a file, a command's output, a systemd credential,
//! an entry of the keyring, standard input.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use gatepass_core::{Error, Result, Secret};
use zeroize::Zeroizing;

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

fn command(
    key: &str,
    words: &[String],
    folder: &Path,
    limit: Duration,
) -> Result<Zeroizing<String>> {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Error::config(format!("`{key}`: the command is empty")))?;
    let named = |what: &str| {
        Error::config(format!("`{key}`: the command {program} {what}"))
            .with_hint("run it by hand to see why")
    };
    // Only a path is relative to the config file; a bare name is looked up in PATH.
    let path = if program.contains('/') { folder.join(program) } else { PathBuf::from(program) };
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(key, program, &error))?;
    let output = read_output(&mut child, limit);
    let has_ended = matches!(child.try_wait(), Ok(Some(_)));
    let status = match &output {
        // It closed its output, which is not to say that it ends.
        Some(bytes) if bytes.len() as u64 <= MAX => wait(&mut child, limit),
        _ => Ok(None),
    };
    if !matches!(status, Ok(Some(_))) {
        // Nothing happens to one that has ended meanwhile.
        let _ = child.kill().and_then(|()| child.wait());
    }
    match (output, status) {
        (Some(bytes), _) if bytes.len() as u64 > MAX => Err(named("printed more than 64 KiB")),
        (Some(bytes), Ok(Some(status))) if status.success() => {
            text(key, &format!("the output of {program}"), bytes)
        }
        (Some(_), Ok(Some(status))) => {
            let code =
                status.code().map_or_else(|| String::from("a signal"), |code| code.to_string());
            Err(named(&format!("failed ({code})")))
        }
        (None, _) if has_ended => {
            Err(named("ended, but something that it has started keeps its output open")
                .with_hint("redirect the output of what stays behind: > /dev/null"))
        }
        (None, _) | (_, Ok(None)) => {
            Err(named(&format!("did not end within {} s", limit.as_secs())))
        }
        (Some(_), Err(_)) => Err(named("could not be waited for")),
    }
}

/// All that the child prints, or `None` when its time is up.
fn read_output(child: &mut Child, limit: Duration) -> Option<Zeroizing<Vec<u8>>> {
    let stdout = child.stdout.take()?;
    within(limit, move || read_all(stdout).ok()).flatten()
}

/// Why a command did not even begin, and what that most often means.
fn not_started(key: &str, program: &str, error: &io::Error) -> Error {
    // What the kernel says of a file that is no program (ENOEXEC), for which Rust has no name.
    const NO_PROGRAM: i32 = 8;
    let (said, hint) = match (error.raw_os_error(), error.kind()) {
        (Some(NO_PROGRAM), _) => {
            (String::from("it is no program"), "a script begins with a line such as #!/bin/sh")
        }
        (_, io::ErrorKind::NotFound) if program.contains('/') => (
            why(error),
            "a relative path is relative to the config file's folder; of a script, the program of \
             its first line may be what is missing",
        ),
        (_, io::ErrorKind::NotFound) => (why(error), "is it installed, and its folder in PATH?"),
        _ => (why(error), "is it a program, and may you execute it? chmod +x"),
    };
    Error::config(format!("`{key}`: the command {program} cannot be started: {said}"))
        .with_hint(hint)
}

/// All there is, or one byte more than is allowed, in memory that is cleared.
fn read_all(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Never grown, since what a vector leaves behind when it moves is not cleared.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX as usize + 1));
    from.take(MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Waits for its end, or `None` when the time is up.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_micros(100);
    loop {
        match child.try_wait()? {
            None if waited < limit => thread::sleep(pause),
            ended => return Ok(ended),
        }
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Result<Zeroizing<String>> {
        let words: Vec<String> = words.iter().map(|word| String::from(*word)).collect();
        command("client_secret", &words, Path::new(""), Duration::from_millis(300))
    }

    #[test]
    fn a_command_that_never_ends_is_ended() {
        let late = "did not end within";
        for (script, says) in [
            // Prints nothing; leaves a process that holds its output; closes its output and stays.
            ("exec sleep 20", late),
            ("sleep 2 & echo unsaid", "keeps its output open"),
            ("echo unsaid; exec >&-; exec sleep 20", late),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("pid");
            let file = file.to_str().unwrap();
            let started = format!("echo $$ > {file}; {script}");
            let error = run(&["sh", "-c", &started]).unwrap_err();
            assert!(error.message().contains("the command sh "), "{error}");
            assert!(error.message().contains(says), "{error}");
            assert!(!format!("{error:?}").contains("unsaid"), "{error:?}");
            assert!(error.hint().is_some());
            let pid = fs::read_to_string(file).unwrap();
            let process = PathBuf::from("/proc").join(pid.trim());
            assert!(!cfg!(target_os = "linux") || !process.exists(), "{script}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_that_nobody_writes_is_left_after_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = file("client_secret", &path, Duration::from_millis(50)).unwrap_err();
        assert!(error.message().contains("did not end within"), "{error}");
        assert!(error.hint().unwrap().contains("write"), "{error:?}");
        // The thread that waited has it open already.
        fs::write(&path, "for the one that has left").unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_cannot_be_started_says_what_may_be_missing() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        for (name, text, mode, says) in [
            ("plain", "echo secret", 0o700, "#!/bin/sh"),
            ("lost", "#!/no/such/shell", 0o700, "first line"),
            ("closed", "#!/bin/sh", 0o600, "chmod +x"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = run(&[path.to_str().unwrap()]).unwrap_err();
            assert!(error.message().contains("cannot be started"), "{error}");
            assert!(!error.message().contains("uncategorized"), "{error}");
            assert!(error.hint().unwrap().contains(says), "{error:?}");
        }
        let error = run(&["no-such-program-of-these-tests"]).unwrap_err();
        assert!(error.hint().unwrap().contains("PATH"), "{error:?}");
    }

    #[test]
    fn a_command_that_prints_without_end_is_no_secret() {
        let error = run(&["yes", "unsaid"]).unwrap_err();
        assert_eq!(error.message(), "`client_secret`: the command yes printed more than 64 KiB");
    }

    #[test]
    fn a_command_may_take_a_moment_to_end() {
        let text = run(&["sh", "-c", "echo secret; exec >&-; sleep 0.05"]).unwrap();
        assert_eq!(text.as_str(), "secret");
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
