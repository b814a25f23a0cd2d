//! Rivals: what one writes by hand, without an engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::RwLock;

use crate::clock;
use crate::vendor::Vendor;

/// A token and its end on two clocks.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) token: String,
    until: Instant,
    until_coarse: u64,
}

impl Entry {
    fn new(token: String, life: Duration) -> Self {
        let nanos = u64::try_from(life.as_nanos()).unwrap();
        Self { token, until: clock::now() + life, until_coarse: clock::coarse() + nanos }
    }
}

/// The least there can be: a swapped pointer and one clock. It never refreshes anything.
#[derive(Debug)]
pub(crate) struct Bound(ArcSwap<Entry>);

impl Bound {
    pub(crate) fn new() -> Self {
        Self(ArcSwap::from_pointee(Entry::new("x".repeat(1024), Duration::from_secs(3600))))
    }

    /// A guard and one coarse clock.
    #[inline]
    pub(crate) fn guard(&self) -> Option<Guard<Arc<Entry>>> {
        let entry = self.0.load();
        (clock::coarse() < entry.until_coarse).then_some(entry)
    }

    /// A guard and one coarse clock, borrowed.
    #[inline]
    pub(crate) fn with<T>(&self, look: impl FnOnce(&str) -> T) -> Option<T> {
        let entry = self.0.load();
        (clock::coarse() < entry.until_coarse).then(|| look(&entry.token))
    }

    /// A counted reference and one exact clock.
    #[inline]
    pub(crate) fn full(&self) -> Option<Arc<Entry>> {
        let entry = self.0.load_full();
        (clock::now() < entry.until).then_some(entry)
    }
}

/// The usual first draft: whoever finds the token about to end refreshes it under the write lock.
#[derive(Clone, Debug)]
pub(crate) struct Locked {
    vendor: Vendor,
    life: Duration,
    margin: Duration,
    held: Arc<RwLock<Option<Arc<Entry>>>>,
}

impl Locked {
    pub(crate) fn new(vendor: &Vendor, life: Duration) -> Self {
        let margin = Duration::from_secs(20).min(life / 5);
        Self { vendor: vendor.clone(), life, margin, held: Arc::default() }
    }

    /// Refreshes so early.
    pub(crate) fn ahead(self, margin: Duration) -> Self {
        Self { margin, ..self }
    }

    pub(crate) async fn token(&self) -> Result<Arc<Entry>, u16> {
        let usable = |held: &Option<Arc<Entry>>| {
            held.as_ref().filter(|entry| clock::now() + self.margin < entry.until).cloned()
        };
        if let Some(entry) = usable(&*self.held.read().await) {
            return Ok(entry);
        }
        let mut held = self.held.write().await;
        if let Some(entry) = usable(&held) {
            return Ok(entry);
        }
        let entry = Arc::new(Entry::new(self.vendor.exchange().await?, self.life));
        *held = Some(entry.clone());
        Ok(entry)
    }

    /// Whether nobody need wait: the token there is has not ended. While somebody holds the lock
    /// to refresh it, nobody can see.
    pub(crate) fn has_token(&self) -> bool {
        let held = self.held.try_read();
        held.is_ok_and(|held| held.as_ref().is_some_and(|entry| clock::now() < entry.until))
    }
}
