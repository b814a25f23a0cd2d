//! Scenarios whose result must not depend on the interleaving.

use std::time::Duration;

use gatepass_core::ErrorKind;
use gatepass_testkit::TestClock;
use shuttle::future::{block_on, spawn, yield_now};

use crate::store::MemoryStore;
use crate::vendor::{Vendor, builder, source, spawn_callers};

macro_rules! named {
    ($($scenario:ident,)*) => { &[$((stringify!($scenario), $scenario as fn()),)*] };
}

/// All scenarios with their names.
pub(crate) const SCENARIOS: &[(&str, fn())] = named![
    callers_share_one_flight,
    dropped_caller_does_not_affect_others,
    all_callers_get_the_same_failure,
    reports_of_one_token_make_one_exchange,
    earlier_request_does_not_bring_invalidated_token_back,
    closing_ends_exchange_and_callers,
    aging_token_is_refreshed_once,
    replacement_of_aging_token_is_refreshed_too,
    refresh_now_does_not_return_a_stored_token,
];

fn callers_share_one_flight() {
    let vendor = Vendor::default();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        for caller in spawn_callers(&source, 4) {
            assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "token-0");
        }
    });
    assert_eq!((vendor.count(), vendor.in_flight_max()), (1, 1));
}

fn dropped_caller_does_not_affect_others() {
    let vendor = Vendor::default();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        let mut callers = spawn_callers(&source, 3);
        let dropped = callers.remove(0);
        dropped.abort();
        for caller in callers {
            assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "token-0");
        }
    });
    assert_eq!((vendor.count(), vendor.in_flight_max()), (1, 1));
}

fn all_callers_get_the_same_failure() {
    let vendor = Vendor::broken();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        for caller in spawn_callers(&source, 4) {
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

/// The vendor returns the same token for every request. A caller after the invalidation must get
/// it from a request that started after the invalidation.
fn earlier_request_does_not_bring_invalidated_token_back() {
    let vendor = Vendor::repeating("the-same");
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        let refused = source.token().await.unwrap();
        vendor.hold();
        let fresh = {
            let source = source.clone();
            spawn(async move { source.refresh_now().await })
        };
        vendor.arrived(2).await;
        source.invalidate(&refused);
        vendor.release();
        let after = source.token().await.unwrap();
        assert_eq!(after.scope(), Some("2"));
        assert_eq!(fresh.await.unwrap().unwrap().scope(), Some("2"));
    });
    assert_eq!((vendor.count(), vendor.in_flight_max()), (3, 1));
}

fn closing_ends_exchange_and_callers() {
    let vendor = Vendor::default();
    let source = source(&vendor, &TestClock::new());
    block_on(async {
        let callers = spawn_callers(&source, 3);
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

/// A caller that was slow to see the aging token must not refresh its replacement.
fn aging_token_is_refreshed_once() {
    let (vendor, clock) = (Vendor::default(), TestClock::new());
    let source = source(&vendor, &clock);
    block_on(async {
        source.token().await.unwrap();
        clock.advance(Duration::from_secs(3300));
        for caller in spawn_callers(&source, 3) {
            caller.await.unwrap().unwrap();
        }
        // Every refresh has started: closing ends it.
        source.close().await;
    });
    assert!(vendor.count() <= 2, "{} requests", vendor.count());
}

/// A caller that saw the old token as due must not suppress the refresh of the new one.
fn replacement_of_aging_token_is_refreshed_too() {
    let (vendor, clock) = (Vendor::default(), TestClock::new());
    let source = source(&vendor, &clock);
    block_on(async {
        source.token().await.unwrap();
        for requests in 2..4 {
            clock.advance(Duration::from_secs(3300));
            for caller in spawn_callers(&source, 2) {
                caller.await.unwrap().unwrap();
            }
            while source.status().is_exchanging {
                yield_now().await;
            }
            assert_eq!(vendor.count(), requests);
        }
    });
}

fn refresh_now_does_not_return_a_stored_token() {
    let (vendor, clock) = (Vendor::default(), TestClock::new());
    let store = MemoryStore::new().with_clock(clock.clone());
    let source = || builder(&vendor, &clock).store(store.clone()).build().unwrap();
    block_on(async {
        source().token().await.unwrap();
        let source = source();
        let callers = spawn_callers(&source, 1);
        assert_eq!(source.refresh_now().await.unwrap().expose_secret(), "token-1");
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
    });
    assert_eq!(vendor.count(), 2);
}
