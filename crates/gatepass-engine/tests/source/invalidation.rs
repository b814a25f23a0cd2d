//! Tests that an invalidation removes exactly one token, permanently.

use std::time::Duration;

use gatepass_core::{ApiResponse, TokenVerdict};
use gatepass_engine::{MemoryStore, State};
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use http::{HeaderMap, StatusCode};

use crate::{builder, poll, settle, source, text, vendor};

#[tokio::test(start_paused = true)]
async fn a_hundred_reports_make_one_request() {
    let http = vendor(3600);
    let source = source(&http, &TestClock::new());
    let rejected = source.token().await.unwrap();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (source, rejected) = (source.clone(), rejected.clone());
            tokio::spawn(async move {
                source.invalidate(&rejected);
                source.token().await
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(text(caller.await.unwrap()).unwrap(), "token-1");
    }
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn report_of_an_older_token_does_nothing() {
    let same = || FakeResponse::token("the-same", 3600);
    let http = FakeHttp::returning([same(), same()]);
    let source = source(&http, &TestClock::new());
    let older = source.token().await.unwrap();
    let newer = source.refresh_now().await.unwrap();
    source.invalidate(&older);
    assert!(source.peek().unwrap().is_same_as(&newer));
    source.invalidate(&newer);
    assert!(source.peek().is_none());
    assert_eq!(source.status().state, State::Empty);
}

#[tokio::test(start_paused = true)]
async fn provider_decides_whether_a_response_rejects() {
    let http = vendor(3600);
    let source = source(&http, &TestClock::new());
    let token = source.token().await.unwrap();
    let headers = HeaderMap::new();
    let forbidden = ApiResponse::new(StatusCode::FORBIDDEN, &headers);
    assert_eq!(source.report_response(&token, &forbidden), TokenVerdict::NotRejected);
    assert!(source.peek().is_some());
    let unauthorized = ApiResponse::new(StatusCode::UNAUTHORIZED, &headers);
    assert_eq!(source.report_response(&token, &unauthorized), TokenVerdict::Rejected);
    assert!(source.peek().is_none());
}

#[tokio::test(start_paused = true)]
async fn token_invalidated_before_wakeup_is_not_returned() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let mut waiter = Box::pin(source.token());
    assert!(poll(&mut waiter).is_pending());
    http.wait_for_requests(1).await;
    http.release_all();
    settle().await;
    source.invalidate(&source.peek().unwrap());
    assert_eq!(text(waiter.await).unwrap(), "token-1");
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn earlier_request_does_not_bring_invalidated_token_back() {
    let texts = ["refused", "refused", "another"];
    let http = FakeHttp::new(move |n| FakeResponse::token(texts[n], 3600)).held();
    http.release(0);
    let source = source(&http, &TestClock::new());
    let rejected = source.token().await.unwrap();
    let mut fresh = Box::pin(source.refresh_now());
    assert!(poll(&mut fresh).is_pending());
    http.wait_for_requests(2).await;
    source.invalidate(&rejected);
    http.release_all();
    assert_eq!(text(source.token().await).unwrap(), "another");
    assert_eq!(text(fresh.await).unwrap(), "another");
    assert_eq!((http.count(), http.in_flight_max()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn earlier_request_may_bring_another_token() {
    let http = vendor(3600).held();
    http.release(0);
    let source = source(&http, &TestClock::new());
    let rejected = source.token().await.unwrap();
    let mut fresh = Box::pin(source.refresh_now());
    assert!(poll(&mut fresh).is_pending());
    http.wait_for_requests(2).await;
    source.invalidate(&rejected);
    http.release_all();
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn token_returned_again_after_invalidation_is_accepted() {
    let http = FakeHttp::new(|_| FakeResponse::token("the-same", 3600));
    let source = source(&http, &TestClock::new());
    let rejected = source.token().await.unwrap();
    source.invalidate(&rejected);
    let again = source.token().await.unwrap();
    assert!(!again.is_same_as(&rejected) && again.expose_secret() == "the-same");
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn rejected_token_is_replaced_once_in_five_seconds() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    // An API that rejects each token for being too young, and is called ten times a second.
    for _ in 0..200 {
        source.invalidate(&source.token().await.unwrap());
        clock.advance(Duration::from_millis(100));
    }
    // The first token, its replacement, and one more for each further 5 s of the 20 s.
    assert_eq!(http.count(), 5);
    assert!(source.peek().is_some());
}

#[tokio::test(start_paused = true)]
async fn processes_with_one_store_replace_a_rejected_token_once() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = MemoryStore::new().with_clock(clock.clone());
    // Each source is a process of its own, which calls the API once and once more after a 401.
    for _ in 0..40 {
        let source = builder(&http, &clock).store(store.clone()).build().unwrap();
        for _ in 0..2 {
            source.invalidate(&source.token().await.unwrap());
        }
        clock.advance(Duration::from_millis(500));
    }
    // 20 s: the first token, its replacement, and at most one more for each further 5 s.
    assert!((3..=5).contains(&http.count()), "{}", http.count());
}
