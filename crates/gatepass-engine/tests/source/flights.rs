//! Tests that concurrent callers share one flight, which does not depend on any of them.

use std::time::Duration;

use gatepass_core::{ErrorKind, Result, Token};
use gatepass_engine::State;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{builder, poll, settle, source, text, vendor};

fn spawn_callers(
    source: &gatepass_engine::TokenSource,
    callers: usize,
) -> Vec<JoinHandle<Result<Token>>> {
    let spawn = |_| {
        let source = source.clone();
        tokio::spawn(async move { source.token().await })
    };
    (0..callers).map(spawn).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_make_one_request() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let callers = spawn_callers(&source, 100);
    settle().await;
    http.release_all();
    for caller in callers {
        assert_eq!(text(caller.await.unwrap()).unwrap(), "token-0");
    }
    assert_eq!((http.count(), http.in_flight_max()), (1, 1));
    assert_eq!(source.status().exchanges, 1);
}

#[tokio::test(start_paused = true)]
async fn dropped_caller_does_not_end_the_flight() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let leader = spawn_callers(&source, 1).remove(0);
    http.wait_for_requests(1).await;
    let follower = spawn_callers(&source, 1).remove(0);
    settle().await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    http.release_all();
    assert_eq!(text(follower.await.unwrap()).unwrap(), "token-0");
    assert_eq!(http.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn exchange_without_callers_is_cached() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let callers = spawn_callers(&source, 3);
    http.wait_for_requests(1).await;
    callers.iter().for_each(JoinHandle::abort);
    settle().await;
    assert_eq!(http.in_flight(), 1);
    http.release_all();
    settle().await;
    assert_eq!(source.peek().unwrap().expose_secret(), "token-0");
    assert_eq!(text(source.token().await).unwrap(), "token-0");
    assert_eq!(http.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn all_callers_get_the_same_failure() {
    let denied = FakeResponse::json(401, "{\"error\":\"invalid_client\"}");
    let http = FakeHttp::returning([denied, FakeResponse::token("token-1", 60)]).held();
    let source = source(&http, &TestClock::new());
    let callers = spawn_callers(&source, 100);
    settle().await;
    http.release_all();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(
            error.to_string(),
            "example/prod: the vendor rejected client id or secret (401 invalid_client)"
        );
    }
    assert_eq!(http.count(), 1);
    let status = source.status();
    assert_eq!((status.state, status.failures), (State::Empty, 1));
    assert_eq!(status.last_error.unwrap().kind(), ErrorKind::Denied);

    assert_eq!(text(source.refresh_now().await).unwrap(), "token-1");
    assert!(source.status().last_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn no_caller_waits_while_a_token_is_usable() {
    let down = || FakeResponse::json(503, "");
    let http =
        FakeHttp::returning([FakeResponse::token("token-0", 3600), down(), FakeResponse::never()]);
    let source = source(&http, &TestClock::new());
    source.prefetch().await.unwrap();
    let is_ready = || {
        let outcome = poll(&mut Box::pin(source.token()));
        matches!(outcome, std::task::Poll::Ready(Ok(token)) if token.expose_secret() == "token-0")
    };
    assert!(is_ready());
    assert_eq!(source.refresh_now().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(is_ready(), "after a failed exchange");
    let mut stuck = Box::pin(source.refresh_now());
    assert!(poll(&mut stuck).is_pending());
    http.wait_for_requests(3).await;
    assert!(is_ready(), "during a stuck exchange");
    assert_eq!(source.status().state, State::Fresh);
}

#[tokio::test(start_paused = true)]
async fn refresh_now_starts_a_new_exchange() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let ordinary = spawn_callers(&source, 1).remove(0);
    http.wait_for_requests(1).await;
    let fresh: Vec<_> = (0..2)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.refresh_now().await })
        })
        .collect();
    settle().await;
    http.release(0);
    assert_eq!(text(ordinary.await.unwrap()).unwrap(), "token-0");
    http.release(1);
    for fresh in fresh {
        assert_eq!(text(fresh.await.unwrap()).unwrap(), "token-1");
    }
    assert_eq!(source.peek().unwrap().expose_secret(), "token-1");
    assert_eq!((http.count(), http.in_flight_max()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn required_lifetime_causes_at_most_one_exchange() {
    let http = vendor(60);
    let source = source(&http, &TestClock::new());
    let minute = Duration::from_secs(60);
    assert_eq!(text(source.token_for(10 * minute).await).unwrap(), "token-0");
    assert_eq!(text(source.token_for(10 * minute).await).unwrap(), "token-1");
    assert_eq!(text(source.token_for(minute).await).unwrap(), "token-1");
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn sources_do_not_wait_for_each_other() {
    let (stuck, well) = (FakeHttp::new(|_| FakeResponse::never()), vendor(60));
    let clock = TestClock::new();
    let (stuck_source, well_source) = (source(&stuck, &clock), source(&well, &clock));
    let stuck_callers = spawn_callers(&stuck_source, 10);
    stuck.wait_for_requests(1).await;
    let started = Instant::now();
    well_source.token().await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(stuck_callers.iter().all(|caller| !caller.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn closing_fails_callers_and_ends_the_exchange() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let callers = spawn_callers(&source, 10);
    http.wait_for_requests(1).await;
    source.close().await;
    assert_eq!(http.in_flight(), 0);
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "example/prod: the source is closed");
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
    assert!(source.peek().is_none() && source.refresh_now().await.is_err());
    assert_eq!(source.status().state, State::Closed);
    assert_eq!(http.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_source_ends_its_exchange() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let caller = spawn_callers(&source, 1).remove(0);
    http.wait_for_requests(1).await;
    caller.abort();
    settle().await;
    assert_eq!(http.in_flight(), 1);
    drop(source);
    settle().await;
    assert_eq!(http.in_flight(), 0);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[test]
fn flight_lost_with_its_runtime_is_repeated() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let first = runtime();
    let _leader = first.block_on(async {
        let leader = spawn_callers(&source, 1);
        http.wait_for_requests(1).await;
        leader
    });
    runtime().block_on(async {
        let waiter = spawn_callers(&source, 1).remove(0);
        settle().await;
        assert_eq!(http.count(), 1);
        first.shutdown_background();
        http.release_all();
        assert_eq!(text(waiter.await.unwrap()).unwrap(), "token-1");
    });
    assert_eq!(http.count(), 2);
}

#[test]
fn flight_on_idle_runtime_times_out() {
    let http = vendor(3600).held();
    let source = source(&http, &TestClock::new());
    let idle = runtime();
    let _leader = idle.block_on(async {
        let leader = spawn_callers(&source, 1);
        http.wait_for_requests(1).await;
        leader
    });
    runtime().block_on(async {
        let error = source.token().await.unwrap_err();
        assert_eq!(error.to_string(), "example/prod: no token in 15 s");
        http.release_all();
        assert_eq!(text(source.token().await).unwrap(), "token-1");
    });
}

#[test]
fn missing_runtime_is_an_error() {
    let http = vendor(3600);
    let source = builder(&http, &TestClock::new()).build().unwrap();
    let error = gatepass_testkit::block_on(source.token()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(http.count(), 0);
}
