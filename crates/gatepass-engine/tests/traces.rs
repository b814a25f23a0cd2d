//! Tests that debug output and traces show no secret.
//!
//! The only test of its program, because tracing caches per program which log statements are on.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use gatepass_core::Credential;
use gatepass_engine::TokenSource;
use gatepass_testkit::example::Example;
use gatepass_testkit::{Canary, FakeHttp, FakeResponse, TestClock, canary, find_leak};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn debug_output_and_traces_show_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let canaries = [canary("client_secret"), canary("token"), canary("fixed")];
    let [secret, token, fixed] = canaries.each_ref().map(Canary::text);
    let echo = format!("{{\"error\":\"invalid_client\",\"error_description\":\"{secret}\"}}");
    let http = FakeHttp::returning([
        FakeResponse::json(401, echo),
        FakeResponse::token(token, 60),
        FakeResponse::never(),
    ]);
    let credential = Credential::client("client", secret);
    let builder = TokenSource::builder(Example::new(), credential).http(http.clone());
    let mut shown = format!("{builder:?} {builder:#?}");
    let source = builder.name("prod").clock(TestClock::new()).build().unwrap();
    let error = source.token().await.unwrap_err();
    shown += &format!("{error} {error:?} {:?} {:#?} {source:?}", source.status(), source.status());
    let token = source.refresh_now().await.unwrap();
    let headers = source.headers().await.unwrap();
    source.refresh_now().await.unwrap_err();
    shown += &format!("{token:?} {headers:?} {source:?} {source:#?} {:#?}", source.status());
    let fixed = TokenSource::fixed(fixed);
    shown += &format!("{fixed:?} {fixed:#?} {:?} {:?}", fixed.status(), fixed.provider());
    source.close().await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("provider=\"example\" profile=\"prod\""), "{log}");
    assert!(log.contains("outcome=\"denied\"") && log.contains("outcome=\"token\""), "{log}");
    assert_eq!(find_leak(&log, &canaries), None);
    assert_eq!(find_leak(&shown, &canaries), None);
    // The search finds a secret where there is one.
    assert!(find_leak(&http.requests()[0].text(), &canaries).is_some());
}
