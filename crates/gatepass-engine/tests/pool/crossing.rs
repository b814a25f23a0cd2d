//! Random operations: a token is only returned for the key it was requested for (I10), and never
//! after its expiry (I2).

use std::collections::HashMap;
use std::time::Duration;

use gatepass_core::{Clock, Token};
use gatepass_testkit::TestClock;

use crate::vendor::{Behaviour, Vendor};
use crate::{builder, settle};

const OPERATIONS: usize = 100_000;
const KEYS: usize = 300;

fn check(key: &str, token: &Token, clock: &TestClock, seed: u64) {
    let (owner, _) = token.expose_secret().split_once('.').unwrap();
    assert_eq!(owner, key, "seed {seed}");
    assert!(token.expires_at() > clock.wall(), "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn token_is_never_returned_for_another_key_or_expired() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let clock = TestClock::new();
    let vendor = Vendor::new(60, &clock);
    let pool = builder(&vendor, &clock).max_entries(KEYS / 2).max_exchanges(8).seed(seed).build();
    let mut held: Vec<(String, Token)> = Vec::new();
    // When the rejected token of a key was replaced last, at the latest.
    let mut replaced: HashMap<String, Duration> = HashMap::new();
    for _ in 0..OPERATIONS {
        let key = format!("key-{}", random.usize(..KEYS));
        match random.usize(..100) {
            0..60 => {
                if let Ok(token) = pool.token(&key).await {
                    check(&key, &token, &clock, seed);
                    held.push((key, token));
                }
            }
            60..70 => {
                if let Some(token) = pool.peek(&key) {
                    check(&key, &token, &clock, seed);
                }
            }
            70..80 if !held.is_empty() => {
                let (key, token) = held.swap_remove(random.usize(..held.len()));
                let is_cached = || pool.peek(&key).is_some_and(|other| other.is_same_as(&token));
                let (was_cached, had_none) = (is_cached(), pool.peek(&key).is_none());
                pool.invalidate(&key, &token);
                // A rejected token is replaced at most once in 5 s.
                let pause = Duration::from_secs(5);
                let is_recent =
                    { replaced.get(&key) }.is_some_and(|at| clock.boot() <= *at + pause);
                assert!(is_recent || !is_cached());
                if had_none || (was_cached && !is_cached()) {
                    replaced.insert(key, clock.boot());
                }
            }
            80..85 => pool.forget(&key),
            85..88 => {
                let behaviour =
                    [Behaviour::Token, Behaviour::Token, Behaviour::Fail, Behaviour::Deny]
                        [random.usize(..4)];
                vendor.respond(&key, behaviour);
            }
            88..91 => vendor.set_lifetime([5, 40, 60, 600][random.usize(..4)]),
            91..92 => clock.jump_wall(random.i64(-100_000..100_000)),
            92..97 => {
                let by = Duration::from_millis(random.u64(..5000));
                clock.advance(by);
                tokio::time::advance(by).await;
            }
            97..98 => clock.suspend(Duration::from_secs(random.u64(..200))),
            _ => tokio::task::yield_now().await,
        }
        held.truncate(50);
        assert!(pool.len() <= KEYS / 2);
    }
    settle().await;
    assert!(!vendor.overlapped(), "single flight, seed {seed}");
    assert!(vendor.in_flight_max() <= 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_operations_never_mix_keys_or_deadlock() {
    let clock = TestClock::new();
    let vendor = Vendor::new(600, &clock);
    let pool = builder(&vendor, &clock).max_entries(40).max_exchanges(4).build();
    let workers: Vec<_> = (0..8)
        .map(|seed| {
            let (pool, clock) = (pool.clone(), clock.clone());
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..3000 {
                    let key = format!("key-{}", random.usize(..60));
                    let token = pool.token(&key).await.unwrap();
                    let (owner, _) = token.expose_secret().split_once('.').unwrap();
                    assert_eq!(owner, key);
                    // Invalidations are rare: after four in a row a waiting caller gets an error.
                    match random.usize(..200) {
                        0 => pool.forget(&key),
                        1 | 2 => pool.invalidate(&key, &token),
                        3..20 => clock.advance(Duration::from_secs(random.u64(..30))),
                        20..40 => assert!(pool.status().entries <= 48),
                        _ => {}
                    }
                }
            })
        })
        .collect();
    let all = async {
        for worker in workers {
            worker.await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all).await.unwrap();
    assert!(vendor.in_flight_max() <= 4 && !vendor.overlapped());
    pool.close().await;
    assert_eq!((pool.len(), pool.status().exchanging, pool.status().failing), (0, 0, 0));
}
