//! Tests that no clock change makes the source return an expired token.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepass_core::{Clock, ErrorKind};
use gatepass_engine::State;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use proptest::prelude::*;

use crate::{builder, poll, settle, source, text, vendor};

#[tokio::test(start_paused = true)]
async fn token_is_returned_until_shortly_before_expiry() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    clock.advance(Duration::from_secs(3590));
    assert_eq!(text(source.token().await).unwrap(), "token-0");
    clock.advance(Duration::from_secs(1));
    assert_eq!(source.status().state, State::Expired);
    assert!(source.peek().is_none());
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn lifetime_starts_with_the_request() {
    let clock = TestClock::new();
    let slow = clock.clone();
    let http = FakeHttp::new(move |n| {
        slow.advance(Duration::from_secs(9));
        FakeResponse::token(&format!("token-{n}"), 30)
    });
    let source = source(&http, &clock);
    source.prefetch().await.unwrap();
    // 21 s remain; the leeway is a tenth of them.
    clock.advance(Duration::from_millis(18_900));
    assert_eq!(text(source.token().await).unwrap(), "token-0");
    clock.advance(Duration::from_millis(1));
    assert!(source.peek().is_none());
}

#[tokio::test(start_paused = true)]
async fn token_that_arrives_expired_is_requested_again() {
    let clock = TestClock::new();
    let slow = clock.clone();
    let http = FakeHttp::new(move |n| {
        slow.advance(Duration::from_secs(5));
        FakeResponse::token(&format!("token-{n}"), [2, 3600, 2, 2][n])
    });
    let source = source(&http, &clock);
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    clock.suspend(Duration::from_secs(3600));
    let error = source.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(error.message(), "the token had expired when it arrived");
    assert_eq!(http.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn token_that_expires_before_wakeup_is_not_returned() {
    let (http, clock) = (vendor(3600).held(), TestClock::new());
    let source = source(&http, &clock);
    let mut waiter = Box::pin(source.token());
    assert!(poll(&mut waiter).is_pending());
    http.wait_for_requests(1).await;
    http.release_all();
    settle().await;
    assert_eq!(source.status().state, State::Fresh);
    clock.suspend(Duration::from_secs(7200));
    assert_eq!(text(waiter.await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn with_token_reads_what_token_returns() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    let read = || source.with_token(|token| token.expose_secret().to_owned());
    assert_eq!(read(), None);
    assert_eq!(http.count(), 0);
    source.prefetch().await.unwrap();
    assert_eq!(read().as_deref(), Some("token-0"));
    clock.advance(Duration::from_secs(3500));
    assert_eq!(read().as_deref(), Some("token-0"));
    settle().await;
    assert_eq!(read().as_deref(), Some("token-1"));
    clock.advance(Duration::from_secs(3591));
    assert_eq!(read(), None);
}

#[tokio::test(start_paused = true)]
async fn setting_wall_clock_does_not_hide_a_suspend() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    let is_usable = || source.with_token(|_| ()).is_some();
    for back in [0, 1, 1800, 3599, 3600, 3601, 100_000] {
        source.refresh_now().await.unwrap();
        assert!(is_usable() && is_usable());
        clock.suspend(Duration::from_secs(3600));
        clock.jump_wall(-back);
        assert!(!is_usable() && source.peek().is_none(), "{back}");
    }
}

#[tokio::test(start_paused = true)]
async fn next_hit_notices_a_wall_clock_jump() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let source = source(&http, &clock);
    let is_usable = || source.with_token(|_| ()).is_some();
    source.prefetch().await.unwrap();
    assert!(is_usable() && is_usable());
    clock.jump_wall(3600);
    assert!(!is_usable() && source.peek().is_none());
    // The clock was wrong and is corrected.
    clock.jump_wall(-3600);
    assert!(is_usable());
    clock.jump_wall(-3600);
    assert!(is_usable());
    clock.advance(Duration::from_secs(3600));
    assert!(!is_usable());
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Advance(u64),
    Suspend(u64),
    /// Advances the clocks by milliseconds.
    AdvanceMillis(u64),
    /// Suspends the machine for milliseconds.
    SuspendMillis(u64),
    JumpWall(i64),
    BootOnly(u64),
    Acquire(u64),
    WithToken,
    Fresh,
    Invalidate,
    /// Sets the wall clock during the next request.
    JumpDuring(i64),
    /// Delays the next response by seconds.
    Slow(u64),
    Lifetime(u64),
}

fn op() -> impl Strategy<Value = Op> {
    const YEARS: i64 = 10 * 365 * 24 * 3600;
    prop_oneof![
        3 => (0..4000u64).prop_map(Op::Advance),
        1 => (0..100_000u64).prop_map(Op::Suspend),
        2 => (0..40u64).prop_map(Op::AdvanceMillis),
        1 => (0..2000u64).prop_map(Op::SuspendMillis),
        2 => prop_oneof![-YEARS..YEARS, -5000..5000i64, -2..2i64].prop_map(Op::JumpWall),
        1 => (0..5000u64).prop_map(Op::BootOnly),
        4 => Just(Op::WithToken),
        6 => prop_oneof![Just(0), 0..4000u64].prop_map(Op::Acquire),
        1 => Just(Op::Fresh),
        1 => Just(Op::Invalidate),
        1 => prop_oneof![-YEARS..YEARS, -5000..5000i64].prop_map(Op::JumpDuring),
        1 => (0..20u64).prop_map(Op::Slow),
        1 => prop_oneof![1..5000u64, 1..6u64].prop_map(Op::Lifetime),
    ]
}

/// The vendor: issues tokens by a clock that is never set.
#[derive(Default)]
struct Vendor {
    lifetime: u64,
    jump: i64,
    delay: u64,
    issued: Vec<(Duration, Duration)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn no_clock_change_returns_an_expired_token(ops in proptest::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(ops))?;
    }
}

async fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let clock = TestClock::new();
    // Half way between 1970 and 2262, the range of a token's times, for jumps either way.
    clock.jump_wall(90 * 365 * 24 * 3600);
    let vendor = Arc::new(Mutex::new(Vendor { lifetime: 3600, ..Vendor::default() }));
    let http = FakeHttp::new({
        let (clock, vendor) = (clock.clone(), vendor.clone());
        move |n| {
            let mut vendor = vendor.lock().unwrap();
            let lifetime = vendor.lifetime;
            vendor.issued.push((clock.boot(), Duration::from_secs(lifetime)));
            clock.jump_wall(std::mem::take(&mut vendor.jump));
            clock.advance(Duration::from_secs(std::mem::take(&mut vendor.delay)));
            FakeResponse::token(&format!("token-{n}"), lifetime)
        }
    });
    let source = builder(&http, &clock).build().unwrap();
    let (mut last, mut newest) = (None, 0);
    // When a rejected token was replaced last, at the latest.
    let mut replaced: Option<Duration> = None;
    for op in ops {
        match op {
            Op::Advance(seconds) => clock.advance(Duration::from_secs(seconds)),
            Op::Suspend(seconds) => clock.suspend(Duration::from_secs(seconds)),
            Op::AdvanceMillis(millis) => clock.advance(Duration::from_millis(millis)),
            Op::SuspendMillis(millis) => clock.suspend(Duration::from_millis(millis)),
            Op::JumpWall(seconds) => clock.jump_wall(seconds),
            Op::BootOnly(seconds) => clock.advance_boot_only(Duration::from_secs(seconds)),
            Op::Lifetime(seconds) => vendor.lock().unwrap().lifetime = seconds,
            Op::JumpDuring(seconds) => vendor.lock().unwrap().jump = seconds,
            Op::Slow(seconds) => vendor.lock().unwrap().delay = seconds,
            Op::Invalidate => {
                if let Some(token) = last.take() {
                    let is_cached = || source.peek().is_some_and(|other| other.is_same_as(&token));
                    let (was_cached, had_none) = (is_cached(), source.peek().is_none());
                    let now = clock.boot();
                    let is_recent = replaced.is_some_and(|at| now < at + Duration::from_secs(5));
                    source.invalidate(&token);
                    prop_assert!(is_recent || !is_cached());
                    if had_none || (was_cached && !is_cached()) {
                        replaced = Some(now);
                    }
                }
            }
            Op::Acquire(_) | Op::Fresh | Op::WithToken => {
                let before = http.count();
                let outcome = match op {
                    Op::Acquire(min) => source.token_for(Duration::from_secs(min)).await,
                    Op::Fresh => source.refresh_now().await,
                    _ => {
                        let read = source.with_token(Clone::clone);
                        prop_assert_eq!(read.is_some(), source.peek().is_some());
                        let Some(token) = read else { continue };
                        Ok(token)
                    }
                };
                // Only a token that has expired on arrival fails.
                let Ok(token) = outcome else {
                    prop_assert_eq!(http.count(), before + 2);
                    continue;
                };
                let text = token.expose_secret();
                let number: usize = text.trim_start_matches("token-").parse().unwrap();
                let (issued, lifetime) = vendor.lock().unwrap().issued[number];
                prop_assert!(clock.boot() < issued + lifetime, "{text} has expired");
                prop_assert!(
                    clock.wall() < token.expires_at(),
                    "{text} has expired by the wall clock"
                );
                prop_assert!(number >= newest, "{text} after token-{newest}");
                if let Op::Acquire(min) = op
                    && http.count() == before
                {
                    prop_assert!(clock.boot() + Duration::from_secs(min) <= issued + lifetime);
                }
                newest = number;
                last = Some(token);
            }
        }
    }
    Ok(())
}
