//! Refresh ahead: nobody waits for the next token while the last one works (I3, I18, R0).

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
async fn an_aging_token_is_served_at_once_while_one_refresh_brings_the_next() {
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
            panic!("a caller waits while a usable token is held");
        };
        assert_eq!(token.expose_secret(), "token-0");
    }
    settle().await;
    assert_eq!(http.count(), 2);
    assert_eq!(source.peek().unwrap().expose_secret(), "token-1");
    assert_eq!(source.status().state, State::Fresh);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_is_not_refreshed_and_neither_is_an_idle_one() {
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
async fn a_failing_refresh_is_invisible_until_the_token_ends() {
    let clock = TestClock::new();
    let http = FakeHttp::new(|n| match n {
        0 => FakeResponse::token("token-0", 3600),
        _ => FakeResponse::json(500, ""),
    });
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    clock.advance(seconds(3100));
    // Eight seconds of callers, each ten milliseconds.
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
async fn the_vendor_is_asked_again_when_the_token_ends_however_long_the_rest_was_to_be() {
    let clock = TestClock::new();
    // Not there, which rests for five minutes; there again before the token ends.
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
    assert_eq!(http.count(), 2, "nobody waits yet");
    clock.advance(seconds(2));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_invisible_to_who_waited_if_the_token_is_usable_again_by_then() {
    let clock = TestClock::new();
    let http =
        FakeHttp::answering([FakeResponse::token("token-0", 3600), FakeResponse::json(500, "")])
            .held();
    http.release(0);
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    // Somebody sets the wall clock, and it is corrected while the vendor is asked.
    clock.jump_wall(4000);
    let mut waiter = Box::pin(source.token());
    assert!(poll(&mut waiter).is_pending());
    http.arrived(2).await;
    clock.jump_wall(-4000);
    http.release_all();
    assert_eq!(text(waiter.await).unwrap(), "token-0");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_known_to_give_the_same_token_is_asked_only_at_its_end() {
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
        // Nor for somebody who wants more than it has.
        source.token_for(seconds(1700)).await.unwrap();
        settle().await;
    }
    assert_eq!(http.count(), 1);
    clock.advance(seconds(11));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_found_to_give_the_same_token_is_not_asked_again_before_its_end() {
    let clock = TestClock::new();
    let end = std::sync::Arc::new(std::sync::Mutex::new(1000u64));
    let left = end.clone();
    let http = FakeHttp::new(move |_| FakeResponse::token("the-same", *left.lock().unwrap()));
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    for _ in 0..98 {
        clock.advance(seconds(10));
        *end.lock().unwrap() -= 10;
        source.token().await.unwrap();
        settle().await;
    }
    assert_eq!(http.count(), 2, "once early, and then it is known");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_given_until_its_end_and_comes_at_it_is_asked_for_once_more() {
    let clock = TestClock::new();
    let later = clock.clone();
    let http = FakeHttp::new(move |n| {
        // By the time the first comes, half a second of its one is left.
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
async fn short_lives_work_without_waits_and_with_at_most_two_requests_each() {
    for life in [60, 40, 5, 2] {
        let (http, clock) = (vendor(life), TestClock::new());
        let source = source(&http, &clock);
        source.prefetch().await.unwrap();
        let steps = life * 1000 * 10 / 20;
        for _ in 0..steps {
            clock.advance(Duration::from_millis(20));
            let mut asking = Box::pin(source.token());
            assert!(poll(&mut asking).is_ready(), "a caller waits with {life} s tokens");
            settle().await;
        }
        assert!(http.count() <= 20, "{} requests in ten lives of {life} s", http.count());
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_processes_spread_their_refreshes_over_a_fifth_of_the_life() {
    let clock = TestClock::new();
    let mut due = Vec::new();
    for seed in 0..1000 {
        let source = builder(&vendor(3600), &clock).seed(seed).build().unwrap();
        source.prefetch().await.unwrap();
        due.push(source.status().refresh_in.unwrap().as_secs());
    }
    due.sort_unstable();
    assert!(due[999] - due[0] >= 3600 / 5, "{} to {}", due[0], due[999]);
    // Spread, not in two heaps: each tenth of the span has its share.
    let span = due[999] - due[0];
    for tenth in 0..10 {
        let (from, to) = (due[0] + span * tenth / 10, due[0] + span * (tenth + 1) / 10);
        let share = due.iter().filter(|at| (from..to).contains(*at)).count();
        assert!((50..200).contains(&share), "{share} in tenth {tenth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_vendor_is_asked_early_enough_for_the_next_token() {
    for seed in 0..10 {
        let (http, clock) = (vendor(10).held(), TestClock::new());
        let source = builder(&http, &clock).seed(seed).build().unwrap();
        let mut token = Box::pin(source.token());
        assert!(poll(&mut token).is_pending());
        http.arrived(1).await;
        clock.advance(Duration::from_millis(1500));
        http.release_all();
        token.await.unwrap();
        // As long as this one took and half as much again, and the leeway, before the end.
        let left = Duration::from_millis(8500 - 850 - 2250);
        let refresh_in = source.status().refresh_in.unwrap();
        assert!(refresh_in <= left, "seed {seed}: {refresh_in:?}");
    }
}
