//! One exchange: the credential is read, the vendor asked, the token checked.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use gatepass_core::{
    ApiRequest, CoarseTime, Credential, CredentialSource, Error, ErrorKind, ExchangeContext,
    HttpSend, Provider, RefreshHints, Result, Token, TokenRules,
};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use crate::allowed_origins::AllowedOrigins;
use crate::budget::Budget;
use crate::clock::ClockHandle;
use crate::cooldown::{Cooldown, is_denied};
use crate::freshness::FreshnessHint;
use crate::login::PendingLogin;
use crate::policy::{Moment, Phase, Validity};
use crate::rt::sleep;
use crate::store::{HistoryEntry, NextStep, TokenStore};

/// Who asks whom, and how: everything an exchange needs.
#[derive(Debug)]
pub(crate) struct SourceConfig {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) provider_id: Cow<'static, str>,
    pub(crate) allowed_origins: AllowedOrigins,
    pub(crate) name: Option<String>,
    pub(crate) credential: Option<Arc<dyn CredentialSource>>,
    pub(crate) http: Option<Arc<dyn HttpSend>>,
    pub(crate) clock: ClockHandle,
    pub(crate) token_rules: TokenRules,
    pub(crate) timeout: Duration,
    pub(crate) leeway: Option<Duration>,
    pub(crate) keep_warm: bool,
    pub(crate) store: Option<Arc<dyn TokenStore>>,
    /// Whether tokens may be kept in a store; unsaid, the vendor's hints decide.
    pub(crate) persist: Option<bool>,
    pub(crate) pending_login: PendingLogin,
    /// Where chance begins; from the system unless a test says otherwise.
    pub(crate) seed: Option<u64>,
    /// One of a pool's, whose names are too many for labels.
    pub(crate) is_pooled: bool,
}

/// A token as it is cached.
#[derive(Debug)]
pub(crate) struct CachedToken {
    pub(crate) token: Token,
    pub(crate) validity: Validity,
    pub(crate) freshness_hint: FreshnessHint,
    headers: Headers,
    /// Whether a store had it.
    pub(crate) is_stored: bool,
    /// Until when nobody need think of a refresh, in nanoseconds of the boot clock: one is under
    /// way, or the last one failed.
    refresh_not_before: AtomicU64,
}

/// What a flight is to bring.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExchangeRequest {
    /// The rest after the failure before it, if it is one that only another credential ends.
    pub(crate) rest: Option<Cooldown>,
    /// The vendor is to be asked, whatever a store has.
    pub(crate) is_fresh: bool,
    /// How long what a store has must live to do.
    pub(crate) min_remaining: Duration,
    /// It replaces a token that was asked for then: an older one will not do.
    pub(crate) newer_than: Option<SystemTime>,
    /// A token that an API has refused: this one will not do.
    pub(crate) refused: Option<Token>,
    /// How many failures in a row were before it.
    pub(crate) failures: u32,
    /// From 0 to 1.
    pub(crate) jitter: f64,
}

/// Why there was no token.
#[derive(Debug)]
pub(crate) struct ExchangeFailure {
    pub(crate) error: Error,
    /// The credential that the vendor refused.
    pub(crate) refused: Option<Fingerprint>,
    /// How long it answers for those who share the store: no shorter here.
    pub(crate) rest: Option<Duration>,
}

/// Tells credentials apart within this process, without keeping one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn of(credential: &Credential) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let mut hasher = KEY.build_hasher();
        credential.texts().for_each(|text| text.hash(&mut hasher));
        for (name, secret) in credential.secrets() {
            (name, secret.expose_secret()).hash(&mut hasher);
        }
        Self(hasher.finish())
    }
}

impl From<Error> for ExchangeFailure {
    fn from(error: Error) -> Self {
        Self { error, refused: None, rest: None }
    }
}

/// What `authorize` puts on a request. It is asked once, so that the credential is not kept.
#[derive(Debug)]
enum Headers {
    /// The token's own `Authorization` and nothing else.
    Bearer,
    Others(Box<HeaderMap>),
    /// They depend on the request, or could not be made: the provider is called each time, and an
    /// error is the caller's.
    PerRequest,
}

impl Headers {
    fn of(headers: HeaderMap, token: &Token) -> Self {
        if headers.len() == 1 && headers.get(AUTHORIZATION) == Some(token.authorization()) {
            Self::Bearer
        } else {
            Self::Others(Box::new(headers))
        }
    }
}

