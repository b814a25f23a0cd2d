//! Tests of the command's output and exit codes.

mod call;
mod call_at_terminal;
mod call_options;
mod completions;
mod demo;
mod doctor;
mod exec;
pub(crate) mod help;
mod hints;
mod inspect;
mod keep;
mod list;
mod man;
mod memory_only;
mod providers;
mod sandbox;
mod store;
mod token;
mod usage;
mod wait;
mod why;
