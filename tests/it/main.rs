//! End-to-end tests: the real command against the sandbox and raw test servers.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failed assumption fails the test, and a test compares with the real time"
)]

/// Output and exit codes of the command.
mod cli;
/// Servers, headers and proxies that other clients accept.
mod compatibility;
/// Sources and errors of profiles.
mod config;
/// The conformance suite for every registered provider.
mod conformance;
/// The token requests of each vendor.
mod contract;
/// The state folder on a failing disk, among foreign files and with killed processes.
mod disk;
/// Kept failures, which end with their causes.
mod failures;
/// Invalid responses and their handling.
mod faults;
/// The formats of `token` with the programs that read them.
mod formats;
/// Lifetimes with clocks that differ from the vendor's.
mod lifetime;
/// The machine's limits on threads, open files and the size of files.
mod limits;
/// `gatepass login` with a real browser and a terminal.
mod login;
/// The manual's commands, profiles and tables.
mod manual;
/// Proxies, private CAs and other network settings.
mod network;
/// Extensions outside the workspace.
mod outside;
/// Programs with reqwest clients of their own.
mod own_clients;
/// `gatepass init` and `profile`, at a terminal and in scripts.
mod profile;
/// The linked providers for each feature set.
mod registry;
/// The strictness of the sandbox.
mod sandbox;
/// Output and logs without secrets.
mod secrets;
