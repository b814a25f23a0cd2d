//! The error of a task, and the exit code that it ends with.

use std::fmt;
use std::process::ExitCode;

/// The result of a task.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a task stopped, with the message for the terminal.
#[derive(Debug)]
pub(crate) enum Error {
    /// The arguments are wrong: exit code 2.
    Usage(String),
    /// A check or a program failed: exit code 1.
    Failed(String),
    /// A check lacks the data it needs: exit code 3.
    NotChecked(String),
}

impl Error {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    pub(crate) fn not_checked(message: impl Into<String>) -> Self {
        Self::NotChecked(message.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
            Self::NotChecked(_) => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) | Self::NotChecked(message) => {
                f.write_str(message)
            }
        }
    }
}
