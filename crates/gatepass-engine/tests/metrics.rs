//! Metrics: each name with its labels, from closed sets, and no secret among them.

#![cfg(feature = "metrics")]

use std::collections::BTreeMap;
use std::time::Duration;

use gatepass_core::Credential;
use gatepass_engine::TokenSource;
use gatepass_testkit::example::Example;
use gatepass_testkit::{Answer, FakeHttp, TestClock, canary, find_leak};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

#[test]
fn exchanges_waits_rests_flights_and_expiry_are_measured() {
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
            let http =
                FakeHttp::answering([Answer::json(503, ""), Answer::token(&token_text, 3600)]);
            let source = TokenSource::builder(Example::new())
                .credential(Credential::client("client", secret_text))
                .http(http)
                .clock(clock.clone())
                .name("prod")
                .build();
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
    let count = |outcome: &str| of(&format!("gatepass_exchanges_total[{both},outcome={outcome}]"));
    assert_eq!(count("unavailable"), &DebugValue::Counter(1));
    assert_eq!(count("token"), &DebugValue::Counter(1));
    assert_eq!(of(&format!("gatepass_flights[{both}]")), &DebugValue::Gauge(0.0.into()));
    let DebugValue::Gauge(end) = of(&format!("gatepass_token_expiry_seconds[{both}]")) else {
        panic!("not a gauge");
    };
    assert!(end.into_inner() > 1.8e9);
    let histograms = [
        (format!("gatepass_exchange_seconds[{both}]"), 2),
        (format!("gatepass_wait_seconds[{both}]"), 2),
        (format!("gatepass_rest_seconds[{both},outcome=unavailable]"), 1),
    ];
    for (name, times) in histograms {
        assert!(matches!(of(&name), DebugValue::Histogram(all) if all.len() == times), "{name}");
    }
}
