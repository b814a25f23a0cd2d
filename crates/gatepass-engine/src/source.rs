//! TokenSource: one identity's token, for all who need it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{
    ApiRequest, ApiResponse, Error, Provider, Result, Secret, Token, TokenVerdict,
};
use http::{HeaderMap, Uri};

use crate::allowed_origins::AllowedOrigins;
use crate::cache::{Acquisition, Cache, TokenRequirement};
use crate::flight::{FlightOutcome, timed_out};
use crate::metrics;
use crate::rt::timeout;
use crate::store::Record;
use crate::{Status, TokenSourceBuilder, Watch, fixed};

/// How many flights somebody who asks waits for, should each be lost or its token refused at once.
const MAX_FLIGHTS: u8 = 4;
/// How long [`TokenSource::close`] waits for the flight's end.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// Hands out one identity's token. Its clones are the same source.
///
/// While a usable token is cached, asking for it takes no lock and waits for nothing. A token is
/// usable until a little before its end (see [`TokenSourceBuilder::leeway`]), by the wall clock
/// and by the boot clock. Otherwise one exchange is made, in a task of the source's own, for all
/// who ask; its outcome, failure included, is theirs, and dropping any of them changes nothing for
/// the rest. Those methods need a tokio runtime with time enabled.
#[derive(Clone)]
pub struct TokenSource(Arc<Cache>);

impl TokenSource {
    /// Begins a source of this provider's tokens.
    pub fn builder(provider: impl Provider + 'static) -> TokenSourceBuilder {
        TokenSourceBuilder::new(provider)
    }

    /// A source that always has this token, for tests. It needs no runtime.
    ///
    /// ```
    /// # use gatepass_engine::TokenSource;
    /// let source = TokenSource::fixed("token-1");
    /// assert_eq!(source.peek().unwrap().expose_secret(), "token-1");
    /// ```
    pub fn fixed(token: impl Into<Secret>) -> Self {
        fixed::source(token.into())
    }

    pub(crate) fn of(cache: Cache) -> Self {
        Self(Arc::new(cache))
    }

    /// A usable token: the cached one, or what one exchange brings.
    ///
    /// Errors are of every [kind](gatepass_core::ErrorKind) and name provider and profile;
    /// `Unavailable` if the exchange takes longer than the source's timeout.
    pub async fn token(&self) -> Result<Token> {
        if let Some(token) = self.0.with_token(Token::clone) {
            return Ok(token);
        }
        self.acquire(TokenRequirement::Remaining(Duration::ZERO)).await
    }

    /// A token that is usable for `min_remaining` more, if the cached one is or a single exchange
    /// brings one; otherwise what that exchange brings. The caller checks.
    ///
    /// Errors as of [`token`](Self::token).
    pub async fn token_for(&self, min_remaining: Duration) -> Result<Token> {
        match self.0.token(min_remaining) {
            Some(token) => Ok(token),
            None => self.acquire(TokenRequirement::Remaining(min_remaining)).await,
        }
    }

    /// The token of an exchange that begins now. It replaces the cached one; a failure does not.
    ///
    /// Errors as of [`token`](Self::token).
    pub async fn refresh_now(&self) -> Result<Token> {
        self.acquire(TokenRequirement::Flight(self.0.next_flight())).await
    }

    /// Runs `look` on the cached token, if it is usable, without a lock, an await, an allocation or
    /// a reference counted: the fastest way to a token, from any number of threads.
    ///
    /// A token that is due is refreshed in the background, as by [`token`](Self::token), which is
    /// what to ask when this gives nothing. `look` should be short: what it does not copy is kept
    /// for it.
    ///
    /// ```
    /// # use gatepass_engine::TokenSource;
    /// let source = TokenSource::fixed("token-1");
    /// assert_eq!(source.with_token(|token| token.expose_secret().len()), Some(7));
    /// ```
    #[inline]
    pub fn with_token<T>(&self, look: impl FnOnce(&Token) -> T) -> Option<T> {
        self.0.with_token(look)
    }

    /// The cached token, if it is usable. Makes no exchange.
    pub fn peek(&self) -> Option<Token> {
        self.0.peek(Duration::ZERO)
    }

    /// Every header the vendor wants on an API request, with a usable token among them.
    ///
    /// Errors as of [`token`](Self::token).
    pub async fn headers(&self) -> Result<HeaderMap> {
        self.headers_for(&self.token().await?).await
    }

    /// Every header the vendor wants on an API request with this token of the source.
    ///
    /// Errors as of [`authorize`](Self::authorize); `Config` where headers are not enough, because
    /// the vendor's API wants a parameter in the query, a client certificate, or a header that
    /// depends on the request.
    pub async fn headers_for(&self, token: &Token) -> Result<HeaderMap> {
        let (mut uri, mut headers) = (Uri::default(), HeaderMap::new());
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        self.authorize(token, &mut request).await?;
        if !request.has_only_fixed_headers() {
            return Err(self.named(
                Error::config("header fields alone do not authorize a request to this API")
                    .with_hint("send the request with SendWith or a middleware of gatepass"),
            ));
        }
        Ok(headers)
    }

