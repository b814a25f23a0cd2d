//! The `gatepass` command with one provider more.

use provider_acme as _;

fn main() -> std::process::ExitCode {
    gatepass_cli::main()
}
