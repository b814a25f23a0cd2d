//! TokenPool: many identities' tokens, known only at run time, in bounded memory.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{Result, Token};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tokio::time::timeout;

use crate::cache::Cache;
use crate::{TokenSource, TokenSourceBuilder};

mod builder;
mod entry;
mod flights;
mod index;
mod key;
mod pool_key;
mod shard;
mod shared;
mod status;
mod timer;

pub use builder::TokenPoolBuilder;
pub use pool_key::PoolKey;
pub use status::PoolStatus;

use entry::Entry;
use shared::Shared;

/// How long [`TokenPool::close`] waits for the flights' ends.
const CLOSING: Duration = Duration::from_millis(100);

/// Hands out the tokens of many identities, each known by a key. Its clones are the same pool.
///
/// For each key it keeps the promises of a [`TokenSource`](crate::TokenSource): a usable token is
/// handed out at once, fresh or aging; otherwise all who ask for the key wait for one exchange,
/// whose failure is theirs too and rests; no caller who goes away costs the others anything; a
/// token that has ended by the wall clock or by the boot clock is never handed out. Keys have
/// nothing to do with each other but the bounds of the pool.
///
/// ```
/// # use gatepass_engine::{TokenPool, TokenSource};
/// # use gatepass_testkit::{FakeResponse, FakeHttp, example::Example};
/// # use gatepass_core::{Credential, Result};
/// # async fn run() -> Result<()> {
/// # let http = FakeHttp::answering([FakeResponse::token("token-1", 3600)]);
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
/// - A held token: 128 bytes with a key of up to 46 bytes (a longer one is its length more), an
///   index of 5 to 11 bytes, and of the token's own buffer 31 bytes beside its text. All else that
///   a source needs exists only while an exchange is under way and while its failure rests (about
///   two kilobytes each).
/// - Asking for a held token: the hash of the key (keyed, so that nobody who chooses keys chooses
///   their places), a shared lock on one of up to 256 parts, both clocks, and a reference counted.
///   No await, no allocation. The lock is held exclusively for microseconds while a token comes or
///   goes, and once in a while for less than a millisecond, as a part grows.
/// - The timer: one task for all, which sleeps until something is due, 30 s at most. It looks at
///   the 64 entries beside each one that is due; while nothing is, it looks at one number for each
///   part. After a step of the wall clock or a suspend it looks at every entry once.
/// - A new identity in a full pool: a look at the entries of one part, for the 64th of them that
///   was asked for the longest ago, which are dropped.
#[derive(Clone)]
pub struct TokenPool(Arc<Shared>);

impl TokenPool {
    /// Begins a pool of the identities that `identify` tells: it gets a key and gives the source
    /// that a token of this key would be asked from, provider and credential above all.
    ///
    /// It is called when a token is needed, before each exchange, from whichever task asks or from
    /// the pool's own: it should not block. Its errors are the caller's; its panics are errors.
    /// Of the source, the clock, the store and `keep_warm` do not count (a pool's tokens are in
    /// memory only), and its leeway up to two hours; its name, for errors, is the key unless it
    /// has one.
    pub fn builder(
        identify: impl Fn(&str) -> Result<TokenSourceBuilder> + Send + Sync + 'static,
    ) -> TokenPoolBuilder {
        TokenPoolBuilder::new(identify)
    }

    /// A usable token of this key: the held one, or what one exchange brings.
    ///
    /// Errors are as of [`TokenSource::token`](crate::TokenSource::token), those of the pool's
    /// function, `Throttled` where a bound of the pool is reached (`max_waiters`, or no place for
    /// the exchange within the source's timeout), and `Internal` once the pool is closed.
    pub async fn token(&self, key: &str) -> Result<Token> {
        self.token_for(key, Duration::ZERO).await
    }

    /// A token that is usable for `min_remaining` more, if the held one is or a single exchange
    /// brings one; otherwise what that exchange brings. The caller checks.
    ///
    /// Errors as of [`token`](Self::token).
    pub async fn token_for(&self, key: &str, min_remaining: Duration) -> Result<Token> {
        match self.0.token(key, min_remaining) {
            Some(token) => Ok(token),
            None => self.0.acquire(key, min_remaining).await,
        }
    }

    /// Runs `look` on the key's held token, if it is usable, without an await, an allocation or a
    /// reference counted. A token that is due is refreshed, as by [`token`](Self::token), which is
    /// what to ask when this gives nothing.
    ///
    /// `look` must be short and must not ask the pool for anything: a part of it is locked
    /// meanwhile.
    pub fn with_token<T>(&self, key: &str, look: impl FnOnce(&Token) -> T) -> Option<T> {
        self.0.with_token(key, Duration::ZERO, |entry| look(&entry.token))
    }

    /// The held token of this key, if it is usable. Makes no exchange, and does not count as use.
    pub fn peek(&self, key: &str) -> Option<Token> {
        self.0.peek(key)
    }

    /// Every header the vendor wants on an API request for this key, with a usable token among
    /// them. Where that is more than `Authorization`, the credential is read for it.
    ///
    /// Errors as of [`token`](Self::token).
    pub async fn headers(&self, key: &str) -> Result<HeaderMap> {
        let token = self.token(key).await?;
        if self.is_bearer(key, &token) {
            return Ok(HeaderMap::from_iter([(AUTHORIZATION, token.authorization().clone())]));
        }
        TokenSource::new(Cache::new(self.0.identity(key)?)).headers_for(&token).await
    }

    /// Whether this is the key's cached token, and `Authorization` is all that the vendor wants.
    fn is_bearer(&self, key: &str, token: &Token) -> bool {
        let is_bearer = |entry: &Entry| entry.is_bearer && entry.token.is_same_as(token);
        self.0.with_token(key, Duration::ZERO, is_bearer) == Some(true)
    }

    /// Returns one key's tokens, for code that takes an [`AccessToken`](gatepass_core::AccessToken)
    /// or [`Authorize`](gatepass_core::Authorize). Nothing is requested yet.
    pub fn key(&self, key: &str) -> PoolKey {
        PoolKey::new(self.clone(), key)
    }

    /// Forgets this token, if it is the key's held one: the next who asks gets another. A report
    /// of an older token does nothing.
    pub fn invalidate(&self, key: &str, token: &Token) {
        self.0.invalidate(key, token);
    }

    /// Forgets all that is known of a key, a failure too. An exchange under way is ended; those
    /// who wait for it wait for the next.
    pub fn forget(&self, key: &str) {
        self.0.forget(key);
    }

    /// How many tokens are held.
    pub fn len(&self) -> usize {
        self.status().entries
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the pool holds and has done.
    pub fn status(&self) -> PoolStatus {
        PoolStatus::of(&self.0)
    }

    /// Forgets everything and ends the exchanges under way; from now on, whoever asks or waits
    /// gets an error of kind `Internal`. Waits for the exchanges' ends, for 100 ms at most.
    ///
    /// Dropping the last clone does the same without waiting.
    pub async fn close(&self) {
        let handles = self.0.close();
        let _ = timeout(CLOSING, async {
            for mut handle in handles {
                handle.finished().await;
            }
        })
        .await;
    }
}

impl fmt::Debug for TokenPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPool").field("status", &self.status()).finish_non_exhaustive()
    }
}
