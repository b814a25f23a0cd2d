//! Benchmark of a stampede: ten thousand callers, no token, and a vendor that takes 50 ms.

use std::time::Duration;

use tokio::runtime::Builder;

use crate::rivals::Locked;
use crate::vendor::Vendor;
use crate::{HEAP, clock, table};

const ROUNDS: usize = 31;
const CALLERS: usize = 10_000;
const LATENCY: Duration = Duration::from_millis(50);
/// After this time all callers wait.
const WAITING: Duration = Duration::from_millis(35);

/// The result of one stampede.
struct Outcome {
    requests: usize,
    /// Milliseconds until the last caller had the token.
    took: f64,
    heap: usize,
}

pub(crate) fn run() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let lifetime = Duration::from_secs(3600);
    let (mut exchange, mut gatepass, mut locked) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let vendor = Vendor::new(3600, LATENCY);
        exchange.push(runtime.block_on(async {
            let started = clock::now();
            let source = vendor.builder().build().unwrap();
            tokio::spawn(async move { source.prefetch().await }).await.unwrap().unwrap();
            started.elapsed().as_secs_f64() * 1e3
        }));
        let vendor = Vendor::new(3600, LATENCY);
        let source = vendor.builder().build().unwrap();
        gatepass.push(runtime.block_on(stampede(&vendor, || {
            let source = source.clone();
            async move { drop(source.token().await.unwrap()) }
        })));
        let vendor = Vendor::new(3600, LATENCY);
        let rival = Locked::new(&vendor, lifetime);
        locked.push(runtime.block_on(stampede(&vendor, || {
            let rival = rival.clone();
            async move { drop(rival.token().await.unwrap()) }
        })));
    }
    table::head(
        "Stampede: 10,000 callers on a cold key, vendor at 50 ms (medians)",
        &[
            "",
            "requests",
            "ms",
            "× one exchange",
            "the same, at best",
            "heap bytes per waiter, with its task",
        ],
    );
    table::row("one caller", &[&1, &format!("{:.1}", median(&exchange)), &"1.00", &"", &""]);
    for (name, outcomes) in [("gatepass", &gatepass), ("`tokio::sync::RwLock`", &locked)] {
        let took: Vec<f64> = outcomes.iter().map(|outcome| outcome.took).collect();
        table::row(
            name,
            &[
                &outcomes.iter().map(|outcome| outcome.requests).max().unwrap_or_default(),
                &format!("{:.1}", median(&took)),
                &format!("{:.2}", table::median_ratio(&took, &exchange)),
                &format!("{:.2}", table::best_ratio(&took, &exchange)),
                &(outcomes.iter().map(|outcome| outcome.heap).max().unwrap_or_default() / CALLERS),
            ],
        );
    }
}

fn median(values: &[f64]) -> f64 {
    table::median(values.iter().copied())
}

async fn stampede<F: Future<Output = ()> + Send + 'static>(
    vendor: &Vendor,
    caller: impl Fn() -> F,
) -> Outcome {
    let mut callers = Vec::with_capacity(CALLERS);
    let heap = HEAP.stats();
    let started = clock::now();
    callers.extend((0..CALLERS).map(|_| tokio::spawn(caller())));
    tokio::time::sleep(WAITING.saturating_sub(started.elapsed())).await;
    let now = HEAP.stats();
    let heap = (now.bytes_allocated - heap.bytes_allocated)
        .saturating_sub(now.bytes_deallocated - heap.bytes_deallocated);
    for caller in callers {
        caller.await.unwrap();
    }
    let took = started.elapsed().as_secs_f64() * 1e3;
    Outcome { requests: vendor.requests(), took, heap }
}
