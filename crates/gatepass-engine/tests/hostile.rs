//! Tests that a hostile provider affects only its own source, and that one only temporarily (I17).

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime};

use gatepass_core::{
    Credential, Error, ErrorKind, ExchangeContext, Provider, Request, Response, Result, Secret,
    Token, async_trait,
};
use gatepass_engine::TokenSource;
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use tokio::time::Instant;

/// A provider whose exchange is a closure of the exchange's number and the time.
struct Hostile<F>(F, AtomicUsize);

impl<F> fmt::Debug for Hostile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hostile")
    }
}

#[async_trait]
impl<F: Fn(usize, SystemTime) -> Result<Token> + Send + Sync> Provider for Hostile<F> {
    fn id(&self) -> &str {
        "hostile"
    }

    fn token_request(&self, _: &Credential) -> Result<Request> {
        Err(Error::internal("not used"))
    }

    fn read_token(&self, _: &Response, _: SystemTime) -> Result<Token> {
        Err(Error::internal("not used"))
    }

    async fn exchange(&self, _: &Credential, cx: &ExchangeContext<'_>) -> Result<Token> {
        (self.0)(self.1.fetch_add(1, Ordering::SeqCst), cx.clock().wall())
    }
}

fn hostile(
    act: impl Fn(usize, SystemTime) -> Result<Token> + Send + Sync + 'static,
) -> TokenSource {
    TokenSource::builder(
        Hostile(act, AtomicUsize::new(0)),
        Credential::client("client", "the secret"),
    )
    .http(FakeHttp::returning([]))
    .name("hostile")
    .build()
    .unwrap()
}

fn token(text: &str, now: SystemTime) -> Result<Token> {
    Token::builder(Secret::from(text), now).expires_in(Duration::from_secs(3600).into()).build()
}

/// Returns a source with a correct vendor and provider.
fn good() -> TokenSource {
    let http = FakeHttp::new(|n| FakeResponse::token(&format!("good-{n}"), 3600));
    TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
        .http(http)
        .build()
        .unwrap()
}

