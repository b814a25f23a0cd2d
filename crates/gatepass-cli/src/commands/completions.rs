//! `gatepass completions`: a script for the shell.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::completion;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(shell: Shell, output: &Output) -> Result<ExitCode, Failure> {
    output.bytes(&completion::script(&shell.to_string())?)?;
    Ok(ExitCode::SUCCESS)
}
