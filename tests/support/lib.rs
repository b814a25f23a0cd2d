//! What only these tests need: the real command, scripted servers, a sandbox, nested builds.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failed assumption fails the test, and a test runs in a real environment"
)]

mod build;
mod home;
mod process;
mod server;
mod vendor;
mod vendors;
mod workspace;

pub use crate::build::{cargo, gatepass_binary, target, workspace};
pub use crate::home::Home;
pub use crate::process::{Gatepass, Run, Running};
pub use crate::server::{Received, Reply, Server};
pub use crate::vendor::{VENDORS, Vendor, vendor};
pub use crate::vendors::{Vendors, runtime};
pub use crate::workspace::Workspace;
