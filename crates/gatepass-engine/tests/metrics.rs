//! Tests of the metrics: their names, their labels from closed sets, and that they show no secret.

#![cfg(feature = "metrics")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gatepass_core::Credential;
use gatepass_engine::{MemoryStore, TokenPool, TokenSource};
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock, canary, find_leak};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

#[test]
fn metrics_cover_requests_waits_cooldowns_and_expiry() {
    let (secret, token) = (canary("secret"), canary("token"));
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let (secret_text, token_text) = (secret.text().to_owned(), token.text().to_owned());
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let clock = TestClock::new();
            let http = FakeHttp::returning([
                FakeResponse::json(503, ""),
                FakeResponse::token(&token_text, 3600),
            ]);
            let source =
                TokenSource::builder(Example::new(), Credential::client("client", secret_text))
                    .http(http)
                    .clock(clock.clone())
                    .name("prod")
                    .build()
                    .unwrap();
            source.token().await.unwrap_err();
            clock.advance(Duration::from_secs(1));
            source.token().await.unwrap();
            source.token().await.unwrap();
        });
    });
    let mut seen = BTreeMap::new();
    for (key, _, _, value) in snapshots.snapshot().into_vec() {
        let labels: Vec<String> =
            key.key().labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
        seen.insert(format!("{}[{}]", key.key().name(), labels.join(",")), value);
    }
    assert_eq!(find_leak(&format!("{seen:?}"), &[secret, token]), None);
    let of = |name: &str| seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:?}"));
    let both = "provider=example,profile=prod";
    let count =
        |outcome: &str| of(&format!("gatepass_token_requests_total[{both},outcome={outcome}]"));
    assert_eq!(count("unavailable"), &DebugValue::Counter(1));
    assert_eq!(count("token"), &DebugValue::Counter(1));
    assert_eq!(of(&format!("gatepass_in_flight_requests[{both}]")), &DebugValue::Gauge(0.0.into()));
    let DebugValue::Gauge(end) = of(&format!("gatepass_token_expiry_seconds[{both}]")) else {
        panic!("not a gauge");
    };
    assert!(end.into_inner() > 1.8e9);
    let histograms = [
        (format!("gatepass_token_request_seconds[{both}]"), 2),
        (format!("gatepass_wait_seconds[{both}]"), 2),
        (format!("gatepass_cooldown_seconds[{both},outcome=unavailable]"), 1),
    ];
    for (name, times) in histograms {
        assert!(matches!(of(&name), DebugValue::Histogram(all) if all.len() == times), "{name}");
    }
}

/// Two runtimes are two processes; one that is not driven is stopped.
#[test]
fn lease_outcomes_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let process = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().start_paused(true).build().unwrap()
        };
        let (stopped, other, clock) = (process(), process(), TestClock::new());
        let store = MemoryStore::new().with_clock(clock.clone());
        let source = |http: &FakeHttp| {
            TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
                .http(http.clone())
                .clock(clock.clone())
                .store(store.clone())
                .build()
                .unwrap()
        };
        let held = FakeHttp::new(|_| FakeResponse::token("late", 3600)).held();
        let late = source(&held);
        let token = stopped.spawn(async move { late.token().await });
        stopped.block_on(async {
            while held.count() == 0 {
                tokio::task::yield_now().await;
            }
        });
        other.block_on(async {
            let clock = clock.clone();
            let time = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    clock.advance(Duration::from_millis(100));
                }
            });
            let http = FakeHttp::new(|_| FakeResponse::token("token", 3600));
            source(&http).token().await.unwrap();
            source(&http).token().await.unwrap();
            time.abort();
        });
        held.release_all();
        stopped.block_on(token).unwrap().unwrap();
    });
    let mut counts = BTreeMap::new();
    for (key, _, _, value) in snapshots.snapshot().into_vec() {
        if key.key().name() == "gatepass_lease_total" {
            let outcome = key.key().labels().find(|label| label.key() == "outcome").unwrap();
            counts.insert(outcome.value().to_owned(), value);
        }
    }
    let count = |outcome: &str, n| (outcome.to_owned(), DebugValue::Counter(n));
    assert_eq!(counts, BTreeMap::from([count("granted", 2), count("found", 1), count("late", 1)]));
}

/// A recorder never drops a label, and a pool may have a million keys.
#[test]
fn pool_keys_are_not_labels() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let http = FakeHttp::new(|n| match n % 2 {
                0 => FakeResponse::token("token-1", 3600),
                _ => FakeResponse::json(503, ""),
            });
            let identify = |key: &str| {
                let credential = Credential::client(key, "the secret");
                Ok(TokenSource::builder(Example::new(), credential))
            };
            let pool = TokenPool::builder(identify).http(http).clock(TestClock::new()).build();
            for tenant in 0..10 {
                let _ = pool.token(&format!("tenant-{tenant}")).await;
            }
        });
    });
    let seen = snapshots.snapshot().into_vec();
    let profiles: BTreeSet<String> = seen
        .iter()
        .flat_map(|(key, ..)| key.key().labels().filter(|label| label.key() == "profile"))
        .map(|label| label.value().to_owned())
        .collect();
    assert_eq!(profiles, BTreeSet::from([String::new()]));
    assert!(seen.iter().all(|(key, ..)| key.key().name() != "gatepass_token_expiry_seconds"));
}
