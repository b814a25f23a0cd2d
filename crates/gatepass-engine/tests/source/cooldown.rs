//! Tests of the cool-down: all callers get the failure, and no request is sent too early (I6, I9).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::{Credential, Endpoint, ErrorKind, RefreshHints, Settings, credential_fn};
use gatepass_engine::TokenSource;
use gatepass_testkit::example::{self, Example};
use gatepass_testkit::{FakeHttp, FakeResponse, Fixture, TestClock};

use super::refresh::Hinted;
use super::{builder, builder_with, source, text, vendor};

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn down() -> FakeResponse {
    FakeResponse::json(503, "")
}

fn denied() -> FakeResponse {
    FakeResponse::json(401, "{\"error\":\"invalid_client\"}")
}

#[tokio::test(start_paused = true)]
async fn failure_is_returned_during_its_cooldown() {
    let (http, clock) = (FakeHttp::new(|_| down()), TestClock::new());
    let source = source(&http, &clock);
    for _ in 0..1000 {
        assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(http.count(), 1);
    clock.advance(source.cooldown_remaining().unwrap());
    source.token().await.unwrap_err();
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_to_a_failing_vendor_become_rarer() {
    let (http, clock) = (FakeHttp::new(|_| down()), TestClock::new());
    let source = builder(&http, &clock).seed(7).build().unwrap();
    for _ in 0..60_000 {
        let _ = source.token().await;
        clock.advance(Duration::from_millis(10));
    }
    // Ten minutes: about 8 while the back-off doubles, then one every 15 s on average.
    assert!((25..80).contains(&http.count()), "{}", http.count());
}

#[tokio::test(start_paused = true)]
async fn success_resets_the_backoff() {
    let clock = TestClock::new();
    let http = FakeHttp::new(|n| if n == 5 { FakeResponse::token("token", 60) } else { down() });
    let source = source(&http, &clock);
    while source.token().await.is_err() {
        clock.advance(source.cooldown_remaining().unwrap());
    }
    clock.advance(seconds(61));
    source.token().await.unwrap_err();
    assert!(source.cooldown_remaining().unwrap() <= Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_respected() {
    let throttled = Fixture::json(429, "").with_header("retry-after", "7");
    let clock = TestClock::new();
    let http =
        FakeHttp::returning([FakeResponse::from(throttled), FakeResponse::token("token", 60)]);
    let source = source(&http, &clock);
    for remaining in (1..=7).rev() {
        let error = source.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Throttled);
        assert!(error.retry_after().unwrap() >= seconds(remaining), "{remaining}");
        clock.advance(seconds(1));
    }
    assert_eq!(http.count(), 1);
    clock.advance(seconds(1));
    assert_eq!(text(source.token().await).unwrap(), "token");
}

#[tokio::test(start_paused = true)]
async fn denied_credential_is_not_sent_until_it_changes() {
    let clock = TestClock::new();
    let http = FakeHttp::new(|n| if n == 0 { denied() } else { FakeResponse::token("token", 60) });
    let (version, reads) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, read) = (version.clone(), reads.clone());
    let source = builder_with(
        &http,
        &clock,
        credential_fn(move || {
            read.fetch_add(1, Ordering::SeqCst);
            let secret = format!("secret-{}", now.load(Ordering::SeqCst));
            async move { Ok(Credential::client("client", secret)) }
        }),
    )
    .build()
    .unwrap();
    // An hour with a caller every second: one request, and the credential is read occasionally.
    for _ in 0..3600 {
        assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Denied);
        clock.advance(seconds(1));
    }
    assert_eq!(http.count(), 1);
    let reads_so_far = reads.load(Ordering::SeqCst);
    assert!((60..300).contains(&reads_so_far), "{reads_so_far}");
    version.store(1, Ordering::SeqCst);
    clock.advance(seconds(31));
    assert_eq!(text(source.token().await).unwrap(), "token");
}

#[tokio::test(start_paused = true)]
async fn refresh_now_sends_a_denied_credential_again() {
    let clock = TestClock::new();
    let http = FakeHttp::returning([denied(), denied(), FakeResponse::token("token", 60)]);
    let source = source(&http, &clock);
    source.token().await.unwrap_err();
    source.token().await.unwrap_err();
    source.refresh_now().await.unwrap_err();
    assert_eq!(http.count(), 2);
    assert_eq!(text(source.refresh_now().await).unwrap(), "token");
    assert_eq!(text(source.token().await).unwrap(), "token");
}

#[tokio::test(start_paused = true)]
async fn unreadable_credential_is_soon_read_again() {
    let clock = TestClock::new();
    let http = FakeHttp::returning([FakeResponse::token("token", 60)]);
    let reads = AtomicUsize::new(0);
    let source = builder_with(
        &http,
        &clock,
        credential_fn(move || {
            let n = reads.fetch_add(1, Ordering::SeqCst);
            async move {
                match n {
                    0 => Err(gatepass_core::Error::config("the variable X is not set")),
                    _ => Ok(Credential::client("client", "secret")),
                }
            }
        }),
    )
    .build()
    .unwrap();
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Config);
    clock.advance(seconds(2));
    assert_eq!(text(source.token().await).unwrap(), "token");
}

#[tokio::test(start_paused = true)]
async fn sources_of_one_endpoint_share_its_rate_limit() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = || {
        let hints = RefreshHints::new().requests_per_minute(2);
        TokenSource::builder(
            Hinted(Example::new(), hints),
            Credential::client("client", "the secret"),
        )
        .http(http.clone())
        .clock(clock.clone())
        .build()
        .unwrap()
    };
    let sources = [source(), source(), source()];
    sources[0].token().await.unwrap();
    clock.advance(seconds(10));
    sources[1].token().await.unwrap();
    let error = sources[2].token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.retry_after(), Some(seconds(50)));
    assert_eq!(http.count(), 2);
    clock.advance(seconds(56));
    sources[2].token().await.unwrap();
    assert_eq!(http.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn request_with_changed_secret_counts_toward_the_limit() {
    let clock = TestClock::new();
    let http = FakeHttp::new(|_| denied());
    let reads = AtomicUsize::new(0);
    // An origin of its own, because a budget belongs to an origin.
    let base_url = Endpoint::parse("https://hasty.example.com").unwrap();
    let settings = Settings::new().with("client_id", "client").with_base_url(base_url);
    let provider = example::INFO.provider(&settings).unwrap();
    let hints = RefreshHints::new().requests_per_minute(1);
    let source = TokenSource::builder(
        Hinted(provider, hints),
        credential_fn(move || {
            let secret = format!("secret-{}", reads.fetch_add(1, Ordering::SeqCst));
            async move { Ok(Credential::client("client", secret)) }
        }),
    )
    .http(http.clone())
    .clock(clock.clone())
    .build()
    .unwrap();
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Throttled);
    assert_eq!(http.count(), 1);
}
