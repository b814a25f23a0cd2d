//! The engine under shuttle's schedulers, which try many interleavings.
//!
//! The engine's files are compiled here a second time, on [`rt`] instead of tokio and without
//! their unit tests. This program has its own `main`; its arguments select tests by a part of their
//! name. A failure prints the schedule that repeats it. A caller that is never woken is a deadlock,
//! which is a failure too.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed assumption fails the test, which prints it"
)]
#![allow(
    dead_code,
    irrefutable_let_patterns,
    unreachable_pub,
    unused_imports,
    reason = "this test uses a part of the engine's files"
)]

#[path = "../../src"]
mod engine {
    pub(crate) mod acquisition;
    pub(crate) mod allowed_origins;
    pub(crate) mod budget;
    pub(crate) mod builder;
    pub(crate) mod cache;
    pub(crate) mod cache_state;
    pub(crate) mod cached_token;
    pub(crate) mod clock;
    pub(crate) mod cooldown;
    pub(crate) mod credential_history;
    pub(crate) mod exchange;
    pub(crate) mod exchange_failure;
    pub(crate) mod fingerprint;
    pub(crate) mod flight;
    pub(crate) mod flight_handle;
    pub(crate) mod freshness;
    pub(crate) mod login;
    pub(crate) mod metrics;
    pub(crate) mod pending_login;
    pub(crate) mod persistence;
    pub(crate) mod policy;
    pub(crate) mod prefetch;
    pub(crate) mod rejection;
    pub(crate) mod shared_failures;
    pub(crate) mod source;
    pub(crate) mod source_config;
    pub(crate) mod status;
    pub(crate) mod store;
    pub(crate) mod watch;
}

mod rt;
mod scenarios;
mod vendor;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

use crate::builder::TokenSourceBuilder;
use crate::clock::SystemClock;
use crate::engine::{
    acquisition, allowed_origins, budget, builder, cache, cache_state, cached_token, clock,
    cooldown, credential_history, exchange, exchange_failure, fingerprint, flight, flight_handle,
    freshness, login, metrics, pending_login, persistence, policy, prefetch, source, source_config,
    status, store, watch,
};
use crate::scenarios::SCENARIOS;
use crate::source::TokenSource;
use crate::status::{State, Status};
use crate::store::TokenStore;
use crate::watch::Watch;

/// Number of interleavings per scheduler.
const ORDERS: usize = 1000;
/// Seed of both schedulers: a fault is found in every run or in none.
const SEED: u64 = 7;
/// Priority changes per interleaving: most faults need no more.
const CHANGES: usize = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let is_meant = |name: &str| {
        let mut parts = words.iter().filter(|word| !word.starts_with('-')).peekable();
        parts.peek().is_none() || parts.any(|part| name.contains(part.as_str()))
    };
    let tests = tests();
    let all = tests.len();
    let meant: Vec<Test> = tests.into_iter().filter(|test| is_meant(test.name)).collect();
    println!("\nrunning {} tests", meant.len());
    let failed = meant.iter().filter(|test| !test.passes()).count();
    let (result, passed) = (if failed == 0 { "ok" } else { "FAILED" }, meant.len() - failed);
    let left_out = all - meant.len();
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
         {left_out} filtered out\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A scenario that must pass in any interleaving.
struct Test {
    name: &'static str,
    scenario: fn(),
}

fn tests() -> Vec<Test> {
    SCENARIOS.iter().map(|&(name, scenario)| Test { name, scenario }).collect()
}

impl Test {
    fn passes(&self) -> bool {
        let passes = holds(self.scenario);
        println!("test {} ... {}", self.name, if passes { "ok" } else { "FAILED" });
        passes
    }
}

fn holds(scenario: fn()) -> bool {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.failure_persistence = FailurePersistence::Print;
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        Runner::new(scheduler, config.clone()).run(scenario);
    };
    let tried = || {
        run(Box::new(PctScheduler::new_from_seed(SEED, CHANGES, ORDERS)));
        run(Box::new(RandomScheduler::new_from_seed(SEED, ORDERS)));
    };
    catch_unwind(AssertUnwindSafe(tried)).is_ok()
}
