//! The command as its users meet it: what it prints where, and how it ends.

mod call;
mod demo;
mod others;
mod sandbox;
mod store;
mod token;
mod usage;
