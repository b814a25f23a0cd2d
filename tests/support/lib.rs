//! Test support: the real command, a browser, a keyring, a terminal, servers and nested builds.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failed assumption fails the test, and a test runs in a real environment"
)]

mod build;
mod chrome;
mod home;
mod keyring;
#[cfg(doctest)]
mod manual;
mod memory;
mod normalize;
mod process;
mod python;
mod script;
mod server;
mod signals;
mod terminal;
mod tls;
mod trace;
mod vendor;
mod vendors;
mod workspace;

pub use crate::build::{built, cargo, gatepass_binary, target, workspace};
pub use crate::chrome::{Chrome, Scheme, Tab};
pub use crate::home::Home;
pub use crate::keyring::Keyring;
pub use crate::normalize::normalize;
pub use crate::process::{Gatepass, Run, Running};
pub use crate::python::python;
pub use crate::script::Step;
pub use crate::server::{Received, Reply, Server};
pub use crate::terminal::Terminal;
pub use crate::tls::{Ca, Certificate};
pub use crate::trace::Trace;
pub use crate::vendor::{VENDORS, Vendor, vendor};
pub use crate::vendors::{Vendors, raw, runtime};
pub use crate::workspace::Workspace;

/// Reports that a test is skipped on this machine, and why.
#[expect(clippy::print_stderr, reason = "a skipped test has to be visible")]
pub fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}
