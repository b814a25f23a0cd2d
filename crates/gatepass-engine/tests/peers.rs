//! Test scenarios of other engines on real threads: MSAL's five refresh scenarios and the
//! contention test of AWS's identity cache, which here also counts requests.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::{Clock, Credential, ErrorKind, Result, Token};
use gatepass_engine::TokenSource;
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use tokio::task::JoinSet;

const LIFETIME: Duration = Duration::from_secs(3600);
/// After these times a token of an hour is aging and expired.
const AGING: Duration = Duration::from_secs(3300);
const EXPIRED: Duration = Duration::from_secs(3601);

fn source(http: &FakeHttp, clock: &TestClock) -> TokenSource {
    TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
        .http(http.clone())
        .clock(clock.clone())
        .build()
        .unwrap()
}

/// Acquires the token with sixteen concurrent callers.
async fn spawn_callers(source: &TokenSource) -> Vec<Result<Token>> {
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

/// Returns a source that has cached `token-0` and whose vendor responds with `next`.
async fn with_token_0(next: FakeResponse) -> (TokenSource, FakeHttp, TestClock) {
    let clock = TestClock::new();
    let http = FakeHttp::returning([FakeResponse::token("token-0", LIFETIME.as_secs()), next]);
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    (source, http, clock)
}

fn new() -> FakeResponse {
    FakeResponse::token("token-1", LIFETIME.as_secs())
}

fn down() -> FakeResponse {
    FakeResponse::json(503, "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_1_fresh_token_comes_from_the_cache() {
    let (source, http, _) = with_token_0(down()).await;
    assert!(all_have(&spawn_callers(&source).await, "token-0"));
    assert_eq!(http.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_2_aging_token_is_refreshed() {
    let (source, http, clock) = with_token_0(new()).await;
    let mut watch = source.watch();
    watch.next().await.unwrap();
    clock.advance(AGING);
    // No caller waits for the refresh: those before its end get the old token.
    assert!(spawn_callers(&source).await.iter().all(Result::is_ok));
    assert_eq!(watch.next().await.unwrap().expose_secret(), "token-1");
    assert!(all_have(&spawn_callers(&source).await, "token-1"));
    assert_eq!((http.count(), http.in_flight_max()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_3_failed_refresh_returns_the_aging_token() {
    let (source, http, clock) = with_token_0(down()).await;
    clock.advance(AGING);
    assert!(all_have(&spawn_callers(&source).await, "token-0"));
    http.wait_for_requests(2).await;
    while source.status().is_exchanging {
        tokio::task::yield_now().await;
    }
    assert_eq!(source.status().last_error.unwrap().kind(), ErrorKind::Unavailable);
    assert!(all_have(&spawn_callers(&source).await, "token-0"));
    assert_eq!(http.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_4_failed_refresh_after_expiry_is_an_error() {
    let (source, http, clock) = with_token_0(down()).await;
    clock.advance(EXPIRED);
    let outcomes = spawn_callers(&source).await;
    let is_down = |outcome: &Result<Token>| matches!(outcome, Err(error) if error.kind() == ErrorKind::Unavailable);
    assert!(outcomes.iter().all(is_down));
    assert_eq!(http.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn msal_5_expired_token_is_replaced() {
    let (source, http, clock) = with_token_0(new()).await;
    clock.advance(EXPIRED);
    assert!(all_have(&spawn_callers(&source).await, "token-1"));
    assert_eq!((http.count(), http.in_flight_max()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn aws_two_hundred_tasks_load_each_token_once() {
    let clock = TestClock::new();
    let http = FakeHttp::new(|n| FakeResponse::token(&format!("token-{n}"), LIFETIME.as_secs()));
    let source = source(&http, &clock);
    for round in 0..20 {
        let mut tasks = JoinSet::new();
        for _ in 0..200 {
            let (source, clock) = (source.clone(), clock.clone());
            tasks.spawn(async move {
                let token = source.token().await.unwrap();
                assert!(token.expires_at() >= clock.wall(), "the token has expired");
                token.expose_secret().to_owned()
            });
        }
        let expected = format!("token-{round}");
        assert!(tasks.join_all().await.iter().all(|text| *text == expected));
        assert_eq!((http.count(), http.in_flight_max()), (round + 1, 1));
        clock.advance(EXPIRED);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn aws_no_task_gets_an_expired_token() {
    const SECONDS: u64 = 10 * 60;
    let clock = TestClock::new();
    let http = FakeHttp::new(|n| FakeResponse::token(&format!("token-{n}"), 60));
    let source = source(&http, &clock);
    let (end, results) =
        (clock.boot() + Duration::from_secs(SECONDS), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let (source, clock, results) = (source.clone(), clock.clone(), results.clone());
        tasks.spawn(async move {
            while clock.boot() < end {
                let acquired_at = clock.wall();
                let token = source.token().await.unwrap();
                assert!(token.expires_at() > acquired_at, "the token had expired");
                results.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
    }
    // The clock advances after twenty results, even if other tasks have not been polled.
    while clock.boot() < end {
        let before = results.load(Ordering::SeqCst);
        while results.load(Ordering::SeqCst) < before + 20 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(500));
    }
    tasks.join_all().await;
    assert_eq!(http.in_flight_max(), 1);
    // Ten lifetimes with at most two requests each.
    assert!((10..=21).contains(&http.count()), "{} loads in ten lifetimes", http.count());
}
