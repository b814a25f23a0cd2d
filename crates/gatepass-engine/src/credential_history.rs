//! What a source knows about its credentials from earlier requests.

use crate::fingerprint::Fingerprint;
use crate::store::CredentialRecord;

/// The results of a source's credentials so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct CredentialHistory {
    /// The credential that brought a token last.
    pub(crate) worked: Option<Fingerprint>,
    /// Some credential brought a token, and its fingerprint is not known.
    pub(crate) has_reused_token: bool,
    /// The credential that was refused last, and how often in a row.
    pub(crate) refused: Option<Fingerprint>,
    pub(crate) rejections: u32,
}

impl CredentialHistory {
    /// Records that a credential brought a token.
    pub(crate) fn succeed(&mut self, credential: Fingerprint) {
        *self = Self { worked: Some(credential), ..Self::default() };
    }

    /// Records that a credential was refused.
    pub(crate) fn refuse(&mut self, credential: Fingerprint) {
        if self.refused.replace(credential) != Some(credential) {
            self.rejections = 0;
        }
        self.rejections = self.rejections.saturating_add(1);
    }

    /// Returns whether a credential brought the latest token.
    pub(crate) fn has_worked(&self, credential: Fingerprint) -> bool {
        self.has_reused_token || self.worked == Some(credential)
    }

    /// Adds what another process has stored about this credential.
    pub(crate) fn merge(&mut self, stored: &CredentialRecord, credential: Fingerprint) {
        let is_same = |bytes: [u8; 16]| Fingerprint::from_bytes(bytes) == credential;
        if stored.worked().is_some_and(is_same) || self.worked.is_none() {
            self.worked = stored.worked().map(Fingerprint::from_bytes);
        }
        if stored.refused().is_some_and(is_same) {
            let own = if self.refused == Some(credential) { self.rejections } else { 0 };
            (self.refused, self.rejections) = (Some(credential), stored.rejections().max(own));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use gatepass_core::Credential;

    use super::*;

    fn credential(secret: &str) -> Fingerprint {
        Fingerprint::of(&Credential::client("client", secret))
    }

    fn stored(
        worked: Option<Fingerprint>,
        refused: Fingerprint,
        rejections: u32,
    ) -> CredentialRecord {
        let worked = worked.map(Fingerprint::to_bytes);
        CredentialRecord::new(SystemTime::UNIX_EPOCH, worked, Some(refused.to_bytes()), rejections)
    }

    #[test]
    fn rejections_of_one_credential_are_counted() {
        let (one, other) = (credential("one"), credential("other"));
        let mut history = CredentialHistory::default();
        history.succeed(one);
        for count in 1..4 {
            history.refuse(one);
            assert_eq!((history.rejections, history.has_worked(one)), (count, true));
        }
        history.refuse(other);
        assert_eq!((history.rejections, history.has_worked(other)), (1, false));
        assert!(history.has_worked(one));
        history.succeed(other);
        assert_eq!((history.rejections, history.has_worked(one)), (0, false));
    }

    #[test]
    fn stored_rejections_are_added() {
        let (one, other) = (credential("one"), credential("other"));
        let mut history = CredentialHistory::default();
        history.merge(&stored(Some(one), one, 3), one);
        history.refuse(one);
        assert_eq!((history.rejections, history.has_worked(one)), (4, true));
        history.merge(&stored(Some(other), other, 9), one);
        assert_eq!((history.rejections, history.has_worked(one)), (4, true));
    }
}
