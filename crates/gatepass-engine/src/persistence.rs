//! Exchanges through a store: one for all processes that share it, and none where another has
//! brought the token.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{Credential, Error, Result, Token};

use crate::cooldown;
use crate::exchange::{
    CachedToken, ExchangeFailure, ExchangeRequest, Fingerprint, SourceConfig, set_next_step,
};
use crate::flight::timed_out;
use crate::policy::Phase;
use crate::rt::timeout;
use crate::store::{self, HistoryEntry, Lease, NextStep, Record, StoreKey, TokenStore};

/// A refused credential is asked about again after this time, should nobody ask for it before:
/// the vendor may have changed its mind.
const DENIED_COOLDOWN: Duration = store::FailureRecord::MAX_COOLDOWN;

impl SourceConfig {
    /// How long a flight may take: an exchange's time, and as long again where another process may
    /// be making one, which is waited for first.
    pub(crate) fn flight_timeout(&self) -> Duration {
        match self.store() {
            Some(_) => self.timeout.saturating_mul(2),
            None => self.timeout,
        }
    }

    /// The store, if this vendor's tokens may be kept in one.
    pub(crate) fn store(&self) -> Option<&Arc<dyn TokenStore>> {
        let persist = self.persist.unwrap_or_else(|| !self.provider.hints().memory_only);
        self.store.as_ref().filter(|_| persist)
    }

    /// What the store has or, if that is nothing, what one exchange brings; the store is told.
    pub(crate) async fn exchange_through(
        &self,
        store: &dyn TokenStore,
        credential: Credential,
        request: &ExchangeRequest,
        begin: impl FnMut() + Send,
        notes: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        let key = self.store_key(&credential)?;
        if let Some(found) = self.load_usable(store, &key, &credential, request).await {
            return found;
        }
        let lease = store.lease(&key, self.timeout).await;
        // Whoever had the lease may have brought it.
        if lease.is_ok()
            && let Some(found) = self.load_usable(store, &key, &credential, request).await
        {
            return found;
        }
        // No exchange takes so long: a process that is stopped holds up nobody for ever.
        let lease = match lease.and_then(|lease| lease.ok_or_else(|| too_long(self.timeout))) {
            Ok(lease) => Some(lease),
            Err(error) => {
                self.warn_of_store(&error);
                None
            }
        };
        let exchange = self.exchange_with(credential, begin, notes);
        let mut outcome = match timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(timed_out(self.timeout).into()),
        };
        if let Some(lease) = lease {
            set_next_step(notes, self.save(store, &key, &*lease, request, &mut outcome).await);
        }
        outcome
    }

    /// The place of this identity's token: whatever shapes the request or what is made of the
    /// answer makes it another place.
    pub(crate) fn store_key(&self, credential: &Credential) -> Result<StoreKey> {
        let request = self.request(credential)?;
        let profile = self.name.as_deref().unwrap_or_default();
        // A provider's Debug shows its settings and no secret.
        let settings = format!("{:?} {:?}", self.provider, self.token_rules);
        Ok(StoreKey::new(profile, &self.provider_id, &request).and("provider", &settings))
    }

    /// What the store has that will do for this flight.
    pub(crate) async fn load_usable(
        &self,
        store: &dyn TokenStore,
        key: &StoreKey,
        credential: &Credential,
        request: &ExchangeRequest,
    ) -> Option<Result<CachedToken, ExchangeFailure>> {
        if request.is_fresh {
            return None;
        }
        match store.load(key).await {
            Ok(Some(Record::Token(token))) => {
                let is_refused = |refused: &Token| refused.expose_secret() == token.expose_secret();
                let is_older = request.newer_than.is_some_and(|at| token.issued_at() <= at);
                if is_older || request.refused.as_ref().is_some_and(is_refused) {
                    return None;
                }
                let cached = self.cache_stored(token, credential);
                let will_do = cached.phase(self.now(), request.min_remaining) != Phase::Expired;
                will_do.then_some(Ok(cached))
            }
            Ok(Some(Record::Failure(failure))) => {
                let error = failure.error(self.clock.wall());
                let refused = cooldown::is_denied(&error).then(|| Fingerprint::of(credential));
                Some(Err(ExchangeFailure { refused, ..error.into() }))
            }
            Ok(None) => None,
            Err(error) => {
                self.warn_of_store(&error);
                None
            }
        }
    }

    /// Keeps what a login has brought.
    pub(crate) async fn store_result(
        &self,
        store: &dyn TokenStore,
        credential: &Credential,
        cached: &CachedToken,
    ) -> NextStep {
        let keep = async {
            let Some(lease) = store.lease(&self.store_key(credential)?, self.timeout).await? else {
                return Ok(false);
            };
            lease.save(&Record::Token(cached.token.clone())).await
        };
        match keep.await {
            Ok(true) => NextStep::TokenStored,
            Ok(false) => NextStep::TokenNotStored,
            Err(error) => {
                self.warn_of_store(&error);
                NextStep::TokenNotStored
            }
        }
    }

    /// The record of this very credential, which is read for it; asks the vendor nothing.
    pub(crate) async fn stored(&self) -> Result<Option<Record>> {
        let Some(store) = self.store() else { return Ok(None) };
        let credential = timeout(self.timeout, self.read_credential())
            .await
            .unwrap_or_else(|_| Err(timed_out(self.timeout)))?;
        store.load(&self.store_key(&credential)?).await
    }

    /// Keeps the outcome, and says what follows from it.
    async fn save(
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
                // A token that still works is worth more than the news of a failure.
                if matches!(store.load(key).await, Ok(Some(Record::Token(_)))) {
                    return NextStep::PreviousTokenKept;
                }
                let rest = match failure.refused {
                    Some(_) => DENIED_COOLDOWN,
                    None => cooldown::duration(
                        &failure.error,
                        request.failures + 1,
                        false,
                        request.jitter,
                    ),
                };
                failure.rest = Some(rest);
                Record::Failure(store::FailureRecord::new(&failure.error, now, now + rest))
            }
        };
        let is_kept = lease.save(&record).await.unwrap_or_else(|error| {
            self.warn_of_store(&error);
            false
        });
        match (record, outcome) {
            (Record::Token(_), _) if is_kept => NextStep::TokenStored,
            (Record::Token(_), _) => NextStep::TokenNotStored,
            (Record::Failure(_), _) if !is_kept => NextStep::NotCached,
            (Record::Failure(kept), Err(ExchangeFailure { refused: Some(_), .. })) => {
                NextStep::Denied(kept.until())
            }
            (Record::Failure(kept), _) => NextStep::CooledDown(kept.until()),
        }
    }

    /// A store that fails costs an exchange, never a token.
    pub(crate) fn warn_of_store(&self, error: &Error) {
        let profile = self.name.as_deref();
        tracing::warn!(provider = &*self.provider_id, profile, %error, "the store is remaining out");
    }
}

/// Another process has cached the lease for longer than an exchange may take.
fn too_long(limit: Duration) -> Error {
    let seconds = limit.as_secs();
    Error::internal(format!("another process asks the vendor for {seconds} s (is one stopped?)"))
}
