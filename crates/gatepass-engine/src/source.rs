//! `TokenSource`: acquires, caches and refreshes the token of one identity.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{
    AccessToken, ApiRequest, ApiResponse, Authorize, Credential, Error, ExchangeContext,
    MAX_LIFETIME, Provider, Request, Response, Result, Secret, Token, TokenVerdict, async_trait,
};
use http::{HeaderMap, Uri};

use crate::allowed_origins::AllowedOrigins;
use crate::cache::{Acquisition, Cache, TokenRequirement};
use crate::flight_handle::FlightOutcome;
use crate::metrics;
use crate::rt::timeout;
use crate::source_config::{SourceConfig, timed_out};
use crate::status::Status;
use crate::store::Record;

/// How many flights a caller waits for if each is aborted or its token is invalidated at once.
const MAX_FLIGHTS: u8 = 4;
/// How long [`TokenSource::close`] waits for the end of the flight.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// Acquires, caches and refreshes the token of one identity. Clones share the same source.
///
/// While a usable token is cached, reading it takes no lock and does not wait. A token is usable
/// until shortly before its end (see [`leeway`](crate::TokenSourceBuilder::leeway)), by the wall
/// clock and by the boot clock. Otherwise the source makes one exchange in a task of its own, and
/// all callers share the outcome, failures included. Dropping a caller does not affect the others.
///
/// The methods that acquire a token need a tokio runtime with time enabled.
#[derive(Clone)]
pub struct TokenSource(Arc<Cache>);

impl TokenSource {
    pub(crate) fn new(cache: Cache) -> Self {
        Self(Arc::new(cache))
    }

    /// Returns a source that always has this token, for tests. It needs no runtime.
    ///
    /// ```
    /// # use gatepass_engine::TokenSource;
    /// let source = TokenSource::fixed("token-1");
    /// assert_eq!(source.peek().unwrap().expose_secret(), "token-1");
    /// ```
    pub fn fixed(token: impl Into<Secret>) -> Self {
        let provider = FixedToken(token.into());
        let mut config = SourceConfig::new(provider.clone(), Credential::new());
        config.allowed_origins = AllowedOrigins::loopback();
        let now = config.now();
        match provider.token(config.clock.wall()) {
            Ok(token) => {
                let cached = config.cache_token(token, &Credential::new(), now);
                Self::new(Cache::new(config).with_cached(cached))
            }
            // The first call of `token` returns the error.
            Err(_) => Self::new(Cache::new(config)),
        }
    }

    /// Returns the cached token if it is still usable, or the token of one exchange.
    ///
    /// Errors are of every [kind](gatepass_core::ErrorKind) and name provider and profile;
    /// `Unavailable` if the exchange takes longer than the source's timeout.
    pub async fn token(&self) -> Result<Token> {
        if let Some(token) = self.0.with_token(Token::clone) {
            return Ok(token);
        }
        self.acquire(TokenRequirement::Remaining(Duration::ZERO)).await
    }

    /// Returns a token that is usable for `min_remaining`, if the cached token is or a single
    /// exchange returns one. Otherwise returns the shorter token of that exchange: the caller
    /// checks.
    ///
    /// Errors as for [`token`](Self::token).
    pub async fn token_for(&self, min_remaining: Duration) -> Result<Token> {
        match self.0.token(min_remaining) {
            Some(token) => Ok(token),
            None => self.acquire(TokenRequirement::Remaining(min_remaining)).await,
        }
    }

    /// Requests a new token, which replaces the cached one. If the exchange fails, the cached token
    /// stays.
    ///
    /// Errors as for [`token`](Self::token).
    pub async fn refresh_now(&self) -> Result<Token> {
        self.acquire(TokenRequirement::Flight(self.0.next_flight())).await
    }

    /// Calls `read` with the cached token if it is usable, without a lock, an await, an allocation
    /// or cloning an `Arc`. This is the fastest way to a token from any number of threads.
    ///
    /// A token that is due is refreshed in the background, as by [`token`](Self::token). Call
    /// `token` if this returns `None`. Keep `read` short: a token that is replaced while
    /// `read` runs is freed only after it returns.
    ///
    /// ```
    /// # use gatepass_engine::TokenSource;
    /// let source = TokenSource::fixed("token-1");
    /// assert_eq!(source.with_token(|token| token.expose_secret().len()), Some(7));
    /// ```
    #[inline]
    pub fn with_token<T>(&self, read: impl FnOnce(&Token) -> T) -> Option<T> {
        self.0.with_token(read)
    }

