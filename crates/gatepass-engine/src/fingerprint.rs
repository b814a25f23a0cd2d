//! Fingerprints that compare credentials within this process without storing one.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use gatepass_core::Credential;

/// A keyed hash of a credential. The key is random and never leaves this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn of(credential: &Credential) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let mut hasher = KEY.build_hasher();
        credential.texts().for_each(|text| text.hash(&mut hasher));
        for (name, secret) in credential.secrets() {
            (name, secret.expose_secret()).hash(&mut hasher);
        }
        Self(hasher.finish())
    }
}
