//! Tests with faulty providers, credentials and vendors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime};

use gatepass_core::{
    Credential, Error, ErrorKind, ExchangeContext, Provider, Request, Response, Result, Secret,
    Token, async_trait, credential_fn,
};
use gatepass_engine::TokenSource;
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use tokio::time::Instant;

use crate::{builder_with, source, text, vendor};

/// A provider whose exchange is a closure.
struct Hostile<F>(F);

impl<F> std::fmt::Debug for Hostile<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hostile")
    }
}

#[async_trait]
impl<F: Fn(SystemTime) -> Result<Token> + Send + Sync> Provider for Hostile<F> {
    fn id(&self) -> &str {
        "hostile"
    }

    fn token_request(&self, _: &Credential) -> Result<Request> {
        Err(Error::internal("not exchanges"))
    }

    fn read_token(&self, _: &Response, _: SystemTime) -> Result<Token> {
        Err(Error::internal("not exchanges"))
    }

    async fn exchange(&self, _: &Credential, cx: &ExchangeContext<'_>) -> Result<Token> {
        (self.0)(cx.clock().wall())
    }
}

fn hostile(act: impl Fn(SystemTime) -> Result<Token> + Send + Sync + 'static) -> TokenSource {
    TokenSource::builder(Hostile(act), Credential::client("client", "the secret"))
        .http(vendor(60))
        .name("prod")
        .timeout(Duration::from_millis(50))
        .build()
        .unwrap()
}

fn token(text: &str, now: SystemTime) -> Result<Token> {
    Token::builder(Secret::from(text), now).expires_in(Duration::from_secs(60).into()).build()
}

#[tokio::test(start_paused = true)]
async fn all_callers_get_the_error_of_a_panic() {
    let exchanges = AtomicUsize::new(0);
    let source = hostile(move |now| {
        let n = exchanges.fetch_add(1, Ordering::SeqCst);
        assert!(n > 0, "with the secret in the message");
        token("token-1", now)
    });
    let (one, other) = tokio::join!(source.token(), source.token());
    for outcome in [one, other] {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(error.to_string(), "hostile/prod: the provider panicked");
        assert!(!format!("{error:?}").contains("secret"));
    }
    assert_eq!(text(source.refresh_now().await).unwrap(), "token-1");
    assert_eq!(source.status().failures, 1);
}

#[tokio::test(start_paused = true)]
async fn request_without_response_times_out() {
    let http = FakeHttp::returning([FakeResponse::never(), FakeResponse::token("token-1", 60)]);
    let source = source(&http, &TestClock::new());
    let started = Instant::now();
    let error = source.token().await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 15);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.to_string(), "example/prod: no token in 15 s");
    assert_eq!(http.in_flight(), 0);
    assert_eq!(text(source.refresh_now().await).unwrap(), "token-1");
    assert_eq!(http.in_flight_max(), 1);
}

