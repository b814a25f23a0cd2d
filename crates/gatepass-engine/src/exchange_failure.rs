//! The failure of an exchange, with what a cool-down needs to know about it.

use std::time::Duration;

use gatepass_core::Error;

use crate::credential_history::CredentialHistory;
use crate::fingerprint::Fingerprint;
use crate::store::Circumstances;

/// Why an exchange returned no token.
#[derive(Debug)]
pub(crate) struct ExchangeFailure {
    pub(crate) error: Error,
    /// Fingerprint of the credential if the vendor denied it.
    pub(crate) denied: Option<Fingerprint>,
    /// The cool-down, if it does not depend on the cached token: other processes observe it too, or
    /// the credential was denied.
    pub(crate) cooldown: Option<Duration>,
    /// What the failure is bound to.
    pub(crate) circumstances: Option<Circumstances>,
    /// The credential's results so far, this rejection included.
    pub(crate) credentials: Option<CredentialHistory>,
    /// Whether no request was sent, because the failure of this source's cool-down is still current.
    pub(crate) is_repeated: bool,
}

impl From<Error> for ExchangeFailure {
    fn from(error: Error) -> Self {
        Self {
            error,
            denied: None,
            cooldown: None,
            circumstances: None,
            credentials: None,
            is_repeated: false,
        }
    }
}
