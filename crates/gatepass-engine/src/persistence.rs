//! What a source reads from its store and writes to it: tokens, failures and history.

use std::time::Duration;

use gatepass_core::{Credential, Error, ErrorKind, Result, Token};

use crate::cached_token::CachedToken;
use crate::cooldown;
use crate::exchange::ExchangeRequest;
use crate::exchange_failure::ExchangeFailure;
use crate::fingerprint::Fingerprint;
use crate::metrics;
use crate::policy::{Phase, Validity};
use crate::rt::timeout;
use crate::source_config::SourceConfig;
use crate::status::{State, Status};
use crate::store::{
    FailureRecord, HistoryEntry, Lease, LeaseOutcome, NextStep, ProfileKey, Record,
    RecordRequirement, SaveOutcome, StoreKey, TokenStore,
};

/// How much longer than its timeout a live holder of a lease may need to save.
const STALE_MARGIN: Duration = Duration::from_secs(1);
/// The longest cool-down after waiting for another process in vain, which no vendor has noticed.
const MAX_BUSY_COOLDOWN: Duration = Duration::from_secs(1);
/// How long a token may wait for its history entries, in addition to the time of the exchange.
pub(crate) const HISTORY_TIMEOUT: Duration = Duration::from_secs(1);

impl SourceConfig {
    /// Returns the key of this source's record. Everything that shapes the token request, or how
    /// its response is read, is part of the key.
    pub(crate) fn store_key(&self, credential: &Credential) -> Result<StoreKey> {
        let profile = ProfileKey::new(self.name.as_deref().unwrap_or_default());
        let cache_key = self.token_rules.add_to_key(self.provider.cache_key(credential)?);
        Ok(StoreKey::new(&profile, &self.provider_id, &cache_key))
    }

