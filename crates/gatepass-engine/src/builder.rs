//! The builder of a token source.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{Clock, CredentialSource, Endpoint, HttpSend, Provider, TokenRules};

use crate::cache::Cache;
use crate::clock::ClockHandle;
use crate::source::TokenSource;
use crate::source_config::SourceConfig;
use crate::store::TokenStore;

/// Builds a [`TokenSource`].
///
/// A provider, HTTP client, credential source or clock may also be a `Box` or an `Arc` of one.
///
/// ```
/// # use std::time::Duration;
/// # use gatepass_core::Credential;
/// # use gatepass_engine::TokenSource;
/// # use gatepass_testkit::{FakeHttp, example::Example};
/// # let http = FakeHttp::answering([]);
/// let source = TokenSource::builder(Example::new())
///     .credential(Credential::client("app-1", "hunter2"))
///     .http(http)
///     .name("prod")
///     .timeout(Duration::from_secs(5))
///     .build();
/// assert_eq!(source.name(), Some("prod"));
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct TokenSourceBuilder {
    config: SourceConfig,
}

impl TokenSource {
    /// Returns a builder for a source of this provider's tokens.
    pub fn builder(provider: impl Provider + 'static) -> TokenSourceBuilder {
        TokenSourceBuilder { config: SourceConfig::new(provider) }
    }
}

impl TokenSourceBuilder {
    /// Sets where the credential comes from: a [`Credential`](gatepass_core::Credential) or
    /// [`credential_fn`](gatepass_core::credential_fn). It is read before each token request.
    pub fn credential(mut self, source: impl CredentialSource + 'static) -> Self {
        self.config.credential = Some(Arc::new(source));
        self
    }

    /// Sets the client that sends the requests.
    pub fn http(mut self, http: impl HttpSend + 'static) -> Self {
        self.config.http = Some(Arc::new(http));
        self
    }

    /// Sets the clock. Default: [`SystemClock`](crate::SystemClock).
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.config.clock = ClockHandle::Given(Arc::new(clock));
        self
    }

    /// Sets the profile's name, for errors, logs, metrics and the store.
    pub fn name(mut self, profile: impl Into<String>) -> Self {
        self.config.name = Some(profile.into());
        self
    }

    /// Sets the rules that every token must fulfil.
    pub fn token_rules(mut self, token_rules: TokenRules) -> Self {
        self.config.token_rules = token_rules;
        self
    }

    /// Sets how long an exchange may take, from reading the credential to the token. Default: 15 s.
    ///
    /// If another process that shares the store is requesting the token, the source first waits
    /// for it for the same time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// Sets how early a token counts as expired. Default: 10 s, or a tenth of the token's remaining
    /// lifetime if that is less. A longer leeway is limited to half of that lifetime.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.config.leeway = Some(leeway);
        self
    }

    /// Sets whether the token is refreshed even while it is unused, starting with the first token.
    /// Default: false.
    pub fn keep_warm(mut self, keep_warm: bool) -> Self {
        self.config.keep_warm = keep_warm;
        self
    }

    /// Sets the store, which keeps tokens for later runs and shares them with other processes. The
    /// source needs a [`name`](Self::name) to find its records.
    pub fn store(mut self, store: impl TokenStore + 'static) -> Self {
        self.config.store = Some(Arc::new(store));
        self
    }

    /// Sets whether tokens may be stored. By default the provider's
    /// [`memory_only`](gatepass_core::RefreshHints::memory_only) decides.
    pub fn persist(mut self, persist: Option<bool>) -> Self {
        self.config.persist = persist;
        self
    }

    /// Sets the seed for jitter, for tests that must be repeatable.
    #[doc(hidden)]
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }

    /// Adds origins that may receive the token, beside that of the provider's own
    /// [`api`](Provider::api). Middleware sends the token to no other origin.
    pub fn api_origins(mut self, origins: impl IntoIterator<Item = Endpoint>) -> Self {
        self.config.allowed_origins = self.config.allowed_origins.with(origins);
        self
    }

    /// Builds the source. This reads, sends and spawns nothing; without a credential or an HTTP
    /// client, the first [`token`](TokenSource::token) fails with `Config`.
    pub fn build(self) -> TokenSource {
        TokenSource::new(Cache::new(self.config))
    }

    pub(crate) fn into_config(self) -> SourceConfig {
        self.config
    }
}
