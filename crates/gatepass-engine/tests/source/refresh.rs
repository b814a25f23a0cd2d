//! Tests of refresh ahead: no caller waits while the cached token is usable (I3, I18, R0).

use std::time::Duration;

use gatepass_core::{Credential, Provider, RefreshHints, Request, Response, Result, Token};
use gatepass_engine::{State, TokenSource};
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};

use super::{builder, poll, settle, source, text, vendor};

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A provider with hints.
#[derive(Debug)]
pub(crate) struct Hinted<P = Example>(pub(crate) P, pub(crate) RefreshHints);

impl<P: Provider> Provider for Hinted<P> {
    fn id(&self) -> &str {
        "hinted"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        self.0.token_request(credential)
    }

    fn read_token(&self, response: &Response, sent: std::time::SystemTime) -> Result<Token> {
        self.0.read_token(response, sent)
    }

    fn hints(&self) -> RefreshHints {
        self.1
    }
}

#[tokio::test(start_paused = true)]
async fn aging_token_is_returned_during_its_refresh() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    clock.advance(seconds(3500));
    assert_eq!(source.status().state, State::Aging);
    let http = {
        http.release_all();
        http
    };
    for _ in 0..100 {
        let mut asking = Box::pin(source.token());
        let std::task::Poll::Ready(Ok(token)) = poll(&mut asking) else {
            panic!("a caller waits while a usable token is cached");
        };
        assert_eq!(token.expose_secret(), "token-0");
    }
    settle().await;
    assert_eq!(http.count(), 2);
    assert_eq!(source.peek().unwrap().expose_secret(), "token-1");
    assert_eq!(source.status().state, State::Fresh);
}

#[tokio::test(start_paused = true)]
async fn fresh_or_unused_token_is_not_refreshed() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    clock.advance(seconds(2000));
    source.token().await.unwrap();
    settle().await;
    assert_eq!(http.count(), 1);
    clock.advance(seconds(1500));
    tokio::time::sleep(seconds(3600)).await;
    assert_eq!((http.count(), source.status().state), (1, State::Aging));
}

#[tokio::test(start_paused = true)]
async fn failing_refresh_is_invisible_until_expiry() {
    let clock = TestClock::new();
    let http = FakeHttp::new(|n| match n {
        0 => FakeResponse::token("token-0", 3600),
        _ => FakeResponse::json(500, ""),
    });
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    clock.advance(seconds(3100));
    // Eight seconds with a caller every ten milliseconds.
    for _ in 0..800 {
        assert_eq!(text(source.token().await).unwrap(), "token-0");
        settle().await;
        clock.advance(Duration::from_millis(10));
    }
    assert!((2..=5).contains(&http.count()), "{}", http.count());
    clock.advance(seconds(600));
    assert_eq!(text(source.token().await).unwrap_err().status(), Some(500));
}

