//! Benchmarks of the engine, as ratios to simple rivals in the same run.
//!
//! `cargo bench -p gatepass-engine --bench engine` runs all of them in about two minutes; names at
//! its end (`hit`, `threads`, `stampede`, `service`) select. Goals and results are in
//! `PERFORMANCE.md`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]
#![expect(clippy::unwrap_used, reason = "a failed assumption ends the benchmark")]

mod clock;
mod hit;
mod rivals;
mod service;
mod stampede;
mod table;
mod threads;
mod vendor;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts the allocations of gatepass and of the rivals.
#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this program without `--bench`.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let parts: [(&str, fn()); 4] = [
        ("hit", hit::run),
        ("threads", threads::run),
        ("stampede", stampede::run),
        ("service", service::run),
    ];
    let selected: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    for (name, run) in parts {
        if selected.is_empty() || selected.iter().any(|word| *word == name) {
            run();
        }
    }
}
