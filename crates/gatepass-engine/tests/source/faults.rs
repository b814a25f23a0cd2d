//! Providers, credentials and vendors that do what they should not.

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

/// Runs a closure instead of an exchange.
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
        Err(Error::internal("not asked"))
    }

    fn read_token(&self, _: &Response, _: SystemTime) -> Result<Token> {
        Err(Error::internal("not asked"))
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
async fn a_panic_is_an_error_for_all_and_the_source_goes_on() {
    let asked = AtomicUsize::new(0);
    let source = hostile(move |now| {
        let n = asked.fetch_add(1, Ordering::SeqCst);
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
async fn a_vendor_that_never_answers_is_given_up() {
    let http = FakeHttp::answering([FakeResponse::never(), FakeResponse::token("token-1", 60)]);
    let source = source(&http, &TestClock::new());
    let begun = Instant::now();
    let error = source.token().await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 15);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.to_string(), "example/prod: no token in 15 s");
    assert_eq!(http.in_flight(), 0);
    assert_eq!(text(source.refresh_now().await).unwrap(), "token-1");
    assert_eq!(http.in_flight_max(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_never_comes_is_given_up() {
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
async fn a_provider_that_blocks_its_thread_holds_nobody_for_ever() {
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
async fn what_an_exchange_of_its_own_brings_is_checked() {
    for (brought, wanted) in [
        ("the-secret", "the answer returns the credential as the token"),
        ("a%20token", "the token has characters that a bearer token must not have"),
    ] {
        let source = TokenSource::builder(
            Hostile(move |now| token(brought, now)),
            Credential::client("client", "the-secret"),
        )
        .http(vendor(60))
        .build()
        .unwrap();
        let error = source.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsafeToken);
        assert_eq!(error.to_string(), format!("hostile: {wanted}"));
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

/// A source whose credential is a new one on each reading, as `secrets` has them, and the last
/// from then on; and a vendor that accepts `good` alone.
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
async fn a_refused_secret_is_read_again_and_tried_if_it_has_changed() {
    let (source, http, reads) = rotating(&["old", "good"]);
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    assert_eq!((http.count(), reads.load(Ordering::SeqCst)), (2, 2));
    assert_eq!(http.requests()[1].text().split('&').next_back(), Some("client_secret=good"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_secret_that_has_not_changed_is_not_tried_again() {
    let (source, http, reads) = rotating(&["old", "old"]);
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!((http.count(), reads.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn two_refusals_are_enough() {
    let (source, http, _) = rotating(&["old", "older", "good"]);
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_credential_is_read_before_each_exchange_and_not_for_a_hit() {
    let (source, http, reads) = rotating(&["good"]);
    for exchanges in 1..4 {
        source.refresh_now().await.unwrap();
        source.token().await.unwrap();
        source.headers().await.unwrap();
        assert_eq!((http.count(), reads.load(Ordering::SeqCst)), (exchanges, exchanges));
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_cannot_be_read_is_named() {
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
async fn a_provider_may_be_boxed_or_shared() {
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
