//! Tests of sources that share a store: one exchange for all, and no unusable token.

use std::time::Duration;

use gatepass_core::{Credential, Error, ErrorKind};
use gatepass_engine::{HistoryEntry, MemoryStore, NextStep, ProfileKey, TokenSource, TokenStore};
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use tokio::runtime::{Builder, Runtime};

use super::{builder, builder_with, settle, text, vendor};

fn store(clock: &TestClock) -> MemoryStore {
    MemoryStore::new().with_clock(clock.clone())
}

/// Returns a source of the same profile, as another process would have it.
fn sharing(http: &FakeHttp, clock: &TestClock, store: &MemoryStore) -> TokenSource {
    builder(http, clock).store(store.clone()).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn twenty_sources_with_one_store_make_one_exchange() {
    let (http, clock) = (vendor(3600).held(), TestClock::new());
    let store = store(&clock);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let source = sharing(&http, &clock, &store);
            tokio::spawn(async move {
                let token = source.token().await;
                (text(token).unwrap(), source.status().is_stored)
            })
        })
        .collect();
    // All of them have found the store empty.
    settle().await;
    http.release_all();
    let mut stored = 0;
    for task in tasks {
        let (token, is_stored) = task.await.unwrap();
        assert_eq!(token, "token-0");
        stored += usize::from(is_stored);
    }
    assert_eq!((http.count(), stored), (1, 19));
}

