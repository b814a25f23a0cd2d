//! Tests of the token pool with controlled time and network.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

mod bounds;
mod crossing;
mod failures;
mod flights;
mod keys;
mod timer;
mod vendor;

use std::time::Duration;

use gatepass_core::{Credential, Result, Token};
use gatepass_engine::{TokenPool, TokenPoolBuilder, TokenSource};
use gatepass_testkit::TestClock;
use gatepass_testkit::example::Example;
use tokio::task::JoinHandle;

use crate::vendor::Vendor;

const HOUR: Duration = Duration::from_secs(3600);

/// A pool whose keys are client ids.
fn builder(vendor: &Vendor, clock: &TestClock) -> TokenPoolBuilder {
    let identify = |key: &str| {
        let credential = Credential::client(key, "the secret");
        Ok(TokenSource::builder(Example::new(), credential))
    };
    TokenPool::builder(identify).http(vendor.clone()).clock(clock.clone()).seed(7)
}

fn pool(vendor: &Vendor, clock: &TestClock) -> TokenPool {
    builder(vendor, clock).build()
}

fn request(pool: &TokenPool, key: &str, callers: usize) -> Vec<JoinHandle<Result<Token>>> {
    let ask = |_| {
        let (pool, key) = (pool.clone(), key.to_owned());
        tokio::spawn(async move { pool.token(&key).await })
    };
    (0..callers).map(ask).collect()
}

/// Lets every task run until it waits: the runtime of a test has one thread.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Advances the pool's clock and the runtime's.
async fn pass(clock: &TestClock, by: Duration) {
    clock.advance(by);
    tokio::time::advance(by).await;
    settle().await;
}

/// Fills a pool with this number of keys.
async fn fill(pool: &TokenPool, keys: usize) {
    for key in 0..keys {
        pool.token(&format!("key-{key}")).await.unwrap();
    }
}
