//! The command as its users meet it: what it prints where, and how it ends.

mod call;
mod demo;
mod doctor;
mod exec;
mod inspect;
mod list;
mod others;
mod sandbox;
mod store;
mod token;
mod usage;
mod why;