#[tokio::test(start_paused = true)]
async fn denial_is_shared_until_refresh_now() {
    let clock = TestClock::new();
    let denied = || FakeResponse::json(401, "{\"error\":\"invalid_client\"}");
    let http = FakeHttp::returning([denied(), FakeResponse::token("token", 60)]);
    let store = store(&clock);
    for _ in 0..100 {
        let error = sharing(&http, &clock, &store).token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(error.vendor_code(), Some("invalid_client"));
    }
    assert_eq!(http.count(), 1);
    assert_eq!(text(sharing(&http, &clock, &store).refresh_now().await).unwrap(), "token");
    assert_eq!(text(sharing(&http, &clock, &store).token().await).unwrap(), "token");
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn outage_is_shared_for_its_cooldown() {
    let clock = TestClock::new();
    let http = FakeHttp::returning([FakeResponse::json(503, ""), FakeResponse::token("token", 60)]);
    let store = store(&clock);
    for _ in 0..10 {
        let error = sharing(&http, &clock, &store).token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(http.count(), 1);
    clock.advance(Duration::from_millis(250));
    assert_eq!(text(sharing(&http, &clock, &store).token().await).unwrap(), "token");
}

#[tokio::test(start_paused = true)]
async fn failure_does_not_replace_a_usable_token() {
    let clock = TestClock::new();
    let http =
        FakeHttp::returning([FakeResponse::token("token", 3600), FakeResponse::json(503, "")]);
    let store = store(&clock);
    sharing(&http, &clock, &store).prefetch().await.unwrap();
    sharing(&http, &clock, &store).refresh_now().await.unwrap_err();
    assert_eq!(text(sharing(&http, &clock, &store).token().await).unwrap(), "token");
    assert_eq!(http.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn changed_secret_or_profile_is_a_miss() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = store(&clock);
    let with = |secret: &str, name: &str| {
        let credential = Credential::client("client", secret);
        builder_with(&http, &clock, credential).name(name).store(store.clone()).build().unwrap()
    };
    assert_eq!(text(with("one", "prod").token().await).unwrap(), "token-0");
    assert_eq!(text(with("two", "prod").token().await).unwrap(), "token-1");
    assert_eq!(text(with("one", "test").token().await).unwrap(), "token-2");
    assert_eq!(text(with("one", "prod").token().await).unwrap(), "token-0");
    assert_eq!(store.forget(&ProfileKey::new("prod")).await.unwrap(), 2);
    assert_eq!(text(with("one", "prod").token().await).unwrap(), "token-3");
    assert_eq!(text(with("one", "test").token().await).unwrap(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn invalidated_token_does_not_return_from_the_store() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = store(&clock);
    let source = sharing(&http, &clock, &store);
    let rejected = source.token().await.unwrap();
    source.invalidate(&rejected);
    clock.advance(Duration::from_secs(1));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    assert_eq!(text(sharing(&http, &clock, &store).token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn stored_token_that_expires_too_soon_is_replaced() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = store(&clock);
    sharing(&http, &clock, &store).prefetch().await.unwrap();
    clock.advance(Duration::from_secs(3000));
    let long = sharing(&http, &clock, &store).token_for(Duration::from_secs(1200)).await;
    assert_eq!(text(long).unwrap(), "token-1");
    clock.advance(Duration::from_secs(3595));
    assert_eq!(text(sharing(&http, &clock, &store).token().await).unwrap(), "token-2", "leeway");
}

#[tokio::test(start_paused = true)]
async fn refresh_uses_the_token_of_another_process() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = store(&clock);
    let (one, other) = (sharing(&http, &clock, &store), sharing(&http, &clock, &store));
    one.prefetch().await.unwrap();
    other.prefetch().await.unwrap();
    clock.advance(Duration::from_secs(3300));
    one.token().await.unwrap();
    settle().await;
    other.token().await.unwrap();
    settle().await;
    assert_eq!(http.count(), 2);
    assert_eq!(text(other.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn memory_only_tokens_do_not_reach_the_store() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = store(&clock);
    for _ in 0..2 {
        let kept =
            builder(&http, &clock).store(store.clone()).persist(Some(false)).build().unwrap();
        kept.prefetch().await.unwrap();
    }
    assert_eq!(http.count(), 2);
    assert_eq!(store.forget(&ProfileKey::new("prod")).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn failing_store_costs_no_token() {
    #[derive(Debug)]
    struct Broken;

    #[gatepass_core::async_trait]
    impl TokenStore for Broken {
        async fn load(
            &self,
            _: &gatepass_engine::StoreKey,
        ) -> gatepass_core::Result<Option<gatepass_engine::Record>> {
            Err(Error::internal("the disk is gone"))
        }

        async fn lease(
            &self,
            _: &gatepass_engine::StoreKey,
            _: Duration,
        ) -> gatepass_core::Result<Option<Box<dyn gatepass_engine::Lease>>> {
            Err(Error::internal("the disk is gone"))
        }

        async fn forget(&self, _: &ProfileKey) -> gatepass_core::Result<usize> {
            Err(Error::internal("the disk is gone"))
        }
    }

    let (http, clock) = (vendor(3600), TestClock::new());
    let source = builder(&http, &clock).store(Broken).build().unwrap();
    assert_eq!(text(source.token().await).unwrap(), "token-0");
}

#[tokio::test(start_paused = true)]
async fn caller_whose_wait_for_a_lease_ends_sends_nothing() {
    /// A store whose lease is held by a stopped process.
    #[derive(Debug)]
    struct Stopped;

    #[gatepass_core::async_trait]
    impl TokenStore for Stopped {
        async fn load(
            &self,
            _: &gatepass_engine::StoreKey,
        ) -> gatepass_core::Result<Option<gatepass_engine::Record>> {
            Ok(None)
        }

        async fn lease(
            &self,
            _: &gatepass_engine::StoreKey,
            wait: Duration,
        ) -> gatepass_core::Result<Option<Box<dyn gatepass_engine::Lease>>> {
            tokio::time::sleep(wait).await;
            Ok(None)
        }

        async fn forget(&self, _: &ProfileKey) -> gatepass_core::Result<usize> {
            Ok(0)
        }
    }

    let (http, clock) = (vendor(3600), TestClock::new());
    let source = builder(&http, &clock).store(Stopped).build().unwrap();
    let started = tokio::time::Instant::now();
    let error = source.token().await.unwrap_err();
    // The default timeout is 15 s.
    assert_eq!((error.kind(), started.elapsed().as_secs()), (ErrorKind::Unavailable, 18));
    assert!(error.message().contains("another process is requesting this token"), "{error}");
    assert!(error.retry_after().is_some_and(|after| after >= Duration::from_secs(1)));
    assert_eq!(http.count(), 0);
    assert!(source.cooldown_remaining().unwrap() <= Duration::from_secs(1));
}

/// Returns a runtime with paused time. One that is not driven is a stopped process.
fn process() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Advances the clock as the runtime's time advances.
fn run_clock(clock: &TestClock) {
    let clock = clock.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            clock.advance(Duration::from_millis(100));
        }
    });
}

#[test]
fn stopped_process_has_one_successor_and_a_late_token() {
    let clock = TestClock::new();
    let late = FakeHttp::new(|_| FakeResponse::token("late", 3600)).held();
    let (http, store) = (vendor(3600), store(&clock));
    let (stopped, others) = (process(), process());
    let source = sharing(&late, &clock, &store);
    let waiting = source.clone();
    let token = stopped.spawn(async move { waiting.token().await });
    stopped.block_on(settle());
    assert_eq!(late.count(), 1);

    others.block_on(async {
        run_clock(&clock);
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let source = sharing(&http, &clock, &store);
                tokio::spawn(async move { text(source.token().await) })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap(), "token-0");
        }
    });
    assert_eq!(http.count(), 1);

    // The stopped process continues.
    late.release_all();
    assert_eq!(text(stopped.block_on(token).unwrap()).unwrap(), "late");
    assert_eq!(source.peek().unwrap().expose_secret(), "late");
    stopped.block_on(async {
        let history = store.history(&ProfileKey::new("prod")).await.unwrap();
        let steps: Vec<_> = history.iter().map(HistoryEntry::next_step).collect();
        assert_eq!(steps, [NextStep::TokenStored, NextStep::TokenNotStored]);
        let other = sharing(&vendor(3600).held(), &clock, &store);
        assert_eq!(text(other.token().await).unwrap(), "token-0");
    });
}

#[tokio::test(start_paused = true)]
async fn caller_with_little_time_sends_nothing() {
    let (http, clock) = (vendor(3600).held(), TestClock::new());
    let store = store(&clock);
    let stopped = process();
    let source = sharing(&http, &clock, &store);
    let token = stopped.spawn(async move { source.token().await });
    std::thread::scope(|scope| {
        scope.spawn(|| stopped.block_on(settle()));
    });
    assert_eq!(http.count(), 1);
    run_clock(&clock);
    for window in [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(15)] {
        let source = sharing(&http, &clock, &store);
        source.set_retry_window(Some(window));
        let started = tokio::time::Instant::now();
        let error = source.token().await.unwrap_err();
        assert_eq!((error.kind(), started.elapsed().as_secs()), (ErrorKind::Unavailable, 15));
        assert!(error.retry_after().is_some() && !error.hints().is_empty(), "{error:?}");
    }
    assert_eq!(http.count(), 1);
    drop(token);
    stopped.shutdown_background();
}

#[test]
fn silent_vendor_gets_one_request_per_successor() {
    let clock = TestClock::new();
    let (silent, store) = (vendor(3600).held(), store(&clock));
    let (stopped, others) = (process(), process());
    let source = sharing(&silent, &clock, &store);
    let _token = stopped.spawn(async move { source.token().await });
    stopped.block_on(settle());
    others.block_on(async {
        run_clock(&clock);
        let started = tokio::time::Instant::now();
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let source = sharing(&silent, &clock, &store);
                tokio::spawn(async move { (source.token().await, started.elapsed()) })
            })
            .collect();
        let mut waited: Vec<u64> = Vec::new();
        for task in tasks {
            let (token, after) = task.await.unwrap();
            assert_eq!(token.unwrap_err().kind(), ErrorKind::Unavailable);
            waited.push(after.as_secs());
        }
        waited.sort_unstable();
        // The successor takes over after 16 s and has 15 s for its own request.
        assert_eq!((waited[0], waited[38], waited[39]), (18, 18, 31), "{waited:?}");
    });
    assert_eq!(silent.count(), 2);
}
