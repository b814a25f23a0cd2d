//! Hits from two threads: what one thread gets, and what both get together.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use crate::rivals::{Bound, Locked};
use crate::vendor::Vendor;
use crate::{clock, table};

const ROUNDS: usize = 41;
const HITS: u32 = 40_000;
/// A round in which others had more than the rest of the cores does not count.
const ALONE: f64 = 0.97;

pub(crate) fn run() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let vendor = Vendor::new(3600, Duration::ZERO);
    let (source, bound) = (vendor.builder().build().unwrap(), Bound::new());
    let locked = Locked::new(&vendor, Duration::from_secs(3600));
    runtime.block_on(async {
        source.prefetch().await.unwrap();
        locked.token().await.unwrap();
    });
    let alone = || Builder::new_current_thread().build().unwrap();

    table::head(
        "Hit, two threads (medians of interleaved rounds)",
        &["", "throughput × one thread's", "time a hit × one thread's", "rounds alone"],
    );
    measure("bound: ArcSwap guard, one coarse clock", &|n| {
        for _ in 0..n {
            black_box(bound.guard().unwrap());
        }
    });
    measure("gatepass, borrowed: `with_token`", &|n| {
        for _ in 0..n {
            source.with_token(|token| _ = black_box(token)).unwrap();
        }
    });
    measure("bound: ArcSwap full load, `Instant::now`", &|n| {
        for _ in 0..n {
            black_box(&bound.full().unwrap());
        }
    });
    measure("gatepass, owned: `token().await`", &|n| {
        alone().block_on(async {
            for _ in 0..n {
                black_box(&source.token().await.unwrap());
            }
        });
    });
    measure("`tokio::sync::RwLock`", &|n| {
        alone().block_on(async {
            for _ in 0..n {
                black_box(&locked.token().await.unwrap());
            }
        });
    });
}

fn measure(name: &str, hits: &(dyn Fn(u32) + Sync)) {
    let (mut throughput, mut running, mut tries) = (Vec::new(), Vec::new(), 0);
    while throughput.len() < ROUNDS && tries < 10 * ROUNDS {
        tries += 1;
        let (one, two) = (together(1, hits), together(2, hits));
        if one.share < ALONE || two.share < ALONE {
            continue;
        }
        throughput.push(two.throughput / one.throughput);
        running.push(two.running / one.running);
    }
    let rounds = format!("{} of {tries}", throughput.len());
    let ratio = |ratios: Vec<f64>| match ratios.is_empty() {
        true => "-".to_owned(),
        false => format!("{:.2}", table::median(ratios)),
    };
    table::row(name, &[&ratio(throughput), &ratio(running), &rounds]);
}

struct Round {
    /// Hits a nanosecond, of all threads.
    throughput: f64,
    /// Nanoseconds that a thread runs for a hit.
    running: f64,
    /// How much of the round its threads ran.
    share: f64,
}

fn together(threads: usize, hits: &(dyn Fn(u32) + Sync)) -> Round {
    let (ready, done) = (Barrier::new(threads), Barrier::new(threads));
    let ran: Vec<(Instant, Instant, u64)> = thread::scope(|scope| {
        let spawn = |_| {
            scope.spawn(|| {
                ready.wait();
                let (begun, ran) = (clock::now(), clock::running());
                hits(HITS);
                let (ended, ran) = (clock::now(), clock::running() - ran);
                done.wait();
                (begun, ended, ran)
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let begun = ran.iter().map(|(begun, ..)| *begun).min().unwrap();
    let ended = ran.iter().map(|(_, ended, _)| *ended).max().unwrap();
    let took = (ended - begun).as_nanos() as f64;
    let running = ran.iter().map(|(.., ran)| *ran as f64).sum::<f64>();
    let all = f64::from(HITS) * threads as f64;
    Round { throughput: all / took, running: running / all, share: running / took / threads as f64 }
}
