//! Failures that processes share although their tokens stay in memory.
//!
//! A vendor whose tokens must not be stored still locks accounts and limits rates. Its failures are
//! therefore stored as all others are, under a key of their own, and no token is ever saved under
//! that key. A process that finds another one's first request in flight waits for its outcome:
//! after a failure it gets that failure, after a success it sends its own request. It does so
//! without the lease, so that processes with a correct credential wait for one request and not for
//! one after the other.

use std::time::Duration;

use gatepass_core::{Credential, Result};

use crate::cached_token::CachedToken;
use crate::exchange::{ExchangeRequest, set_next_step};
use crate::exchange_failure::ExchangeFailure;
use crate::persistence::HISTORY_TIMEOUT;
use crate::rt::timeout;
use crate::source_config::{SourceConfig, timed_out};
use crate::store::{HistoryEntry, Lease, LeaseOutcome, ProfileKey, Record, StoreKey, TokenStore};

impl SourceConfig {
    /// Returns the key under which this source shares failures and no token.
    pub(crate) fn failure_key(&self, credential: &Credential) -> Result<StoreKey> {
        let profile = ProfileKey::new(self.name.as_deref().unwrap_or_default());
        let cache_key = self.token_rules.add_to_key(self.provider.cache_key(credential)?);
        let cache_key = cache_key.with("kept", b"failures");
        Ok(StoreKey::new(&profile, &self.provider_id, &cache_key))
    }

    /// Returns the token of one exchange, which is not stored, or a failure that another process
    /// has stored. Stores the failure of the exchange.
    pub(crate) async fn acquire_in_memory(
        &self,
        store: &dyn TokenStore,
        credential: Credential,
        request: &ExchangeRequest,
        on_start: impl FnMut() + Send,
        history: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        let key = self.failure_key(&credential)?;
        let lease = match self.shared_failure(store, &key, &credential, request).await {
            Ok(FirstRequest::Failed(failure)) => return Err(failure),
            Ok(FirstRequest::Own(lease)) => Some(lease),
            Ok(FirstRequest::Ended) => None,
            Err(error) => {
                self.warn_of_store(&error);
                None
            }
        };
        let circumstances = self.circumstances(&credential);
        let exchange = self.exchange(credential, on_start, history);
        let mut outcome = match timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(timed_out(self.timeout).into()),
        };
        self.record_outcome(&mut outcome, circumstances, request).await;
        // A success ends a failure only for a caller that was not stopped by it.
        if outcome.is_ok() && !request.skip_store {
            return outcome;
        }
        let lease = match lease {
            Some(lease) => Ok(Some(lease)),
            None => store.lease(&key, HISTORY_TIMEOUT).await,
        };
        match lease {
            Ok(Some(lease)) if outcome.is_ok() => {
                let cleared = lease.clear_failure().await;
                let _ = cleared.inspect_err(|error| self.warn_of_store(error));
            }
            Ok(Some(lease)) => {
                let next_step = self.save(&*lease, request, &mut outcome).await;
                set_next_step(history, next_step);
            }
            Ok(None) => {}
            Err(error) => self.warn_of_store(&error),
        }
        outcome
    }

    /// Returns the stored failure, or what the first request of another process allows.
    async fn shared_failure(
        &self,
        store: &dyn TokenStore,
        key: &StoreKey,
        credential: &Credential,
        request: &ExchangeRequest,
    ) -> Result<FirstRequest> {
        let wanted = self.requirement(request, credential);
        let mut is_first = true;
        for wait in [Duration::ZERO, self.lease_wait(request)] {
            match store.acquire(key, &wanted, wait).await? {
                LeaseOutcome::Lease(lease) if is_first => return Ok(FirstRequest::Own(lease)),
                LeaseOutcome::Busy { .. } => is_first = false,
                LeaseOutcome::Found(record @ Record::Failure(_)) => {
                    if let Some(Err(failure)) = self.usable(record, credential, request) {
                        return Ok(FirstRequest::Failed(failure));
                    }
                    return Ok(FirstRequest::Ended);
                }
                // Another process's request has ended, and the next ones need not wait.
                LeaseOutcome::Lease(_) | LeaseOutcome::Found(_) => break,
            }
        }
        Ok(FirstRequest::Ended)
    }
}

/// The first request of the processes that want a token at the same time.
enum FirstRequest {
    /// This process sends the first request.
    Own(Box<dyn Lease>),
    /// The first request failed, and the failure is for all of them.
    Failed(ExchangeFailure),
    /// The first request returned a token to its own process.
    Ended,
}
