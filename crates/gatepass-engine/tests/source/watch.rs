//! Tests of `watch` and `keep_warm`, and that both end with the source.

use std::time::Duration;

use gatepass_core::ErrorKind;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};

use super::{builder, poll, settle, source, vendor};

#[tokio::test(start_paused = true)]
async fn watch_returns_each_token_once() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    let mut watch = source.watch();
    assert_eq!(watch.next().await.unwrap().expose_secret(), "token-0");
    {
        let mut next = Box::pin(watch.next());
        assert!(poll(&mut next).is_pending());
    }
    source.invalidate(&source.peek().unwrap());
    assert_eq!(watch.next().await.unwrap().expose_secret(), "token-1");
    clock.advance(Duration::from_secs(3300));
    assert_eq!(watch.next().await.unwrap().expose_secret(), "token-2");
    assert_eq!(http.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn watch_waits_for_the_cooldown_after_a_failure() {
    let clock = TestClock::new();
    let later = clock.clone();
    let http = FakeHttp::new(move |n| match n {
        0 => FakeResponse::json(503, ""),
        _ => {
            later.advance(Duration::ZERO);
            FakeResponse::token("token", 60)
        }
    });
    let source = source(&http, &clock);
    let mut watch = source.watch();
    assert_eq!(watch.next().await.unwrap_err().kind(), ErrorKind::Unavailable);
    clock.advance(source.cooldown_remaining().unwrap());
    assert_eq!(watch.next().await.unwrap().expose_secret(), "token");
}

#[tokio::test(start_paused = true)]
async fn keep_warm_refreshes_an_unused_token() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = builder(&http, &clock).keep_warm(true).build().unwrap();
    assert_eq!(http.count(), 0, "building it sends no request");
    source.prefetch().await.unwrap();
    clock.advance(Duration::from_secs(3300));
    tokio::time::sleep(Duration::from_secs(31)).await;
    settle().await;
    assert_eq!(http.count(), 2);
    clock.advance(Duration::from_secs(4000));
    tokio::time::sleep(Duration::from_secs(31)).await;
    settle().await;
    assert_eq!(http.count(), 3, "an expired token is replaced too");
    drop(source);
    clock.advance(Duration::from_secs(4000));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(http.count(), 3, "the task ends with the source");
}

#[tokio::test(start_paused = true)]
async fn closing_ends_watches() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    let mut watch = source.watch();
    watch.next().await.unwrap();
    source.close().await;
    assert_eq!(watch.next().await.unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn keep_warm_continues_in_another_runtime() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = builder(&http, &clock).keep_warm(true).build().unwrap();
    for runs in 1..3 {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            source.prefetch().await.unwrap();
            clock.advance(Duration::from_secs(3300));
            tokio::time::sleep(Duration::from_secs(31)).await;
            settle().await;
        });
        assert_eq!(http.count(), 2 * runs);
        clock.advance(Duration::from_secs(4000));
    }
}
