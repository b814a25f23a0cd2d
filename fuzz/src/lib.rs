//! What gatepass reads from outside, given any bytes: one module a reader.
//!
//! Each has `run`, which panics where a promise is broken. `cargo xtask fuzz` calls it by libFuzzer;
//! `cargo test` takes this file in by its path and replays `regressions/`.

pub mod answer;
pub mod config;
pub mod endpoint;
pub mod environment;
pub mod journal;
pub mod record;
pub mod redirect;
pub mod refusal;
pub mod retry_after;
pub mod sandbox;

mod canary;
mod message;

/// One reader: its name, and what is asked of it.
pub type Target = (&'static str, fn(&[u8]));

/// Every reader.
pub const TARGETS: &[Target] = &[
    ("answer", answer::run),
    ("config", config::run),
    ("endpoint", endpoint::run),
    ("environment", environment::run),
    ("journal", journal::run),
    ("record", record::run),
    ("redirect", redirect::run),
    ("refusal", refusal::run),
    ("retry_after", retry_after::run),
    ("sandbox", sandbox::run),
];
