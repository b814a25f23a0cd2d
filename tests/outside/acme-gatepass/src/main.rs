//! The `gatepass` command with one further provider.

use provider_acme as _;

fn main() -> std::process::ExitCode {
    gatepass_cli::Program::new("acme-gatepass", env!("CARGO_PKG_VERSION")).main()
}
