//! Checks of `acquire`, which returns a usable record or the lease within the wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::Token;
use gatepass_engine::{LeaseOutcome, Record, RecordRequirement, SaveOutcome, StoreKey};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::{HOUR, OpenStore, SECOND, Store, WAIT_TOLERANCE, check, failure, key, text, token};

impl Store {
    /// Acquires without waiting: the text of a record, `lease` or `busy`.
    async fn acquire_text(&self, key: &StoreKey, requirement: &RecordRequirement) -> String {
        outcome_text(&self.acquire(key, requirement, Duration::ZERO).await)
    }

    async fn acquire(
        &self,
        key: &StoreKey,
        requirement: &RecordRequirement,
        wait: Duration,
    ) -> LeaseOutcome {
        self.store.acquire(key, requirement, wait).await.expect("the store works")
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

/// Returns the requirement that accepts every current record.
fn any() -> RecordRequirement {
    RecordRequirement::default()
}

fn requirement(change: impl FnOnce(&mut RecordRequirement)) -> RecordRequirement {
    let mut requirement = any();
    change(&mut requirement);
    requirement
}

fn fresh() -> RecordRequirement {
    requirement(|requirement| requirement.is_fresh = true)
}

/// Checks that an empty store gives out one lease and returns the record saved under it.
pub fn acquire_on_an_empty_store_takes_the_lease(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let LeaseOutcome::Lease(lease) = store.acquire(&key, &any(), Duration::ZERO).await else {
            panic!("acquire returns no lease");
        };
        assert_eq!(store.acquire_text(&key, &any()).await, "busy");
        let outcome = lease.save(&token("t-1", store.now())).await.expect("the store works");
        assert_eq!(outcome, SaveOutcome::Kept);
        drop(lease);
        assert_eq!(store.acquire_text(&key, &any()).await, "t-1");
    });
}

/// Checks that a caller that accepts the stored record does not wait for the lease.
pub fn accepted_record_is_found_without_waiting(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        store.save_new(&key, &token("t-1", store.now())).await;
        let _lease = store.lease(&key, Duration::ZERO).await.expect("the lease is free");
        let found = timeout(WAIT_TOLERANCE, store.acquire(&key, &any(), HOUR)).await;
        assert_eq!(outcome_text(&found.expect("the record is returned at once")), "t-1");
    });
}

/// Checks that each part of a requirement can reject a record, so that the caller gets the lease.
pub fn unaccepted_record_yields_the_lease(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, sent) = (key("prod", "s-1"), store.now());
        let record = token("t-1", sent);
        store.save_new(&key, &record).await;
        let refused = |text: &str| {
            let token = Token::builder(text.into(), sent).expires_in(HOUR.into()).build();
            requirement(|requirement| requirement.refused = Some(token.expect("a token")))
        };
        let newer_than = |at| requirement(|requirement| requirement.newer_than = Some(at));
        let min_remaining = |time| requirement(|requirement| requirement.min_remaining = time);
        let cases = [
            (newer_than(sent), "lease"),
            (newer_than(sent - SECOND), "t-1"),
            (refused("t-1"), "lease"),
            (refused("t-2"), "t-1"),
            (min_remaining(HOUR + SECOND), "lease"),
            (min_remaining(HOUR - SECOND), "t-1"),
        ];
        for (requirement, outcome) in cases {
            assert_eq!(requirement.accepts(&record, sent), outcome != "lease", "{requirement:?}");
            assert_eq!(store.acquire_text(&key, &requirement).await, outcome, "{requirement:?}");
        }
        store.clock.advance(HOUR);
        assert_eq!(store.acquire_text(&key, &any()).await, "lease");
    });
}

