//! Token stores: the contract that all of them share, and what the file store promises beyond it.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

mod contract;
#[cfg(all(feature = "file-store", unix))]
mod damage;
#[cfg(all(feature = "file-store", unix))]
mod directory;
#[cfg(all(feature = "file-store", unix))]
mod history;
#[cfg(all(feature = "file-store", unix))]
mod processes;
#[cfg(all(feature = "file-store", target_os = "linux"))]
mod syscalls;
#[cfg(all(feature = "file-store", unix))]
mod version_1;

use std::time::{Duration, SystemTime};

use gatepass_core::{CacheKey, Clock, Endpoint, Error, Request, Token};
use gatepass_engine::{
    FailureRecord, ProfileKey, Record, SaveOutcome, StoreKey, SystemClock, TokenStore,
};

const HOUR: Duration = Duration::from_secs(3600);

fn key(profile: &str, secret: &str) -> StoreKey {
    let endpoint = Endpoint::parse("https://vendor.example.com/token").unwrap();
    let form = [("client_id", "client"), ("client_secret", secret)];
    let cache_key = CacheKey::from_request(&Request::post(endpoint).form(form));
    StoreKey::new(&ProfileKey::new(profile), "example", &cache_key)
}

/// A token that is valid for an hour.
fn token(text: &str, issued_at: SystemTime) -> Record {
    let token = Token::builder(text.into(), issued_at).scope(Some("read write"));
    Record::Token(token.expires_in(HOUR.into()).build().unwrap())
}

fn failure(failed_at: SystemTime, cooldown: Duration) -> Record {
    Record::Failure(FailureRecord::new(&Error::denied("refused"), failed_at, failed_at + cooldown))
}

fn now() -> SystemTime {
    SystemClock::new().wall()
}

/// Returns what the store has for this key: a token's text, a failure's message, or `none`.
async fn text(store: &dyn TokenStore, key: &StoreKey) -> String {
    match store.load(key).await.unwrap() {
        Some(Record::Token(token)) => token.expose_secret().to_owned(),
        Some(Record::Failure(failure)) => failure.error(now()).message().to_owned(),
        _ => "none".to_owned(),
    }
}

async fn save(store: &dyn TokenStore, key: &StoreKey, record: &Record) -> SaveOutcome {
    store.lease(key, HOUR).await.unwrap().unwrap().save(record).await.unwrap()
}

async fn save_new(store: &dyn TokenStore, key: &StoreKey, record: &Record) {
    assert_eq!(save(store, key, record).await, SaveOutcome::Kept);
}
