//! Benchmark of hits from two threads, compared with one thread.

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
/// Share of the time that a round's threads must have run; other rounds do not count.
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
        &["", "throughput × one thread's", "time per hit × one thread's", "rounds alone"],
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
    /// Hits per nanosecond of all threads.
    throughput: f64,
    /// Processor time per hit in nanoseconds.
    running: f64,
    /// Share of the round in which its threads ran.
    share: f64,
}

fn together(threads: usize, hits: &(dyn Fn(u32) + Sync)) -> Round {
    let (ready, done) = (Barrier::new(threads), Barrier::new(threads));
    let ran: Vec<(Instant, Instant, u64)> = thread::scope(|scope| {
        let spawn = |_| {
            scope.spawn(|| {
                ready.wait();
                let (started, ran) = (clock::now(), clock::running());
                hits(HITS);
                let (ended, ran) = (clock::now(), clock::running() - ran);
                done.wait();
                (started, ended, ran)
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let started = ran.iter().map(|(started, ..)| *started).min().unwrap();
    let ended = ran.iter().map(|(_, ended, _)| *ended).max().unwrap();
    let took = (ended - started).as_nanos() as f64;
    let running = ran.iter().map(|(.., ran)| *ran as f64).sum::<f64>();
    let all = f64::from(HITS) * threads as f64;
    Round { throughput: all / took, running: running / all, share: running / took / threads as f64 }
}
