//! The configuration of a token source: its provider, credential, clock, store and limits.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::__private::digest;
use gatepass_core::{
    Credential, CredentialSource, Error, Hint, HttpSend, Interactive, Provider, Request, Response,
    Result, TokenRules, async_trait,
};

use crate::allowed_origins::AllowedOrigins;
use crate::clock::{ClockHandle, SystemClock};
use crate::policy::Moment;
use crate::rt::timeout;
use crate::store::{Circumstances, TokenStore};

/// Default of [`SourceConfig::timeout`].
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);
/// How much longer than the token request of another process a flight waits for its lease.
const LEASE_MARGIN: Duration = Duration::from_secs(3);

/// Everything that a token request needs. The builder fills it in; it does not change afterwards.
#[derive(Debug)]
pub(crate) struct SourceConfig {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) provider_id: Cow<'static, str>,
    pub(crate) allowed_origins: AllowedOrigins,
    pub(crate) name: Option<String>,
    pub(crate) credential: Arc<dyn CredentialSource>,
    pub(crate) http: Arc<dyn HttpSend>,
    pub(crate) clock: ClockHandle,
    pub(crate) token_rules: TokenRules,
    /// A digest of the settings that kept failures are bound to.
    pub(crate) settings_digest: [u8; 32],
    pub(crate) timeout: Duration,
    pub(crate) leeway: Option<Duration>,
    pub(crate) keep_warm: bool,
    pub(crate) store: Option<Arc<dyn TokenStore>>,
    /// Whether tokens may be stored; if unset, the provider's hints decide.
    pub(crate) persist: Option<bool>,
    /// Seed for jitter; random by default.
    pub(crate) seed: Option<u64>,
    /// Whether the source belongs to a pool, whose keys are too many for metric labels.
    pub(crate) is_pooled: bool,
}

impl SourceConfig {
    /// Returns a configuration with default values. Its HTTP client sends no request; the builder
    /// replaces it.
    pub(crate) fn new(
        provider: impl Provider + 'static,
        credential: impl CredentialSource + 'static,
    ) -> Self {
        Self {
            provider_id: provider.id().to_owned().into(),
            allowed_origins: AllowedOrigins::from_provider(&provider),
            provider: Arc::new(provider),
            name: None,
            credential: Arc::new(credential),
            http: Arc::new(NoHttp),
            clock: ClockHandle::System(SystemClock::new()),
            token_rules: TokenRules::default(),
            settings_digest: [0; 32],
            timeout: DEFAULT_TIMEOUT,
            leeway: None,
            keep_warm: false,
            store: None,
            persist: None,
            seed: None,
            is_pooled: false,
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// Adds the provider and the profile to an error.
    pub(crate) fn named(&self, error: Error) -> Error {
        let error = error.with_provider(&self.provider_id);
        match &self.name {
            Some(name) => error.with_profile(name),
            None => error,
        }
    }

    pub(crate) async fn read_credential(&self) -> Result<Credential> {
        self.credential.credential().await
    }

    /// Reads the credential, within the time of a token request.
    pub(crate) async fn read_credential_in_time(&self) -> Result<Credential> {
        timeout(self.timeout, self.read_credential())
            .await
            .unwrap_or_else(|_| Err(timed_out(self.timeout)))
    }

    /// Returns a digest of everything that decides whether a token request with this credential
    /// succeeds.
    pub(crate) fn circumstances(&self, credential: &Credential) -> Circumstances {
        let endpoints = self.provider.endpoints(credential).unwrap_or_default();
        let routes: Vec<_> = endpoints.iter().map(|endpoint| self.http.route(endpoint)).collect();
        let timeout = self.timeout.as_millis().to_le_bytes();
        let secrets = credential.secrets().map(|(name, secret)| (name, secret.expose_secret()));
        let pairs = credential.texts().chain(secrets);
        let parts = [self.settings_digest.as_slice(), timeout.as_slice()]
            .into_iter()
            .chain(routes.iter().map(<[u8; 32]>::as_slice))
            .chain(endpoints.iter().map(|endpoint| endpoint.as_str().as_bytes()))
            .chain(pairs.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
        Circumstances::new(*digest("gatepass engine: circumstances, version 1", parts))
    }

    pub(crate) fn interactive(&self) -> Result<&dyn Interactive> {
        self.provider.interactive().ok_or_else(|| {
            Error::config("this profile needs no login").hint(match &self.name {
                Some(name) => Hint::gatepass("get the token with", ["token", name]),
                None => Hint::new("call the source's `token` method"),
            })
        })
    }

    /// Returns the store if tokens of this provider may be stored.
    pub(crate) fn store(&self) -> Option<&Arc<dyn TokenStore>> {
        let persist = self.persist.unwrap_or_else(|| !self.provider.hints().memory_only);
        self.store.as_ref().filter(|_| persist)
    }

    /// Returns how long a flight waits for the lease of another process: for its token request, and
    /// then long enough to notice that it was stopped and to succeed it.
    pub(crate) fn lease_timeout(&self) -> Duration {
        self.timeout.saturating_add(LEASE_MARGIN)
    }

    /// Returns how long a flight may take: one token request, and with a store the wait for the
    /// lease before it.
    pub(crate) fn flight_timeout(&self) -> Duration {
        match &self.store {
            Some(_) => self.lease_timeout().saturating_add(self.timeout),
            None => self.timeout,
        }
    }
}

/// The HTTP client of a source that sends no request, such as one of a fixed token.
#[derive(Debug)]
struct NoHttp;

#[async_trait]
impl HttpSend for NoHttp {
    async fn send(&self, _: Request) -> Result<Response> {
        Err(Error::internal("a fixed token needs no request"))
    }
}

/// Returns the error of a token request that takes longer than `limit`.
pub(crate) fn timed_out(limit: Duration) -> Error {
    let limit = match limit.subsec_millis() {
        0 => format!("{} s", limit.as_secs()),
        _ => format!("{} ms", limit.as_millis()),
    };
    Error::unavailable(format!("no token in {limit}"))
        .hint("check that the vendor is reachable; `timeout` in the profile allows more time")
}
