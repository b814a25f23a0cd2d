//! What a source reads from its store and writes to it: tokens, failures and history.

use std::time::Duration;

use gatepass_core::{Credential, Error, Result, Token};

use crate::cached_token::CachedToken;
use crate::cooldown;
use crate::exchange::{ExchangeFailure, ExchangeRequest};
use crate::fingerprint::Fingerprint;
use crate::policy::{Phase, Validity};
use crate::rt::timeout;
use crate::source_config::SourceConfig;
use crate::status::{State, Status};
use crate::store::{
    FailureRecord, HistoryEntry, Lease, NextStep, ProfileKey, Record, StoreKey, TokenStore,
};

/// The vendor gets a denied credential again after this time, because it may accept it by then.
const DENIED_COOLDOWN: Duration = FailureRecord::MAX_COOLDOWN;
/// How long a token may wait for its history entries, in addition to the time of the exchange.
pub(crate) const HISTORY_TIMEOUT: Duration = Duration::from_secs(1);

impl SourceConfig {
    /// Returns the key of this source's record. Everything that shapes the token request, or how
    /// its response is read, is part of the key.
    pub(crate) fn store_key(&self, credential: &Credential) -> Result<StoreKey> {
        let request = self.request(credential)?;
        let profile = self.name.as_deref().unwrap_or_default();
        // A provider's Debug shows its settings and no secret.
        let settings = format!("{:?} {:?}", self.provider, self.token_rules);
        Ok(StoreKey::new(profile, &self.provider_id, &request).and("provider", &settings))
    }

    /// Loads the record if it serves this flight: a token that fulfils the request, or a failure
    /// whose cool-down has not ended.
    pub(crate) async fn load_usable(
        &self,
        store: &dyn TokenStore,
        key: &StoreKey,
        credential: &Credential,
        request: &ExchangeRequest,
    ) -> Option<Result<CachedToken, ExchangeFailure>> {
        if request.skip_store {
            return None;
        }
        match store.load(key).await {
            Ok(Some(Record::Token(token))) => {
                let is_same = |other: &Token| other.expose_secret() == token.expose_secret();
                let is_older = request.newer_than.is_some_and(|time| token.issued_at() <= time);
                if is_older || request.rejected.as_ref().is_some_and(is_same) {
                    return None;
                }
                let cached = self.cache_stored(token, credential);
                let is_usable = cached.phase(self.now(), request.min_remaining) != Phase::Expired;
                is_usable.then_some(Ok(cached))
            }
            Ok(Some(Record::Failure(failure))) => {
                let error = failure.error(self.clock.wall());
                let denied = cooldown::is_denied(&error).then(|| Fingerprint::of(credential));
                Some(Err(ExchangeFailure { denied, ..error.into() }))
            }
            Ok(None) => None,
            Err(error) => {
                self.warn_of_store(&error);
                None
            }
        }
    }

    /// Stores the token of a login.
    pub(crate) async fn store_result(
        &self,
        store: &dyn TokenStore,
        credential: &Credential,
        cached: &CachedToken,
    ) -> NextStep {
        let save = async {
            let Some(lease) = store.lease(&self.store_key(credential)?, self.timeout).await? else {
                return Ok(false);
            };
            lease.save(&Record::Token(cached.token.clone())).await
        };
        match save.await {
            Ok(true) => NextStep::TokenStored,
            Ok(false) => NextStep::TokenNotStored,
            Err(error) => {
                self.warn_of_store(&error);
                NextStep::TokenNotStored
            }
        }
    }

    /// Stores the outcome of an exchange, a failure with its cool-down, and returns what happens
    /// next.
    pub(crate) async fn save(
        &self,
        store: &dyn TokenStore,
        key: &StoreKey,
        lease: &dyn Lease,
        request: &ExchangeRequest,
        outcome: &mut Result<CachedToken, ExchangeFailure>,
    ) -> NextStep {
        let now = self.clock.wall();
        let record = match outcome {
            Ok(cached) => Record::Token(cached.token.clone()),
            Err(failure) => {
                // A stored token that still works is worth more than the failure.
                if matches!(store.load(key).await, Ok(Some(Record::Token(_)))) {
                    return NextStep::PreviousTokenKept;
                }
                let failures = request.prior_failures + 1;
                let cooldown = match failure.denied {
                    Some(_) => DENIED_COOLDOWN,
                    None => cooldown::duration(&failure.error, failures, false, request.jitter),
                };
                failure.cooldown = Some(cooldown);
                Record::Failure(FailureRecord::new(&failure.error, now, now + cooldown))
            }
        };
        let is_saved = lease.save(&record).await.unwrap_or_else(|error| {
            self.warn_of_store(&error);
            false
        });
        match (record, outcome) {
            (Record::Token(_), _) if is_saved => NextStep::TokenStored,
            (Record::Token(_), _) => NextStep::TokenNotStored,
            (Record::Failure(_), _) if !is_saved => NextStep::NotCached,
            (Record::Failure(record), Err(ExchangeFailure { denied: Some(_), .. })) => {
                NextStep::Denied(record.until())
            }
            (Record::Failure(record), _) => NextStep::CooledDown(record.until()),
        }
    }

    /// Appends entries to the history. If the store is slow or fails, the entries are lost; no
    /// token is delayed further.
    pub(crate) async fn append_history(&self, history: impl IntoIterator<Item = HistoryEntry>) {
        let Some(store) = &self.store else { return };
        let profile = ProfileKey::new(self.name.as_deref().unwrap_or_default());
        let append = async {
            for entry in history {
                if let Err(error) = store.append_history(&profile, &entry).await {
                    self.warn_of_store(&error);
                }
            }
        };
        if timeout(HISTORY_TIMEOUT, append).await.is_err() {
            self.warn_of_store(&Error::internal("writing the history took too long"));
        }
    }

    /// Loads the record of the current credential, without a token request.
    pub(crate) async fn stored(&self) -> Result<Option<Record>> {
        let Some(store) = self.store() else { return Ok(None) };
        let credential = self.read_credential_in_time().await?;
        store.load(&self.store_key(&credential)?).await
    }

    /// Returns the status of a source that has this record and nothing else.
    pub(crate) fn status_of(&self, record: &Record) -> Status {
        let (now, status) = (self.now(), Status::empty());
        match record {
            Record::Token(token) => {
                let started = now.at_wall(token.issued_at());
                let (expires_at, lifetime) = (token.expires_at(), token.lifetime());
                let hints = self.provider.hints();
                let validity = Validity::new(expires_at, lifetime, self.leeway, started, started)
                    .with_refresh_ahead(&hints, 0.5, started);
                Status {
                    state: State::of(validity.phase(now, Duration::ZERO)),
                    expires_at: Some(expires_at),
                    expiry: Some(token.expiry()),
                    is_stored: true,
                    refresh_in: validity.refresh_in(now),
                    ..status
                }
            }
            Record::Failure(failure) => Status {
                is_stored: true,
                last_error: Some(self.named(failure.error(now.wall()))),
                cooldown_remaining: failure.until().duration_since(now.wall()).ok(),
                ..status
            },
        }
    }

    /// Logs that the store failed. Such a failure costs a token request, never a token.
    pub(crate) fn warn_of_store(&self, error: &Error) {
        let profile = self.name.as_deref();
        tracing::warn!(provider = &*self.provider_id, profile, %error, "the store is not used");
    }
}
