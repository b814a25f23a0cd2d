//! The rivals: simple token caches without an engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::RwLock;

use crate::clock;
use crate::vendor::Vendor;

/// A token and its expiry on two clocks.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) token: String,
    until: Instant,
    until_coarse: u64,
}

impl Entry {
    fn new(token: String, lifetime: Duration) -> Self {
        let nanos = u64::try_from(lifetime.as_nanos()).unwrap();
        Self { token, until: clock::now() + lifetime, until_coarse: clock::coarse() + nanos }
    }
}

/// The lower bound: a swapped pointer and one clock. It never refreshes a token.
#[derive(Debug)]
pub(crate) struct Bound(ArcSwap<Entry>);

impl Bound {
    pub(crate) fn new() -> Self {
        Self(ArcSwap::from_pointee(Entry::new("x".repeat(1024), Duration::from_secs(3600))))
    }

    /// Reads the token with a guard and one coarse clock.
    #[inline]
    pub(crate) fn guard(&self) -> Option<Guard<Arc<Entry>>> {
        let entry = self.0.load();
        (clock::coarse() < entry.until_coarse).then_some(entry)
    }

    /// Borrows the token with a guard and one coarse clock.
    #[inline]
    pub(crate) fn with<T>(&self, read: impl FnOnce(&str) -> T) -> Option<T> {
        let entry = self.0.load();
        (clock::coarse() < entry.until_coarse).then(|| read(&entry.token))
    }

    /// Reads the token with a counted reference and one exact clock.
    #[inline]
    pub(crate) fn full(&self) -> Option<Arc<Entry>> {
        let entry = self.0.load_full();
        (clock::now() < entry.until).then_some(entry)
    }
}

/// The usual first draft: a caller that finds the token near its expiry refreshes it under the
/// write lock.
#[derive(Clone, Debug)]
pub(crate) struct Locked {
    vendor: Vendor,
    lifetime: Duration,
    margin: Duration,
    cached: Arc<RwLock<Option<Arc<Entry>>>>,
}

impl Locked {
    pub(crate) fn new(vendor: &Vendor, lifetime: Duration) -> Self {
        let margin = Duration::from_secs(20).min(lifetime / 5);
        Self { vendor: vendor.clone(), lifetime, margin, cached: Arc::default() }
    }

    /// Sets how early the token is refreshed.
    pub(crate) fn ahead(self, margin: Duration) -> Self {
        Self { margin, ..self }
    }

    pub(crate) async fn token(&self) -> Result<Arc<Entry>, u16> {
        let usable = |cached: &Option<Arc<Entry>>| {
            cached.as_ref().filter(|entry| clock::now() + self.margin < entry.until).cloned()
        };
        if let Some(entry) = usable(&*self.cached.read().await) {
            return Ok(entry);
        }
        let mut cached = self.cached.write().await;
        if let Some(entry) = usable(&cached) {
            return Ok(entry);
        }
        let entry = Arc::new(Entry::new(self.vendor.exchange().await?, self.lifetime));
        *cached = Some(entry.clone());
        Ok(entry)
    }

    /// Returns whether a token is usable. False while a caller holds the write lock.
    pub(crate) fn has_token(&self) -> bool {
        let cached = self.cached.try_read();
        cached.is_ok_and(|cached| cached.as_ref().is_some_and(|entry| clock::now() < entry.until))
    }
}
