//! Tests that a kept failure ends when its cause does, in one process and across processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use gatepass_core::{
    Credential, Endpoint, Error, ErrorKind, HttpSend, RefreshHints, Request, Response, Result,
    Retry, async_trait, credential_fn,
};
use gatepass_engine::{MemoryStore, TokenSource, TokenSourceBuilder};
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};

use super::refresh::Hinted;
use super::{builder, builder_with, settle, text};

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn denied() -> FakeResponse {
    FakeResponse::json(401, "{\"error\":\"invalid_client\"}")
}

fn down() -> FakeResponse {
    FakeResponse::json(503, "")
}

fn ok(text: &str) -> FakeResponse {
    FakeResponse::token(text, 600)
}

fn store(clock: &TestClock) -> MemoryStore {
    MemoryStore::new().with_clock(clock.clone())
}

/// Returns a source as another process would have it.
fn process(http: &FakeHttp, clock: &TestClock, store: &MemoryStore) -> TokenSource {
    builder(http, clock).store(store.clone()).build().unwrap()
}

/// A client whose proxy or CA the test changes.
#[derive(Clone, Debug)]
struct Routed(FakeHttp, Arc<AtomicU8>);

#[async_trait]
impl HttpSend for Routed {
    async fn send(&self, request: Request) -> Result<Response> {
        self.0.send(request).await
    }

    fn route(&self, _: &Endpoint) -> [u8; 32] {
        [self.1.load(Ordering::SeqCst); 32]
    }
}

/// Asks the source every second, and returns after how many seconds it has a token.
async fn wait_for_token(source: &TokenSource, clock: &TestClock, limit: u64) -> Option<u64> {
    for second in 0..limit {
        if source.token().await.is_ok() {
            return Some(second);
        }
        clock.advance(seconds(1));
    }
    None
}

