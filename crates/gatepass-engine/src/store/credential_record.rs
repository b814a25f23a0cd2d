//! A record of a profile's credentials: which one brought a token last, and which one is refused.

use std::fmt;
use std::time::{Duration, SystemTime};

/// What a store keeps about the credentials of a profile and a provider, in a record of its own: it
/// outlives tokens and cool-downs. A credential that brought a token and is refused now is sent
/// again sooner than one that never brought one, and processes that share a store agree on that.
///
/// Credentials are represented by fingerprints, which a store that others can read seals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialRecord {
    pub(super) at: SystemTime,
    pub(super) worked: Option<[u8; 16]>,
    pub(super) refused: Option<[u8; 16]>,
    pub(super) rejections: u32,
    pub(super) replaced_at: Option<SystemTime>,
}

impl CredentialRecord {
    /// How long the record is kept after its last change.
    pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

    /// Creates a record: the fingerprint of the credential that brought a token last, that of the
    /// credential that was refused since, and how often in a row.
    pub fn new(
        at: SystemTime,
        worked: Option<[u8; 16]>,
        refused: Option<[u8; 16]>,
        rejections: u32,
    ) -> Self {
        Self { at, worked, refused, rejections, replaced_at: None }
    }

    /// Adds when the token was issued that replaced a rejected one.
    pub fn with_replaced_at(self, replaced_at: Option<SystemTime>) -> Self {
        Self { replaced_at, ..self }
    }

    /// Returns when the token was issued that replaced a rejected one.
    pub fn replaced_at(&self) -> Option<SystemTime> {
        self.replaced_at
    }

    /// Returns when the record was made.
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// Returns the fingerprint of the credential that brought a token last.
    pub fn worked(&self) -> Option<[u8; 16]> {
        self.worked
    }

    /// Returns the fingerprint of the credential that was refused since.
    pub fn refused(&self) -> Option<[u8; 16]> {
        self.refused
    }

    /// Returns how often in a row that credential was refused.
    pub fn rejections(&self) -> u32 {
        self.rejections
    }
}

impl fmt::Debug for CredentialRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialRecord")
            .field("at", &self.at)
            .field("rejections", &self.rejections)
            .finish_non_exhaustive()
    }
}
