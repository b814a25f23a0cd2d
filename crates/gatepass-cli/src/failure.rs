//! What can go wrong, and the exit code of each.

use std::path::Path;
use std::time::Duration;

use gatepass::{Error, ErrorKind};

use crate::next::naming;

/// Why the command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the library.
    Gate(Error),
    /// The vendor gives only tokens shorter than `--min-ttl`.
    TooShort { profile: String, left: Duration, wanted: Duration },
    /// Why `exec` did not run its program, with an exit code that is not taken for the program's.
    Exec { exit: u8, failure: Box<Self> },
    /// stdout was closed: whoever read has had enough.
    ClosedPipe,
    /// A signal asked to stop.
    Interrupted,
    /// A panic, whose place has been told.
    Fault,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Gate(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        internal("cannot write", &error)
    }
}

/// A fault of this machine.
pub(crate) fn internal(what: &'static str, error: &std::io::Error) -> Failure {
    Failure::Gate(Error::internal(format!("{what}: {}", error.kind())))
}

/// Why a file or folder cannot be used, as people say it.
pub(crate) fn said(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => String::from("no such file or folder"),
        kind => kind.to_string(),
    }
}

/// A mistake on the command line.
pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure::Gate(Error::config(message.into()).with_hint(hint.into()))
}

impl Failure {
    /// The same failure under an exit code that `exec` keeps for its own.
    pub(crate) fn of_exec(self, exit: u8) -> Self {
        Self::Exec { exit, failure: Box::new(self) }
    }

    /// Names the config file in the commands that a hint tells to run.
    pub(crate) fn with_config(self, config: Option<&Path>) -> Self {
        match self {
            Self::Gate(error) => {
                let hint = naming(error.hint().unwrap_or_else(|| hint_of(error.kind())), config);
                Self::Gate(error.with_hint(hint))
            }
            Self::Exec { exit, failure } => failure.with_config(config).of_exec(exit),
            other => other,
        }
    }

    /// Says another thing to do next.
    pub(crate) fn and_hint(self, more: &str) -> Self {
        match self {
            Self::Gate(error) => {
                let said = hint_of(error.kind());
                Self::Gate(error.or_hint(said).and_hint(more))
            }
            other => other,
        }
    }

    /// Whether it is a panic, of `exec` too.
    pub(crate) fn is_fault(&self) -> bool {
        match self {
            Self::Exec { failure, .. } => failure.is_fault(),
            other => matches!(other, Self::Fault),
        }
    }

    /// The exit code: stable, scripts rely on it.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Gate(error) => exit_of(error.kind()),
            Self::TooShort { .. } => 8,
            Self::Exec { exit, .. } => *exit,
            Self::ClosedPipe | Self::Fault => 1,
            // As the shell says it of SIGINT.
            Self::Interrupted => 130,
        }
    }

    /// The stable name in JSON.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Gate(error) => error.kind().code(),
            Self::TooShort { .. } => "too_short",
            Self::Exec { failure, .. } => failure.code(),
            Self::ClosedPipe | Self::Interrupted | Self::Fault => "internal",
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Gate(error) => error.to_string(),
            Self::TooShort { profile, left, wanted } => format!(
                "{profile}: the vendor's token lives {} s, less than the {} s of --min-ttl",
                left.as_secs(),
                wanted.as_secs()
            ),
            Self::Exec { failure, .. } => failure.message(),
            Self::ClosedPipe => String::from("stdout was closed"),
            Self::Interrupted => String::from("interrupted"),
            Self::Fault => String::from("a fault in the program"),
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Gate(error) => {
                Some(error.hint().unwrap_or_else(|| hint_of(error.kind())).to_owned())
            }
            Self::TooShort { .. } => Some(String::from(
                "ask for less, or have the vendor's administrator make tokens live longer",
            )),
            Self::Exec { failure, .. } => failure.hint(),
            Self::ClosedPipe | Self::Interrupted => None,
            Self::Fault => Some(String::from("please report it, with the place it names")),
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Gate(error) => error.retry_after(),
            Self::Exec { failure, .. } => failure.retry_after(),
            _ => None,
        }
    }
}

/// What helps with an error of this kind whose place of origin knew nothing better.
fn hint_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => {
            "`gatepass list` checks every profile, `gatepass providers` lists all keys"
        }
        ErrorKind::Denied => "check at the vendor what this client may do",
        ErrorKind::Throttled => "try again then, or wait for it here: --wait 60s",
        ErrorKind::Unavailable => "nothing to mend here: try again, or go on longer: --wait 2m",
        ErrorKind::Protocol => "check base_url and environment: is this the vendor's address?",
        ErrorKind::UnsafeToken => "the token was not used: ask the vendor why it looks so",
        _ => "a fault of gatepass or of this machine: -vv says more",
    }
}

pub(crate) fn exit_of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Config => 2,
        ErrorKind::Denied => 3,
        ErrorKind::LoginRequired => 4,
        ErrorKind::Throttled => 5,
        ErrorKind::Unavailable | ErrorKind::Protocol | ErrorKind::UnsafeToken => 6,
        _ => 1,
    }
}