impl SourceConfig {
    pub(crate) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// Names the provider and the profile.
    pub(crate) fn named(&self, error: Error) -> Error {
        let error = error.with_provider(&self.provider_id);
        match &self.name {
            Some(name) => error.with_profile(name),
            None => error,
        }
    }

    /// Asks the vendor; `begin` is called as each request begins, and what came of it is noted in
    /// `notes`. A credential that `rest` says
    /// was refused is not sent again.
    ///
    /// Refused, it reads the credential once more and asks again only if that has changed: a
    /// refusal too many locks accounts.
    pub(crate) async fn exchange(
        &self,
        request: &ExchangeRequest,
        begin: impl FnMut() + Send,
        notes: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        let credential = self.read_credential().await?;
        if self.provider.interactive().is_some() {
            return self.take_login(credential, request, notes).await;
        }
        let fingerprint = Fingerprint::of(&credential);
        if let Some(rest) = &request.rest
            && rest.refused == Some(fingerprint)
        {
            return Err(ExchangeFailure {
                refused: Some(fingerprint),
                ..rest.error.clone().into()
            });
        }
        match self.store() {
            Some(store) => self.exchange_through(&**store, credential, request, begin, notes).await,
            None => self.exchange_with(credential, begin, notes).await,
        }
    }

    /// Asks the vendor with this credential, and with another one if it is refused and changes.
    pub(crate) async fn exchange_with(
        &self,
        credential: Credential,
        mut begin: impl FnMut() + Send,
        notes: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        let fingerprint = Fingerprint::of(&credential);
        self.wait_for_budget(&credential).await?;
        begin();
        let failed = |error: Error, fingerprint| {
            let refused = is_denied(&error).then_some(fingerprint);
            ExchangeFailure { refused, ..error.into() }
        };
        let refused = match self.request_and_record(&credential, notes).await {
            Err(error) if error.kind() == ErrorKind::Denied => error,
            outcome => return outcome.map_err(|error| failed(error, fingerprint)),
        };
        let changed = match self.read_credential().await {
            Ok(changed) if Fingerprint::of(&changed) != fingerprint => changed,
            _ => return Err(failed(refused, fingerprint)),
        };
        set_next_step(notes, NextStep::Retried);
        self.wait_for_budget(&changed).await?;
        begin();
        self.request_and_record(&changed, notes)
            .await
            .map_err(|error| failed(error, Fingerprint::of(&changed)))
    }

    /// Waits for a place among the requests a minute that the vendor allows, if it comes within
    /// the time an exchange may take.
    async fn wait_for_budget(&self, credential: &Credential) -> Result<()> {
        let Some(limit) = self.provider.hints().requests_per_minute else { return Ok(()) };
        let endpoints = self.provider.endpoints(credential)?;
        let Some(endpoint) = endpoints.first() else { return Ok(()) };
        let budget = Budget::of(endpoint.origin(), limit);
        while let Err(wait) = budget.take(self.clock.boot()) {
            if wait > self.timeout {
                return Err(budget.exhausted(wait));
            }
            sleep(wait).await;
        }
        Ok(())
    }

    pub(crate) async fn read_credential(&self) -> Result<Credential> {
        let Some(source) = &self.credential else {
            return Err(Error::config("the source has no credential")
                .with_hint("give the builder one: `.credential(…)`"));
        };
        source.credential().await
    }

