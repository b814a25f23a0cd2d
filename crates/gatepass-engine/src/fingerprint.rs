//! Fingerprints: recognise a credential again without keeping it.

use std::fmt;

use gatepass_core::__private::digest;
use gatepass_core::Credential;

/// A digest of a credential, the same in every process, so that processes which share a store agree
/// on it. A store seals it, and it is never shown: a weak secret could be found by trying.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 16]);

impl Fingerprint {
    pub(crate) fn of(credential: &Credential) -> Self {
        let secrets = credential.secrets().map(|(name, secret)| (name, secret.expose_secret()));
        let pairs = credential.texts().chain(secrets);
        let parts = pairs.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let digest = digest("gatepass engine: credential, version 1", parts);
        Self(digest.first_chunk().copied().unwrap_or_default())
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}
