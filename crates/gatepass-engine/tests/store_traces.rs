//! What the file store logs: one warning for a damaged record, and no secret.
//!
//! The only test of its program, because tracing caches per program which log statements are on.

#![cfg(all(feature = "file-store", unix))]
#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepass_core::{CacheKey, Clock, Endpoint, Request, Token};
use gatepass_engine::{
    FileStore, ProfileKey, Record, SaveOutcome, StoreKey, SystemClock, TokenStore,
};
use gatepass_testkit::{Canary, block_on, canary, find_leak};

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

#[test]
fn damaged_record_is_logged_once() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let canaries = ["token", "secret", "profile"].map(canary);
    let [token, secret, profile] = canaries.each_ref().map(Canary::text);
    let endpoint = Endpoint::parse("https://vendor.example.com/token").unwrap();
    let request = Request::post(endpoint).form([("client_secret", secret)]);
    let cache_key = CacheKey::from_request(&request);
    let key = StoreKey::new(&ProfileKey::new(profile), "example", &cache_key);
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let load = || block_on(store.load(&key)).unwrap();
    assert!(load().is_none());
    let saved = Token::builder(token.into(), SystemClock::new().wall());
    let saved = Record::Token(saved.expires_in(Duration::from_secs(60).into()).build().unwrap());
    let lease = block_on(store.lease(&key, Duration::ZERO)).unwrap().unwrap();
    assert_eq!(block_on(lease.save(&saved)).unwrap(), SaveOutcome::Kept);
    assert!(load().is_some());
    assert_eq!(log.0.lock().unwrap().len(), 0);

    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let record = files.into_iter().find(|p| p.extension().is_some_and(|e| e == "token")).unwrap();
    // A record of an earlier or later version is a plain miss.
    for version in [1, 3] {
        let mut bytes = fs::read(&record).unwrap();
        bytes[8] = version;
        fs::write(&record, bytes).unwrap();
        assert!(load().is_none());
        assert!(block_on(store.records(key.profile())).unwrap().is_empty());
        assert_eq!(log.0.lock().unwrap().len(), 0);
    }
    let mut bytes = fs::read(&record).unwrap();
    bytes[8] = 2;
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&record, bytes).unwrap();
    assert!(load().is_none());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("WARN") && log.contains("it is damaged"), "{log}");
    assert_eq!(find_leak(&log, &canaries), None);
}
