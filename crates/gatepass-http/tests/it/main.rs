//! Tests of the HTTP client against scripted servers.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

mod canary;
mod connections;
mod faults;
mod middleware;
mod proxy;
mod rules;
mod server;
mod tls;
