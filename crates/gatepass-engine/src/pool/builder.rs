//! Builder: what a pool needs, and the bounds it is given.

use std::fmt;
use std::hash::RandomState;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use gatepass_core::{Clock, HttpSend, Result};
use tokio::sync::Semaphore;

use super::TokenPool;
use super::shard::Shard;
use super::shared::{Counts, Identify, Shared};
use super::timer::Timer;
use crate::clock::ClockHandle;
use crate::{SystemClock, TokenSourceBuilder};

/// How many entries a part of a pool has, about; and how many parts there are at most.
const SHARD: usize = 4096;
const SHARDS: usize = 256;
/// More than this is taken for this: a part has room for a million.
const MOST: usize = 200_000_000;

/// Builds a [`TokenPool`]. A sender or clock may also be a `Box` or an `Arc` of one.
#[must_use = "a builder does nothing until it is built"]
pub struct TokenPoolBuilder {
    identify: Box<Identify>,
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
        identify: impl Fn(&str) -> Result<TokenSourceBuilder> + Send + Sync + 'static,
    ) -> Self {
        Self {
            identify: Box::new(identify),
            http: None,
            clock: ClockHandle::System(SystemClock::new()),
            max_entries: 1_000_000,
            max_waiters: 100_000,
            max_exchanges: 64,
            idle: Duration::from_secs(3600),
            seed: None,
        }
    }

    /// What sends the requests of identities that bring no sender of their own.
    pub fn http(mut self, http: impl HttpSend + 'static) -> Self {
        self.http = Some(Arc::new(http));
        self
    }

    /// What tells the time; [`SystemClock`] unless said otherwise.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = ClockHandle::Given(Arc::new(clock));
        self
    }

    /// How many tokens are held at most; a million unless said otherwise, and 200 million at
    /// most. One more, and some of
    /// those that were asked for the longest ago are dropped (the longest of all, in a pool of up
    /// to 4,096; in a larger one, the longest of the same part of it). As many failures are
    /// remembered at most.
    pub fn max_entries(mut self, count: usize) -> Self {
        self.max_entries = count.clamp(1, MOST);
        self
    }

    /// How many callers may wait for an exchange at once; 100,000 unless said otherwise. One more
    /// gets an error of kind `Throttled`.
    pub fn max_waiters(mut self, count: usize) -> Self {
        self.max_waiters = count;
        self
    }

    /// How many exchanges are under way at most; 64 unless said otherwise. Three quarters of them
    /// may be refreshes, so that there is room for those whom somebody waits for, who take turns
    /// in the order in which they came.
    pub fn max_exchanges(mut self, count: usize) -> Self {
        self.max_exchanges = count.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// For how long a token is kept that nobody asks for; an hour unless said otherwise. Until
    /// then it is refreshed.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Where the pool's jitter begins, for tests that must repeat.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The pool. Nothing is read, sent or spawned yet: its timer starts with the first token.
    pub fn build(self) -> TokenPool {
        let shards = self.max_entries.div_ceil(SHARD).next_power_of_two().min(SHARDS);
        TokenPool(Arc::new(Shared {
            identify: self.identify,
            http: self.http.map(OnceLock::from).unwrap_or_default(),
            clock: self.clock,
            max_entries: self.max_entries,
            max_waiters: self.max_waiters,
            idle: self.idle,
            exchanges: Arc::new(Semaphore::new(self.max_exchanges)),
            refreshes: Arc::new(Semaphore::new((self.max_exchanges / 4 * 3).max(1))),
            chance: self.seed.map(|seed| Mutex::new(fastrand::Rng::with_seed(seed))),
            shards: (0..shards).map(|_| Shard::new()).collect(),
            hasher: RandomState::new(),
            is_closed: AtomicBool::new(false),
            timer: Timer::default(),
            counts: Counts::default(),
        }))
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
