//! Tests of sources whose tokens stay in memory: they share failures through a store, never tokens.

use std::time::Duration;

use gatepass_core::{Credential, Error, ErrorKind};
use gatepass_engine::{MemoryStore, ProfileKey, Record, TokenSource, TokenStore};
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};

use super::{builder_with, settle, text, vendor};

/// Sources of one profile in separate processes, with `persist = false`.
struct Processes {
    http: FakeHttp,
    clock: TestClock,
    store: MemoryStore,
}

impl Processes {
    fn new(http: FakeHttp) -> Self {
        let clock = TestClock::new();
        let store = MemoryStore::new().with_clock(clock.clone());
        Self { http, clock, store }
    }

    fn source(&self) -> TokenSource {
        self.source_with("the secret", Some(false))
    }

    fn source_with(&self, secret: &str, persist: Option<bool>) -> TokenSource {
        let credential = Credential::client("client", secret);
        let builder = builder_with(&self.http, &self.clock, credential);
        builder.store(self.store.clone()).persist(persist).build().unwrap()
    }

    async fn records(&self) -> Vec<Record> {
        self.store.records(&ProfileKey::new("prod")).await.unwrap()
    }
}

fn denied() -> FakeResponse {
    FakeResponse::json(401, "{\"error\":\"invalid_client\"}")
}

#[tokio::test(start_paused = true)]
async fn denial_is_shared_and_another_secret_works_at_once() {
    let of = Processes::new(FakeHttp::returning([denied(), FakeResponse::token("token", 60)]));
    for _ in 0..10 {
        let error = of.source().token().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.vendor_code()),
            (ErrorKind::Denied, Some("invalid_client"))
        );
    }
    assert_eq!(of.http.count(), 1);
    assert_eq!(text(of.source_with("right", Some(false)).token().await).unwrap(), "token");
}

#[tokio::test(start_paused = true)]
async fn rate_limit_and_outage_are_shared_until_they_end() {
    let throttled = Error::throttled("slow down").with_retry_after(Duration::from_secs(30));
    let throttled = FakeResponse::fails(throttled);
    let replies = [throttled, FakeResponse::json(503, ""), FakeResponse::token("token", 60)];
    let of = Processes::new(FakeHttp::returning(replies));
    for wanted in [ErrorKind::Throttled, ErrorKind::Unavailable] {
        for _ in 0..10 {
            assert_eq!(of.source().token().await.unwrap_err().kind(), wanted);
        }
        of.clock.advance(Duration::from_secs(34));
    }
    assert_eq!(of.http.count(), 2);
    assert_eq!(text(of.source().token().await).unwrap(), "token");
}

#[tokio::test(start_paused = true)]
async fn processes_that_start_together_share_the_first_denial() {
    let of = Processes::new(FakeHttp::new(|_| denied()).held());
    let start = || {
        let source = of.source();
        tokio::spawn(async move { source.token().await })
    };
    let tasks: Vec<_> = (0..20).map(|_| start()).collect();
    settle().await;
    assert_eq!(of.http.count(), 1);
    of.http.release_all();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap_err().kind(), ErrorKind::Denied);
    }
    assert_eq!(of.http.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn processes_wait_for_the_first_token_alone() {
    let of = Processes::new(vendor(3600).held());
    let start = || {
        let source = of.source();
        tokio::spawn(async move { source.token().await })
    };
    let tasks: Vec<_> = (0..20).map(|_| start()).collect();
    settle().await;
    assert_eq!(of.http.in_flight(), 1);
    of.http.release(0);
    settle().await;
    assert_eq!(of.http.in_flight(), 19);
    of.http.release_all();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(of.http.count(), 20);
    assert!(of.records().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn new_token_ends_the_shared_denial() {
    let tokens = [FakeResponse::token("token-1", 60), FakeResponse::token("token-2", 60)];
    let of = Processes::new(FakeHttp::returning([denied()].into_iter().chain(tokens)));
    of.source().token().await.unwrap_err();
    assert_eq!(text(of.source().refresh_now().await).unwrap(), "token-1");
    assert_eq!(text(of.source().token().await).unwrap(), "token-2");
    assert!(of.records().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn token_that_was_stored_before_is_not_used() {
    let of = Processes::new(vendor(3600));
    assert_eq!(text(of.source_with("the secret", Some(true)).token().await).unwrap(), "token-0");
    assert_eq!(text(of.source().token().await).unwrap(), "token-1");
    // A usable token under another key does not keep the failure out of the store.
    let failing = Processes { http: FakeHttp::new(|_| denied()), ..of };
    for _ in 0..3 {
        failing.source().token().await.unwrap_err();
    }
    assert_eq!(failing.http.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn stored_failure_is_shown_without_a_request() {
    let of = Processes::new(FakeHttp::new(|_| denied()));
    of.source().token().await.unwrap_err();
    let stored = of.source().stored().await.unwrap();
    assert!(matches!(stored, Some(Record::Failure(_))), "{stored:?}");
    assert_eq!(of.http.count(), 1);
}
