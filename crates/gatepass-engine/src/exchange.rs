//! One exchange: a token request to the vendor, and a second one if the credential has changed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{Credential, Error, ErrorKind, ExchangeContext, Result, Token};

use crate::budget::Budget;
use crate::cached_token::CachedToken;
use crate::cooldown::{Cooldown, is_denied};
use crate::credential_history::CredentialHistory;
use crate::exchange_failure::ExchangeFailure;
use crate::fingerprint::Fingerprint;
use crate::pending_login::PendingLogin;
use crate::policy::Moment;
use crate::rt::sleep;
use crate::source_config::SourceConfig;
use crate::store::{HistoryEntry, NextStep};

/// The token that a flight needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExchangeRequest {
    /// The cool-down of the failure before, which ends early if the credential has changed.
    pub(crate) cooldown: Option<Cooldown>,
    /// Whether to ask the vendor even if the store has a token.
    pub(crate) skip_store: bool,
    /// Remaining lifetime that a stored token needs.
    pub(crate) min_remaining: Duration,
    /// Time of the request for the token that is being refreshed; an older token is not accepted.
    pub(crate) newer_than: Option<SystemTime>,
    /// A token that an API rejected, which is not accepted.
    pub(crate) rejected: Option<Token>,
    /// The credential's results so far.
    pub(crate) credentials: CredentialHistory,
    /// Number of consecutive failures before this exchange.
    pub(crate) prior_failures: u32,
    /// When the callers stop trying, on the boot clock, if they have said so.
    pub(crate) retry_until: Option<Duration>,
    /// Random number from 0 to 1 for the cool-down.
    pub(crate) jitter: f64,
    pub(crate) pending_login: Option<Arc<PendingLogin>>,
}

impl SourceConfig {
    /// Requests a token with this credential. If the vendor denies it, reads the credential again
    /// and sends a second request only if it has changed: repeated denials lock accounts.
    ///
    /// Calls `on_start` before each request and adds an entry per request to `history`.
    pub(crate) async fn exchange(
        &self,
        credential: Credential,
        mut on_start: impl FnMut() + Send,
        history: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        let fingerprint = Fingerprint::of(&credential);
        self.wait_for_budget(&credential).await?;
        on_start();
        let failed = |error: Error, credential: &Credential| {
            let denied = is_denied(&error).then(|| Fingerprint::of(credential));
            let circumstances = Some(self.circumstances(credential));
            ExchangeFailure { denied, circumstances, ..error.into() }
        };
        let denied = match self.request_and_record(&credential, history).await {
            Err(error) if error.kind() == ErrorKind::Denied => error,
            outcome => return outcome.map_err(|error| failed(error, &credential)),
        };
        let changed = match self.read_credential().await {
            Ok(changed) if Fingerprint::of(&changed) != fingerprint => changed,
            _ => return Err(failed(denied, &credential)),
        };
        set_next_step(history, NextStep::Retried);
        self.wait_for_budget(&changed).await?;
        on_start();
        self.request_and_record(&changed, history).await.map_err(|error| failed(error, &changed))
    }

    /// Waits until the vendor's limit of requests per minute allows one more, unless that takes
    /// longer than the timeout.
    async fn wait_for_budget(&self, credential: &Credential) -> Result<()> {
        let Some(limit) = self.provider.hints().requests_per_minute else { return Ok(()) };
        let endpoints = self.provider.endpoints(credential)?;
        let Some(endpoint) = endpoints.first() else { return Ok(()) };
        let budget = Budget::for_origin(endpoint.origin(), limit);
        while let Err(wait) = budget.try_take(self.clock.boot()) {
            if wait > self.timeout {
                return Err(budget.exhausted(wait));
            }
            sleep(wait).await;
        }
        Ok(())
    }

    async fn request_and_record(
        &self,
        credential: &Credential,
        history: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken> {
        let started = self.now();
        let outcome = self.request_token(credential).await;
        let outcome = outcome.map_err(|error| self.with_way_out(error));
        let recorded = outcome.as_ref().map(|cached| cached.token.expires_at());
        history.extend(self.history_entry(credential, started, recorded));
        outcome
    }

    async fn request_token(&self, credential: &Credential) -> Result<CachedToken> {
        let cx = ExchangeContext::new(&*self.http, &*self.clock, &self.token_rules);
        let started = self.now();
        let token = cx.run(&*self.provider, credential).await?;
        Ok(self.cache_token(token, credential, started))
    }

    /// Returns the history entry of a request that has just ended, if there is a store. A store
    /// that may not contain this provider's tokens gets it too, because it contains no token.
    pub(crate) fn history_entry(
        &self,
        credential: &Credential,
        started: Moment,
        outcome: Result<SystemTime, &Error>,
    ) -> Option<HistoryEntry> {
        self.store.as_ref()?;
        let took = self.now().since(started);
        let entry = HistoryEntry::new(&self.provider_id, started.wall(), took, outcome)
            .with_credential(credential);
        let endpoints = self.provider.endpoints(credential).unwrap_or_default();
        Some(match endpoints.first() {
            Some(endpoint) => entry.with_origin(endpoint.origin()),
            None => entry,
        })
    }
}

/// Sets the next step of the latest request.
pub(crate) fn set_next_step(history: &mut Vec<HistoryEntry>, next_step: NextStep) {
    if let Some(entry) = history.pop() {
        history.push(entry.with_next_step(next_step));
    }
}
