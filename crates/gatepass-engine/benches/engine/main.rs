//! The engine's figures, as ratios to plain rivals in the same run.
//!
//! `cargo bench -p gatepass-engine --bench engine` runs everything, about two minutes; a name at
//! its end (`hit`, `threads`, `stampede`, `service`) runs that part alone. What is to be reached
//! and what was stands in `PERFORMANCE.md`.

#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
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

/// Counts what is allocated, for everybody alike.
#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // As a test (`cargo test --all-targets`) it has nothing to say.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let parts: [(&str, fn()); 4] = [
        ("hit", hit::run),
        ("threads", threads::run),
        ("stampede", stampede::run),
        ("service", service::run),
    ];
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    for (name, run) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| *word == name) {
            run();
        }
    }
}
