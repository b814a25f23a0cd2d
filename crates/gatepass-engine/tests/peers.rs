//! What other engines promise and test, asked of ours on real threads: MSAL's five scenarios of a
//! token that is to be refreshed, and the contention test of AWS's identity cache, which for us
//! counts loads as well.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::{Clock, Credential, ErrorKind, Result, Token};
use gatepass_engine::TokenSource;
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use tokio::task::JoinSet;

const LIFE: Duration = Duration::from_secs(3600);
/// Within these a token of an hour is aging, and then has ended.
const AGING: Duration = Duration::from_secs(3300);
const ENDED: Duration = Duration::from_secs(3601);

fn source(http: &FakeHttp, clock: &TestClock) -> TokenSource {
    TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
        .http(http.clone())
        .clock(clock.clone())
        .build()
        .unwrap()
}

/// Sixteen callers at once.
async fn ask(source: &TokenSource) -> Vec<Result<Token>> {
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        let source = source.clone();
        callers.spawn(async move { source.token().await });
    }
    callers.join_all().await
}

fn all_have(outcomes: &[Result<Token>], text: &str) -> bool {
    outcomes.iter().all(|outcome| matches!(outcome, Ok(token) if token.expose_secret() == text))
}

/// A source with `token-0`, whose vendor is asked again and answers `next`.
async fn holding(next: FakeResponse) -> (TokenSource, FakeHttp, TestClock) {
    let clock = TestClock::new();
    let http = FakeHttp::answering([FakeResponse::token("token-0", LIFE.as_secs()), next]);
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    (source, http, clock)
}

fn new() -> FakeResponse {
    FakeResponse::token("token-1", LIFE.as_secs())
}

fn down() -> FakeResponse {
    FakeResponse::json(503, "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_1_a_fresh_token_comes_from_the_cache() {
    let (source, http, _) = holding(down()).await;
    assert!(all_have(&ask(&source).await, "token-0"));
    assert_eq!(http.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_2_an_aging_token_and_a_vendor_that_is_up_give_the_new_token() {
    let (source, http, clock) = holding(new()).await;
    let mut watch = source.watch();
    watch.next().await.unwrap();
    clock.advance(AGING);
    // Nobody waits for it: whoever comes before it has the old one.
    assert!(ask(&source).await.iter().all(Result::is_ok));
    assert_eq!(watch.next().await.unwrap().expose_secret(), "token-1");
    assert!(all_have(&ask(&source).await, "token-1"));
    assert_eq!((http.count(), http.in_flight_max()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_3_an_aging_token_and_a_vendor_that_is_down_give_the_old_token() {
    let (source, http, clock) = holding(down()).await;
    clock.advance(AGING);
    assert!(all_have(&ask(&source).await, "token-0"));
    http.arrived(2).await;
    while source.status().is_exchanging {
        tokio::task::yield_now().await;
    }
    assert_eq!(source.status().last_error.unwrap().kind(), ErrorKind::Unavailable);
    assert!(all_have(&ask(&source).await, "token-0"));
    assert_eq!(http.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_4_an_expired_token_and_a_vendor_that_is_down_give_an_error() {
    let (source, http, clock) = holding(down()).await;
    clock.advance(ENDED);
    let outcomes = ask(&source).await;
    let is_down = |outcome: &Result<Token>| matches!(outcome, Err(error) if error.kind() == ErrorKind::Unavailable);
    assert!(outcomes.iter().all(is_down));
    assert_eq!(http.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_5_an_expired_token_and_a_vendor_that_is_up_give_the_new_token() {
    let (source, http, clock) = holding(new()).await;
    clock.advance(ENDED);
    assert!(all_have(&ask(&source).await, "token-1"));
    assert_eq!((http.count(), http.in_flight_max()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn aws_two_hundred_tasks_on_sixteen_threads_load_each_token_once() {
    let clock = TestClock::new();
    let http = FakeHttp::new(|n| FakeResponse::token(&format!("token-{n}"), LIFE.as_secs()));
    let source = source(&http, &clock);
    for round in 0..20 {
        let mut tasks = JoinSet::new();
        for _ in 0..200 {
            let (source, clock) = (source.clone(), clock.clone());
            tasks.spawn(async move {
                let token = source.token().await.unwrap();
                assert!(token.expires_at() >= clock.wall(), "it has ended");
                token.expose_secret().to_owned()
            });
        }
        let expected = format!("token-{round}");
        assert!(tasks.join_all().await.iter().all(|text| *text == expected));
        assert_eq!((http.count(), http.in_flight_max()), (round + 1, 1));
        clock.advance(ENDED);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn aws_while_time_passes_nobody_has_a_token_that_had_ended_when_it_was_asked_for() {
    const SECONDS: u64 = 10 * 60;
    let clock = TestClock::new();
    let http = FakeHttp::new(|n| FakeResponse::token(&format!("token-{n}"), 60));
    let source = source(&http, &clock);
    let (end, asks) = (clock.boot() + Duration::from_secs(SECONDS), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let (source, clock, asks) = (source.clone(), clock.clone(), asks.clone());
        tasks.spawn(async move {
            while clock.boot() < end {
                let asked = clock.wall();
                let token = source.token().await.unwrap();
                assert!(token.expires_at() > asked, "it had ended");
                asks.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
    }
    // The clock goes on once somebody has been served, whoever else still waits for a turn.
    while clock.boot() < end {
        let before = asks.load(Ordering::SeqCst);
        while asks.load(Ordering::SeqCst) < before + 20 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(500));
    }
    tasks.join_all().await;
    assert_eq!(http.in_flight_max(), 1);
    // Ten lives, and two requests in each at most.
    assert!((10..=21).contains(&http.count()), "{} loads in ten lives", http.count());
}
