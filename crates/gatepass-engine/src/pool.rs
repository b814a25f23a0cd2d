//! The token pool: tokens of many identities that are known only at run time, in bounded memory.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{Result, Token};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tokio::time::timeout;

use crate::cache::Cache;
use crate::{TokenSource, TokenSourceBuilder};

mod active_source;
mod builder;
mod entry;
mod flights;
mod pool_key;
mod shard;
mod shared;
mod slot_index;
mod status;
mod sweep;
mod timer;

pub use builder::TokenPoolBuilder;
pub use pool_key::PoolKey;
pub use status::PoolStatus;

use shared::Shared;

/// How long [`TokenPool::close`] waits for requests in flight to end.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// A pool of tokens for many identities, each with a key. Its clones are the same pool.
///
/// For each key it behaves as a [`TokenSource`](crate::TokenSource): it returns a usable token at
/// once, also one that is due for refresh; otherwise all callers of the key wait for one token
/// request and share its failure, which then cools down; a caller that stops waiting does not affect
/// the others; a token that has expired by the wall clock or by the boot clock is never returned.
/// Keys share only the limits of the pool.
///
/// ```
/// # use gatepass_engine::{TokenPool, TokenSource};
/// # use gatepass_testkit::{FakeResponse, FakeHttp, example::Example};
/// # use gatepass_core::{Credential, Result};
/// # async fn run() -> Result<()> {
/// # let http = FakeHttp::returning([FakeResponse::token("token-1", 3600)]);
/// let pool = TokenPool::builder(|tenant| {
///     let credential = Credential::client(tenant, "hunter2");
///     Ok(TokenSource::builder(Example::new(), credential))
/// })
/// .http(http)
/// .max_entries(50_000)
/// .build();
/// let token = pool.token("tenant-17").await?;
/// assert_eq!(token.authorization(), "Bearer token-1");
/// # Ok(())
/// # }
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
/// # runtime.unwrap().block_on(run()).unwrap();
/// ```
///
/// # What it costs
///
/// - A cached token: 48 bytes and the key's length, 5 to 11 bytes in an index, and 111 bytes of the
///   token itself beside its text. The rest of a source exists only during a token request and the
///   cool-down of a failure (about two kilobytes each).
/// - Reading a cached token: a keyed hash of the key, so that callers cannot force collisions, a
///   shared lock on one of up to 256 shards, both clocks, and a reference count. No await, no
///   allocation. The lock is held exclusively for microseconds while a token is stored or removed,
///   and now and then for less than a millisecond, while a shard grows.
/// - The timer: one task for all keys, which sleeps until an entry is due, 30 s at most. It checks
///   the chunk of 64 entries that a due one is in; otherwise it reads one number per shard. After a
///   step of the wall clock or a suspend it checks every entry once.
/// - A new identity in a full pool: one pass over the entries of a shard, which evicts the 64th of
///   them that was requested the longest ago.
#[derive(Clone)]
pub struct TokenPool(Arc<Shared>);

impl TokenPool {
    /// Creates a builder. `source_factory` returns the source of a key: provider and credential.
    ///
    /// The pool calls it before each token request, in the task of the caller or of the pool, so it
    /// must not block. Its errors and panics are returned to the caller. The pool ignores the
    /// source's `clock`, `store` and `keep_warm` (pool tokens live in memory only) and caps `leeway`
    /// at two hours. Errors name the source, or the key if it has no name.
    pub fn builder(
        source_factory: impl Fn(&str) -> Result<TokenSourceBuilder> + Send + Sync + 'static,
    ) -> TokenPoolBuilder {
        TokenPoolBuilder::new(source_factory)
    }

    /// Returns a usable token of this key: the cached one, or that of one token request.
    ///
    /// # Errors
    ///
    /// Those of [`TokenSource::token`](crate::TokenSource::token) and of the pool's function;
    /// `Throttled` if a limit of the pool is reached (`max_waiters`, or `max_exchanges` for longer
    /// than the source's timeout); `Internal` once the pool is closed.
    pub async fn token(&self, key: &str) -> Result<Token> {
        self.token_for(key, Duration::ZERO).await
    }

    /// Returns a token that stays usable for `min_remaining`: the cached one, or that of one token
    /// request. If the vendor issues a shorter one, that is returned, and the caller must check.
    ///
    /// # Errors
    ///
    /// Those of [`token`](Self::token).
    pub async fn token_for(&self, key: &str, min_remaining: Duration) -> Result<Token> {
        self.0.token_for(key, min_remaining).await
    }

    /// Runs `read` on the key's cached token if it is usable, without an await, an allocation or a
    /// reference count. A due token is refreshed, as by [`token`](Self::token). If this returns
    /// `None`, call `token`.
    ///
    /// `read` must be short and must not call the pool, because it runs under a lock.
    pub fn with_token<T>(&self, key: &str, read: impl FnOnce(&Token) -> T) -> Option<T> {
        self.0.with_token(key, Duration::ZERO, |entry| read(&entry.token))
    }

    /// Returns the key's cached token if it is usable. Sends no token request and does not count as
    /// use.
    pub fn peek(&self, key: &str) -> Option<Token> {
        self.0.peek(key)
    }

    /// Returns every header that the vendor requires on an API request for this key, with a usable
    /// token. Reads the credential if that is more than `Authorization`.
    ///
    /// # Errors
    ///
    /// Those of [`token`](Self::token).
    pub async fn headers(&self, key: &str) -> Result<HeaderMap> {
        let token = self.token(key).await?;
        if self.0.is_bearer(key, &token) {
            return Ok(HeaderMap::from_iter([(AUTHORIZATION, token.authorization().clone())]));
        }
        TokenSource::new(Cache::new(self.0.source_config(key)?)).headers_for(&token).await
    }

    /// Returns one key's tokens, for code that takes an [`AccessToken`](gatepass_core::AccessToken)
    /// or [`Authorize`](gatepass_core::Authorize). This sends no token request.
    pub fn key(&self, key: &str) -> PoolKey {
        PoolKey::new(self.0.clone(), key)
    }

    /// Removes this token if it is the key's cached one, so that the next caller gets another.
    /// Does nothing for an older token.
    pub fn invalidate(&self, key: &str, token: &Token) {
        self.0.invalidate(key, token);
    }

    /// Removes a key's token and failure. Aborts its token request; the callers that wait for it
    /// wait for the next one.
    pub fn forget(&self, key: &str) {
        self.0.forget(key);
    }

    /// Returns the number of cached tokens.
    pub fn len(&self) -> usize {
        self.status().entries
    }

    /// Returns whether no token is cached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the pool's counters.
    pub fn status(&self) -> PoolStatus {
        PoolStatus::of(&self.0)
    }

    /// Removes everything and aborts the token requests in flight, waiting for 100 ms at most. All
    /// callers, present and future, get an error of kind `Internal`.
    ///
    /// Dropping the last clone does the same without waiting.
    pub async fn close(&self) {
        let handles = self.0.close();
        let _ = timeout(CLOSE_TIMEOUT, async {
            for mut handle in handles {
                handle.finished().await;
            }
        })
        .await;
    }
}

impl TokenPoolBuilder {
    /// Builds the pool. This reads, sends and spawns nothing: the timer starts with the first token.
    pub fn build(self) -> TokenPool {
        TokenPool(Arc::new(self.into_shared()))
    }
}

impl fmt::Debug for TokenPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPool").field("status", &self.status()).finish_non_exhaustive()
    }
}
