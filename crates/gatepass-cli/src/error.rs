//! Errors of the command: the library's errors, and what else can stop a command.

use std::io;
use std::time::Duration;

use gatepass::{Error, ErrorKind, Hint};

use crate::exit;

/// The reason why a command failed.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// An error of the library, or a mistake on the command line.
    Gatepass(Error),
    /// The API rejected a request of `call --fail` for a reason that lies in the request.
    ApiRejected(Error),
    /// The vendor issues only tokens with a shorter lifetime than `--min-ttl`.
    LifetimeTooShort { profile: String, lifetime: Duration, required: Duration },
    /// Another error under an exit code that `exec` reserves, so that it is not mistaken for the
    /// program's.
    WithExitCode { exit_code: u8, error: Box<Self> },
    /// The reader of stdout has closed it.
    ClosedPipe,
    /// A signal asked the command to stop.
    Interrupted,
    /// A panic. The panic hook has printed its location.
    Panic,
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        Self::Gatepass(error)
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        internal("cannot write", &error)
    }
}

/// Makes the error of a system call that failed on this machine.
pub(crate) fn internal(action: &'static str, error: &io::Error) -> CommandError {
    CommandError::Gatepass(
        Error::process_limit(action, error)
            .unwrap_or_else(|| Error::internal(format!("{action}: {}", error.kind()))),
    )
}

/// Makes the error of a mistake on the command line.
pub(crate) fn usage(message: impl Into<String>, hint: impl Into<Hint>) -> CommandError {
    CommandError::Gatepass(Error::config(message.into()).hint(hint))
}

/// Describes an I/O error without the system's number for it.
pub(crate) fn describe_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => String::from("no such file or directory"),
        // Our own errors of this kind are sentences.
        io::ErrorKind::Other => error.to_string(),
        kind => kind.to_string(),
    }
}

impl CommandError {
    /// Reports this error under another exit code.
    pub(crate) fn with_exit_code(self, exit_code: u8) -> Self {
        Self::WithExitCode { exit_code, error: Box::new(self) }
    }

    /// Adds a hint, after those of the error or of its kind.
    pub(crate) fn hint(self, hint: impl Into<Hint>) -> Self {
        match self {
            Self::Gatepass(error) => {
                let hints = hints_of(&error);
                Self::Gatepass(error.with_hints(hints).hint(hint))
            }
            other => other,
        }
    }

    /// Returns whether the command panicked.
    pub(crate) fn is_panic(&self) -> bool {
        match self {
            Self::WithExitCode { error, .. } => error.is_panic(),
            other => matches!(other, Self::Panic),
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Gatepass(error) => exit::of_kind(error.kind()),
            Self::ApiRejected(_) => exit::API_REJECTED,
            Self::LifetimeTooShort { .. } => exit::LIFETIME_TOO_SHORT,
            Self::WithExitCode { exit_code, .. } => *exit_code,
            Self::ClosedPipe | Self::Panic => exit::INTERNAL,
            Self::Interrupted => exit::INTERRUPTED,
        }
    }

    /// Returns the stable name that JSON has.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Gatepass(error) => error.kind().code(),
            Self::ApiRejected(_) => "rejected",
            Self::LifetimeTooShort { .. } => "too_short",
            Self::WithExitCode { error, .. } => error.code(),
            Self::ClosedPipe | Self::Interrupted | Self::Panic => "internal",
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Gatepass(error) | Self::ApiRejected(error) => error.to_string(),
            Self::LifetimeTooShort { profile, lifetime, required } => format!(
                "{profile}: the vendor's token is valid for {} s, less than the {} s of --min-ttl",
                lifetime.as_secs(),
                required.as_secs()
            ),
            Self::WithExitCode { error, .. } => error.message(),
            Self::ClosedPipe => String::from("stdout was closed"),
            Self::Interrupted => String::from("interrupted"),
            Self::Panic => String::from("internal error: the command panicked"),
        }
    }

    /// Returns what to do next.
    pub(crate) fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Gatepass(error) | Self::ApiRejected(error) => hints_of(error),
            Self::LifetimeTooShort { .. } => vec![Hint::new(
                "lower --min-ttl, or ask the vendor's administrator for a longer token lifetime",
            )],
            Self::WithExitCode { error, .. } => error.hints(),
            Self::ClosedPipe | Self::Interrupted => Vec::new(),
            Self::Panic => vec![Hint::new("please report it with the location that it names")],
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Gatepass(error) | Self::ApiRejected(error) => error.retry_after(),
            Self::WithExitCode { error, .. } => error.retry_after(),
            _ => None,
        }
    }
}

/// Returns the hints of an error, or those of its kind if it has none.
fn hints_of(error: &Error) -> Vec<Hint> {
    if !error.hints().is_empty() {
        return error.hints().to_vec();
    }
    vec![Hint::new(match error.kind() {
        ErrorKind::Config => {
            return vec![
                Hint::gatepass("check every profile", ["list"]),
                Hint::run("list all keys", ["gatepass", "providers"]),
            ];
        }
        ErrorKind::Denied => "check in the vendor's console what this client may do",
        ErrorKind::Throttled => "try again later, or let the command wait: --wait 60s",
        ErrorKind::Unavailable => "try again later, or keep trying: --wait 2m",
        ErrorKind::Protocol => {
            "check base_url and environment: is this the vendor's token endpoint?"
        }
        ErrorKind::UnsafeToken => {
            "the token was not used; ask the vendor why its tokens look like this"
        }
        _ => "a defect in gatepass or a limit of this machine: -vv logs more",
    })]
}
