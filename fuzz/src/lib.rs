//! Fuzz targets for every reader of external input, one module for each.
//!
//! Each module has `run`, which panics if a promise is broken. `cargo xtask fuzz` calls it with
//! libFuzzer; `cargo test` includes this file by its path and replays `regressions/`.

pub mod arguments;
pub mod callback;
pub mod config;
pub mod credential_helper;
pub mod endpoint;
pub mod environment;
pub mod formats;
pub mod history;
pub mod profile;
pub mod record;
pub mod redaction;
pub mod redirect;
pub mod retry_after;
pub mod sandbox;
pub mod terminal_text;
pub mod token_response;
pub mod token_verdict;

mod canary;
mod message;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("arguments", arguments::run),
    ("callback", callback::run),
    ("config", config::run),
    ("credential_helper", credential_helper::run),
    ("endpoint", endpoint::run),
    ("environment", environment::run),
    ("formats", formats::run),
    ("history", history::run),
    ("profile", profile::run),
    ("record", record::run),
    ("redaction", redaction::run),
    ("redirect", redirect::run),
    ("retry_after", retry_after::run),
    ("sandbox", sandbox::run),
    ("terminal_text", terminal_text::run),
    ("token_response", token_response::run),
    ("token_verdict", token_verdict::run),
];
