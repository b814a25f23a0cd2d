//! Secret strings, which are never printed and are cleared when dropped.

use std::fmt;

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::http::sensitive;
use crate::{Error, Result};

/// A string that `Debug` hides and that is zeroized when dropped.
///
/// It has no `Display`, `Serialize` or `Deref`: [`expose_secret`](Self::expose_secret) is the only
/// way to read it. Comparing two secrets takes the same time wherever they differ; only their
/// lengths can be inferred.
///
/// ```
/// # use gatepass_core::Secret;
/// let secret = Secret::from("hunter2");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose_secret(), "hunter2");
/// assert!(secret == Secret::from("hunter2") && secret != Secret::from("hunter3"));
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Returns the string. Each call is a place where a secret can leak: keep them few.
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the value of the header `name`, marked sensitive; `Config` if the secret has control
    /// or non-ASCII characters.
    pub fn to_header(&self, name: &HeaderName) -> Result<HeaderValue> {
        sensitive(self.expose_secret()).ok_or_else(|| {
            Error::config(format!(
                "the secret for the header {name} has characters that a header must not have"
            ))
        })
    }

    /// Returns whether the string is empty or white space.
    pub fn is_blank(&self) -> bool {
        self.expose_secret().trim().is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        // `SecretString` shrinks a string with spare capacity, which leaves the old copy in memory.
        Self::from(Zeroizing::new(text).as_str())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(SecretString::from(text))
    }
}

impl From<SecretString> for Secret {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
