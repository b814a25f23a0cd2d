//! The contract of every store, for the stores of this crate, and what they promise beyond it.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{Clock, Error, Retry};
use gatepass_engine::{
    FailureRecord, LeaseOutcome, MemoryStore, RecordRequirement, SaveOutcome, TokenStore,
};
use gatepass_testkit::TestClock;
use gatepass_testkit::store::StoreFixture;
use tokio::time::{Instant, sleep, timeout};

use super::{HOUR, key, save, text, token};

const SECOND: Duration = Duration::from_secs(1);

mod memory {
    use super::*;

    fn open(clock: TestClock) -> StoreFixture {
        StoreFixture::new(MemoryStore::new().with_clock(clock))
    }

    gatepass_testkit::store_contract!(super::open);
}

#[cfg(all(feature = "file-store", unix))]
mod file {
    use super::*;

    fn open(clock: TestClock) -> StoreFixture {
        let dir = tempfile::tempdir().unwrap();
        let store = gatepass_engine::FileStore::open(dir.path().join("state")).unwrap();
        StoreFixture::new(store.with_clock(clock)).keep(dir)
    }

    gatepass_testkit::store_contract!(super::open);
}

/// A store behind two pointers has the same promises: each method is forwarded.
mod pointers {
    use super::*;

    fn open(clock: TestClock) -> StoreFixture {
        let store: Box<dyn TokenStore> = Box::new(MemoryStore::new().with_clock(clock));
        StoreFixture::new(Arc::new(store))
    }

    gatepass_testkit::store_contract!(super::open);
}

/// One store of each kind; the directory is removed when dropped.
pub(crate) fn stores(clock: &TestClock) -> (Vec<Arc<dyn TokenStore>>, Option<tempfile::TempDir>) {
    let memory: Arc<dyn TokenStore> = Arc::new(MemoryStore::new().with_clock(clock.clone()));
    #[cfg(all(feature = "file-store", unix))]
    {
        let dir = tempfile::tempdir().unwrap();
        let file = gatepass_engine::FileStore::open(dir.path().join("state")).unwrap();
        (vec![memory, Arc::new(file.with_clock(clock.clone()))], Some(dir))
    }
    #[cfg(not(all(feature = "file-store", unix)))]
    (vec![memory], None)
}

#[test]
fn failure_is_kept_for_an_hour_at_most() {
    let sent = TestClock::new().wall();
    let denied = FailureRecord::new(&Error::denied("refused"), sent, sent + 24 * HOUR);
    assert_eq!(denied.until(), sent + HOUR);
    assert_eq!(denied.error(sent).retry_after(), None);
    assert_eq!(denied.error(sent).retry(), Retry::Never);
}

#[tokio::test]
async fn records_are_ordered_by_nanoseconds() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    let now = clock.wall();
    for store in stores {
        let key = key("prod", "s-1");
        let nanosecond = Duration::from_nanos(1);
        assert_eq!(save(&store, &key, &token("newer", now)).await, SaveOutcome::Kept);
        let older = save(&store, &key, &token("older", now - nanosecond)).await;
        assert_eq!(older, SaveOutcome::Older);
        assert_eq!(text(&store, &key).await, "newer");
        assert_eq!(save(&store, &key, &token("newest", now + nanosecond)).await, SaveOutcome::Kept);
        assert_eq!(text(&store, &key).await, "newest");
    }
}

#[tokio::test(start_paused = true)]
async fn wait_for_a_lease_ends_on_time() {
    let (stores, _dir) = stores(&TestClock::new());
    for store in stores {
        let key = key("prod", "s-1");
        let lease = store.lease(&key, Duration::ZERO).await.unwrap().unwrap();
        for wait in [Duration::ZERO, Duration::from_millis(50), SECOND] {
            let begun = Instant::now();
            assert!(store.lease(&key, wait).await.unwrap().is_none());
            let waited = begun.elapsed();
            assert!(waited >= wait && waited <= wait + Duration::from_millis(2), "{waited:?}");
        }
        assert!(store.lease(&super::key("prod", "s-2"), Duration::ZERO).await.unwrap().is_some());
        drop(lease);
        assert!(store.lease(&key, Duration::ZERO).await.unwrap().is_some());
    }
}

/// Returns the requirement of a caller that replaces a holder after two seconds.
fn stale_after_two_seconds() -> RecordRequirement {
    let mut wanted = RecordRequirement::default();
    wanted.stale_after = 2 * SECOND;
    wanted
}