    /// Takes the lease, or returns what another process has stored. Waits for another process's
    /// request, and long enough to succeed a process that was stopped during its request. If that
    /// has another successor, which has not finished either, the error says so: without the lease,
    /// every process that waits would send a request.
    pub(crate) async fn take_lease(
        &self,
        store: &dyn TokenStore,
        key: &StoreKey,
        credential: &Credential,
        request: &ExchangeRequest,
    ) -> Result<StoreAcquisition> {
        let (mut wanted, started) = (self.requirement(request, credential), self.now());
        // A store compares rough times: its record may expire too soon by the exact clocks.
        for _ in 0..2 {
            let wait = self.lease_wait(request).saturating_sub(self.now().since(started));
            match store.acquire(key, &wanted, wait).await? {
                LeaseOutcome::Lease(lease) => {
                    metrics::record_lease(self, "granted");
                    return Ok(StoreAcquisition::Lease(lease));
                }
                LeaseOutcome::Busy { retry_after } => {
                    metrics::record_lease(self, "busy");
                    return Ok(StoreAcquisition::Stored(Err(busy(retry_after, request))));
                }
                LeaseOutcome::Found(record) => {
                    let remaining = record.expires_at().duration_since(self.clock.wall());
                    if let Some(found) = self.usable(record, credential, request) {
                        metrics::record_lease(self, "found");
                        return Ok(StoreAcquisition::Stored(found));
                    }
                    wanted.min_remaining = remaining.unwrap_or_default() + Duration::from_secs(1);
                }
            }
        }
        Err(Error::internal("the store returned a record that was not asked for"))
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
            Ok(record) => self.usable(record?, credential, request),
            Err(error) => {
                self.warn_of_store(&error);
                None
            }
        }
    }

    /// Returns the record's outcome if it serves this flight by the exact clocks.
    pub(crate) fn usable(
        &self,
        record: Record,
        credential: &Credential,
        request: &ExchangeRequest,
    ) -> Option<Result<CachedToken, ExchangeFailure>> {
        match record {
            Record::Token(token) => {
                let is_same = |other: &Token| other.expose_secret() == token.expose_secret();
                let is_older = request.newer_than.is_some_and(|time| token.issued_at() <= time);
                if is_older || request.rejected.as_ref().is_some_and(is_same) {
                    return None;
                }
                let cached = self.cache_stored(token, credential);
                let is_usable = cached.phase(self.now(), request.min_remaining) != Phase::Expired;
                is_usable.then_some(Ok(cached))
            }
            Record::Failure(failure) => {
                let circumstances = self.circumstances(credential);
                let now = self.clock.wall();
                if failure.circumstances() != Some(&circumstances) && !self.is_locked(&failure) {
                    return None;
                }
                let age = now.duration_since(failure.failed_at()).unwrap_or_default();
                let error = failure.error(now).with_age(age);
                let denied = cooldown::is_denied(&error).then(|| Fingerprint::of(credential));
                let cooldown = failure.until().duration_since(now).ok();
                let circumstances = Some(circumstances);
                let failed = error.into();
                Some(Err(ExchangeFailure { denied, cooldown, circumstances, ..failed }))
            }
            Record::Credentials(_) => None,
        }
    }

    /// Returns whether a stored failure is current after any change but that of the credential: the
    /// record's key depends on that.
    fn is_locked(&self, failure: &FailureRecord) -> bool {
        self.provider.hints().locks_account && failure.kind() == ErrorKind::Denied
    }

    /// Returns which records serve this flight.
    pub(crate) fn requirement(
        &self,
        request: &ExchangeRequest,
        credential: &Credential,
    ) -> RecordRequirement {
        // A store cannot tell a rejection by a vendor that locks accounts: `usable` decides.
        let is_any = self.provider.hints().locks_account;
        RecordRequirement {
            newer_than: request.newer_than,
            refused: request.rejected.clone(),
            min_remaining: request.min_remaining,
            is_fresh: request.skip_store,
            circumstances: (!is_any).then(|| self.circumstances(credential)),
            stale_after: self.stale_after(),
        }
    }

    /// Stores the token of a login.
    pub(crate) async fn store_result(
        &self,
        store: &dyn TokenStore,
        credential: &Credential,
        cached: &CachedToken,
    ) -> NextStep {
        let wanted = RecordRequirement {
            is_fresh: true,
            stale_after: self.stale_after(),
            ..RecordRequirement::default()
        };
        let save = async {
            let key = self.store_key(credential)?;
            match store.acquire(&key, &wanted, self.lease_timeout()).await? {
                LeaseOutcome::Lease(lease) => {
                    lease.save(&Record::Token(cached.token.clone())).await
                }
                _ => Ok(SaveOutcome::Late),
            }
        };
        match save.await {
            Ok(SaveOutcome::Kept) => NextStep::TokenStored,
            Ok(_) => NextStep::TokenNotStored,
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
        lease: &dyn Lease,
        request: &ExchangeRequest,
        outcome: &mut Result<CachedToken, ExchangeFailure>,
    ) -> NextStep {
        let failure = match outcome {
            Ok(cached) => {
                let token = Record::Token(cached.token.clone());
                return match self.save_record(lease, token).await {
                    Some(SaveOutcome::Kept) => NextStep::TokenStored,
                    _ => NextStep::TokenNotStored,
                };
            }
            Err(failure) => failure,
        };
        let (now, failures) = (self.clock.wall(), request.prior_failures.saturating_add(1));
        let cooldown = failure.cooldown.unwrap_or_else(|| {
            let cooldown = cooldown::duration(&failure.error, failures, false, request.jitter);
            let window = request.retry_until.map(|end| end.saturating_sub(self.clock.boot()));
            cooldown::within_window(&failure.error, cooldown, window, request.jitter)
        });
        let until = now.checked_add(cooldown).unwrap_or(now);
        let mut record = FailureRecord::new(&failure.error, now, until);
        if let Some(circumstances) = failure.circumstances {
            record = record.with_circumstances(circumstances);
        }
        if failure.denied.is_some() && self.provider.hints().locks_account {
            record = record.lasting();
        }
        let until = record.until();
        let saved = self.save_record(lease, Record::Failure(record)).await;
        // The store kept a token that still works: the cool-down of the refresh is this process's.
        if let Some(SaveOutcome::Older | SaveOutcome::Beside) = saved {
            return NextStep::PreviousTokenKept;
        }
        failure.cooldown = Some(cooldown);
        match (saved, failure.denied) {
            (Some(SaveOutcome::Kept), Some(_)) => NextStep::Denied(until),
            (Some(SaveOutcome::Kept), None) => NextStep::CooledDown(until),
            _ => NextStep::NotCached,
        }
    }

    /// Saves a record; `None` if the store failed.
    async fn save_record(&self, lease: &dyn Lease, record: Record) -> Option<SaveOutcome> {
        let saved = lease.save(&record).await.inspect_err(|error| self.warn_of_store(error)).ok();
        match saved {
            Some(SaveOutcome::Late) => {
                metrics::record_lease(self, "late");
                tracing::warn!(
                    provider = &*self.provider_id,
                    profile = self.name.as_deref(),
                    "the lease was lost: another process has requested a token as well"
                );
            }
            Some(SaveOutcome::Forgotten) => metrics::record_lease(self, "forgotten"),
            _ => {}
        }
        saved
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
        let Some(store) = &self.store else { return Ok(None) };
        let credential = self.read_credential_in_time().await?;
        let key = match self.store() {
            Some(_) => self.store_key(&credential)?,
            None => self.failure_key(&credential)?,
        };
        let record = store.load(&key).await?;
        // A failure under other circumstances has ended.
        Ok(record.filter(|record| match record {
            Record::Failure(failure) => {
                failure.circumstances() == Some(&self.circumstances(&credential))
                    || self.is_locked(failure)
            }
            Record::Token(_) => true,
            Record::Credentials(_) => false,
        }))
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
            Record::Credentials(_) => status,
        }
    }

    /// Logs that the store failed. Such a failure costs a token request, never a token.
    pub(crate) fn warn_of_store(&self, error: &Error) {
        let profile = self.name.as_deref();
        tracing::warn!(provider = &*self.provider_id, profile, %error, "the store is not used");
    }

    /// Returns how long the flight waits for the lease. A caller that has less time than a successor
    /// needs does not become one: it waits for the other process's request alone.
    pub(crate) fn lease_wait(&self, request: &ExchangeRequest) -> Duration {
        let window = request.retry_until.map(|end| end.saturating_sub(self.clock.boot()));
        let longest = self.lease_timeout();
        window.map_or(longest, |window| window.max(self.timeout).min(longest))
    }

    /// Returns how long another process may hold the lease before it counts as stopped.
    pub(crate) fn stale_after(&self) -> Duration {
        self.timeout.saturating_add(STALE_MARGIN)
    }
}

/// What a flight gets from the store.
pub(crate) enum StoreAcquisition {
    /// The right to send the token request.
    Lease(Box<dyn Lease>),
    /// The outcome of another process's request.
    Stored(Result<CachedToken, ExchangeFailure>),
}

/// Returns the failure of a flight that has waited in vain for the request of another process.
fn busy(retry_after: Duration, request: &ExchangeRequest) -> ExchangeFailure {
    let cooldown = MAX_BUSY_COOLDOWN.mul_f64(0.5 + request.jitter.clamp(0.0, 1.0) / 2.0);
    let error = Error::unavailable("another process is requesting this token and has not finished")
        .with_retry_after(retry_after.max(MAX_BUSY_COOLDOWN))
        .hint("if that process is stopped (Ctrl-Z), continue it or end it");
    ExchangeFailure { cooldown: Some(cooldown), ..error.into() }
}