#[tokio::test(start_paused = true)]
async fn cooldown_ends_when_the_token_expires() {
    let clock = TestClock::new();
    // The 404 has a cool-down of five minutes; the endpoint is back before the token expires.
    let http = FakeHttp::new(|n| match n {
        0 => FakeResponse::token("token-0", 100),
        1 => FakeResponse::json(404, ""),
        _ => FakeResponse::token("token-1", 3600),
    });
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    clock.advance(seconds(86));
    assert_eq!(text(source.token().await).unwrap(), "token-0");
    settle().await;
    assert_eq!(http.count(), 2);
    clock.advance(seconds(3));
    assert_eq!(text(source.token().await).unwrap(), "token-0");
    assert_eq!(http.count(), 2, "no caller waits yet");
    clock.advance(seconds(2));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn caller_gets_token_that_became_usable_during_failure() {
    let clock = TestClock::new();
    let http =
        FakeHttp::returning([FakeResponse::token("token-0", 3600), FakeResponse::json(500, "")])
            .held();
    http.release(0);
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    // The wall clock is set, and corrected during the request.
    clock.jump_wall(4000);
    let mut waiter = Box::pin(source.token());
    assert!(poll(&mut waiter).is_pending());
    http.wait_for_requests(2).await;
    clock.jump_wall(-4000);
    http.release_all();
    assert_eq!(text(waiter.await).unwrap(), "token-0");
}

#[tokio::test(start_paused = true)]
async fn hinted_reused_token_is_not_refreshed_early() {
    let clock = TestClock::new();
    let http = vendor(1800);
    let provider = Hinted(Example::new(), RefreshHints::new().same_token_until_end());
    let source = TokenSource::builder(provider, Credential::client("client", "the secret"))
        .http(http.clone())
        .clock(clock.clone())
        .build()
        .unwrap();
    source.prefetch().await.unwrap();
    for _ in 0..178 {
        clock.advance(seconds(10));
        source.token().await.unwrap();
        // Also for a caller that needs a longer lifetime than the token has.
        source.token_for(seconds(1700)).await.unwrap();
        settle().await;
    }
    assert_eq!(http.count(), 1);
    clock.advance(seconds(11));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn detected_reused_token_is_not_refreshed_again() {
    let clock = TestClock::new();
    let end = std::sync::Arc::new(std::sync::Mutex::new(1000u64));
    let remaining = end.clone();
    let http = FakeHttp::new(move |_| FakeResponse::token("the-same", *remaining.lock().unwrap()));
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    for _ in 0..98 {
        clock.advance(seconds(10));
        *end.lock().unwrap() -= 10;
        source.token().await.unwrap();
        settle().await;
    }
    assert_eq!(http.count(), 2, "once early, then not again");
}

#[tokio::test(start_paused = true)]
async fn expiring_reused_token_is_fetched_again() {
    let clock = TestClock::new();
    let later = clock.clone();
    let http = FakeHttp::new(move |n| {
        // Half a second of the first token's lifetime remains when it arrives.
        later.advance(Duration::from_millis(if n == 0 { 500 } else { 0 }));
        FakeResponse::token(&format!("token-{n}"), if n == 0 { 1 } else { 1800 })
    });
    let provider = Hinted(Example::new(), RefreshHints::new().same_token_until_end());
    let source = TokenSource::builder(provider, Credential::client("client", "the secret"))
        .http(http.clone())
        .clock(clock)
        .build()
        .unwrap();
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn tokens_with_short_lifetime_need_no_waits() {
    for lifetime in [60, 40, 5, 2] {
        let (http, clock) = (vendor(lifetime), TestClock::new());
        let source = source(&http, &clock);
        source.prefetch().await.unwrap();
        let steps = lifetime * 1000 * 10 / 20;
        for _ in 0..steps {
            clock.advance(Duration::from_millis(20));
            let mut asking = Box::pin(source.token());
            assert!(poll(&mut asking).is_ready(), "a caller waits with {lifetime} s tokens");
            settle().await;
        }
        assert!(http.count() <= 20, "{} requests in ten lifetimes of {lifetime} s", http.count());
    }
}

#[tokio::test(start_paused = true)]
async fn thousand_processes_spread_their_refreshes() {
    let clock = TestClock::new();
    let mut due = Vec::new();
    for seed in 0..1000 {
        let source = builder(&vendor(3600), &clock).seed(seed).build().unwrap();
        source.prefetch().await.unwrap();
        due.push(source.status().refresh_in.unwrap().as_secs());
    }
    due.sort_unstable();
    assert!(due[999] - due[0] >= 3600 / 5, "{} to {}", due[0], due[999]);
    // Evenly spread: each tenth of the span has its share.
    let span = due[999] - due[0];
    for tenth in 0..10 {
        let (from, to) = (due[0] + span * tenth / 10, due[0] + span * (tenth + 1) / 10);
        let share = due.iter().filter(|at| (from..to).contains(*at)).count();
        assert!((50..200).contains(&share), "{share} in tenth {tenth}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_vendor_is_asked_early_enough() {
    for seed in 0..10 {
        let (http, clock) = (vendor(10).held(), TestClock::new());
        let source = builder(&http, &clock).seed(seed).build().unwrap();
        let mut token = Box::pin(source.token());
        assert!(poll(&mut token).is_pending());
        http.wait_for_requests(1).await;
        clock.advance(Duration::from_millis(1500));
        http.release_all();
        token.await.unwrap();
        // At least the leeway and one and a half times the duration of the request before expiry.
        let remaining = Duration::from_millis(8500 - 850 - 2250);
        let refresh_in = source.status().refresh_in.unwrap();
        assert!(refresh_in <= remaining, "seed {seed}: {refresh_in:?}");
    }
}
