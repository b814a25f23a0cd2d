//! What gatepass reads from outside, given any bytes: one module a reader.
//!
//! Each has `run`, which panics where a promise is broken. `cargo xtask fuzz` calls it by libFuzzer;
//! `cargo test` takes this file in by its path and replays `regressions/`.

pub mod answer;
pub mod asker;
pub mod config;
pub mod endpoint;
pub mod environment;
pub mod hand_out;
pub mod journal;
pub mod landing;
pub mod profile;
pub mod record;
pub mod redaction;
pub mod redirect;
pub mod refusal;
pub mod retry_after;
pub mod sandbox;
pub mod shown;
pub mod words;

mod canary;
mod message;

/// One reader: its name, and what is asked of it.
pub type Target = (&'static str, fn(&[u8]));

/// Every reader.
pub const TARGETS: &[Target] = &[
    ("answer", answer::run),
    ("asker", asker::run),
    ("config", config::run),
    ("endpoint", endpoint::run),
    ("environment", environment::run),
    ("hand_out", hand_out::run),
    ("journal", journal::run),
    ("landing", landing::run),
    ("profile", profile::run),
    ("record", record::run),
    ("redaction", redaction::run),
    ("redirect", redirect::run),
    ("refusal", refusal::run),
    ("retry_after", retry_after::run),
    ("sandbox", sandbox::run),
    ("shown", shown::run),
    ("words", words::run),
];
