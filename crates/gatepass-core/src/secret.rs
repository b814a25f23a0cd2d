//! Secret: a text that is never printed and is cleared when dropped.

use std::fmt;

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::http::sensitive;
use crate::{Error, Result};

/// A text that `Debug` hides and that is zeroized when dropped.
///
/// It has no `Display`, `Serialize` or `Deref`: the one way out is
/// [`expose_secret`](Self::expose_secret).
///
/// ```
/// # use gatepass_core::Secret;
/// let secret = Secret::from("hunter2");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose_secret(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Shows the text. Each call is a place where a secret can leak: keep them few.
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// The value of the header `name`, marked sensitive; `Config` if the text has control or
    /// non-ASCII characters.
    pub fn to_header(&self, name: &HeaderName) -> Result<HeaderValue> {
        sensitive(self.expose_secret()).ok_or_else(|| {
            Error::config(format!("the secret for the header {name} has characters of no header"))
        })
    }

    /// Whether the text is empty or blank.
    pub fn is_blank(&self) -> bool {
        self.expose_secret().trim().is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        // A text with room to spare would be moved, and stay behind.
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