#[tokio::test(start_paused = true)]
async fn reading_the_credential_times_out() {
    let http = vendor(60);
    let source = builder_with(&http, &TestClock::new(), credential_fn(std::future::pending))
        .timeout(Duration::from_millis(1500))
        .build()
        .unwrap();
    let error = source.token().await.unwrap_err();
    assert_eq!(error.to_string(), "example/prod: no token in 1500 ms");
    assert_eq!(http.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_provider_does_not_block_callers_forever() {
    let (unblock, blocked) = mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let source = hostile(move |now| {
        let _ = blocked.lock().unwrap().recv();
        token("token-1", now)
    });
    let waiter = tokio::spawn({
        let source = source.clone();
        async move { source.token().await }
    });
    let other = crate::source(&vendor(60), &TestClock::new());
    assert_eq!(text(other.token().await).unwrap(), "token-0");
    let error = waiter.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "hostile/prod: no token in 50 ms");
    drop(unblock);
    assert_eq!(text(source.refresh_now().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn token_of_overridden_exchange_is_validated() {
    for (returned, expected) in [
        ("the-secret", "the response contains the credential instead of a token"),
        ("a%20token", "the token has characters that a bearer token must not have"),
    ] {
        let source = TokenSource::builder(
            Hostile(move |now| token(returned, now)),
            Credential::client("client", "the-secret"),
        )
        .http(vendor(60))
        .build()
        .unwrap();
        let error = source.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsafeToken);
        assert_eq!(error.to_string(), format!("hostile: {expected}"));
    }
    let source = hostile(|_| Err(Error::denied("no").with_vendor_text("sent: the secret")));
    let error = source.token().await.unwrap_err();
    assert_eq!(error.vendor_text(), Some("sent: [redacted]"));
}

#[test]
fn source_without_http_client_is_not_built() {
    let builder = TokenSource::builder(Example::new(), Credential::new()).name("prod");
    let error = builder.build().unwrap_err();
    assert_eq!((error.kind(), error.profile()), (ErrorKind::Config, Some("prod")));
    assert_eq!(error.message(), "the source has no HTTP client");
}

/// Returns a source that reads the next of `secrets` each time (the last one repeats), and its
/// vendor, which accepts only `good`.
fn rotating(secrets: &'static [&'static str]) -> (TokenSource, FakeHttp, Arc<AtomicUsize>) {
    let denied = || FakeResponse::json(401, "{\"error\":\"invalid_client\"}");
    let reads = Arc::new(AtomicUsize::new(0));
    let http = FakeHttp::new({
        let reads = reads.clone();
        move |_| {
            let read = reads.load(Ordering::SeqCst).clamp(1, secrets.len());
            if secrets[read - 1] == "good" { FakeResponse::token("token-1", 60) } else { denied() }
        }
    });
    let credential = credential_fn({
        let reads = reads.clone();
        move || {
            let read = reads.fetch_add(1, Ordering::SeqCst).min(secrets.len() - 1);
            async move { Ok(Credential::client("client", secrets[read])) }
        }
    });
    let source = builder_with(&http, &TestClock::new(), credential).build().unwrap();
    (source, http, reads)
}

#[tokio::test(start_paused = true)]
async fn changed_secret_is_sent_after_a_denial() {
    let (source, http, reads) = rotating(&["old", "good"]);
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    assert_eq!((http.count(), reads.load(Ordering::SeqCst)), (2, 2));
    assert_eq!(http.requests()[1].text().split('&').next_back(), Some("client_secret=good"));
}

#[tokio::test(start_paused = true)]
async fn unchanged_secret_is_not_sent_after_a_denial() {
    let (source, http, reads) = rotating(&["old", "old"]);
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!((http.count(), reads.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn second_denial_ends_the_exchange() {
    let (source, http, _) = rotating(&["old", "older", "good"]);
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn credential_is_read_before_each_exchange_only() {
    let (source, http, reads) = rotating(&["good"]);
    for exchanges in 1..4 {
        source.refresh_now().await.unwrap();
        source.token().await.unwrap();
        source.headers().await.unwrap();
        assert_eq!((http.count(), reads.load(Ordering::SeqCst)), (exchanges, exchanges));
    }
}

#[tokio::test(start_paused = true)]
async fn unreadable_credential_error_names_the_profile() {
    let source = builder_with(
        &vendor(60),
        &TestClock::new(),
        credential_fn(|| async { Err(Error::credential(std::fmt::Error)) }),
    )
    .build()
    .unwrap();
    let error = source.token().await.unwrap_err();
    assert_eq!(error.to_string(), "example/prod: the credential could not be read");
}

#[tokio::test(start_paused = true)]
async fn builder_takes_boxed_and_shared_providers() {
    let boxed: Box<dyn Provider> = Box::new(Example::new());
    let shared: Arc<dyn Provider> = Arc::new(Example::new());
    let credential = || Credential::client("client", "secret");
    let http: Arc<dyn gatepass_core::HttpSend> = Arc::new(vendor(60));
    for builder in
        [TokenSource::builder(boxed, credential()), TokenSource::builder(shared, credential())]
    {
        let source = builder.http(http.clone()).build().unwrap();
        source.prefetch().await.unwrap();
        assert_eq!(source.provider().id(), "example");
    }
}
