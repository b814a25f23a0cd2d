//! Notes of exchanges in the store, for whoever asks later why there was no token.

use std::time::{Duration, SystemTime};

use gatepass_core::{Credential, Error, Request, Result};

use crate::exchange::SourceConfig;
use crate::policy::{Moment, Validity};
use crate::rt::timeout;
use crate::store::{HistoryEntry, ProfileKey, Record};
use crate::{State, Status};

/// How long a token waits for its notes at most, beyond the time that an exchange may take.
pub(crate) const HISTORY_TIMEOUT: Duration = Duration::from_secs(1);

impl SourceConfig {
    /// A note of an exchange that has just ended, if there is a store for it: also where tokens
    /// are not kept, since it holds none.
    pub(crate) fn note(
        &self,
        credential: &Credential,
        begun: Moment,
        outcome: Result<SystemTime, &Error>,
    ) -> Option<HistoryEntry> {
        self.store.as_ref()?;
        let note =
            HistoryEntry::new(&self.provider_id, begun.wall(), self.now().since(begun), outcome)
                .with_credential(credential);
        let endpoints = self.provider.endpoints(credential).unwrap_or_default();
        Some(match endpoints.first() {
            Some(endpoint) => note.with_origin(endpoint.origin()),
            None => note,
        })
    }

    /// What goes to the vendor, or where a person's browser goes.
    pub(crate) fn request(&self, credential: &Credential) -> Result<Request> {
        match self.provider.interactive() {
            Some(interactive) => Ok(interactive.authorization_request(credential)?.to_request()),
            None => self.provider.token_request(credential),
        }
    }

    /// Gives notes to the store. One that is slow or fails loses them, and stands in nobody's way.
    pub(crate) async fn append_history(&self, notes: impl IntoIterator<Item = HistoryEntry>) {
        let Some(store) = &self.store else { return };
        let profile = ProfileKey::new(self.name.as_deref().unwrap_or_default());
        let keep = async {
            for note in notes {
                if let Err(error) = store.append_history(&profile, &note).await {
                    self.warn_of_store(&error);
                }
            }
        };
        if timeout(HISTORY_TIMEOUT, keep).await.is_err() {
            self.warn_of_store(&Error::internal("noting an exchange took too long"));
        }
    }

    /// What a source is that has this record and nothing else.
    pub(crate) fn status_of(&self, record: &Record) -> Status {
        let (now, status) = (self.now(), Status::empty());
        match record {
            Record::Token(token) => {
                let begun = now.at_wall(token.issued_at());
                let (end, lifetime) = (token.expires_at(), token.lifetime());
                let validity = Validity::new(end, lifetime, self.leeway, begun, begun)
                    .with_refresh_ahead(&self.provider.hints(), 0.5, begun);
                Status {
                    state: State::of(validity.phase(now, Duration::ZERO)),
                    expires_at: Some(end),
                    expiry: Some(token.expiry()),
                    is_stored: true,
                    refresh_in: validity.refresh_in(now),
                    ..status
                }
            }
            Record::Failure(failure) => {
                let error = self.named(failure.error(now.wall()));
                let resting = failure.until().duration_since(now.wall()).ok();
                Status {
                    is_stored: true,
                    last_error: Some(error),
                    cooldown_remaining: resting,
                    ..status
                }
            }
        }
    }
}
