//! Benchmark of a hit: one task reads a cached token repeatedly.

use std::hint::black_box;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::rivals::{Bound, Locked};
use crate::vendor::Vendor;
use crate::{HEAP, clock, table};

const ROUNDS: usize = 401;
const HITS: u32 = 10_000;

/// A name, the name of its bound, and a function that makes a number of hits.
type Row<'a> = (&'static str, &'static str, Box<dyn Fn(u32) + 'a>);

pub(crate) fn run() {
    let runtime: Runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let vendor = Vendor::new(3600, Duration::ZERO);
    let (source, bound) = (vendor.builder().build().unwrap(), Bound::new());
    let locked = Locked::new(&vendor, Duration::from_secs(3600));
    runtime.block_on(async {
        source.prefetch().await.unwrap();
        locked.token().await.unwrap();
    });

    const GUARD: &str = "bound: ArcSwap guard, one coarse clock";
    const FULL: &str = "bound: ArcSwap full load, `Instant::now`";
    let rows: [Row<'_>; 6] = [
        (
            GUARD,
            GUARD,
            Box::new(|n| {
                for _ in 0..n {
                    bound.with(|token| _ = black_box(token)).unwrap();
                }
            }),
        ),
        (
            "gatepass, borrowed: `with_token`",
            GUARD,
            Box::new(|n| {
                for _ in 0..n {
                    source.with_token(|token| _ = black_box(token)).unwrap();
                }
            }),
        ),
        (
            FULL,
            FULL,
            Box::new(|n| {
                for _ in 0..n {
                    black_box(&bound.full().unwrap());
                }
            }),
        ),
        (
            "gatepass, owned: `peek`",
            FULL,
            Box::new(|n| {
                for _ in 0..n {
                    black_box(&source.peek().unwrap());
                }
            }),
        ),
        (
            "gatepass, owned: `token().await`",
            FULL,
            Box::new(|n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        black_box(&source.token().await.unwrap());
                    }
                });
            }),
        ),
        (
            "`tokio::sync::RwLock`",
            FULL,
            Box::new(|n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        black_box(&locked.token().await.unwrap());
                    }
                });
            }),
        ),
    ];

    let mut times = vec![Vec::with_capacity(ROUNDS); rows.len()];
    for _ in 0..ROUNDS {
        for ((_, _, hit), times) in rows.iter().zip(&mut times) {
            times.push(clock::time(|| hit(HITS)).as_nanos() as f64 / f64::from(HITS));
        }
    }
    table::head(
        "Hit, one thread (medians of interleaved rounds)",
        &["", "ns", "× its bound", "allocations"],
    );
    for (n, (name, bound, hit)) in rows.iter().enumerate() {
        let to = rows.iter().position(|(name, ..)| name == bound).unwrap();
        let before = HEAP.stats();
        hit(HITS);
        let allocations = HEAP.stats().allocations - before.allocations;
        let ns = table::median(times[n].iter().copied());
        let ratio = table::median_ratio(&times[n], &times[to]);
        let allocations = allocations as f64 / f64::from(HITS);
        table::row(
            name,
            &[&format!("{ns:.1}"), &format!("{ratio:.2}"), &format!("{allocations:.2}")],
        );
    }
}