    /// Returns the cached token if it is usable. Never starts an exchange.
    pub fn peek(&self) -> Option<Token> {
        self.0.peek(Duration::ZERO)
    }

    /// Acquires a token and returns every header that the vendor needs on an API request.
    ///
    /// Errors as for [`token`](Self::token).
    pub async fn headers(&self) -> Result<HeaderMap> {
        self.headers_for(&self.token().await?).await
    }

    /// Returns every header that the vendor needs on an API request with this token of the source.
    ///
    /// Errors as for [`authorize`](Self::authorize); `Config` if headers are not enough, because
    /// the vendor's API needs a query parameter, a client certificate, or a header that depends on
    /// the request.
    pub async fn headers_for(&self, token: &Token) -> Result<HeaderMap> {
        let (mut uri, mut headers) = (Uri::default(), HeaderMap::new());
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        self.authorize(token, &mut request).await?;
        if !request.has_only_fixed_headers() {
            return Err(self.config().named(
                Error::config("headers alone do not authorize a request to this API")
                    .hint("send the request with SendWith or a middleware of gatepass"),
            ));
        }
        Ok(headers)
    }

    /// Puts a token of this source on an API request, with everything else that the vendor needs.
    ///
    /// `Config` if the credential lacks a value that a header needs, and the errors of reading the
    /// credential.
    pub async fn authorize(&self, token: &Token, request: &mut ApiRequest<'_>) -> Result<()> {
        if self.0.if_current(token, |cached| cached.authorize(request)) == Some(true) {
            return Ok(());
        }
        let config = &self.0.config;
        let credential = self.read_credential().await?;
        config
            .provider
            .authorize(&credential, token, request)
            .map_err(|error| config.named(error.redacted(&credential)))
    }

    pub(crate) fn allowed_origins(&self) -> &AllowedOrigins {
        &self.0.config.allowed_origins
    }

    pub(crate) async fn read_credential(&self) -> Result<Credential> {
        let config = &self.0.config;
        config.read_credential_in_time().await.map_err(|error| config.named(error))
    }

    /// Removes this token from the cache, so that the next caller gets another one. Does nothing if
    /// the token is not the cached one.
    ///
    /// A rejected token is replaced at most once in 5 s: an API that rejects tokens for being too
    /// young would otherwise cause a token request per call. Until then this does nothing either.
    pub fn invalidate(&self, token: &Token) {
        self.0.invalidate(token);
    }

    /// Invalidates the token if the provider finds that this API response rejects it. For
    /// [`TokenVerdict::NeedsBody`], call this again with the body.
    pub fn report_response(&self, token: &Token, response: &ApiResponse<'_>) -> TokenVerdict {
        let verdict = self.provider().token_verdict(response);
        if verdict == TokenVerdict::Rejected {
            self.invalidate(token);
        }
        verdict
    }

    /// Acquires a token in advance, so that the first caller does not wait.
    ///
    /// Errors as for [`token`](Self::token).
    pub async fn prefetch(&self) -> Result<()> {
        self.token().await.map(drop)
    }

    /// Returns how long the cool-down lasts, if the last exchange failed: until then every caller
    /// gets the same error.
    pub fn cooldown_remaining(&self) -> Option<Duration> {
        self.0.cooldown_remaining()
    }

    /// Sets for how long from now the caller tries again after a failure. The source's own back-off
    /// then ends within that time, so that the caller's last try is near its end. Delays that the
    /// vendor requires are not shortened.
    #[doc(hidden)]
    pub fn set_retry_window(&self, window: Option<Duration>) {
        self.0.set_retry_window(window);
    }

    /// Returns the state of the source.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Returns the store's record for this source: a token, or a failure in its cool-down. Reads
    /// the credential, because a record belongs to one, and sends no token request.
    ///
    /// The errors of reading the credential, and `Internal` if the store fails.
    #[doc(hidden)]
    pub async fn stored(&self) -> Result<Option<Record>> {
        let config = &self.0.config;
        config.stored().await.map_err(|error| config.named(error))
    }

    /// Returns the [`status`](Self::status) of a source like this one that has this record and
    /// nothing else: whether the token is usable, and when a long-running process refreshes it.
    #[doc(hidden)]
    pub fn status_of(&self, record: &Record) -> Status {
        self.0.config.status_of(record)
    }

