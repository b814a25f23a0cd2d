//! `gatepass completions`: a script for the shell.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(shell: Shell, output: &Output) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "gatepass", &mut script);
    output.bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}