/// Checks that all callers get a failure until its cool-down ends, except with `is_fresh`.
pub fn failure_satisfies_every_requirement_except_fresh(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, now) = (key("prod", "s-1"), store.now());
        store.save_new(&key, &failure(now, 60 * SECOND)).await;
        let refreshing = requirement(|requirement| requirement.newer_than = Some(now));
        for requirement in [any(), refreshing] {
            assert_eq!(store.acquire_text(&key, &requirement).await, "failure");
        }
        assert_eq!(store.acquire_text(&key, &fresh()).await, "lease");
        store.clock.advance(60 * SECOND);
        assert_eq!(store.acquire_text(&key, &any()).await, "lease");
    });
}

/// Checks that a caller that requires a new token gets the lease or waits for it.
pub fn fresh_requirement_ignores_every_record(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        store.save_new(&key, &token("t-1", store.now())).await;
        let held = store.acquire(&key, &fresh(), Duration::ZERO).await;
        assert_eq!(outcome_text(&held), "lease");
        assert_eq!(store.acquire_text(&key, &fresh()).await, "busy");
        assert_eq!(store.acquire_text(&key, &any()).await, "t-1");
    });
}

/// Checks that a caller gets `Busy` when its wait for another holder ends.
pub fn acquire_returns_busy_after_its_wait(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let _lease = store.lease(&key, Duration::ZERO).await.expect("the lease is free");
        for wait in [Duration::ZERO, SECOND / 20] {
            let start = Instant::now();
            assert_eq!(outcome_text(&store.acquire(&key, &any(), wait).await), "busy");
            let waited = start.elapsed();
            assert!(waited >= wait && waited <= wait + WAIT_TOLERANCE, "{waited:?}");
        }
    });
}

/// Checks that a waiting caller gets the record that the holder saves, and not the lease.
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
        let outcome = timeout(WAIT_TOLERANCE, waiting).await.expect("the waiter is woken");
        assert_eq!(outcome.expect("the waiter does not panic"), "t-1");
        // The waiter does not hold the lease.
        assert!(store.lease(&key, SECOND).await.is_some());
    });
}

/// Checks that callers that wait for a stopped holder get one successor at most, and that of two
/// holders the latest alone saves. A store that replaces no holder passes.
pub fn stopped_holder_has_one_successor_at_most(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        let stopped = store.lease(&key, Duration::ZERO).await.expect("the lease is free");
        let (leases, mut received) = mpsc::unbounded_channel();
        let wanted = requirement(|requirement| requirement.stale_after = 2 * SECOND);
        let waiting = (0..8).map(|_| {
            let (store, key) = (store.store.clone(), key.clone());
            let (wanted, leases) = (wanted.clone(), leases.clone());
            tokio::spawn(async move {
                match store.acquire(&key, &wanted, HOUR).await.expect("the store works") {
                    LeaseOutcome::Lease(lease) => drop(leases.send(lease)),
                    other => assert_eq!(outcome_text(&other), "t-1"),
                }
            })
        });
        let waiting: Vec<_> = waiting.collect();
        // The callers look again between two steps of the clock.
        for _ in 0..20 {
            store.clock.advance(SECOND / 4);
            sleep(SECOND / 25).await;
            if !received.is_empty() {
                break;
            }
        }
        let record = token("t-1", store.now());
        let holder = match received.try_recv() {
            Ok(successor) => {
                let late = token("late", store.now());
                let outcome = stopped.save(&late).await.expect("the store works");
                assert_eq!(outcome, SaveOutcome::Late);
                drop(stopped);
                assert!(store.lease(&key, Duration::ZERO).await.is_none(), "it has a holder");
                successor
            }
            Err(_) => stopped,
        };
        assert_eq!(holder.save(&record).await.expect("the store works"), SaveOutcome::Kept);
        drop(holder);
        for waiter in waiting {
            let ended = timeout(WAIT_TOLERANCE, waiter).await.expect("the waiter is woken");
            ended.expect("the waiter does not panic");
        }
        assert!(received.try_recv().is_err(), "the holder has two successors");
        assert_eq!(store.load_text(&key).await, "t-1");
    });
}

/// Checks that twenty callers of `acquire` send one request and get the same token.
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
