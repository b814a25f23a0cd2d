//! The builder of a token source.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{
    Clock, CredentialSource, Endpoint, Error, HttpSend, Provider, Result, TokenRules,
};

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
/// # let http = FakeHttp::returning([]);
/// let source = TokenSource::builder(Example::new(), Credential::client("app-1", "hunter2"))
///     .http(http)
///     .name("prod")
///     .timeout(Duration::from_secs(5))
///     .build()?;
/// assert_eq!(source.name(), Some("prod"));
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct TokenSourceBuilder {
    config: SourceConfig,
    http: Option<Arc<dyn HttpSend>>,
}

impl TokenSource {
    /// Returns a builder for a source of this provider's tokens.
    ///
    /// The credential is a [`Credential`](gatepass_core::Credential), or for a secret that may
    /// change a source of it, such as [`credential_fn`](gatepass_core::credential_fn): it is read
    /// before each token request.
    pub fn builder(
        provider: impl Provider + 'static,
        credential: impl CredentialSource + 'static,
    ) -> TokenSourceBuilder {
        TokenSourceBuilder { config: SourceConfig::new(provider, credential), http: None }
    }
}

impl TokenSourceBuilder {
    /// Sets the HTTP client that sends token requests. A program that links `gatepass-http` needs
    /// none: [`build`](Self::build) makes its client, with the default settings.
    pub fn http(mut self, http: impl HttpSend + 'static) -> Self {
        self.http = Some(Arc::new(http));
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

    /// Binds kept failures to a digest of the settings that the provider and the HTTP client were made
    /// from. A failure under other settings is not repeated: the next caller asks the vendor.
    pub fn settings_digest(mut self, digest: [u8; 32]) -> Self {
        self.config.settings_digest = digest;
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

    /// Builds the source. This reads, sends and spawns nothing.
    ///
    /// # Errors
    ///
    /// `Config` without an HTTP client, and the errors of making the default one.
    pub fn build(self) -> Result<TokenSource> {
        Ok(TokenSource::new(Cache::new(self.into_config(default_http)?)))
    }

    /// Returns the settings. `default_http` makes the HTTP client of a builder without one.
    pub(crate) fn into_config(
        self,
        default_http: impl FnOnce() -> Result<Arc<dyn HttpSend>>,
    ) -> Result<SourceConfig> {
        let Self { mut config, http } = self;
        config.http = match http {
            Some(http) => http,
            None => default_http().map_err(|error| config.named(error))?,
        };
        Ok(config)
    }
}

/// Makes the HTTP client that the program has linked.
pub(crate) fn default_http() -> Result<Arc<dyn HttpSend>> {
    gatepass_core::__private::default_http().unwrap_or_else(|| {
        Err(Error::config("the source has no HTTP client")
            .hint("set one with `.http(…)`, or enable the feature `http` of the crate `gatepass`"))
    })
}
