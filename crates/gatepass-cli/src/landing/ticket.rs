//! Ticket: a path that nobody guesses.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

/// `/` and 128 random bits.
#[derive(Clone)]
pub(super) struct Ticket(String);

impl Ticket {
    pub(super) fn draw() -> io::Result<Self> {
        Ok(Self(format!("/{}", random()?)))
    }

    pub(super) fn path(&self) -> &str {
        &self.0
    }

    /// Takes as long for a path that is nearly right as for one that is not.
    pub(super) fn is(&self, path: &str) -> bool {
        self.0.as_bytes().ct_eq(path.as_bytes()).into()
    }
}

/// 128 bits of the system's, in base64url.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
