//! The sandbox's error type.

use std::fmt;

/// An error of the sandbox.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// `Result` with the sandbox's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of [`Error`], by what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The requested item does not exist or is not valid; change the call.
    Usage,
    /// The address cannot be served: it is not loopback, or it is in use.
    Listen,
    /// The certificate of this run could not be generated.
    Tls,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Returns the error for an unknown name, with the nearest known one.
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

    /// Returns the kind of the error.
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
