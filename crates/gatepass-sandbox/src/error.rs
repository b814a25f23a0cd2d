//! Error: what a sandbox can refuse, or fail at.

use std::fmt;

/// What went wrong with a sandbox.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The result of asking a sandbox for something.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for does not exist or makes no sense; ask for something else.
    Usage,
    /// The address cannot be served: not loopback, or taken.
    Listen,
    /// The certificate of this run could not be made.
    Tls,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// The error for a name nobody knows, with the nearest one that exists.
    pub(crate) fn unknown<'a>(
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let shown: String = name.chars().take(64).filter(|c| !c.is_control()).collect();
        let nearest = known
            .iter()
            .map(|candidate| (strsim::jaro_winkler(candidate, &shown), *candidate))
            .filter(|(likeness, _)| *likeness > 0.6)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        Self::usage(match nearest {
            Some((_, nearest)) => format!("no {what} {shown}; did you mean {nearest}?"),
            None if known.len() <= 12 => {
                format!("no {what} {shown}, only: {}", known.join(", "))
            }
            None => format!("no {what} {shown}"),
        })
    }

    /// What can be done about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
