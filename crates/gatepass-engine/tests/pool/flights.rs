//! Single flight per key, and independence of keys.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gatepass_core::{Error, ErrorKind};
use gatepass_engine::{TokenPool, TokenSource};
use gatepass_testkit::TestClock;
use gatepass_testkit::example::Example;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::vendor::{Behaviour, Vendor};
use crate::{HOUR, builder, pass, pool, request, settle};

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn thousand_callers_share_one_request() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.hold(true);
    let callers = request(&pool, "a", 1000);
    settle().await;
    assert_eq!(pool.status().waiting, 1000);
    vendor.hold(false);
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "a.1");
    }
    assert_eq!((vendor.count("a"), pool.len(), pool.status().waiting), (1, 1, 0));
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.1");
    assert_eq!(pool.status().exchanging, 0);
}

#[tokio::test(start_paused = true)]
async fn keys_do_not_wait_for_each_other() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = builder(&vendor, &clock).max_exchanges(2).build();
    vendor.respond("stuck", Behaviour::Nothing);
    let stuck = request(&pool, "stuck", 100);
    settle().await;
    let begun = Instant::now();
    for key in 0..1000 {
        pool.token(&format!("key-{key}")).await.unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(stuck.iter().all(|caller| !caller.is_finished()));
    for caller in stuck {
        assert_eq!(caller.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert!(begun.elapsed() < Duration::from_secs(18));
}

#[tokio::test(start_paused = true)]
async fn cancelled_callers_do_not_affect_others() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.hold(true);
    let mut callers = request(&pool, "a", 10);
    let alone = request(&pool, "b", 3);
    settle().await;
    callers.drain(..9).for_each(|caller| caller.abort());
    alone.iter().for_each(JoinHandle::abort);
    settle().await;
    assert_eq!((vendor.in_flight(), pool.status().waiting), (2, 1));
    vendor.hold(false);
    assert_eq!(callers.remove(0).await.unwrap().unwrap().expose_secret(), "a.1");
    settle().await;
    assert_eq!(pool.peek("b").unwrap().expose_secret(), "b.1");
    assert_eq!(vendor.total(), 2);
}

#[tokio::test(start_paused = true)]
async fn usable_token_is_returned_without_waiting() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    pool.token("a").await.unwrap();
    let is_ready = || match poll(pool.token("a")) {
        Poll::Ready(Ok(token)) => token.expose_secret() == "a.1",
        _ => false,
    };
    assert!(is_ready());
    vendor.respond("a", Behaviour::Nothing);
    pass(&clock, Duration::from_secs(3100)).await;
    assert_eq!((vendor.count("a"), vendor.in_flight()), (2, 1), "a refresh is in flight");
    assert!(is_ready());
    vendor.respond("a", Behaviour::Fail);
    for _ in 0..40 {
        pass(&clock, Duration::from_secs(10)).await;
        assert!(is_ready(), "after failures");
    }
    let requests = vendor.count("a");
    assert!((3..10).contains(&requests), "{requests}");
}

#[tokio::test(start_paused = true)]
async fn long_min_remaining_sends_one_request_at_most() {
    let clock = TestClock::new();
    let vendor = Vendor::new(60, &clock);
    let pool = pool(&vendor, &clock);
    assert_eq!(pool.token_for("a", HOUR).await.unwrap().expose_secret(), "a.1");
    assert_eq!(pool.token_for("a", HOUR).await.unwrap().expose_secret(), "a.2");
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.2");
    assert_eq!(vendor.count("a"), 2);
}

#[tokio::test(start_paused = true)]
async fn invalidate_removes_only_the_given_token() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    let (first, other) = (pool.token("a").await.unwrap(), pool.token("b").await.unwrap());
    vendor.hold(true);
    pool.invalidate("b", &first);
    for _ in 0..100 {
        pool.invalidate("a", &first);
    }
    assert!(pool.peek("a").is_none() && pool.peek("b").unwrap().is_same_as(&other));
    let callers = request(&pool, "a", 100);
    settle().await;
    pool.invalidate("a", &first);
    vendor.hold(false);
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "a.2");
    }
    pool.invalidate("a", &first);
    assert_eq!(pool.peek("a").unwrap().expose_secret(), "a.2");
    assert_eq!((vendor.count("a"), pool.len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn waiting_caller_never_gets_an_invalidated_token() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.hold(true);
    let callers = [(); 3].map(|()| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let token = pool.token("a").await.unwrap();
            pool.invalidate("a", &token);
            token.expose_secret().to_owned()
        })
    });
    settle().await;
    vendor.hold(false);
    let mut tokens = Vec::new();
    for caller in callers {
        tokens.push(caller.await.unwrap());
    }
    tokens.sort();
    // A rejected token is replaced once in 5 s.
    assert_eq!(tokens, ["a.1", "a.2", "a.2"]);
}

