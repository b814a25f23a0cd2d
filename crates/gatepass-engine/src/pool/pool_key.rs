//! One key of a pool, for code that takes one identity's tokens.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gatepass_core::{
    AccessToken, ApiRequest, ApiResponse, Authorize, Credential, Result, Token, TokenVerdict,
    async_trait,
};
use http::Uri;
use http::header::AUTHORIZATION;

use super::shared::Shared;
use crate::TokenSource;
use crate::cache::Cache;

/// The tokens of one key of a [`TokenPool`](crate::TokenPool), as
/// [`TokenPool::key`](crate::TokenPool::key) returns it. Its clones share what it has learned.
///
/// The pool's function is called once more for it, when a request is authorized for the first time:
/// the provider and the origins that may receive the token are those of that call.
///
/// ```
/// # use gatepass_core::{AccessToken, Credential};
/// # use gatepass_engine::{TokenPool, TokenSource};
/// # use gatepass_testkit::{FakeHttp, FakeResponse, block_on, example::Example};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> gatepass_core::Result<()> {
/// # let http = FakeHttp::returning([FakeResponse::token("token-1", 3600)]);
/// let pool = TokenPool::builder(|tenant| {
///     Ok(TokenSource::builder(Example::new(), Credential::client(tenant, "hunter2")))
/// })
/// .http(http)
/// .build();
/// let tokens: Box<dyn AccessToken> = Box::new(pool.key("tenant-17"));
/// assert_eq!(tokens.token().await?.authorization(), "Bearer token-1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PoolKey(Arc<Inner>);

struct Inner {
    pool: Arc<Shared>,
    key: Box<str>,
    /// The key's settings. It is never asked for a token.
    source: OnceLock<TokenSource>,
}

impl PoolKey {
    pub(super) fn new(pool: Arc<Shared>, key: &str) -> Self {
        Self(Arc::new(Inner { pool, key: key.into(), source: OnceLock::new() }))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0.key
    }

    fn source(&self) -> Result<&TokenSource> {
        if let Some(source) = self.0.source.get() {
            return Ok(source);
        }
        let config = self.0.pool.source_config(&self.0.key)?;
        Ok(self.0.source.get_or_init(|| TokenSource::new(Cache::new(config))))
    }

    /// Records the token endpoint, which may depend on the credential, for [`Authorize::check`].
    async fn record_token_endpoints(&self, source: &TokenSource) -> Result<()> {
        let (origins, provider) = (source.allowed_origins(), source.provider());
        if !origins.has_token_endpoints() {
            origins.record_token_endpoints(provider, &Credential::new());
        }
        if !origins.has_token_endpoints() {
            origins.record_token_endpoints(provider, &source.read_credential().await?);
        }
        Ok(())
    }
}

#[async_trait]
impl AccessToken for PoolKey {
    async fn token(&self) -> Result<Token> {
        self.0.pool.token_for(&self.0.key, Duration::ZERO).await
    }
}

#[async_trait]
impl Authorize for PoolKey {
    fn check(&self, to: &Uri) -> Result<()> {
        self.source()?.check(to)
    }

    async fn authorize_request(&self, request: &mut ApiRequest<'_>) -> Result<Token> {
        let source = self.source()?;
        source.check(request.uri())?;
        let token = self.token().await?;
        self.record_token_endpoints(source).await?;
        source.check(request.uri())?;
        if self.0.pool.is_bearer(&self.0.key, &token) {
            request.set_header(AUTHORIZATION, token.authorization().clone());
        } else {
            source.authorize(&token, request).await?;
        }
        Ok(token)
    }

    fn report_response(&self, token: &Token, response: &ApiResponse<'_>) -> TokenVerdict {
        let Ok(source) = self.source() else { return TokenVerdict::NotRejected };
        let verdict = source.provider().token_verdict(response);
        if verdict == TokenVerdict::Rejected {
            self.0.pool.invalidate(&self.0.key, token);
        }
        verdict
    }
}

impl fmt::Debug for PoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolKey").field("key", &self.0.key).finish_non_exhaustive()
    }
}
