//! Failures of a key and their cool-downs; `forget` and `close`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::{Credential, ErrorKind};
use gatepass_engine::{TokenPool, TokenSource};
use gatepass_testkit::TestClock;
use gatepass_testkit::example::Example;

use crate::vendor::{Behaviour, Vendor};
use crate::{HOUR, builder, fill, pass, pool, request, settle};

#[tokio::test(start_paused = true)]
async fn failure_cools_down_its_own_key_only() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.respond("denied", Behaviour::Deny);
    vendor.respond("down", Behaviour::Fail);
    for _ in 0..600 {
        assert_eq!(pool.token("denied").await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(pool.token("down").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(pool.token("well").await.unwrap().expose_secret(), "well.1");
        pass(&clock, Duration::from_secs(1)).await;
    }
    assert_eq!((vendor.count("denied"), vendor.count("well")), (1, 1));
    assert!((20..80).contains(&vendor.count("down")), "{}", vendor.count("down"));
    let error = pool.token("denied").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "example/denied: the vendor rejected client id or secret (401 invalid_client) \
         [cached failure, no request was sent]"
    );
    assert_eq!(pool.status().failing, 2);
}

#[tokio::test(start_paused = true)]
async fn callers_share_one_failed_request() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.respond("a", Behaviour::Fail);
    vendor.hold(true);
    let callers = request(&pool, "a", 100);
    settle().await;
    vendor.hold(false);
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    }
    for _ in 0..100 {
        pool.token("a").await.unwrap_err();
    }
    assert_eq!(vendor.count("a"), 1);
    vendor.respond("a", Behaviour::Token);
    clock.advance(Duration::from_secs(1));
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.2");
    assert_eq!(pool.status().failing, 0);
}

#[tokio::test(start_paused = true)]
async fn denied_refresh_is_repeated_ever_more_rarely() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    pool.token("a").await.unwrap();
    vendor.respond("a", Behaviour::Deny);
    for _ in 0..358 {
        assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.1");
        pass(&clock, Duration::from_secs(10)).await;
    }
    // The credential worked before: the pauses are 30 to 55 s, then twice as long, and so on.
    assert!((3..=8).contains(&vendor.count("a")), "{}", vendor.count("a"));
    pass(&clock, Duration::from_secs(20)).await;
    assert_eq!(pool.token("a").await.unwrap_err().kind(), ErrorKind::Denied);
    assert!(vendor.count("a") <= 9, "{}", vendor.count("a"));
}

#[tokio::test(start_paused = true)]
async fn denied_identity_sends_only_a_changed_secret() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let secret = Arc::new(AtomicUsize::new(0));
    let identify = {
        let secret = secret.clone();
        move |key: &str| {
            let secret = format!("secret-{}", secret.load(Ordering::SeqCst));
            Ok(TokenSource::builder(Example::new(), Credential::client(key, secret)))
        }
    };
    let pool = TokenPool::builder(identify).http(vendor.clone()).clock(clock.clone()).build();
    vendor.respond("new", Behaviour::Deny);
    pool.token("aging").await.unwrap();
    // Refreshes start 3024 s after the request at the latest.
    pass(&clock, Duration::from_secs(1900)).await;
    vendor.respond("aging", Behaviour::Deny);
    for _ in 0..120 {
        pool.token("new").await.unwrap_err();
        pool.token("aging").await.unwrap();
        pass(&clock, Duration::from_secs(10)).await;
    }
    // One that worked before is sent a few times more.
    assert_eq!(vendor.count("new"), 1);
    assert!((2..=8).contains(&vendor.count("aging")), "{}", vendor.count("aging"));
    secret.store(1, Ordering::SeqCst);
    for key in ["new", "aging"] {
        vendor.respond(key, Behaviour::Token);
    }
    for _ in 0..5 {
        pass(&clock, Duration::from_secs(10)).await;
    }
    assert_eq!(pool.token("new").await.unwrap().expose_secret(), "new.2");
    let aging = pool.token("aging").await.unwrap();
    assert_eq!(aging.expose_secret(), format!("aging.{}", vendor.count("aging")));
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_is_retried_with_backoff() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    fill(&pool, 10).await;
    (0..10).for_each(|key| vendor.respond(&format!("key-{key}"), Behaviour::Fail));
    for _ in 0..3580 {
        pass(&clock, Duration::from_secs(1)).await;
    }
    for key in 0..10 {
        let key = format!("key-{key}");
        assert!(pool.peek(&key).is_some());
        assert!((4..20).contains(&vendor.count(&key)), "{}", vendor.count(&key));
        vendor.respond(&key, Behaviour::Token);
    }
    // The cool-down of a failed refresh is five minutes at most.
    pass(&clock, Duration::from_secs(300)).await;
    for key in 0..10 {
        pool.token(&format!("key-{key}")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn forget_removes_token_failure_and_flight() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    pool.token("a").await.unwrap();
    pool.forget("a");
    assert!(pool.peek("a").is_none() && pool.is_empty());

    vendor.respond("a", Behaviour::Deny);
    pool.token("a").await.unwrap_err();
    vendor.respond("a", Behaviour::Token);
    pool.token("a").await.unwrap_err();
    pool.forget("a");
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.3");

    vendor.hold(true);
    let callers = request(&pool, "b", 10);
    settle().await;
    pool.forget("b");
    settle().await;
    assert_eq!((vendor.count("b"), vendor.in_flight()), (2, 1));
    vendor.hold(false);
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "b.2");
    }
    let status = pool.status();
    assert_eq!((status.exchanging, status.failing, status.entries), (0, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn close_ends_waits_and_requests() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_exchanges(5).build();
    fill(&pool, 100).await;
    vendor.hold(true);
    let callers: Vec<_> =
        (0..20).flat_map(|key| request(&pool, &format!("new-{key}"), 2)).collect();
    settle().await;
    assert_eq!(vendor.in_flight(), 5);
    let begun = tokio::time::Instant::now();
    pool.close().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    settle().await;
    assert_eq!(vendor.in_flight(), 0);
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::Internal, "the pool is closed")
        );
    }
    vendor.hold(false);
    settle().await;
    assert!(pool.token("key-0").await.is_err() && pool.peek("key-0").is_none());
    let status = pool.status();
    assert_eq!((status.entries, status.exchanging, status.failing, status.waiting), (0, 0, 0, 0));
    assert_eq!(vendor.total(), 105);
}

#[tokio::test(start_paused = true)]
async fn dropped_pool_aborts_its_requests() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.hold(true);
    let callers = request(&pool, "a", 2);
    settle().await;
    callers.iter().for_each(|caller| caller.abort());
    settle().await;
    assert_eq!(vendor.in_flight(), 1);
    drop((pool, callers));
    settle().await;
    assert_eq!(vendor.in_flight(), 0);
    let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(alive, 0);
    clock.advance(HOUR);
}
