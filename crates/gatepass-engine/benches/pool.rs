//! Benchmark of a pool with a million identities: heap, lookups compared with an ideal map in the
//! same run, and processor time while idle.
//!
//! `cargo bench -p gatepass-engine --bench pool -- 1000000` (the number of identities, then the
//! idle seconds, default 30).

#![expect(clippy::unwrap_used, reason = "a failed assumption ends the benchmark")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::alloc::System;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepass_core::{Credential, HttpSend, Request, Response, Result, async_trait};
use gatepass_engine::{TokenPool, TokenSource};
use gatepass_testkit::Fixture;
use gatepass_testkit::example::Example;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TOKEN: usize = 1024;
const LIFETIME: Duration = Duration::from_secs(7200);
const ROUNDS: usize = 7;

/// The lower bound: a map of tokens that reads one clock and counts a reference.
struct Ideal {
    _text: Box<str>,
    ends: Instant,
}

#[derive(Debug)]
struct Vendor;

#[async_trait]
impl HttpSend for Vendor {
    async fn send(&self, request: Request) -> Result<Response> {
        let body = String::from_utf8_lossy(request.body());
        let key = body.split('&').find_map(|pair| pair.strip_prefix("client_id=")).unwrap();
        let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{}", LIFETIME.as_secs());
        let token = text(key);
        Ok(Fixture::json(200, format!("{{\"access_token\":\"{token}\",{fields}}}")).response())
    }
}

fn text(key: &str) -> String {
    format!("{key:.<TOKEN$}")
}

/// 45 bytes.
fn key(number: usize) -> String {
    format!("tenant-{number:038}")
}

fn heap() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Returns the processor time of the process, if the kernel provides it.
fn processor() -> Option<Duration> {
    let mut total = 0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let times = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        total += times.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(total))
}

/// Returns the nanoseconds per lookup of the keys, in their order.
fn time(keys: &[String], mut read: impl FnMut(&str)) -> f64 {
    let started = now();
    keys.iter().for_each(|key| read(key));
    started.elapsed().as_nanos() as f64 / keys.len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let count = arguments.next().unwrap_or(100_000);
    let idle = Duration::from_secs(arguments.next().unwrap_or(30) as u64);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let before = heap();
        let ideal: HashMap<Box<str>, Arc<Ideal>> = (0..count)
            .map(|number| {
                let text = text(&key(number)).into_boxed_str();
                (
                    key(number).into_boxed_str(),
                    Arc::new(Ideal { _text: text, ends: now() + LIFETIME }),
                )
            })
            .collect();
        let ideal_bytes = (heap() - before) as f64 / count as f64 - TOKEN as f64;

        let pool = TokenPool::builder(|key| {
            let credential = Credential::client(key, "the secret");
            Ok(TokenSource::builder(Example::new(), credential))
        })
        .http(Vendor)
        .max_entries(count)
        .build();
        let before = heap();
        let started = now();
        for number in 0..count {
            pool.token(&key(number)).await.unwrap();
        }
        let filled = started.elapsed().as_secs_f64() * 1e6 / count as f64;
        let bytes = (heap() - before) as f64 / count as f64 - TOKEN as f64;
        println!("{} identities, {TOKEN} byte tokens, {} byte keys", pool.len(), key(0).len());
        println!("heap beyond the token: {bytes:.1} B each (ideal map: {ideal_bytes:.1} B)");
        println!("an exchange with a vendor in memory: {filled:.1} µs");

        let mut keys: Vec<String> = (0..count).map(key).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut keys);
        // Copied in that order, so that the measurement does not include cache misses of the keys.
        let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
        let mut rounds = [const { Vec::new() }; 5];
        for _ in 0..ROUNDS {
            rounds[0].push(time(&keys, |key| drop(black_box(ideal.get(key).cloned()))));
            rounds[1].push(time(&keys, |key| {
                let now = now();
                drop(black_box(
                    ideal.get(key).filter(|cached| cached.ends > now).cloned().unwrap(),
                ));
            }));
            rounds[2].push(time(&keys, |key| drop(black_box(pool.peek(key).unwrap()))));
            rounds[3].push(time(&keys, |key| {
                pool.with_token(key, |token| black_box(token.lifetime())).unwrap();
            }));
            let started = now();
            for key in &keys {
                drop(black_box(pool.token(key).await.unwrap()));
            }
            rounds[4].push(started.elapsed().as_nanos() as f64 / count as f64);
        }
        let names = ["ideal map", "ideal map and one clock", "peek", "with_token", "token"];
        println!("lookup, random order, each {ROUNDS} times in turn (ratios within a turn):");
        for (name, round) in names.into_iter().zip(&rounds) {
            let ratio = |to: &[f64]| median(round.iter().zip(to).map(|(a, b)| a / b).collect());
            let (bare, checked) = (ratio(&rounds[0]), ratio(&rounds[1]));
            let took = median(round.clone());
            println!("  {name:24} {took:6.0} ns, {bare:.2} and {checked:.2} times the ideal");
        }

        let before = processor();
        tokio::time::sleep(idle).await;
        if let (Some(before), Some(after)) = (before, processor()) {
            let share = (after - before).as_secs_f64() / idle.as_secs_f64() * 100.0;
            println!("idle for {} s: {share:.4} % of a core", idle.as_secs());
        }
        drop(ideal);
    });
}
