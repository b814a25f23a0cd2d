//! Tests of the history: one entry per token request, which never delays a token for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::{Clock, Credential, Error, Result, async_trait, credential_fn};
use gatepass_engine::{
    HistoryEntry, Lease, MemoryStore, NextStep, ProfileKey, Record, State, StoreKey, TokenStore,
};
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};

use super::{builder, builder_with, text, vendor};

fn store(clock: &TestClock) -> MemoryStore {
    MemoryStore::new().with_clock(clock.clone())
}

async fn next_steps(store: &MemoryStore) -> Vec<NextStep> {
    let entries = store.history(&ProfileKey::new("prod")).await.unwrap();
    entries.iter().map(HistoryEntry::next_step).collect()
}

fn denied() -> FakeResponse {
    FakeResponse::json(401, "{\"error\":\"invalid_client\",\"error_description\":\"the secret\"}")
}

#[tokio::test(start_paused = true)]
async fn only_exchanges_are_recorded_in_the_history() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = store(&clock);
    for _ in 0..3 {
        builder(&http, &clock).store(store.clone()).build().unwrap().prefetch().await.unwrap();
    }
    let [entry] = store.history(&ProfileKey::new("prod")).await.unwrap().try_into().unwrap();
    assert_eq!(entry.next_step(), NextStep::TokenStored);
    assert_eq!((entry.at(), entry.provider()), (clock.wall(), "example"));
    assert_eq!(entry.expires_at(), Some(clock.wall() + Duration::from_secs(3600)));
    assert!(entry.origin().unwrap().starts_with("https://") && entry.fingerprint().is_some());
    assert!(entry.error().is_none());
}

#[tokio::test(start_paused = true)]
async fn denial_is_recorded_without_the_secret() {
    let (http, clock) = (FakeHttp::new(|_| denied()), TestClock::new());
    let store = store(&clock);
    for _ in 0..3 {
        builder(&http, &clock).store(store.clone()).build().unwrap().token().await.unwrap_err();
    }
    let [entry] = store.history(&ProfileKey::new("prod")).await.unwrap().try_into().unwrap();
    assert_eq!(entry.next_step(), NextStep::Denied(clock.wall() + Duration::from_secs(3600)));
    let error = entry.error().unwrap();
    assert_eq!((error.status(), error.vendor_code()), (Some(401), Some("invalid_client")));
    assert!(!format!("{entry:?} {error:?}").contains("the secret"), "{entry:?}");
}

#[tokio::test(start_paused = true)]
async fn failure_keeps_the_stored_token() {
    let clock = TestClock::new();
    let http = FakeHttp::returning([
        FakeResponse::token("token", 3600),
        FakeResponse::fails(Error::unavailable("down")),
    ]);
    let store = store(&clock);
    let source = builder(&http, &clock).store(store.clone()).build().unwrap();
    source.prefetch().await.unwrap();
    source.refresh_now().await.unwrap_err();
    assert_eq!(next_steps(&store).await, [NextStep::TokenStored, NextStep::PreviousTokenKept]);
}

