//! The builder of a pool: its source function, its HTTP client and its limits.

use std::fmt;
use std::hash::RandomState;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use gatepass_core::{Clock, HttpSend, Result};
use tokio::sync::Semaphore;

use super::shard::Shard;
use super::shared::{Counts, Shared, SourceFactory};
use super::timer::Timer;
use crate::clock::ClockHandle;
use crate::{SystemClock, TokenSourceBuilder};

/// The approximate number of entries in a shard, and the largest number of shards.
const SHARD_SIZE: usize = 4096;
const MAX_SHARDS: usize = 256;
/// The largest pool: a shard has room for a million entries.
const MAX_ENTRIES: usize = 200_000_000;

/// Builds a [`TokenPool`](crate::TokenPool). A sender or clock may also be a `Box` or an `Arc` of one.
#[must_use = "a builder does nothing until it is built"]
pub struct TokenPoolBuilder {
    source_factory: Box<SourceFactory>,
    http: Option<Arc<dyn HttpSend>>,
    clock: ClockHandle,
    max_entries: usize,
    max_waiters: usize,
    max_exchanges: usize,
    idle: Duration,
    seed: Option<u64>,
}

impl TokenPoolBuilder {
    pub(super) fn new(
        source_factory: impl Fn(&str) -> Result<TokenSourceBuilder> + Send + Sync + 'static,
    ) -> Self {
        Self {
            source_factory: Box::new(source_factory),
            http: None,
            clock: ClockHandle::System(SystemClock::new()),
            max_entries: 1_000_000,
            max_waiters: 100_000,
            max_exchanges: 64,
            idle: Duration::from_secs(3600),
            seed: None,
        }
    }

    /// Sets the HTTP client of sources without one.
    pub fn http(mut self, http: impl HttpSend + 'static) -> Self {
        self.http = Some(Arc::new(http));
        self
    }

    /// Sets the clock. The default is [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = ClockHandle::Given(Arc::new(clock));
        self
    }

    /// Limits the number of cached tokens. The default is a million, the maximum 200 million.
    ///
    /// A full pool evicts tokens that were requested the longest ago: of the whole pool, if it has
    /// up to 4,096 entries, and of one shard otherwise. The number of cached failures has the same
    /// limit.
    pub fn max_entries(mut self, count: usize) -> Self {
        self.max_entries = count.clamp(1, MAX_ENTRIES);
        self
    }

    /// Limits the number of callers that wait for a token request. The default is 100,000. Further
    /// callers get an error of kind `Throttled`.
    pub fn max_waiters(mut self, count: usize) -> Self {
        self.max_waiters = count;
        self
    }

    /// Limits the number of concurrent token requests. The default is 64. Refreshes use up to three
    /// quarters of them, so that there is room for requests that callers wait for, which are sent
    /// in the order of their arrival.
    pub fn max_exchanges(mut self, count: usize) -> Self {
        self.max_exchanges = count.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Sets how long an unused token is kept and refreshed. The default is an hour.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Seeds the pool's jitter, for repeatable tests.
    #[doc(hidden)]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Returns the state of the pool.
    pub(super) fn into_shared(self) -> Shared {
        let shards = self.max_entries.div_ceil(SHARD_SIZE).next_power_of_two().min(MAX_SHARDS);
        Shared {
            source_factory: self.source_factory,
            http: self.http.map(OnceLock::from).unwrap_or_default(),
            clock: self.clock,
            max_entries: self.max_entries,
            max_waiters: self.max_waiters,
            idle: self.idle,
            exchanges: Arc::new(Semaphore::new(self.max_exchanges)),
            refreshes: Arc::new(Semaphore::new((self.max_exchanges / 4 * 3).max(1))),
            jitter: self.seed.map(|seed| Mutex::new(fastrand::Rng::with_seed(seed))),
            shards: (0..shards).map(|_| Shard::new()).collect(),
            hasher: RandomState::new(),
            is_closed: AtomicBool::new(false),
            timer: Timer::default(),
            counts: Counts::default(),
        }
    }
}

impl fmt::Debug for TokenPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPoolBuilder")
            .field("max_entries", &self.max_entries)
            .field("max_waiters", &self.max_waiters)
            .field("max_exchanges", &self.max_exchanges)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