    /// Removes the token and ends the exchange in progress. From then on every call and every
    /// waiting caller gets an error of kind `Internal`. Waits up to 100 ms for the end of the
    /// exchange.
    ///
    /// Dropping the last clone does the same without waiting.
    pub async fn close(&self) {
        if let Some(mut handle) = self.0.close() {
            let _ = timeout(CLOSE_TIMEOUT, handle.finished()).await;
        }
    }

    /// Returns the provider.
    pub fn provider(&self) -> &dyn Provider {
        &*self.0.config.provider
    }

    /// Returns the profile's name, if the builder got one.
    pub fn name(&self) -> Option<&str> {
        self.0.config.name.as_deref()
    }

    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.0
    }

    pub(crate) fn config(&self) -> &SourceConfig {
        &self.0.config
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would store its arguments twice")]
    fn acquire(&self, mut requirement: TokenRequirement) -> impl Future<Output = Result<Token>> {
        async move {
            let mut flights = 0;
            while flights < MAX_FLIGHTS {
                flights += 1;
                let mut handle = match self.0.join_or_start(requirement)? {
                    Acquisition::Cached(token) => return Ok(token),
                    Acquisition::InFlight(handle) => handle,
                };
                let timer = metrics::WaitTimer::start(&self.0.config);
                let received = handle.outcome(self.0.config.flight_timeout()).await;
                timer.stop(&self.0.config);
                match FlightOutcome::of(received) {
                    FlightOutcome::Aborted => {}
                    FlightOutcome::TimedOut => {
                        self.0.end_flight(handle.number, None);
                        let error = || self.0.config.named(timed_out(self.0.config.timeout));
                        return self.usable_after_failure(requirement).ok_or_else(error);
                    }
                    FlightOutcome::Done(_) if requirement.is_later_than(handle.number) => {}
                    FlightOutcome::Done(Err(error)) => {
                        return self.usable_after_failure(requirement).ok_or(error);
                    }
                    // The token may have expired or been invalidated since, so ask the cache.
                    FlightOutcome::Done(Ok(())) => {
                        requirement = TokenRequirement::Remaining(Duration::ZERO);
                        if let Some(token) = self.0.with_token(Token::clone) {
                            return Ok(token);
                        }
                    }
                }
            }
            let error = Error::unavailable("each new token was invalidated or lost immediately");
            Err(self.0.config.named(error))
        }
    }

    /// Returns the cached token if it has become usable during a failed flight: a wall clock that
    /// was ahead has been set back.
    fn usable_after_failure(&self, requirement: TokenRequirement) -> Option<Token> {
        match requirement {
            TokenRequirement::Remaining(min_remaining) => self.0.peek(min_remaining),
            TokenRequirement::Flight(_) => None,
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("provider", &self.0.config.provider_id)
            .field("name", &self.0.config.name)
            .field("state", &self.status().state)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl AccessToken for TokenSource {
    async fn token(&self) -> Result<Token> {
        Self::token(self).await
    }
}

#[async_trait]
impl Authorize for TokenSource {
    fn check(&self, to: &Uri) -> Result<()> {
        self.0.config.allowed_origins.check(to).map_err(|error| self.0.config.named(error))
    }

    async fn authorize_request(&self, request: &mut ApiRequest<'_>) -> Result<Token> {
        let were_known = self.0.config.allowed_origins.has_token_endpoints();
        self.check(request.uri())?;
        let token = self.token().await?;
        if !were_known {
            // The first exchange has recorded the token endpoints, so check again.
            self.check(request.uri())?;
        }
        self.authorize(&token, request).await?;
        Ok(token)
    }

    fn report_response(&self, token: &Token, response: &ApiResponse<'_>) -> TokenVerdict {
        Self::report_response(self, token, response)
    }
}

/// The provider of [`TokenSource::fixed`].
#[derive(Clone, Debug)]
struct FixedToken(Secret);

impl FixedToken {
    fn token(&self, now: SystemTime) -> Result<Token> {
        Token::builder(self.0.clone(), now).expires_in(MAX_LIFETIME.into()).build()
    }
}

#[async_trait]
impl Provider for FixedToken {
    fn id(&self) -> &str {
        "fixed"
    }

    fn token_request(&self, _: &Credential) -> Result<Request> {
        Err(Error::internal("a fixed token needs no request"))
    }

    fn read_token(&self, _: &Response, sent: SystemTime) -> Result<Token> {
        self.token(sent)
    }

    async fn exchange(&self, _: &Credential, cx: &ExchangeContext<'_>) -> Result<Token> {
        self.token(cx.clock().wall())
    }
}
