//! What a token store promises, whichever it is, and what the one in files promises besides.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

mod contract;
#[cfg(all(feature = "file-store", unix))]
mod damage;
#[cfg(all(feature = "file-store", unix))]
mod folder;
#[cfg(all(feature = "file-store", unix))]
mod notes;
#[cfg(all(feature = "file-store", unix))]
mod processes;
#[cfg(all(feature = "file-store", target_os = "linux"))]
mod syscalls;

use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, Endpoint, Error, Request, Token};
use gatepass_engine::{FailureRecord, Record, StoreKey, SystemClock, TokenStore};

const HOUR: Duration = Duration::from_secs(3600);

fn key(profile: &str, secret: &str) -> StoreKey {
    let endpoint = Endpoint::parse("https://vendor.example.com/token").unwrap();
    let form = [("client_id", "client"), ("client_secret", secret)];
    StoreKey::new(profile, "example", &Request::post(endpoint).form(form))
}

/// A token of an hour.
fn token(text: &str, issued_at: SystemTime) -> Record {
    let token = Token::builder(text.into(), issued_at).scope(Some("read write"));
    Record::Token(token.expires_in(HOUR.into()).build().unwrap())
}

fn failure(failed_at: SystemTime, rest: Duration) -> Record {
    Record::Failure(FailureRecord::new(&Error::denied("refused"), failed_at, failed_at + rest))
}

fn now() -> SystemTime {
    SystemClock::new().wall()
}

/// What the store has for this key: a token's text, a failure's message, or nothing.
async fn text(store: &dyn TokenStore, key: &StoreKey) -> String {
    match store.load(key).await.unwrap() {
        Some(Record::Token(token)) => token.expose_secret().to_owned(),
        Some(Record::Failure(failure)) => failure.error(now()).message().to_owned(),
        _ => "nothing".to_owned(),
    }
}

async fn save(store: &dyn TokenStore, key: &StoreKey, record: &Record) -> bool {
    store.lease(key, HOUR).await.unwrap().unwrap().save(record).await.unwrap()
}
