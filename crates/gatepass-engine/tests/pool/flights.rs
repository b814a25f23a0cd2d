//! One flight for each key, and keys that have nothing to do with each other.

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

use crate::vendor::{Does, Vendor};
use crate::{HOUR, ask, builder, pass, pool, settle};

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_of_a_key_make_one_request() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.hold(true);
    let callers = ask(&pool, "a", 1000);
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
    vendor.does("stuck", Does::Nothing);
    let stuck = ask(&pool, "stuck", 100);
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
async fn callers_who_leave_cost_nobody() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.hold(true);
    let mut callers = ask(&pool, "a", 10);
    let alone = ask(&pool, "b", 3);
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
async fn nobody_waits_while_a_usable_token_is_held() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    pool.token("a").await.unwrap();
    let is_ready = || match poll(pool.token("a")) {
        Poll::Ready(Ok(token)) => token.expose_secret() == "a.1",
        _ => false,
    };
    assert!(is_ready());
    vendor.does("a", Does::Nothing);
    pass(&clock, Duration::from_secs(3100)).await;
    assert_eq!((vendor.count("a"), vendor.in_flight()), (2, 1), "a refresh is under way");
    assert!(is_ready());
    vendor.does("a", Does::Fail);
    for _ in 0..40 {
        pass(&clock, Duration::from_secs(10)).await;
        assert!(is_ready(), "after failures");
    }
    let requests = vendor.count("a");
    assert!((3..10).contains(&requests), "{requests}");
}

#[tokio::test(start_paused = true)]
async fn somebody_who_needs_a_long_life_makes_one_exchange_at_most() {
    let clock = TestClock::new();
    let vendor = Vendor::new(60, &clock);
    let pool = pool(&vendor, &clock);
    assert_eq!(pool.token_for("a", HOUR).await.unwrap().expose_secret(), "a.1");
    assert_eq!(pool.token_for("a", HOUR).await.unwrap().expose_secret(), "a.2");
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.2");
    assert_eq!(vendor.count("a"), 2);
}

#[tokio::test(start_paused = true)]
async fn exactly_the_reported_token_is_forgotten() {
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
    let callers = ask(&pool, "a", 100);
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
async fn who_waited_does_not_get_what_another_who_waited_has_reported() {
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
    assert_eq!(tokens, ["a.1", "a.2", "a.3"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_invalidated_while_it_is_replaced_is_not_handed_out() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    let first = pool.token("a").await.unwrap();
    vendor.hold(true);
    pass(&clock, Duration::from_secs(3100)).await;
    assert_eq!(vendor.in_flight(), 1);
    pool.invalidate("a", &first);
    assert!(pool.peek("a").is_none());
    let callers = ask(&pool, "a", 10);
    settle().await;
    vendor.hold(false);
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "a.2");
    }
    assert_eq!((vendor.count("a"), vendor.two_of_one()), (2, false));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_is_an_error_of_its_key() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = pool(&vendor, &clock);
    vendor.does("a", Does::Panic);
    for caller in ask(&pool, "a", 10) {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "example/a: the provider panicked");
    }
    assert_eq!(pool.token("b").await.unwrap().expose_secret(), "b.1");
    vendor.does("a", Does::Token);
    pass(&clock, HOUR / 60).await;
    assert_eq!(pool.token("a").await.unwrap().expose_secret(), "a.2");
}

#[tokio::test(start_paused = true)]
async fn a_function_of_identities_that_fails_or_panics_is_an_error() {
    let clock = TestClock::new();
    let vendor = Vendor::new(3600, &clock);
    let pool = TokenPool::builder(|key: &str| match key {
        "unknown" => Err(Error::config("nobody is called so")),
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
        "unknown: nobody is called so"
    );
    let error = pool.token("broken").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(pool.token("well").await.unwrap().expose_secret(), "well.1");
    let headers = pool.headers("well").await.unwrap();
    assert_eq!(headers["authorization"], "Bearer well.1");
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let clock = TestClock::new();
    let pool = pool(&Vendor::new(3600, &clock), &clock);
    let error = gatepass_testkit::block_on(pool.token("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn a_flight_and_a_timer_lost_with_their_runtime_are_started_again() {
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
        let waiting = ask(&pool, "a", 1);
        settle().await;
        waiting
    });
    runtime().block_on(async {
        let waiter = ask(&pool, "a", 1).remove(0);
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
fn a_refresh_that_ends_with_its_runtime_is_begun_again_in_another() {
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
