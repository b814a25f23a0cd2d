//! A stored record that is not used is one warning, which shows no secret. Alone in its program:
//! what tracing notes about its places is one program's, and tests beside it would switch them off.

#![cfg(all(feature = "file-store", unix))]
#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepass_core::{Clock, Endpoint, Request, Token};
use gatepass_engine::{FileStore, Record, StoreKey, SystemClock, TokenStore};
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
fn a_record_that_is_not_used_is_one_warning() {
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
    let key = StoreKey::new(profile, "example", &request);
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let load = || block_on(store.load(&key)).unwrap();
    assert!(load().is_none());
    let saved = Token::builder(token.into(), SystemClock::new().wall());
    let saved = Record::Token(saved.expires_in(Duration::from_secs(60).into()).build().unwrap());
    let lease = block_on(store.lease(&key, Duration::ZERO)).unwrap().unwrap();
    assert!(block_on(lease.save(&saved)).unwrap() && load().is_some());
    assert_eq!(log.0.lock().unwrap().len(), 0);

    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let record = files.into_iter().find(|p| p.extension().is_some_and(|e| e == "token")).unwrap();
    let mut bytes = fs::read(&record).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&record, bytes).unwrap();
    assert!(load().is_none());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("WARN") && log.contains("it is damaged"), "{log}");
    assert_eq!(find_leak(&log, &canaries), None);
}
