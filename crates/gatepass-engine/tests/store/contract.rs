//! What every store promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::{Clock, Error, ErrorKind, Expiry, Retry, Token};
use gatepass_engine::{FailureRecord, MemoryStore, Record, TokenStore};
use gatepass_testkit::TestClock;
use tokio::time::Instant;

use super::{HOUR, failure, key, save, text, token};

const SECOND: Duration = Duration::from_secs(1);

/// One store of each sort; the folder is removed when dropped.
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

#[tokio::test]
async fn a_token_comes_back_as_it_was() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    let sent = clock.wall() - Duration::from_nanos(1);
    for store in stores {
        let key = key("prod", "s-1");
        for expiry in [Expiry::Vendor, Expiry::Jwt, Expiry::Configured, Expiry::Assumed] {
            let saved = Token::builder("t-1".into(), sent)
                .scope(Some("a b"))
                .extra("refresh_token", Some("r-1".into()))
                .extra("id_token", Some("i-1".into()))
                .build_with_expiry(sent + HOUR, expiry)
                .unwrap();
            assert!(save(&store, &key, &Record::Token(saved.clone())).await);
            let Some(Record::Token(loaded)) = store.load(&key).await.unwrap() else {
                panic!("{store:?}");
            };
            assert_eq!(loaded.authorization(), saved.authorization());
            assert_eq!(loaded.issued_at(), saved.issued_at());
            assert_eq!(loaded.expires_at(), saved.expires_at());
            assert_eq!((loaded.expiry(), loaded.scope()), (expiry, Some("a b")));
            assert!(loaded.extra("refresh_token").is_none() && loaded.extra("id_token").is_none());
        }
    }
}

#[tokio::test]
async fn a_failure_comes_back_as_it_was() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    let now = clock.wall();
    for store in stores {
        let key = key("prod", "s-1");
        let error = Error::throttled("too many requests")
            .hint("wait")
            .with_status(429)
            .with_vendor_code("slow_down")
            .with_vendor_text("come back later");
        let saved = FailureRecord::new(&error, now, now + 30 * SECOND);
        assert!(save(&store, &key, &Record::Failure(saved.clone())).await);
        let Some(Record::Failure(loaded)) = store.load(&key).await.unwrap() else {
            panic!("{store:?}");
        };
        assert_eq!(loaded, saved);
        let again = loaded.error(now + 10 * SECOND);
        assert_eq!(again.to_string(), error.to_string());
        assert_eq!((again.kind(), again.retry()), (ErrorKind::Throttled, Retry::Later));
        assert_eq!((again.hints()[0].text(), again.retry_after()), ("wait", Some(20 * SECOND)));
        clock.advance(30 * SECOND);
        assert_eq!(text(&store, &key).await, "nothing");
        clock.jump_wall(-30);
    }
}

#[test]
fn a_failure_answers_for_an_hour_at_most() {
    let sent = TestClock::new().wall();
    let refused = FailureRecord::new(&Error::denied("refused"), sent, sent + 24 * HOUR);
    assert_eq!(refused.until(), sent + HOUR);
    assert_eq!(refused.error(sent).retry_after(), None);
    assert_eq!(refused.error(sent).retry(), Retry::Never);
}

#[tokio::test]
async fn another_secret_is_another_place() {
    let (stores, _dir) = stores(&TestClock::new());
    let sent = TestClock::new().wall();
    for store in stores {
        assert!(save(&store, &key("prod", "s-1"), &token("t-1", sent)).await);
        assert_eq!(text(&store, &key("prod", "s-1")).await, "t-1");
        assert_eq!(text(&store, &key("prod", "s-2")).await, "nothing");
        assert_eq!(text(&store, &key("test", "s-1")).await, "nothing");
    }
}

#[tokio::test]
async fn an_older_record_never_takes_the_place_of_a_newer_one() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    let now = clock.wall();
    for store in stores {
        let key = key("prod", "s-1");
        assert!(save(&store, &key, &token("newer", now)).await);
        assert!(!save(&store, &key, &token("older", now - Duration::from_nanos(1))).await);
        assert!(!save(&store, &key, &failure(now - SECOND, HOUR)).await);
        assert_eq!(text(&store, &key).await, "newer");
        assert!(save(&store, &key, &token("as-new", now)).await);
        assert!(save(&store, &key, &failure(now + SECOND, SECOND)).await);
        assert_eq!(text(&store, &key).await, "refused");
        // It has ended, so there is nothing to lose.
        clock.advance(2 * SECOND);
        assert!(save(&store, &key, &token("older", now)).await);
        assert_eq!(text(&store, &key).await, "older");
        clock.jump_wall(-2);
    }
}

