//! What a kept failure is bound to.

use std::fmt;

/// A digest of everything that decides whether a token request succeeds: credential, addresses,
/// settings, proxy, trusted CAs, client certificate.
///
/// A store returns a failure only to a caller with the same circumstances: once one of them has
/// changed, the next caller asks the vendor. It is not part of the record's key, because a token
/// does not depend on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Circumstances([u8; 32]);

impl Circumstances {
    /// Wraps a digest.
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Returns the digest. It is one of input that can be guessed: a store that others can read
    /// seals it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Circumstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Circumstances")
    }
}
