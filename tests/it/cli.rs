//! The command as its users meet it: what it prints where, and how it ends.

mod call;
mod call_at_terminal;
mod completions;
mod demo;
mod doctor;
mod exec;
pub(crate) mod help;
mod inspect;
mod list;
mod man;
mod others;
mod sandbox;
mod store;
mod token;
mod usage;
mod why;
