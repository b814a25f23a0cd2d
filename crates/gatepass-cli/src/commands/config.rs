//! `gatepass config`: checks the config file, and prints its JSON Schema.

mod check;
mod schema;

use std::process::ExitCode;

use crate::error::CommandError;
use crate::options::{Common, unused};
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(args = unused(&["set"]), after_help = "\
Examples:
  gatepass config check
  gatepass config check --config new.toml --format json
  gatepass config schema > gatepass.schema.json")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Check every profile without network and secrets
    #[command(args = unused(&["set"]), after_help = "\
Examples:
  gatepass config check
  gatepass config check --config new.toml
  gatepass config check --format json      {\"ok\",\"exit\",\"config\",\"error\",\"profiles\":[…]}

It connects to no host, reads no secret, runs no program and follows no reference; `ca_file` is read.
The exit code is 2 if a profile is wrong. `gatepass doctor` checks the rest.")]
    Check,
    /// Print the JSON Schema of the config file
    #[command(args = unused(&["config", "set", "format", "quiet", "verbose"]), after_help = "\
Examples:
  gatepass config schema > gatepass.schema.json

Editors with Taplo check and complete a config that begins with this line:
  #:schema ./gatepass.schema.json

The schema (JSON Schema, draft 2020-12) has the providers of this build.")]
    Schema,
}

pub(crate) fn run(
    args: &ConfigArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    match args.command {
        ConfigCommand::Check => check::run(common, output),
        ConfigCommand::Schema => schema::run(output),
    }
}