#[tokio::test]
async fn what_has_ended_is_neither_loaded_nor_saved() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    for store in stores {
        let key = key("prod", "s-1");
        let record = token("t-1", clock.wall());
        assert!(save(&store, &key, &record).await);
        clock.advance(HOUR - SECOND);
        assert_eq!(text(&store, &key).await, "t-1");
        clock.advance(SECOND);
        assert_eq!(text(&store, &key).await, "nothing");
        assert!(!save(&store, &key, &record).await);
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_life_longer() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    for store in stores {
        let key = key("prod", "s-1");
        assert!(save(&store, &key, &token("tomorrows", clock.wall())).await);
        clock.jump_wall(-24 * 3600);
        assert_eq!(text(&store, &key).await, "nothing");
        // Nor does it stand in the way of one that is sure.
        assert!(save(&store, &key, &token("todays", clock.wall())).await);
        assert_eq!(text(&store, &key).await, "todays");
        // A clock that is set right by a little loses nothing.
        clock.jump_wall(-5);
        assert_eq!(text(&store, &key).await, "todays");
    }
}

#[tokio::test]
async fn forget_removes_all_of_a_profile_and_nothing_else() {
    let (stores, _dir) = stores(&TestClock::new());
    let sent = TestClock::new().wall();
    for store in stores {
        for (profile, secret) in [("prod", "s-1"), ("prod", "s-2"), ("test", "s-1")] {
            assert!(save(&store, &key(profile, secret), &token(secret, sent)).await);
        }
        assert!(save(&store, &key("prod", "s-3"), &failure(sent, HOUR)).await);
        assert_eq!(store.forget(key("prod", "any").profile()).await.unwrap(), 3);
        for secret in ["s-1", "s-2", "s-3"] {
            assert_eq!(text(&store, &key("prod", secret)).await, "nothing");
        }
        assert_eq!(text(&store, &key("test", "s-1")).await, "s-1");
        assert_eq!(store.forget(key("prod", "any").profile()).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn what_was_under_way_when_a_profile_was_forgotten_is_not_saved() {
    let (stores, _dir) = stores(&TestClock::new());
    let sent = TestClock::new().wall();
    for store in stores {
        let [prod, test] = ["prod", "test"].map(|profile| key(profile, "s-1"));
        let lease = store.lease(&prod, SECOND).await.unwrap().unwrap();
        let other = store.lease(&test, SECOND).await.unwrap().unwrap();
        store.forget(prod.profile()).await.unwrap();
        // It is still the one that may ask the vendor.
        assert!(store.lease(&prod, Duration::ZERO).await.unwrap().is_none());
        assert!(!lease.save(&token("t-1", sent)).await.unwrap());
        assert!(other.save(&token("t-2", sent)).await.unwrap());
        drop(lease);
        assert_eq!(text(&store, &prod).await, "nothing");
        assert!(save(&store, &prod, &token("t-3", sent)).await);
        assert_eq!(text(&store, &prod).await, "t-3");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_lease_is_bounded() {
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

#[tokio::test]
async fn who_waits_gets_the_lease_when_it_is_free() {
    let (stores, _dir) = stores(&TestClock::new());
    for store in stores {
        let key = key("prod", "s-1");
        let lease = store.lease(&key, HOUR).await.unwrap().unwrap();
        let waiting = {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move { store.lease(&key, HOUR).await.unwrap().is_some() })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(lease);
        assert!(waiting.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_tasks_make_one_exchange() {
    let clock = TestClock::new();
    let (stores, _dir) = stores(&clock);
    for store in stores {
        let (inside, exchanges) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (store, sent) = (store.clone(), clock.wall());
                let (inside, exchanges) = (inside.clone(), exchanges.clone());
                tokio::spawn(async move {
                    let key = key("prod", "s-1");
                    let lease = store.lease(&key, HOUR).await.unwrap().unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    if store.load(&key).await.unwrap().is_none() {
                        exchanges.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        assert!(lease.save(&token("t-1", sent)).await.unwrap());
                    }
                    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                    drop(lease);
                    text(&store, &key).await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), "t-1");
        }
        assert_eq!(exchanges.load(Ordering::SeqCst), 1);
    }
}