#[tokio::test(start_paused = true)]
async fn credential_that_worked_is_sent_again_within_a_minute() {
    for has_store in [false, true] {
        let clock = TestClock::new();
        let http = FakeHttp::returning([FakeResponse::token("one", 60), denied(), ok("two")]);
        let source = match has_store {
            true => process(&http, &clock, &store(&clock)),
            false => builder(&http, &clock).build().unwrap(),
        };
        source.token().await.unwrap();
        clock.advance(seconds(60));
        assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Denied);
        let after = wait_for_token(&source, &clock, 120).await.unwrap();
        assert!((30..=60).contains(&after), "{after}");
        assert_eq!(http.count(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn separate_processes_know_that_the_credential_worked() {
    let clock = TestClock::new();
    let store = store(&clock);
    let http = FakeHttp::returning([FakeResponse::token("one", 60), denied(), ok("two")]);
    process(&http, &clock, &store).token().await.unwrap();
    clock.advance(seconds(6 * 24 * 3600));
    let mut after = None;
    for second in 0..120 {
        match process(&http, &clock, &store).token().await {
            Ok(_) => {
                after = Some(second);
                break;
            }
            Err(error) => assert_eq!(error.age().is_some(), second > 0, "{error}"),
        }
        clock.advance(seconds(1));
    }
    assert!((30..=60).contains(&after.unwrap()), "{after:?}");
    assert_eq!(http.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn rejections_become_rarer_up_to_an_hour_across_processes() {
    let clock = TestClock::new();
    let store = store(&clock);
    let http = FakeHttp::new(|n| if n == 0 { FakeResponse::token("one", 60) } else { denied() });
    process(&http, &clock, &store).token().await.unwrap();
    clock.advance(seconds(60));
    let (mut pauses, mut last, mut count) = (Vec::new(), 0, 1);
    for second in (0..6 * 3600).step_by(10) {
        process(&http, &clock, &store).token().await.unwrap_err();
        if http.count() > count {
            pauses.push(second - last);
            (last, count) = (second, http.count());
        }
        clock.advance(seconds(10));
    }
    let pauses: Vec<u64> = pauses.into_iter().skip(1).collect();
    assert!((30..=70).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.len() > 5 && pauses.iter().all(|pause| *pause <= 3610), "{pauses:?}");
    assert!(*pauses.last().unwrap() >= 3600, "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn unproven_credential_is_sent_again_after_an_hour() {
    let clock = TestClock::new();
    let store = store(&clock);
    let http = FakeHttp::new(|_| denied());
    for _ in 0..359 {
        process(&http, &clock, &store).token().await.unwrap_err();
        clock.advance(seconds(10));
    }
    assert_eq!(http.count(), 1);
    clock.advance(seconds(11));
    process(&http, &clock, &store).token().await.unwrap_err();
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn rotated_secret_works_at_once_in_both_directions() {
    let clock = TestClock::new();
    let store = store(&clock);
    let http = FakeHttp::returning([FakeResponse::token("one", 60), denied(), ok("two")]);
    let with = |secret: &str| {
        builder_with(&http, &clock, Credential::client("client", secret))
            .store(store.clone())
            .build()
            .unwrap()
    };
    assert_eq!(text(with("right").token().await).unwrap(), "one");
    clock.advance(seconds(61));
    with("wrong").token().await.unwrap_err();
    assert_eq!(text(with("right").token().await).unwrap(), "two");
    with("wrong").token().await.unwrap_err();
    assert_eq!(http.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn changed_circumstances_end_every_failure() {
    let untrusted = || FakeResponse::fails(Error::unavailable("CA").with_retry(Retry::Never));
    let proxy = || FakeResponse::fails(Error::config("the proxy requires a password (407)"));
    for failure in [untrusted(), proxy(), denied(), FakeResponse::json(404, ""), down()] {
        for has_store in [false, true] {
            let clock = TestClock::new();
            let (store, route) = (store(&clock), Arc::new(AtomicU8::new(0)));
            let http = FakeHttp::returning([failure.clone(), ok("two")]);
            let make = || {
                let builder = TokenSource::builder(Example::new(), Credential::client("c", "s"))
                    .http(Routed(http.clone(), route.clone()))
                    .clock(clock.clone())
                    .name("prod");
                let builder = if has_store { builder.store(store.clone()) } else { builder };
                builder.build().unwrap()
            };
            let source = make();
            source.token().await.unwrap_err();
            assert!(source.token().await.unwrap_err().age().is_some());
            route.store(1, Ordering::SeqCst);
            if has_store {
                // A later command.
                assert_eq!(text(make().token().await).unwrap(), "two");
            }
            // The process itself looks at least every half a minute, and at a vendor's error for the
            // configuration after its cool-down.
            assert!(wait_for_token(&source, &clock, 301).await.is_some());
            assert_eq!(http.count(), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn changed_settings_end_a_stored_failure() {
    let clock = TestClock::new();
    let store = store(&clock);
    let http = FakeHttp::returning([FakeResponse::json(404, ""), ok("two")]);
    let with = |change: fn(TokenSourceBuilder) -> TokenSourceBuilder| {
        change(builder(&http, &clock).store(store.clone())).build().unwrap()
    };
    with(|builder| builder).token().await.unwrap_err();
    let repeated = with(|builder| builder);
    assert!(repeated.token().await.unwrap_err().age().is_some());
    assert!(repeated.stored().await.unwrap().is_some());
    let changed = with(|builder| builder.settings_digest([1; 32]));
    assert!(changed.stored().await.unwrap().is_none());
    assert_eq!(text(changed.token().await).unwrap(), "two");
}

#[tokio::test(start_paused = true)]
async fn source_in_cooldown_finds_the_token_of_another_process() {
    let throttled = FakeResponse::json(429, "{\"error\":\"rate_limit\"}");
    for failure in [denied(), down(), throttled] {
        let clock = TestClock::new();
        let store = store(&clock);
        let http = FakeHttp::new(move |_| failure.clone());
        let source = process(&http, &clock, &store);
        source.token().await.unwrap_err();
        // Another process with --fresh.
        let other = FakeHttp::returning([ok("of-another-process")]);
        process(&other, &clock, &store).refresh_now().await.unwrap();
        let after = wait_for_token(&source, &clock, 31).await;
        assert!(after.is_some_and(|after| after <= 30), "{after:?}");
        assert_eq!(source.peek().unwrap().expose_secret(), "of-another-process");
        assert_eq!(other.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn locking_vendor_gets_a_credential_after_a_change() {
    let clock = TestClock::new();
    let (store, route) = (store(&clock), Arc::new(AtomicU8::new(0)));
    let secret = Arc::new(AtomicU8::new(0));
    let http = FakeHttp::new(|n| if n == 1 || n > 2 { denied() } else { ok("token") });
    let make = || {
        let secret = secret.clone();
        let credential = credential_fn(move || {
            let secret = format!("secret-{}", secret.load(Ordering::SeqCst));
            async move { Ok(Credential::client("client", secret)) }
        });
        let hinted = Hinted(Example::new(), RefreshHints::new().locks_account());
        TokenSource::builder(hinted, credential)
            .http(Routed(http.clone(), route.clone()))
            .clock(clock.clone())
            .name("prod")
            .store(store.clone())
            .build()
            .unwrap()
    };
    let running = make();
    running.token().await.unwrap();
    clock.advance(seconds(601));
    running.token().await.unwrap_err();
    for _ in 0..40 {
        clock.advance(seconds(2 * 3600));
        route.fetch_add(1, Ordering::SeqCst);
        for source in [&running, &make()] {
            assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Denied);
        }
    }
    assert_eq!(http.count(), 2);
    secret.store(1, Ordering::SeqCst);
    make().token().await.unwrap();
    clock.advance(seconds(601));
    running.token().await.unwrap_err();
    assert_eq!(http.count(), 4);
    running.refresh_now().await.unwrap_err();
    assert_eq!(http.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn set_clock_does_not_prolong_a_failure() {
    for jump in [-7200, 7200] {
        let clock = TestClock::new();
        let store = store(&clock);
        let http = FakeHttp::returning([denied(), ok("two")]);
        process(&http, &clock, &store).token().await.unwrap_err();
        clock.jump_wall(jump);
        assert_eq!(text(process(&http, &clock, &store).token().await).unwrap(), "two", "{jump}");
    }
}

#[tokio::test(start_paused = true)]
async fn unused_source_recovers_by_itself() {
    let clock = TestClock::new();
    let http = FakeHttp::returning([FakeResponse::token("one", 60), denied(), ok("two")]);
    let source = builder(&http, &clock).keep_warm(true).build().unwrap();
    source.token().await.unwrap();
    for _ in 0..150 {
        clock.advance(seconds(1));
        tokio::time::advance(seconds(1)).await;
        settle().await;
    }
    assert_eq!(source.peek().unwrap().expose_secret(), "two");
    assert_eq!(http.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn rejection_names_the_way_out() {
    let clock = TestClock::new();
    let http = FakeHttp::new(|_| denied());
    for error in [
        process(&http, &clock, &store(&clock)).token().await.unwrap_err(),
        builder(&http, &clock).build().unwrap().token().await.unwrap_err(),
    ] {
        let command = ["gatepass", "token", "prod", "--fresh"];
        let has_command = |hint: &gatepass_core::Hint| hint.arguments() == Some(command.to_vec());
        assert!(error.hints().iter().any(has_command), "{error:?}");
    }
}
