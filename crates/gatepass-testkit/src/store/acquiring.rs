//! Checks of `acquire`: a usable record or the lease, within the wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::Token;
use gatepass_engine::{LeaseOutcome, Record, RecordRequirement, SaveOutcome, StoreKey};
use tokio::time::{Instant, sleep, timeout};

use super::{HOUR, OpenStore, SECOND, SLOWNESS, Store, check, failure, key, text, token};

impl Store {
    /// What `acquire` returns: the text of a record, `lease` or `busy`.
    async fn acquired(&self, key: &StoreKey, wanted: &RecordRequirement) -> String {
        outcome_text(&self.acquire(key, wanted, Duration::ZERO).await)
    }

    async fn acquire(
        &self,
        key: &StoreKey,
        wanted: &RecordRequirement,
        wait: Duration,
    ) -> LeaseOutcome {
        self.store.acquire(key, wanted, wait).await.expect("the store works")
    }
}

fn outcome_text(outcome: &LeaseOutcome) -> String {
    match outcome {
        LeaseOutcome::Lease(_) => "lease".to_owned(),
        LeaseOutcome::Found(record) => text(Some(record)),
        LeaseOutcome::Busy { .. } => "busy".to_owned(),
        other => format!("{other:?}"),
    }
}

/// No requirement: every current record is accepted.
fn any() -> RecordRequirement {
    RecordRequirement::default()
}

fn wanted(change: impl FnOnce(&mut RecordRequirement)) -> RecordRequirement {
    let mut wanted = any();
    change(&mut wanted);
    wanted
}

fn fresh() -> RecordRequirement {
    wanted(|wanted| wanted.is_fresh = true)
}

/// The lease excludes others, and what is saved under it is found.
pub fn acquire_on_an_empty_store_takes_the_lease(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let LeaseOutcome::Lease(lease) = store.acquire(&key, &any(), Duration::ZERO).await else {
            panic!("there is no lease");
        };
        assert_eq!(store.acquired(&key, &any()).await, "busy");
        let outcome = lease.save(&token("t-1", store.now())).await.expect("the store works");
        assert_eq!(outcome, SaveOutcome::Kept);
        drop(lease);
        assert_eq!(store.acquired(&key, &any()).await, "t-1");
    });
}

/// A caller whom a record satisfies does not wait for the holder of the lease.
pub fn accepted_record_is_found_without_waiting(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        store.save_new(&key, &token("t-1", store.now())).await;
        let _lease = store.lease(&key, Duration::ZERO).await.expect("the lease is free");
        let found = timeout(SLOWNESS, store.acquire(&key, &any(), HOUR)).await;
        assert_eq!(outcome_text(&found.expect("the record is returned at once")), "t-1");
    });
}

/// Each part of a requirement can refuse a record; the caller then gets the lease.
pub fn unaccepted_record_leads_to_the_lease(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, sent) = (key("prod", "s-1"), store.now());
        let record = token("t-1", sent);
        store.save_new(&key, &record).await;
        let refused = |text: &str| {
            let token = Token::builder(text.into(), sent).expires_in(HOUR.into()).build();
            wanted(|wanted| wanted.refused = Some(token.expect("a token")))
        };
        let newer_than = |at| wanted(|wanted| wanted.newer_than = Some(at));
        let min_remaining = |time| wanted(|wanted| wanted.min_remaining = time);
        let cases = [
            (newer_than(sent), "lease"),
            (newer_than(sent - SECOND), "t-1"),
            (refused("t-1"), "lease"),
            (refused("t-2"), "t-1"),
            (min_remaining(HOUR + SECOND), "lease"),
            (min_remaining(HOUR - SECOND), "t-1"),
        ];
        for (wanted, outcome) in cases {
            assert_eq!(wanted.accepts(&record, sent), outcome != "lease", "{wanted:?}");
            assert_eq!(store.acquired(&key, &wanted).await, outcome, "{wanted:?}");
        }
        store.clock.advance(HOUR);
        assert_eq!(store.acquired(&key, &any()).await, "lease");
    });
}

/// One caller's failure is the outcome of all callers until its cool-down ends.
pub fn failure_is_found_by_every_caller_but_fresh_ones(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, now) = (key("prod", "s-1"), store.now());
        store.save_new(&key, &failure(now, 60 * SECOND)).await;
        let refreshing = wanted(|wanted| wanted.newer_than = Some(now));
        for wanted in [any(), refreshing] {
            assert_eq!(store.acquired(&key, &wanted).await, "failure");
        }
        assert_eq!(store.acquired(&key, &fresh()).await, "lease");
        store.clock.advance(60 * SECOND);
        assert_eq!(store.acquired(&key, &any()).await, "lease");
    });
}

/// A caller that wants a new token gets the lease, or waits for it.
pub fn fresh_requirement_ignores_every_record(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        store.save_new(&key, &token("t-1", store.now())).await;
        let held = store.acquire(&key, &fresh(), Duration::ZERO).await;
        assert_eq!(outcome_text(&held), "lease");
        assert_eq!(store.acquired(&key, &fresh()).await, "busy");
        assert_eq!(store.acquired(&key, &any()).await, "t-1");
    });
}

/// A caller waits for another holder as long as it allows, and then gets `Busy`.
pub fn acquire_is_bounded_and_then_busy(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let _lease = store.lease(&key, Duration::ZERO).await.expect("the lease is free");
        for wait in [Duration::ZERO, SECOND / 20] {
            let begun = Instant::now();
            assert_eq!(outcome_text(&store.acquire(&key, &any(), wait).await), "busy");
            let waited = begun.elapsed();
            assert!(waited >= wait && waited <= wait + SLOWNESS, "{waited:?}");
        }
    });
}

/// A caller that waits gets the record of the holder, not the lease after it.
pub fn record_stored_during_the_wait_is_found(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let lease = store.lease(&key, HOUR).await.expect("the lease is free");
        let waiting = {
            let (store, key) = (store.store.clone(), key.clone());
            tokio::spawn(async move {
                let outcome = store.acquire(&key, &any(), HOUR).await.expect("the store works");
                outcome_text(&outcome)
            })
        };
        sleep(SECOND / 20).await;
        assert!(!waiting.is_finished(), "the lease is held twice");
        lease.save(&token("t-1", store.now())).await.expect("the store works");
        drop(lease);
        let outcome = timeout(SLOWNESS, waiting).await.expect("the waiter is woken");
        assert_eq!(outcome.expect("the waiter does not panic"), "t-1");
        // The waiter has not kept the lease.
        assert!(store.lease(&key, SECOND).await.is_some());
    });
}

/// Twenty callers of `acquire` send one request, and all have its token.
pub fn twenty_callers_of_acquire_send_one_token_request(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let requests = Arc::new(AtomicUsize::new(0));
        let tasks = (0..20).map(|_| {
            let (store, sent, requests) = (store.store.clone(), store.now(), requests.clone());
            tokio::spawn(async move {
                let key = key("prod", "s-1");
                match store.acquire(&key, &any(), HOUR).await.expect("the store works") {
                    LeaseOutcome::Lease(lease) => {
                        requests.fetch_add(1, Ordering::SeqCst);
                        let record = token("t-1", sent);
                        lease.save(&record).await.expect("the store works");
                        text(Some(&record))
                    }
                    other => outcome_text(&other),
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.expect("the task does not panic"), "t-1");
        }
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        let Ok(Some(Record::Token(_))) = store.store.load(&key("prod", "s-1")).await else {
            panic!("the token is not stored");
        };
    });
}
