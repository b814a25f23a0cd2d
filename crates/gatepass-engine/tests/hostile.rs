//! Providers that do their worst: what one does is never another's trouble (I17), and the source
//! goes on.

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

/// Runs a closure instead of an exchange, with the number of the exchange and the time.
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
        Err(Error::internal("not asked"))
    }

    fn read_token(&self, _: &Response, _: SystemTime) -> Result<Token> {
        Err(Error::internal("not asked"))
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
    .http(FakeHttp::answering([]))
    .name("hostile")
    .build()
    .unwrap()
}

fn token(text: &str, now: SystemTime) -> Result<Token> {
    Token::builder(Secret::from(text), now).expires_in(Duration::from_secs(3600).into()).build()
}

/// A source whose vendor and provider are as they should be.
fn good() -> TokenSource {
    let http = FakeHttp::new(|n| FakeResponse::token(&format!("good-{n}"), 3600));
    TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
        .http(http)
        .build()
        .unwrap()
}

/// How long an exchange and a hit of a good source take, where the machine leaves them alone: nine
/// tenths of many take longer. What is stuck for good would hold up every one of them.
async fn time_of_a_good_source() -> Duration {
    let source = good();
    let mut took = Vec::new();
    for n in 0..51 {
        let begun = Instant::now();
        assert_eq!(source.refresh_now().await.unwrap().expose_secret(), format!("good-{n}"));
        source.token().await.unwrap();
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took[took.len() / 10]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_provider_that_blocks_its_thread_delays_no_other_source_by_a_millisecond() {
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
async fn what_comes_of_a_flight_that_was_given_up_replaces_nothing() {
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
    .http(FakeHttp::answering([]))
    .timeout(Duration::from_millis(10))
    .build()
    .unwrap();
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let new = source.refresh_now().await.unwrap();
    assert_eq!(new.expose_secret(), "new");
    drop(unblock);
    // Until its task is gone.
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(source.peek().unwrap().is_same_as(&new));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_stuck_sources_take_no_time_from_another() {
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
    http.arrived(100).await;
    assert_eq!(time_of_a_good_source().await, Duration::ZERO);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn providers_that_panic_again_and_again_poison_nothing() {
    let source = hostile(|n, now| {
        assert!(n > 20, "with the secret in the message");
        token("at-last", now)
    });
    let mut told = 0;
    loop {
        match source.refresh_now().await {
            Ok(token) => break assert_eq!(token.expose_secret(), "at-last"),
            Err(error) => assert_eq!(error.message(), "the provider panicked"),
        }
        told += 1;
    }
    assert_eq!(told, 21);
    assert_eq!(good().token().await.unwrap().expose_secret(), "good-0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_drops_a_runtime_gets_an_error_and_may_go_on() {
    let source = hostile(|n, now| {
        let builder = { tokio::runtime::Builder::new_current_thread() }.build();
        if n == 0 {
            // Tokio forbids this where others wait, by a panic.
            builder.unwrap().block_on(async {});
        }
        token("token", now)
    });
    let error = source.token().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "the provider panicked"));
    // And this, as the runtime is dropped.
    let error = source.refresh_now().await.unwrap_err();
    assert_eq!(error.message(), "the provider panicked");
    assert_eq!(source.status().failures, 2);
}

#[tokio::test]
async fn no_token_can_carry_another_line_into_a_header() {
    for text in ["a\\r\\nX-Admin: 1", "a\\nb", "a\\u0000b", "a b", "\\u00e9", ""] {
        let body = format!("{{\"access_token\":\"{text}\",\"token_type\":\"Bearer\"}}");
        let source =
            TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
                .http(FakeHttp::new(move |_| FakeResponse::json(200, body.clone())))
                .build()
                .unwrap();
        let error = source.token().await.unwrap_err();
        let is_refused = matches!(error.kind(), ErrorKind::UnsafeToken | ErrorKind::Protocol);
        assert!(is_refused, "{text}: {error}");
        assert!(!format!("{error} {error:?}").contains("X-Admin"));
        assert!(source.peek().is_none() && source.headers().await.is_err());
    }
}

#[tokio::test]
async fn a_provider_that_hands_on_anothers_token_mixes_nothing_else_up() {
    let victim = good();
    let stolen = victim.token().await.unwrap();
    let thief = {
        let stolen = stolen.clone();
        hostile(move |_, _| Ok(stolen.clone()))
    };
    // It is the provider's word that this is its token; what is done with it stays its own.
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
async fn among_many_hostile_sources_the_good_ones_never_fail() {
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