#[tokio::test(start_paused = true)]
async fn token_invalidated_during_refresh_is_not_returned() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    let first = pool.token("a").await.unwrap();
    vendor.hold(true);
    pass(&clock, Duration::from_secs(3100)).await;
    assert_eq!(vendor.in_flight(), 1);
    pool.invalidate("a", &first);
    assert!(pool.peek("a").is_none());
    let callers = request(&pool, "a", 10);
    settle().await;
    vendor.hold(false);
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "a.2");
    }
    assert_eq!((vendor.count("a"), vendor.overlapped()), (2, false));
}

#[tokio::test(start_paused = true)]
async fn provider_panic_is_an_error_of_its_key() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.respond("a", Behaviour::Panic);
    for caller in request(&pool, "a", 10) {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "example/a: the provider panicked");
    }
    assert_eq!(pool.token("b").await.unwrap().expose_secret(), "b.1");
    vendor.respond("a", Behaviour::Token);
    pass(&clock, HOUR / 60).await;
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.2");
}

#[tokio::test(start_paused = true)]
async fn failing_source_function_is_an_error() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = TokenPool::builder(|key: &str| match key {
        "unknown" => Err(Error::config("there is no such key")),
        "broken" => {
            assert_eq!(key, "whole", "broken");
            Err(Error::internal("not reached"))
        }
        _ => {
            let credential = gatepass_core::Credential::client(key, "the secret");
            Ok(TokenSource::builder(Example::new(), credential))
        }
    })
    .http(vendor.clone())
    .clock(clock.clone())
    .build();
    assert_eq!(
        pool.token("unknown").await.unwrap_err().to_string(),
        "unknown: there is no such key"
    );
    let error = pool.token("broken").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(pool.token("well").await.unwrap().expose_secret(), "well.1");
    let headers = pool.headers("well").await.unwrap();
    assert_eq!(headers["authorization"], "Bearer well.1");
}

#[test]
fn missing_runtime_is_an_error() {
    let clock = TestClock::new();
    let pool = pool(&Vendor::new(3600, &clock), &clock);
    let error = gatepass_testkit::block_on(pool.token("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn flight_and_timer_restart_in_another_runtime() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    let first = runtime();
    let _waiting = first.block_on(async {
        pool.token("held").await.unwrap();
        vendor.hold(true);
        let waiting = request(&pool, "a", 1);
        settle().await;
        waiting
    });
    runtime().block_on(async {
        let waiter = request(&pool, "a", 1).remove(0);
        settle().await;
        assert_eq!(vendor.count("a"), 1);
        first.shutdown_background();
        vendor.hold(false);
        assert_eq!(waiter.await.unwrap().unwrap().expose_secret(), "a.2");
        pass(&clock, Duration::from_secs(3100)).await;
        pool.token("held").await.unwrap();
        settle().await;
        assert_eq!(pool.token("held").await.unwrap().expose_secret(), "held.2");
    });
}

#[test]
fn refresh_restarts_in_another_runtime() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    let runtime = || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        { runtime }.enable_time().start_paused(true).build().unwrap()
    };
    let first = runtime();
    first.block_on(async {
        pool.token("a").await.unwrap();
        vendor.hold(true);
        pass(&clock, Duration::from_secs(3100)).await;
        assert_eq!((pool.status().exchanging, vendor.count("a")), (1, 2));
    });
    drop(first);
    vendor.hold(false);
    clock.advance(Duration::from_secs(1));
    runtime().block_on(async {
        assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.1");
        settle().await;
        assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.3");
    });
}
