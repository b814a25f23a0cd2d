//! Refused credentials: how long one is not sent again, given its earlier results.
//!
//! A vendor that refuses a credential which worked a moment ago often has a fault of its own, and a
//! service must not stop for an hour because of it. A credential that never worked is most likely
//! wrong, and sending it again only counts as another failed attempt. So a source remembers the
//! fingerprint of the credential that brought a token last. With a store this is a record of the
//! profile, beside its failures, so that separate processes agree.

use std::time::{Duration, SystemTime};

use gatepass_core::{Error, Hint};

use crate::cache_state::REPLACEMENT_PAUSE;
use crate::cached_token::CachedToken;
use crate::cooldown;
use crate::credential_history::CredentialHistory;
use crate::exchange::ExchangeRequest;
use crate::exchange_failure::ExchangeFailure;
use crate::fingerprint::Fingerprint;
use crate::source_config::SourceConfig;
use crate::store::{
    Circumstances, CredentialRecord, FailureRecord, ProfileKey, Record, StoreKey, TokenStore,
};

/// How long to wait for another process that writes the record; without it, the next rejection or
/// token writes it.
const RECORD_WAIT: Duration = Duration::from_millis(100);

impl SourceConfig {
    /// Records the outcome of an exchange: which credential brought a token, or what a failure is
    /// bound to and how long a rejection lasts. `circumstances` are those before the exchange, which
    /// may have found another credential.
    pub(crate) async fn record_outcome(
        &self,
        outcome: &mut Result<CachedToken, ExchangeFailure>,
        circumstances: Circumstances,
        request: &ExchangeRequest,
    ) {
        match outcome {
            Ok(cached) => {
                if let (Some(store), Some(credential)) = (&self.store, cached.credential) {
                    let is_replacement = request.rejected.is_some();
                    let replaced_at = is_replacement.then(|| cached.token.issued_at());
                    self.record_success(&**store, credential, replaced_at).await;
                }
            }
            Err(failure) => {
                failure.circumstances.get_or_insert(circumstances);
                self.record_rejection(failure, request).await;
            }
        }
    }

    async fn record_rejection(&self, failure: &mut ExchangeFailure, request: &ExchangeRequest) {
        let Some(credential) = failure.denied else { return };
        let mut history = request.credentials.clone();
        if let Some(store) = &self.store
            && let Some(stored) = self.load_credentials(&**store).await
        {
            history.merge(&stored, credential);
        }
        history.refuse(credential);
        failure.cooldown = Some(match self.provider.hints().locks_account {
            true => FailureRecord::LASTING_COOLDOWN,
            false => cooldown::of_rejection(
                history.has_worked(credential),
                history.rejections,
                request.jitter,
            ),
        });
        if let Some(store) = &self.store {
            self.save_credentials(&**store, &history, None).await;
        }
        failure.credentials = Some(history);
    }

    /// Marks a young token from the store that replaced a rejected one in another process.
    pub(crate) async fn mark_replacement(&self, store: &dyn TokenStore, cached: &mut CachedToken) {
        let issued_at = cached.token.issued_at();
        let age = self.clock.wall().duration_since(issued_at);
        if age.is_ok_and(|age| age < REPLACEMENT_PAUSE) {
            let stored = self.load_credentials(store).await;
            cached.is_replacement =
                stored.is_some_and(|stored| stored.replaced_at() == Some(issued_at));
        }
    }

    /// Records in the store that a credential brought a token, unless that is known.
    async fn record_success(
        &self,
        store: &dyn TokenStore,
        credential: Fingerprint,
        replaced_at: Option<SystemTime>,
    ) {
        let is_known = |stored: &CredentialRecord| {
            let age = self.clock.wall().duration_since(stored.at()).unwrap_or_default();
            stored.worked() == Some(credential.to_bytes())
                && stored.refused().is_none()
                && age < CredentialRecord::LIFETIME / 2
                && replaced_at.is_none()
        };
        if !self.load_credentials(store).await.as_ref().is_some_and(is_known) {
            let mut history = CredentialHistory::default();
            history.succeed(credential);
            self.save_credentials(store, &history, replaced_at).await;
        }
    }

    /// Adds to a rejection how to ask the vendor again at once.
    pub(crate) fn with_way_out(&self, error: Error) -> Error {
        if !cooldown::is_denied(&error) {
            return error;
        }
        let error = error.default_hint("check at the vendor what this client may do");
        error.hint(match &self.name {
            Some(name) => Hint::gatepass("ask the vendor again now", ["token", name, "--fresh"]),
            None => Hint::new("call `refresh_now` to ask the vendor again now"),
        })
    }

    fn credentials_key(&self) -> StoreKey {
        let profile = ProfileKey::new(self.name.as_deref().unwrap_or_default());
        StoreKey::of_credentials(&profile, &self.provider_id)
    }

    async fn load_credentials(&self, store: &dyn TokenStore) -> Option<CredentialRecord> {
        match store.load(&self.credentials_key()).await {
            Ok(Some(Record::Credentials(record))) => Some(record),
            _ => None,
        }
    }

    /// Saves the record. A failure is not reported: the failure to save the request's outcome is.
    async fn save_credentials(
        &self,
        store: &dyn TokenStore,
        history: &CredentialHistory,
        replaced_at: Option<SystemTime>,
    ) {
        let Ok(Some(lease)) = store.lease(&self.credentials_key(), RECORD_WAIT).await else {
            return;
        };
        let record = CredentialRecord::new(
            self.clock.wall(),
            history.worked.map(Fingerprint::to_bytes),
            history.refused.map(Fingerprint::to_bytes),
            history.rejections,
        )
        .with_replaced_at(replaced_at);
        let _ = lease.save(&Record::Credentials(record)).await;
    }
}