/// Measures an exchange and a hit of a good source. Returns the tenth percentile, which ignores the
/// machine's other load; a blocked thread would delay all of them.
async fn time_of_a_good_source() -> Duration {
    let source = good();
    let mut took = Vec::new();
    for n in 0..51 {
        let started = Instant::now();
        assert_eq!(source.refresh_now().await.unwrap().expose_secret(), format!("good-{n}"));
        source.token().await.unwrap();
        took.push(started.elapsed());
    }
    took.sort_unstable();
    took[took.len() / 10]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn blocking_provider_does_not_delay_other_sources() {
    let (unblock, blocked) = mpsc::channel::<()>();
    let (entered, mut enters) = tokio::sync::mpsc::unbounded_channel();
    let blocked = Mutex::new(blocked);
    let stuck = hostile(move |_, now| {
        let _ = entered.send(());
        let _ = blocked.lock().unwrap().recv();
        token("late", now)
    });
    let waiter = tokio::spawn({
        let stuck = stuck.clone();
        async move { stuck.token().await }
    });
    enters.recv().await.unwrap();
    let took = time_of_a_good_source().await;
    assert!(took < Duration::from_millis(1), "{took:?}");
    assert!(!waiter.is_finished());
    drop(unblock);
    assert_eq!(waiter.await.unwrap().unwrap().expose_secret(), "late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn token_of_an_aborted_flight_is_dropped() {
    let (unblock, blocked) = mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let act = move |n, now| match n {
        0 => {
            let _ = blocked.lock().unwrap().recv();
            token("late", now)
        }
        _ => token("new", now),
    };
    let source = TokenSource::builder(
        Hostile(act, AtomicUsize::new(0)),
        Credential::client("client", "the secret"),
    )
    .http(FakeHttp::returning([]))
    .timeout(Duration::from_millis(10))
    .build()
    .unwrap();
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let new = source.refresh_now().await.unwrap();
    assert_eq!(new.expose_secret(), "new");
    drop(unblock);
    // Wait for the end of the flight's task.
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(source.peek().unwrap().is_same_as(&new));
}

#[tokio::test(start_paused = true)]
async fn hundred_stuck_sources_do_not_delay_another() {
    let http = FakeHttp::new(|_| FakeResponse::never());
    let stuck = || {
        let source =
            TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
                .http(http.clone())
                .clock(TestClock::new())
                .build()
                .unwrap();
        tokio::spawn(async move { source.token().await })
    };
    let waiters: Vec<_> = (0..100).map(|_| stuck()).collect();
    http.wait_for_requests(100).await;
    assert_eq!(time_of_a_good_source().await, Duration::ZERO);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repeated_panics_leave_the_source_usable() {
    let source = hostile(|n, now| {
        assert!(n > 20, "with the secret in the message");
        token("at-last", now)
    });
    let mut errors = 0;
    loop {
        match source.refresh_now().await {
            Ok(token) => break assert_eq!(token.expose_secret(), "at-last"),
            Err(error) => assert_eq!(error.message(), "the provider panicked"),
        }
        errors += 1;
    }
    assert_eq!(errors, 21);
    assert_eq!(good().token().await.unwrap().expose_secret(), "good-0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provider_that_drops_a_runtime_gets_an_error() {
    let source = hostile(|n, now| {
        let builder = { tokio::runtime::Builder::new_current_thread() }.build();
        if n == 0 {
            // Tokio panics if a runtime thread blocks.
            builder.unwrap().block_on(async {});
        }
        token("token", now)
    });
    let error = source.token().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "the provider panicked"));
    // Tokio also panics when the runtime is dropped here.
    let error = source.refresh_now().await.unwrap_err();
    assert_eq!(error.message(), "the provider panicked");
    assert_eq!(source.status().failures, 2);
}

#[tokio::test]
async fn token_cannot_inject_a_header_line() {
    for text in ["a\\r\\nX-Admin: 1", "a\\nb", "a\\u0000b", "a b", "\\u00e9", ""] {
        let body = format!("{{\"access_token\":\"{text}\",\"token_type\":\"Bearer\"}}");
        let source =
            TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
                .http(FakeHttp::new(move |_| FakeResponse::json(200, body.clone())))
                .build()
                .unwrap();
        let error = source.token().await.unwrap_err();
        let is_rejected = matches!(error.kind(), ErrorKind::UnsafeToken | ErrorKind::Protocol);
        assert!(is_rejected, "{text}: {error}");
        assert!(!format!("{error} {error:?}").contains("X-Admin"));
        assert!(source.peek().is_none() && source.headers().await.is_err());
    }
}

#[tokio::test]
async fn provider_with_a_foreign_token_affects_no_source() {
    let victim = good();
    let stolen = victim.token().await.unwrap();
    let thief = {
        let stolen = stolen.clone();
        hostile(move |_, _| Ok(stolen.clone()))
    };
    // The engine has to trust the provider's token, but its state stays with this source.
    let given = thief.token().await.unwrap();
    assert!(given.is_same_as(&stolen));
    thief.invalidate(&given);
    assert!(thief.peek().is_none());
    assert!(victim.peek().unwrap().is_same_as(&stolen));
    thief.close().await;
    assert_eq!(victim.token().await.unwrap().expose_secret(), "good-0");
    victim.invalidate(&stolen);
    assert_eq!(victim.token().await.unwrap().expose_secret(), "good-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn good_sources_never_fail_among_hostile_ones() {
    let others = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for kind in 0..64 {
        let source = hostile(move |n, now| match (kind + n) % 4 {
            0 => std::panic::resume_unwind(Box::new("a provider's panic")),
            1 => Err(Error::unavailable("down")),
            2 => token("a\r\nb", now),
            _ => token("worse", SystemTime::UNIX_EPOCH),
        });
        let others = others.clone();
        tasks.spawn(async move {
            for _ in 0..50 {
                let outcome = source.refresh_now().await;
                others.fetch_add(usize::from(outcome.is_err()), Ordering::SeqCst);
            }
        });
        let source = good();
        tasks.spawn(async move {
            for n in 0..50 {
                assert_eq!(
                    source.refresh_now().await.unwrap().expose_secret(),
                    format!("good-{n}")
                );
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(others.load(Ordering::SeqCst), 64 * 50);
}
