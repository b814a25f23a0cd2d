//! What must come out in whatever order things happen.

use std::time::Duration;

use gatepass_core::ErrorKind;
use gatepass_testkit::TestClock;
use shuttle::future::{block_on, spawn, yield_now};

use crate::store::MemoryStore;
use crate::vendor::{Vendor, ask, builder, source};

macro_rules! named {
    ($($scenario:ident,)*) => { &[$((stringify!($scenario), $scenario as fn()),)*] };
}

/// Every scenario, by its name.
pub(crate) const SCENARIOS: &[(&str, fn())] = named![
    callers_share_one_flight,
    a_dropped_waiter_costs_nobody,
    a_failure_is_everybodys,
    reports_of_one_token_make_one_exchange,
    a_request_from_before_an_invalidation_does_not_bring_the_token_back,
    a_closed_source_ends_everything,
    an_aging_token_is_refreshed_once,
    a_token_that_replaced_an_aging_one_is_refreshed_in_its_turn,
    who_wants_a_fresh_token_does_not_get_one_that_a_store_had,
];

fn callers_share_one_flight() {
    let vendor = Vendor::default();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        for caller in ask(&source, 4) {
            assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "token-0");
        }
    });
    assert_eq!((vendor.count(), vendor.in_flight_max()), (1, 1));
}

fn a_dropped_waiter_costs_nobody() {
    let vendor = Vendor::default();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        let mut callers = ask(&source, 3);
        let dropped = callers.remove(0);
        dropped.abort();
        for caller in callers {
            assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "token-0");
        }
    });
    assert_eq!((vendor.count(), vendor.in_flight_max()), (1, 1));
}

fn a_failure_is_everybodys() {
    let vendor = Vendor::broken();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        for caller in ask(&source, 4) {
            let error = caller.await.unwrap().unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Some(500)));
        }
    });
    assert_eq!(vendor.count(), 1);
}

fn reports_of_one_token_make_one_exchange() {
    let vendor = Vendor::default();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        let refused = source.token().await.unwrap();
        let report = |_| {
            let (source, refused) = (source.clone(), refused.clone());
            spawn(async move {
                source.invalidate(&refused);
                source.token().await
            })
        };
        for caller in (0..3).map(report).collect::<Vec<_>>() {
            assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "token-1");
        }
    });
    assert_eq!((vendor.count(), vendor.in_flight_max()), (2, 1));
}

/// The vendor gives the same text to whoever asks, and whoever asks after the invalidation has it
/// from a request that began after it.
fn a_request_from_before_an_invalidation_does_not_bring_the_token_back() {
    let vendor = Vendor::repeating("the-same");
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        let refused = source.token().await.unwrap();
        vendor.hold();
        let fresh = {
            let source = source.clone();
            spawn(async move { source.refresh_now().await })
        };
        vendor.asked(2).await;
        source.invalidate(&refused);
        vendor.release();
        let after = source.token().await.unwrap();
        assert_eq!(after.scope(), Some("2"));
        assert_eq!(fresh.await.unwrap().unwrap().scope(), Some("2"));
    });
    assert_eq!((vendor.count(), vendor.in_flight_max()), (3, 1));
}

fn a_closed_source_ends_everything() {
    let vendor = Vendor::default();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        let callers = ask(&source, 3);
        source.close().await;
        let requests = vendor.count();
        assert_eq!(vendor.in_flight(), 0);
        assert!(source.peek().is_none() && source.token().await.is_err());
        for caller in callers {
            if let Err(error) = caller.await.unwrap() {
                assert_eq!(error.message(), "the source is closed");
            }
        }
        assert_eq!(vendor.count(), requests);
    });
}

/// Nobody who comes late to an aging token refreshes the one that has replaced it.
fn an_aging_token_is_refreshed_once() {
    let (vendor, clock) = (Vendor::default(), TestClock::new());
    let source = source(&vendor, &clock);
    block_on(async {
        source.token().await.unwrap();
        clock.advance(Duration::from_secs(3300));
        for caller in ask(&source, 3) {
            caller.await.unwrap().unwrap();
        }
        // Whoever refreshes does so by now: closing ends it where it has got to.
        source.close().await;
    });
    assert!(vendor.count() <= 2, "{} requests", vendor.count());
}

/// Who saw the old token to be due and comes when the new one is there does not make that one wait.
fn a_token_that_replaced_an_aging_one_is_refreshed_in_its_turn() {
    let (vendor, clock) = (Vendor::default(), TestClock::new());
    let source = source(&vendor, &clock);
    block_on(async {
        source.token().await.unwrap();
        for requests in 2..4 {
            clock.advance(Duration::from_secs(3300));
            for caller in ask(&source, 2) {
                caller.await.unwrap().unwrap();
            }
            while source.status().is_exchanging {
                yield_now().await;
            }
            assert_eq!(vendor.count(), requests);
        }
    });
}

fn who_wants_a_fresh_token_does_not_get_one_that_a_store_had() {
    let (vendor, clock) = (Vendor::default(), TestClock::new());
    let store = MemoryStore::new().with_clock(clock.clone());
    let source = || builder(&vendor, &clock).store(store.clone()).build();
    block_on(async {
        source().token().await.unwrap();
        let source = source();
        let callers = ask(&source, 1);
        assert_eq!(source.refresh_now().await.unwrap().expose_secret(), "token-1");
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
    });
    assert_eq!(vendor.count(), 2);
}
