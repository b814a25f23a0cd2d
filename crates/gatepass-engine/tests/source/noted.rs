//! Notes of exchanges: one for each time the vendor is asked, and never in a token's way.

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

async fn decisions(store: &MemoryStore) -> Vec<NextStep> {
    let notes = store.history(&ProfileKey::new("prod")).await.unwrap();
    notes.iter().map(HistoryEntry::next_step).collect()
}

fn denied() -> FakeResponse {
    FakeResponse::json(401, "{\"error\":\"invalid_client\",\"error_description\":\"the secret\"}")
}

#[tokio::test(start_paused = true)]
async fn an_exchange_is_noted_once_and_what_a_store_answers_is_not() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let store = store(&clock);
    for _ in 0..3 {
        builder(&http, &clock).store(store.clone()).build().unwrap().prefetch().await.unwrap();
    }
    let [note] = store.history(&ProfileKey::new("prod")).await.unwrap().try_into().unwrap();
    assert_eq!(note.next_step(), NextStep::TokenStored);
    assert_eq!((note.at(), note.provider()), (clock.wall(), "example"));
    assert_eq!(note.expires_at(), Some(clock.wall() + Duration::from_secs(3600)));
    assert!(note.origin().unwrap().starts_with("https://") && note.fingerprint().is_some());
    assert!(note.error().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_noted_with_the_vendors_words_and_without_the_secret_they_repeat() {
    let (http, clock) = (FakeHttp::new(|_| denied()), TestClock::new());
    let store = store(&clock);
    for _ in 0..3 {
        builder(&http, &clock).store(store.clone()).build().unwrap().token().await.unwrap_err();
    }
    let [note] = store.history(&ProfileKey::new("prod")).await.unwrap().try_into().unwrap();
    assert_eq!(note.next_step(), NextStep::Denied(clock.wall() + Duration::from_secs(3600)));
    let error = note.error().unwrap();
    assert_eq!((error.status(), error.vendor_code()), (Some(401), Some("invalid_client")));
    assert!(!format!("{note:?} {error:?}").contains("the secret"), "{note:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_beside_a_stored_token_keeps_the_old_one() {
    let clock = TestClock::new();
    let http = FakeHttp::answering([
        FakeResponse::token("token", 3600),
        FakeResponse::fails(Error::unavailable("down")),
    ]);
    let store = store(&clock);
    let source = builder(&http, &clock).store(store.clone()).build().unwrap();
    source.prefetch().await.unwrap();
    source.refresh_now().await.unwrap_err();
    assert_eq!(decisions(&store).await, [NextStep::TokenStored, NextStep::PreviousTokenKept]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_exchange_is_noted_with_the_time_until_it_rests() {
    let clock = TestClock::new();
    let error = Error::throttled("wait").with_retry_after(Duration::from_secs(60));
    let http = FakeHttp::new(move |_| FakeResponse::fails(error.clone()));
    let store = store(&clock);
    builder(&http, &clock).store(store.clone()).build().unwrap().token().await.unwrap_err();
    let [NextStep::CooledDown(until)] = decisions(&store).await[..] else {
        panic!("it does not rest")
    };
    let rest = until.duration_since(clock.wall()).unwrap();
    assert!((60..=66).contains(&rest.as_secs()), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_changes_when_it_is_refused_is_two_notes_and_two_fingerprints() {
    let clock = TestClock::new();
    let http = FakeHttp::answering([denied(), FakeResponse::token("token", 3600)]);
    let (store, reads) = (store(&clock), Arc::new(AtomicUsize::new(0)));
    let credential = credential_fn(move || {
        let number = reads.fetch_add(1, Ordering::SeqCst);
        async move { Ok(Credential::client("client", format!("secret-{number}"))) }
    });
    let source = builder_with(&http, &clock, credential).store(store.clone()).build().unwrap();
    assert_eq!(text(source.token().await).unwrap(), "token");
    let notes = store.history(&ProfileKey::new("prod")).await.unwrap();
    assert_eq!(decisions(&store).await[0], NextStep::Retried);
    assert_eq!(notes.len(), 2);
    assert_ne!(notes[0].fingerprint(), notes[1].fingerprint());
}

#[tokio::test(start_paused = true)]
async fn what_must_stay_in_memory_is_noted_without_being_kept() {
    let clock = TestClock::new();
    let down = FakeResponse::fails(Error::unavailable("down"));
    let http = FakeHttp::answering([FakeResponse::token("token", 3600), down]);
    let store = store(&clock);
    let source =
        || builder(&http, &clock).store(store.clone()).persist(Some(false)).build().unwrap();
    source().prefetch().await.unwrap();
    source().token().await.unwrap_err();
    assert_eq!(decisions(&store).await, [NextStep::TokenNotStored, NextStep::NotCached]);
    assert!(store.records(&ProfileKey::new("prod")).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_is_told_without_an_exchange() {
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

/// A store that keeps nothing and never ends a note.
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
async fn a_note_that_takes_for_ever_costs_a_second_and_no_token() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let begun = tokio::time::Instant::now();
    let token = builder(&http, &clock).store(Stuck).build().unwrap().token().await;
    assert_eq!(text(token).unwrap(), "token-0");
    assert!(begun.elapsed() <= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_note_that_takes_longer_than_an_exchange_may_costs_no_token() {
    let (http, clock) = (vendor(3600), TestClock::new());
    let limit = Duration::from_millis(500);
    let source = builder(&http, &clock).store(Stuck).timeout(limit).build().unwrap();
    for number in 0..2 {
        assert_eq!(text(source.refresh_now().await).unwrap(), format!("token-{number}"));
    }
    assert_eq!(source.status().failures, 0);
}
