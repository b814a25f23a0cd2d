//! Builder: what a source needs, and what it may be told.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{Clock, CredentialSource, Endpoint, HttpSend, Provider, TokenRules};

use crate::allowed_origins::AllowedOrigins;
use crate::cache::Cache;
use crate::clock::ClockHandle;
use crate::exchange::SourceConfig;
use crate::login::PendingLogin;
use crate::{SystemClock, TokenSource, TokenStore};

/// How long a whole exchange may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Builds a [`TokenSource`]. A provider, sender, credential source or clock may also be a `Box` or
/// an `Arc` of one.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct TokenSourceBuilder {
    config: SourceConfig,
}

impl TokenSourceBuilder {
    pub(crate) fn new(provider: impl Provider + 'static) -> Self {
        let config = SourceConfig {
            provider_id: provider.id().to_owned().into(),
            allowed_origins: AllowedOrigins::from_provider(&provider),
            provider: Arc::new(provider),
            name: None,
            credential: None,
            http: None,
            clock: ClockHandle::System(SystemClock::new()),
            token_rules: TokenRules::default(),
            timeout: TIMEOUT,
            leeway: None,
            keep_warm: false,
            store: None,
            persist: None,
            pending_login: PendingLogin::default(),
            seed: None,
            is_pooled: false,
        };
        Self { config }
    }

    /// Where the credential comes from: a [`Credential`](gatepass_core::Credential), or
    /// [`credential_fn`](gatepass_core::credential_fn). It is read before each exchange.
    pub fn credential(mut self, source: impl CredentialSource + 'static) -> Self {
        self.config.credential = Some(Arc::new(source));
        self
    }

    /// What sends the requests.
    pub fn http(mut self, http: impl HttpSend + 'static) -> Self {
        self.config.http = Some(Arc::new(http));
        self
    }

    /// What tells the time; [`SystemClock`] unless said otherwise.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.config.clock = ClockHandle::Given(Arc::new(clock));
        self
    }

    /// The profile's name, for errors and logs.
    pub fn name(mut self, profile: impl Into<String>) -> Self {
        self.config.name = Some(profile.into());
        self
    }

    /// What is asked of every token.
    pub fn token_rules(mut self, token_rules: TokenRules) -> Self {
        self.config.token_rules = token_rules;
        self
    }

    /// How long a whole exchange may take, from reading the credential to the token; 15 s unless
    /// said otherwise. One of another process that shares the store is waited for as long before.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// How early a token counts as expired: at most half of the validity it comes with. Unless said
    /// otherwise it is 10 s, or a tenth of that validity if that is less.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.config.leeway = Some(leeway);
        self
    }

    /// Whether the token is refreshed even while nobody asks for it; from the first token on.
    pub fn keep_warm(mut self, keep_warm: bool) -> Self {
        self.config.keep_warm = keep_warm;
        self
    }

    /// Where tokens outlive this process, and where others may have brought one. It needs the
    /// [`name`](Self::name) to keep them by.
    pub fn store(mut self, store: impl TokenStore + 'static) -> Self {
        self.config.store = Some(Arc::new(store));
        self
    }

    /// Whether tokens may be kept in the store; unless said, the provider's
    /// [`memory_only`](gatepass_core::RefreshHints::memory_only) decides.
    pub fn persist(mut self, persist: Option<bool>) -> Self {
        self.config.persist = persist;
        self
    }

    /// Where the source's jitter begins, for tests that must repeat.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }

    /// Further origins that may see the token, beside that of the provider's own
    /// [`api`](Provider::api). Middleware sends it to no other.
    pub fn api_origins(mut self, origins: impl IntoIterator<Item = Endpoint>) -> Self {
        self.config.allowed_origins = self.config.allowed_origins.with(origins);
        self
    }

    /// The source. Nothing is read, sent or spawned yet; without a credential or a sender, the
    /// first [`token`](TokenSource::token) is an error of kind `Config`.
    pub fn build(self) -> TokenSource {
        TokenSource::of(Cache::new(self.config))
    }

    pub(crate) fn into_config(self) -> SourceConfig {
        self.config
    }
}
