//! Measures a pool's heap memory beside the tokens. A program of its own, because it counts every
//! allocation of its process.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::alloc::System;
use std::sync::Mutex;

use gatepass_core::{Credential, HttpSend, Request, Response, Result, async_trait};
use gatepass_engine::{TokenPool, TokenSource};
use gatepass_testkit::example::Example;
use gatepass_testkit::{Fixture, TestClock, block_on};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The tests of this file run one at a time, because they count the same heap.
static HEAP_LOCK: Mutex<()> = Mutex::new(());

const TOKEN: usize = 1024;

/// Returns the bytes that are allocated and the number of allocations so far.
fn heap() -> (usize, usize) {
    let stats = HEAP.stats();
    (stats.bytes_allocated - stats.bytes_deallocated, stats.allocations + stats.reallocations)
}

#[derive(Debug)]
struct Vendor;

#[async_trait]
impl HttpSend for Vendor {
    async fn send(&self, request: Request) -> Result<Response> {
        let body = String::from_utf8_lossy(request.body());
        let key = body.split('&').find_map(|pair| pair.strip_prefix("client_id=")).unwrap();
        let token = format!("{key:.<TOKEN$}");
        let fields = "\"token_type\":\"Bearer\",\"expires_in\":3600";
        Ok(Fixture::json(200, format!("{{\"access_token\":\"{token}\",{fields}}}")).response())
    }
}

fn pool(max_entries: usize) -> TokenPool {
    TokenPool::builder(|key| {
        let credential = Credential::client(key, "the secret");
        Ok(TokenSource::builder(Example::new(), credential))
    })
    .http(Vendor)
    .clock(TestClock::new())
    .max_entries(max_entries)
    .build()
}

fn key(number: usize) -> String {
    key_of(number, 45)
}

fn key_of(number: usize, length: usize) -> String {
    format!("tenant-{number:0>width$}", width = length - 7)
}

async fn fill(pool: &TokenPool, count: usize) {
    fill_with(pool, count, 45).await;
}

async fn fill_with(pool: &TokenPool, count: usize, key_length: usize) {
    for number in 0..count {
        let token = pool.token(&key_of(number, key_length)).await.unwrap();
        assert_eq!(token.expose_secret().len(), TOKEN);
    }
}

#[tokio::test(start_paused = true)]
async fn identity_needs_at_most_180_extra_bytes() {
    let _lock = HEAP_LOCK.lock();
    // The worst case is just after the index has doubled.
    for (count, key_length) in [(100_000, 40), (30_000, 47), (10_000, 120)] {
        let pool = pool(count);
        // Let the runtime and the vendor's code make their permanent allocations first.
        fill_with(&pool, 100, key_length).await;
        let before = heap().0;
        fill_with(&pool, count, key_length).await;
        let each = (heap().0 - before) as f64 / (count - 100) as f64;
        let beyond = each - (TOKEN + key_length) as f64;
        assert!(beyond <= 180.0, "{count} keys of {key_length} bytes: {beyond:.1} bytes each");
        assert_eq!(pool.len(), count);
        drop(pool);
    }
}

#[tokio::test(start_paused = true)]
async fn reading_a_cached_token_allocates_nothing() {
    let _lock = HEAP_LOCK.lock();
    let pool = pool(1000);
    fill(&pool, 1000).await;
    let keys: Vec<String> = (0..1000).map(key).collect();
    let before = heap().1;
    for key in &keys {
        block_on(pool.token(key)).unwrap();
        pool.peek(key).unwrap();
        assert_eq!(pool.with_token(key, |token| token.expose_secret().len()), Some(TOKEN));
    }
    // `block_on` itself allocates: subtract its allocations.
    let with = heap().1 - before;
    let before = heap().1;
    for _ in &keys {
        block_on(std::future::ready(()));
    }
    assert_eq!(with, heap().1 - before);
}

#[tokio::test(start_paused = true)]
async fn removed_keys_leave_no_memory_behind() {
    let _lock = HEAP_LOCK.lock();
    let pool = pool(1000);
    fill(&pool, 5000).await;
    let before = heap().0;
    for round in 1..5 {
        for number in round * 5000..(round + 1) * 5000 {
            pool.token(&key(number)).await.unwrap();
        }
    }
    let grown = heap().0.saturating_sub(before);
    assert!(grown < 50_000, "{grown} bytes for 20,000 keys that are gone");
    for number in 0..25_000 {
        pool.forget(&key(number));
    }
    assert!(pool.is_empty());
}