#[tokio::test(start_paused = true)]
async fn rate_limit_is_recorded_with_its_cooldown() {
    let clock = TestClock::new();
    let error = Error::throttled("wait").with_retry_after(Duration::from_secs(60));
    let http = FakeHttp::new(move |_| FakeResponse::fails(error.clone()));
    let store = store(&clock);
    builder(&http, &clock).store(store.clone()).build().unwrap().token().await.unwrap_err();
    let [NextStep::CooledDown(until)] = next_steps(&store).await[..] else {
        panic!("no cool-down")
    };
    let rest = until.duration_since(clock.wall()).unwrap();
    assert!((60..=66).contains(&rest.as_secs()), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn changed_credential_is_recorded_with_two_fingerprints() {
    let clock = TestClock::new();
    let http = FakeHttp::returning([denied(), FakeResponse::token("token", 3600)]);
    let (store, reads) = (store(&clock), Arc::new(AtomicUsize::new(0)));
    let credential = credential_fn(move || {
        let number = reads.fetch_add(1, Ordering::SeqCst);
        async move { Ok(Credential::client("client", format!("secret-{number}"))) }
    });
    let source = builder_with(&http, &clock, credential).store(store.clone()).build().unwrap();
    assert_eq!(text(source.token().await).unwrap(), "token");
    let entries = store.history(&ProfileKey::new("prod")).await.unwrap();
    assert_eq!(next_steps(&store).await[0], NextStep::Retried);
    assert_eq!(entries.len(), 2);
    assert_ne!(entries[0].fingerprint(), entries[1].fingerprint());
}

#[tokio::test(start_paused = true)]
async fn memory_only_exchange_is_recorded_without_its_token() {
    let clock = TestClock::new();
    let down = FakeResponse::fails(Error::unavailable("down"));
    let http = FakeHttp::returning([FakeResponse::token("token", 3600), down]);
    let store = store(&clock);
    let source =
        || builder(&http, &clock).store(store.clone()).persist(Some(false)).build().unwrap();
    source().prefetch().await.unwrap();
    source().token().await.unwrap_err();
    let steps = next_steps(&store).await;
    assert!(matches!(steps[..], [NextStep::TokenNotStored, NextStep::CooledDown(_)]), "{steps:?}");
    let records = store.records(&ProfileKey::new("prod")).await.unwrap();
    assert!(matches!(records[..], [Record::Failure(_)]), "{records:?}");
}

#[tokio::test(start_paused = true)]
async fn stored_record_is_returned_without_an_exchange() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = store(&clock);
    let source = builder(&http, &clock).store(store.clone()).build().unwrap();
    assert!(source.stored().await.unwrap().is_none());
    source.prefetch().await.unwrap();
    let other = builder(&http, &clock).store(store.clone()).build().unwrap();
    let secret = Credential::client("client", "another secret");
    let changed = builder_with(&http, &clock, secret).store(store).build().unwrap();
    assert!(changed.stored().await.unwrap().is_none());
    let state = async || {
        let record: Record = other.stored().await.unwrap().unwrap();
        let status = other.status_of(&record);
        (status.state, status.refresh_in.unwrap().as_secs(), status.is_stored)
    };
    assert_eq!(state().await, (State::Fresh, 2646, true));
    clock.advance(Duration::from_secs(2700));
    assert_eq!(state().await, (State::Aging, 0, true));
    clock.advance(Duration::from_secs(895));
    assert_eq!(state().await, (State::Expired, 0, true));
    assert_eq!(http.count(), 1);
}

/// A store that stores nothing and never finishes writing a history entry.
#[derive(Debug)]
struct Stuck;

#[async_trait]
impl TokenStore for Stuck {
    async fn load(&self, _: &StoreKey) -> Result<Option<Record>> {
        Ok(None)
    }

    async fn lease(&self, _: &StoreKey, _: Duration) -> Result<Option<Box<dyn Lease>>> {
        Err(Error::internal("the disk is gone"))
    }

    async fn forget(&self, _: &ProfileKey) -> Result<usize> {
        Ok(0)
    }

    async fn append_history(&self, _: &ProfileKey, _: &HistoryEntry) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn stuck_history_delays_a_token_by_one_second() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let started = tokio::time::Instant::now();
    let token = builder(&http, &clock).store(Stuck).build().unwrap().token().await;
    assert_eq!(text(token).unwrap(), "token-0");
    assert!(started.elapsed() <= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn history_slower_than_timeout_costs_no_token() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let limit = Duration::from_millis(500);
    let source = builder(&http, &clock).store(Stuck).timeout(limit).build().unwrap();
    for number in 0..2 {
        assert_eq!(text(source.refresh_now().await).unwrap(), format!("token-{number}"));
    }
    assert_eq!(source.status().failures, 0);
}
