//! End to end: the real command against the sandbox and against servers that answer byte for byte.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failed assumption fails the test, and a test compares with the real time"
)]

/// What the command prints, and its exit codes.
mod cli;
/// Where a profile comes from, and what is said of one with a mistake.
mod config;
/// Every registered provider, asked what all providers are asked.
mod conformance;
/// The bytes that go to each vendor.
mod contract;
/// The folder of tokens on a failing disk, among strangers' files, and under killed processes.
mod disk;
/// What a vendor may answer wrongly, and what becomes of it.
mod faults;
/// Every format of `token`, read by the program that it is for.
mod hand_out;
/// `gatepass login`, in a real browser and at a real terminal.
mod login;
/// The manual's commands, profiles and tables.
mod manual;
/// Proxies, private CAs and what else of a network the environment names.
mod network;
/// A stranger's provider, in a workspace of its own.
mod outside;
/// `gatepass init`, at a terminal and in a script.
mod profile;
/// The exact list of providers for each set of features.
mod registry;
/// The sandbox is as strict as the vendors.
mod sandbox;
/// Nothing printed or logged shows a secret.
mod secrets;
