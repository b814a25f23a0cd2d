//! The `gatepass` command with one further provider, and with its vendor in the sandbox.

use provider_acme as _;
use sandbox_acme::AcmeVendor;

fn main() -> std::process::ExitCode {
    gatepass_cli::Program::new("acme-gatepass", env!("CARGO_PKG_VERSION"))
        .sandbox_vendors(&[&AcmeVendor])
        .main()
}
