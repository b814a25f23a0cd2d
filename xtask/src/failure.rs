//! Why a task stopped: a check failed, or it was asked for something that does not exist.

use std::fmt;
use std::process::ExitCode;

/// What every task returns.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a task stopped, in words for the terminal.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line makes no sense: exit code 2.
    Usage(String),
    /// A check or a program failed: exit code 1.
    Failed(String),
    /// What is needed for a check is not here: exit code 3.
    NotChecked(String),
}

impl Failure {
    pub(crate) fn usage(says: impl Into<String>) -> Self {
        Self::Usage(says.into())
    }

    pub(crate) fn failed(says: impl Into<String>) -> Self {
        Self::Failed(says.into())
    }

    pub(crate) fn not_checked(says: impl Into<String>) -> Self {
        Self::NotChecked(says.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
            Self::NotChecked(_) => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(says) | Self::Failed(says) | Self::NotChecked(says) => f.write_str(says),
        }
    }
}