    async fn request_and_record(
        &self,
        credential: &Credential,
        notes: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken> {
        let begun = self.now();
        let outcome = self.request_token(credential).await;
        let noted = outcome.as_ref().map(|cached| cached.token.expires_at());
        notes.extend(self.note(credential, begun, noted));
        outcome
    }

    async fn request_token(&self, credential: &Credential) -> Result<CachedToken> {
        let Some(http) = &self.http else {
            return Err(Error::config("the source has no HTTP client")
                .with_hint("give the builder one: `.http(…)`"));
        };
        let cx = ExchangeContext::new(&**http, &*self.clock, &self.token_rules);
        let begun = self.now();
        let token = cx.run(&*self.provider, credential).await?;
        Ok(self.cache_token(token, credential, begun))
    }

    pub(crate) fn cache_token(
        &self,
        token: Token,
        credential: &Credential,
        begun: Moment,
    ) -> CachedToken {
        let (expires_at, lifetime) = (token.expires_at(), token.lifetime());
        let validity = Validity::new(expires_at, lifetime, self.leeway, begun, self.now());
        self.cached(validity, token, credential, false)
    }

    /// Holds a token that a store has kept.
    pub(crate) fn cache_stored(&self, token: Token, credential: &Credential) -> CachedToken {
        let validity =
            Validity::from_stored(token.expires_at(), token.lifetime(), self.leeway, self.now());
        self.cached(validity, token, credential, true)
    }

    fn cached(
        &self,
        validity: Validity,
        token: Token,
        credential: &Credential,
        is_stored: bool,
    ) -> CachedToken {
        self.allowed_origins.record_token_endpoints(&*self.provider, credential);
        let (mut uri, mut headers) = (Uri::default(), HeaderMap::new());
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        let outcome = self.provider.authorize(credential, &token, &mut request);
        let headers = match outcome {
            Ok(()) if request.has_only_fixed_headers() => Headers::of(headers, &token),
            _ => Headers::PerRequest,
        };
        let freshness_hint = FreshnessHint::new(self.clock.coarse());
        CachedToken {
            token,
            validity,
            freshness_hint,
            headers,
            is_stored,
            refresh_not_before: AtomicU64::new(0),
        }
    }
}

impl CachedToken {
    /// A token that was cached before, for the sake of its next one.
    pub(crate) fn reuse(token: Token, validity: Validity, now: CoarseTime) -> Self {
        let (freshness_hint, headers) = (FreshnessHint::new(now), Headers::PerRequest);
        Self {
            token,
            validity,
            freshness_hint,
            headers,
            is_stored: false,
            refresh_not_before: AtomicU64::new(0),
        }
    }

    /// Whether the token's own `Authorization` is all the vendor wants.
    pub(crate) fn is_bearer(&self) -> bool {
        matches!(self.headers, Headers::Bearer)
    }

    /// Fresh, aging or expired, for somebody who needs the token for `min_remaining`.
    pub(crate) fn phase(&self, now: Moment, min_remaining: Duration) -> Phase {
        self.validity.phase(now, min_remaining)
    }

    /// Whether it is time to think of a refresh (of an aging token).
    pub(crate) fn is_due(&self, boot: Duration) -> bool {
        nanos(boot) >= self.refresh_not_before.load(Ordering::Relaxed)
    }

    /// Lets nobody think of a refresh before `boot`.
    pub(crate) fn suppress_refresh_until(&self, boot: Duration) {
        self.refresh_not_before.store(nanos(boot), Ordering::Relaxed);
    }

    /// The same token, with its refresh planned.
    pub(crate) fn with_refresh_ahead(self, hints: &RefreshHints, jitter: f64, now: Moment) -> Self {
        // What is gone of its validity already is what the vendor took; a stored one is older.
        let took = match self.is_stored {
            true => Duration::ZERO,
            false => self.token.lifetime().saturating_sub(self.validity.remaining(now)),
        };
        let validity = self.validity.with_refresh_ahead(hints, jitter, now);
        Self {
            validity: validity.with_refresh_margin(took.mul_f64(1.5 + jitter), hints, now),
            ..self
        }
    }

    /// The same token, not to be refreshed before its end.
    pub(crate) fn without_refresh(self) -> Self {
        Self { validity: self.validity.without_refresh(), ..self }
    }

    /// Puts the token on a request; false if the provider must be called for it.
    pub(crate) fn authorize(&self, request: &mut ApiRequest<'_>) -> bool {
        match &self.headers {
            Headers::Bearer => {
                request.set_header(AUTHORIZATION, self.token.authorization().clone());
            }
            Headers::Others(others) => {
                for (name, value) in &**others {
                    request.set_header(name.clone(), value.clone());
                }
            }
            Headers::PerRequest => return false,
        }
        true
    }
}

/// Says what follows from the latest exchange.
pub(crate) fn set_next_step(notes: &mut Vec<HistoryEntry>, decision: NextStep) {
    if let Some(note) = notes.pop() {
        notes.push(note.with_next_step(decision));
    }
}

fn nanos(boot: Duration) -> u64 {
    u64::try_from(boot.as_nanos()).unwrap_or(u64::MAX)
}
