//! The ways to a token for one flight: a finished login, the store, or an exchange with the vendor.

use gatepass_core::{Credential, Error, Hint, Result};

use crate::cached_token::CachedToken;
use crate::exchange::{ExchangeRequest, set_next_step};
use crate::exchange_failure::ExchangeFailure;
use crate::fingerprint::Fingerprint;
use crate::pending_login::LoginToken;
use crate::persistence::StoreAcquisition;
use crate::policy::Phase;
use crate::rt::timeout;
use crate::source_config::{SourceConfig, timed_out};
use crate::store::{HistoryEntry, NextStep, TokenStore};

impl SourceConfig {
    /// Acquires a token. Calls `on_start` before each token request and adds an entry per request
    /// to `history`.
    ///
    /// While the failure of `request`'s cool-down lasts, it only looks in the store for a token.
    pub(crate) async fn acquire(
        &self,
        request: &ExchangeRequest,
        on_start: impl FnMut() + Send,
        history: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        let credential = self.read_credential().await?;
        if self.provider.interactive().is_some() {
            return self.acquire_from_login(credential, request, history).await;
        }
        let (fingerprint, now) = (Fingerprint::of(&credential), self.clock.boot());
        let locks_account = self.provider.hints().locks_account;
        if let Some(cooldown) = &request.cooldown
            && cooldown.is_current(fingerprint, self.circumstances(&credential), locks_account, now)
        {
            if let Some(store) = self.store() {
                let key = self.store_key(&credential)?;
                if let Some(Ok(found)) =
                    self.load_usable(&**store, &key, &credential, request).await
                {
                    return Ok(found);
                }
            }
            return Err(cooldown.repeated(now));
        }
        match self.store() {
            Some(store) => {
                self.acquire_with_store(&**store, credential, request, on_start, history).await
            }
            None => match &self.store {
                Some(store) => {
                    self.acquire_in_memory(&**store, credential, request, on_start, history).await
                }
                None => {
                    let circumstances = self.circumstances(&credential);
                    let mut outcome = self.exchange(credential, on_start, history).await;
                    self.record_outcome(&mut outcome, circumstances, request).await;
                    outcome
                }
            },
        }
    }

    /// Returns the token of a login in this process, or that of another process from the store.
    /// Sends no token request, because the next token needs the user.
    async fn acquire_from_login(
        &self,
        credential: Credential,
        request: &ExchangeRequest,
        history: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        let login = request.pending_login.as_ref().and_then(|login| login.take());
        if let Some(LoginToken { token, started, is_new }) = login
            && (is_new || !request.skip_store)
            && !request.rejected.as_ref().is_some_and(|rejected| rejected.is_same_as(&token))
        {
            let cached = self.cache_token(token, &credential, started);
            if cached.phase(self.now(), request.min_remaining) != Phase::Expired {
                if is_new {
                    let outcome = Ok(cached.token.expires_at());
                    let entry = self.history_entry(&credential, started, outcome);
                    let next_step = match self.store() {
                        Some(store) => self.store_result(&**store, &credential, &cached).await,
                        None => NextStep::TokenNotStored,
                    };
                    history.extend(entry.map(|entry| entry.with_next_step(next_step)));
                }
                return Ok(cached);
            }
        }
        if let Some(store) = self.store() {
            let key = self.store_key(&credential)?;
            if let Some(found) = self.load_usable(&**store, &key, &credential, request).await {
                return found;
            }
        }
        Err(Error::login_required("login needed")
            .hint(match &self.name {
                Some(name) => Hint::gatepass("log in", ["login", name]),
                None => Hint::new("the user must log in again"),
            })
            .into())
    }

    /// Returns the stored token, or that of one exchange, which it stores. Processes that share
    /// the store send one token request together.
    async fn acquire_with_store(
        &self,
        store: &dyn TokenStore,
        credential: Credential,
        request: &ExchangeRequest,
        on_start: impl FnMut() + Send,
        history: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        let key = self.store_key(&credential)?;
        let lease = match self.take_lease(store, &key, &credential, request).await {
            Ok(StoreAcquisition::Stored(mut found)) => {
                if let Ok(cached) = &mut found {
                    self.mark_replacement(store, cached).await;
                }
                return found;
            }
            Ok(StoreAcquisition::Lease(lease)) => Some(lease),
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
        if let Some(lease) = lease {
            let next_step = self.save(&*lease, request, &mut outcome).await;
            set_next_step(history, next_step);
        }
        outcome
    }
}