    /// Puts a token of this source on an API request, with everything else the vendor wants.
    ///
    /// `Config` where the credential lacks what a header needs, and whatever reading it brings.
    pub async fn authorize(&self, token: &Token, request: &mut ApiRequest<'_>) -> Result<()> {
        if self.0.if_current(token, |cached| cached.authorize(request)) == Some(true) {
            return Ok(());
        }
        let config = &self.0.config;
        let credential = timeout(config.timeout, config.read_credential())
            .await
            .unwrap_or_else(|_| Err(timed_out(config.timeout)))
            .map_err(|error| config.named(error))?;
        config
            .provider
            .authorize(&credential, token, request)
            .map_err(|error| config.named(error.redacted(&credential)))
    }

    /// Forgets this token, if it is the cached one: the next who asks gets another. A report of an
    /// older token does nothing.
    pub fn invalidate(&self, token: &Token) {
        self.0.invalidate(token);
    }

    /// Invalidates the token if the provider says that this API answer refuses it. For
    /// [`TokenVerdict::NeedsBody`], ask again with the body.
    pub fn report_response(&self, token: &Token, answer: &ApiResponse<'_>) -> TokenVerdict {
        let refusal = self.provider().token_verdict(answer);
        if refusal == TokenVerdict::Rejected {
            self.invalidate(token);
        }
        refusal
    }

    /// Acquires a token, so that the first who needs one does not wait.
    ///
    /// Errors as of [`token`](Self::token).
    pub async fn prefetch(&self) -> Result<()> {
        self.token().await.map(drop)
    }

    /// Each new token as it comes, for connections that outlive one: see [`Watch::next`].
    pub fn watch(&self) -> Watch {
        Watch::new(self.clone(), self.0.changes())
    }

    /// How long the last failure is still the answer for all who ask, if it is.
    pub fn cooldown_remaining(&self) -> Option<Duration> {
        self.0.resting()
    }

    pub(crate) fn due_in(&self) -> Duration {
        self.0.due_in()
    }

    /// What the source holds and has done.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// What the store has for this source: a token, or a failure that still answers. The
    /// credential is read, since a record belongs to one; the vendor is asked nothing.
    ///
    /// Whatever reading the credential brings, and `Internal` from a store that fails.
    pub async fn stored(&self) -> Result<Option<Record>> {
        self.0.config.stored().await.map_err(|error| self.named(error))
    }

    /// The [`status`](Self::status) of a source like this one that has this record and nothing
    /// else: whether a stored token will do, and when a program that stays asks for the next one.
    pub fn status_of(&self, record: &Record) -> Status {
        self.0.config.status_of(record)
    }

    /// Forgets the token and ends the exchange under way; from now on, whoever asks or waits gets
    /// an error of kind `Internal`. Waits for the exchange's end, for 100 ms at most.
    ///
    /// Dropping the last clone does the same without waiting.
    pub async fn close(&self) {
        if let Some(mut handle) = self.0.close() {
            let _ = timeout(CLOSE_TIMEOUT, handle.finished()).await;
        }
    }

    /// The provider.
    pub fn provider(&self) -> &dyn Provider {
        &*self.0.config.provider
    }

    /// The profile's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.0.config.name.as_deref()
    }

    pub(crate) fn allowed_origins(&self) -> &AllowedOrigins {
        &self.0.config.allowed_origins
    }

    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.0
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.config.timeout
    }

    pub(crate) fn named(&self, error: Error) -> Error {
        self.0.config.named(error)
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would keep its arguments twice")]
    fn acquire(&self, mut want: TokenRequirement) -> impl Future<Output = Result<Token>> {
        async move {
            let mut flights = 0;
            while flights < MAX_FLIGHTS {
                flights += 1;
                let mut handle = match self.0.join_or_start(want)? {
                    Acquisition::Cached(token) => return Ok(token),
                    Acquisition::InFlight(handle) => handle,
                };
                let waiting = metrics::WaitTimer::begin(&self.0.config);
                let landed = handle.outcome(self.0.config.flight_timeout()).await;
                waiting.end(&self.0.config);
                match FlightOutcome::of(landed) {
                    FlightOutcome::Aborted => {}
                    FlightOutcome::TimedOut => {
                        self.0.end_flight(handle.number, None);
                        let error = || self.named(timed_out(self.0.config.timeout));
                        return self.usable_by_now(want).ok_or_else(error);
                    }
                    FlightOutcome::Done(_) if want.is_later_than(handle.number) => {}
                    FlightOutcome::Done(Err(error)) => {
                        return self.usable_by_now(want).ok_or(error);
                    }
                    // By now the token may have ended or been invalidated: the cache knows.
                    FlightOutcome::Done(Ok(())) => {
                        want = TokenRequirement::Remaining(Duration::ZERO);
                        if let Some(token) = self.0.with_token(Token::clone) {
                            return Ok(token);
                        }
                    }
                }
            }
            Err(self.named(Error::unavailable("every token was refused or lost at once")))
        }
    }

    /// A cached token that was of no use when somebody began to wait for another may be of use when
    /// that fails: the wall clock, by which it had ended, has been set back.
    fn usable_by_now(&self, want: TokenRequirement) -> Option<Token> {
        match want {
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
