//! Checks of leases: one holder per key, a bounded wait, released when dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_engine::SaveOutcome;
use tokio::time::{Instant, sleep, timeout};

use super::{HOUR, OpenStore, SECOND, Store, WAIT_TOLERANCE, check, key, text, token};

/// Checks that a lease excludes others of its key, also after `forget`, but not of other keys.
pub fn lease_excludes_others_of_its_key(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let prod = key("prod", "s-1");
        let lease = store.lease(&prod, Duration::ZERO).await.expect("the lease is free");
        assert!(store.lease(&prod, Duration::ZERO).await.is_none());
        for other in [key("prod", "s-2"), key("test", "s-1")] {
            assert!(store.lease(&other, Duration::ZERO).await.is_some());
        }
        store.store.forget(prod.profile()).await.expect("the store works");
        assert!(store.lease(&prod, Duration::ZERO).await.is_none());
        drop(lease);
    });
}

/// Checks that a caller waits for a lease at least and not much longer than its wait.
pub fn waiting_for_a_lease_is_bounded(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let _lease = store.lease(&key, Duration::ZERO).await.expect("the lease is free");
        for wait in [Duration::ZERO, SECOND / 20] {
            let start = Instant::now();
            assert!(store.lease(&key, wait).await.is_none());
            let waited = start.elapsed();
            assert!(waited >= wait && waited <= wait + WAIT_TOLERANCE, "{waited:?}");
        }
    });
}

/// Checks that dropping a lease releases it, with or without a saved record.
pub fn dropped_lease_is_free(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        drop(store.lease(&key, Duration::ZERO).await.expect("the lease is free"));
        let lease = store.lease(&key, SECOND).await.expect("the lease is free again");
        lease.save(&token("t-1", store.now())).await.expect("the store works");
        drop(lease);
        assert!(store.lease(&key, SECOND).await.is_some());
        assert_eq!(store.load_text(&key).await, "t-1");
    });
}

/// Checks that a waiting caller gets the lease when its holder drops it.
pub fn waiter_gets_the_released_lease(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let lease = store.lease(&key, HOUR).await.expect("the lease is free");
        let waiting = {
            let (store, key) = (store.store.clone(), key.clone());
            tokio::spawn(async move { store.lease(&key, HOUR).await.is_ok_and(|l| l.is_some()) })
        };
        sleep(SECOND / 20).await;
        assert!(!waiting.is_finished(), "the lease is held twice");
        drop(lease);
        let waited = timeout(WAIT_TOLERANCE, waiting).await.expect("the waiter is woken");
        assert!(waited.expect("the waiter does not panic"));
    });
}

/// Checks that a caller that stops waiting does not take the lease later.
pub fn abandoned_wait_takes_no_lease(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let lease = store.lease(&key, HOUR).await.expect("the lease is free");
        for _ in 0..3 {
            assert!(timeout(SECOND / 50, store.store.lease(&key, HOUR)).await.is_err());
        }
        drop(lease);
        assert!(store.lease(&key, SECOND).await.is_some());
    });
}

/// Checks that twenty tasks that load a record under the lease send one token request.
pub fn twenty_tasks_send_one_token_request(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (inside, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..20).map(|_| {
            let (store, sent) = (store.store.clone(), store.now());
            let (inside, requests) = (inside.clone(), requests.clone());
            tokio::spawn(async move {
                let key = key("prod", "s-1");
                let lease = store.lease(&key, HOUR).await.expect("the store works");
                let lease = lease.expect("the lease comes free");
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                if store.load(&key).await.expect("the store works").is_none() {
                    requests.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    let outcome = lease.save(&token("t-1", sent)).await;
                    assert_eq!(outcome.expect("the store works"), SaveOutcome::Kept);
                }
                assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                drop(lease);
                text(store.load(&key).await.expect("the store works").as_ref())
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.expect("the task does not panic"), "t-1");
        }
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    });
}