#[tokio::test]
async fn watched_holder_is_replaced_after_stale_after() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    for store in stores {
        let key = key("prod", "s-1");
        let stopped = store.lease(&key, Duration::ZERO).await.unwrap().unwrap();
        let (begun, wanted) = (clock.boot(), stale_after_two_seconds());
        let mut acquire = store.acquire(&key, &wanted, HOUR);
        let lease = loop {
            match timeout(SECOND / 25, &mut acquire).await {
                Ok(outcome) => break outcome.unwrap(),
                Err(_) => clock.advance(SECOND / 10),
            }
        };
        assert!(matches!(lease, LeaseOutcome::Lease(_)), "{lease:?}");
        assert!(clock.boot() - begun >= 2 * SECOND, "{:?}", clock.boot() - begun);
        assert_eq!(stopped.save(&token("late", clock.wall())).await.unwrap(), SaveOutcome::Late);
        assert_eq!(text(&store, &key).await, "none");
    }
}

#[tokio::test(start_paused = true)]
async fn suspended_machine_and_changed_wall_clock_replace_no_holder() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    for store in stores {
        let key = key("prod", "s-1");
        let lease = store.lease(&key, Duration::ZERO).await.unwrap().unwrap();
        let wanted = stale_after_two_seconds();
        let mut acquire = store.acquire(&key, &wanted, HOUR);
        assert!(timeout(3 * SECOND / 2, &mut acquire).await.is_err());
        clock.suspend(HOUR);
        assert!(timeout(3 * SECOND / 2, &mut acquire).await.is_err());
        clock.jump_wall(7200);
        assert!(timeout(3 * SECOND / 2, &mut acquire).await.is_err());
        clock.jump_wall(-7200);
        assert!(timeout(3 * SECOND / 2, &mut acquire).await.is_err());
        let saved = lease.save(&token("t-1", clock.wall())).await.unwrap();
        assert_eq!(saved, SaveOutcome::Kept);
        let found = acquire.await.unwrap();
        assert!(matches!(found, LeaseOutcome::Found(_)), "{found:?}");
    }
}

#[tokio::test]
async fn record_is_found_although_its_holder_keeps_the_lease() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    for store in stores {
        let key = key("prod", "s-1");
        let lease = store.lease(&key, Duration::ZERO).await.unwrap().unwrap();
        let wanted = RecordRequirement::default();
        let mut acquire = store.acquire(&key, &wanted, HOUR);
        assert!(timeout(SECOND / 20, &mut acquire).await.is_err());
        lease.save(&token("t-1", clock.wall())).await.unwrap();
        let found = timeout(5 * SECOND, acquire).await.unwrap().unwrap();
        assert!(matches!(found, LeaseOutcome::Found(_)), "{found:?}");
    }
}

#[tokio::test]
async fn lease_clears_a_failure_and_no_token() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    for store in stores {
        let key = key("prod", "s-1");
        let lease = store.lease(&key, Duration::ZERO).await.unwrap().unwrap();
        lease.save(&super::failure(clock.wall(), HOUR)).await.unwrap();
        assert_eq!(text(&store, &key).await, "refused");
        lease.clear_failure().await.unwrap();
        assert_eq!(text(&store, &key).await, "none");
        lease.save(&token("t-1", clock.wall())).await.unwrap();
        lease.clear_failure().await.unwrap();
        assert_eq!(text(&store, &key).await, "t-1");
    }
}

#[tokio::test]
async fn changing_holders_are_not_taken_for_a_stopped_one() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    for store in stores {
        let key = key("prod", "s-1");
        let mut holder = store.lease(&key, Duration::ZERO).await.unwrap().unwrap();
        let mut wanted = stale_after_two_seconds();
        let mut waiter = store.acquire(&key, &wanted, HOUR);
        for _ in 0..12 {
            assert!(timeout(SECOND / 25, &mut waiter).await.is_err(), "a live holder is replaced");
            clock.advance(SECOND / 2);
            drop(holder);
            // The next holder takes the lease before the waiter looks again.
            holder = store.lease(&key, Duration::ZERO).await.unwrap().unwrap();
            sleep(SECOND / 25).await;
        }
        drop(waiter);
        wanted.is_fresh = true;
        assert_eq!(holder.save(&token("t-1", clock.wall())).await.unwrap(), SaveOutcome::Kept);
    }
}
