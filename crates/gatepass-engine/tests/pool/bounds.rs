//! The limits of a pool: tokens, failures, callers and token requests (I15).

use std::time::Duration;

use gatepass_core::ErrorKind;
use gatepass_testkit::TestClock;

use crate::vendor::{Behaviour, Vendor};
use crate::{HOUR, builder, fill, pass, request, settle};

#[tokio::test(start_paused = true)]
async fn full_pool_evicts_least_recently_used_token() {
    let clock = TestClock::new();
    let vendor = Vendor::new(36_000, &clock);
    let pool = builder(&vendor, &clock).max_entries(10).build();
    for key in 0..10 {
        pool.token(&format!("key-{key}")).await.unwrap();
        clock.advance(Duration::from_secs(1));
    }
    pool.token("key-0").await.unwrap();
    pool.peek("key-1").unwrap();
    clock.advance(Duration::from_secs(1));
    pool.token("new").await.unwrap();
    assert_eq!((pool.len(), pool.status().evicted), (10, 1));
    assert!(pool.peek("key-1").is_none(), "a peek does not count as use");
    assert!(pool.peek("key-0").is_some() && pool.peek("new").is_some());
}

#[tokio::test(start_paused = true)]
async fn pool_never_exceeds_max_entries() {
    let clock = TestClock::new();
    let vendor = Vendor::new(36_000, &clock);
    for (bound, keys) in [(1, 5), (100, 1000), (5000, 12_000)] {
        let pool = builder(&vendor, &clock).max_entries(bound).build();
        for key in 0..keys {
            pool.token(&format!("key-{key}")).await.unwrap();
            assert!(pool.len() <= bound);
            if key % 64 == 0 {
                clock.advance(Duration::from_millis(100));
            }
        }
        assert!(pool.len() > bound * 9 / 10, "{}", pool.len());
        let last = format!("key-{}", keys - 1);
        assert!(pool.peek(&last).is_some());
        let status = pool.status();
        assert_eq!(status.evicted as usize + status.entries, keys);
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_caller_gets_token_that_was_evicted() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_entries(20).build();
    fill(&pool, 20).await;
    vendor.hold(true);
    // All were used in the same tick: a new token may evict any of them.
    let callers: Vec<_> =
        (0..20).flat_map(|key| request(&pool, &format!("new-{key}"), 3)).collect();
    settle().await;
    vendor.hold(false);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!((vendor.total(), pool.len()), (40, 20));
}

#[tokio::test(start_paused = true)]
async fn caller_above_max_waiters_gets_an_error() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_waiters(10).build();
    pool.token("held").await.unwrap();
    vendor.hold(true);
    let mut callers = request(&pool, "a", 5);
    callers.extend(request(&pool, "b", 5));
    settle().await;
    let error = pool.token("c").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.to_string(), "10 callers are already waiting for the pool");
    assert!(pool.token("held").await.is_ok(), "a caller that does not wait is not counted");
    callers.remove(0).abort();
    settle().await;
    let another = request(&pool, "c", 1).remove(0);
    settle().await;
    vendor.hold(false);
    assert_eq!(another.await.unwrap().unwrap().expose_secret(), "c.1");
    assert_eq!(pool.status().waiting, callers.iter().filter(|c| !c.is_finished()).count());
}

#[tokio::test(start_paused = true)]
async fn max_exchanges_limits_concurrent_token_requests() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    vendor.set_delay(Duration::from_millis(10));
    let pool = builder(&vendor, &clock).max_exchanges(4).build();
    let callers: Vec<_> =
        (0..400).flat_map(|key| request(&pool, &format!("key-{key}"), 2)).collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!((vendor.in_flight_max(), vendor.total()), (4, 400));
}

#[tokio::test(start_paused = true)]
async fn caller_without_a_permit_gets_an_error() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_exchanges(1).build();
    vendor.set_delay(Duration::from_secs(14));
    let callers: Vec<_> = ["a", "b", "c"].map(|key| request(&pool, key, 1).remove(0)).into();
    let mut outcomes = Vec::new();
    for caller in callers {
        outcomes.push(caller.await.unwrap());
    }
    assert!(outcomes[0].is_ok() && outcomes[1].is_ok());
    let error = outcomes[2].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(
        error.to_string(),
        "example/c: the pool's limit of token requests was reached for 15 s"
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_limited_and_removed() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_entries(10).idle(HOUR).build();
    for key in 0..100 {
        let key = format!("key-{key}");
        vendor.respond(&key, Behaviour::Deny);
        assert_eq!(pool.token(&key).await.unwrap_err().kind(), ErrorKind::Denied);
        clock.advance(Duration::from_millis(100));
        assert!(pool.status().failing <= 10);
    }
    assert_eq!(pool.status().failing, 10);
    pool.token("key-99").await.unwrap_err();
    assert_eq!(vendor.count("key-99"), 1);
    for _ in 0..130 {
        pass(&clock, Duration::from_secs(30)).await;
    }
    assert_eq!((pool.status().failing, pool.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn idle_tokens_are_removed_and_free_memory() {
    let clock = TestClock::new();
    let vendor = Vendor::new(36_000, &clock);
    let pool = builder(&vendor, &clock).idle(HOUR).build();
    fill(&pool, 2000).await;
    for _ in 0..130 {
        pass(&clock, Duration::from_secs(30)).await;
        for key in 0..10 {
            pool.token(&format!("key-{key}")).await.unwrap();
        }
    }
    let status = pool.status();
    assert_eq!((status.entries, status.dropped), (10, 1990));
    assert_eq!(vendor.total(), 2000);
    fill(&pool, 100).await;
    assert_eq!((pool.len(), vendor.total()), (100, 2090));
}
