//! `gatepass help`: prints the help of a command.

use std::process::ExitCode;

use clap::Command;
use gatepass::{Error, Hint};

use crate::arguments;
use crate::error::{CommandError, usage};
use crate::options::unused;
use crate::output::Output;
use crate::program;

#[derive(Debug, clap::Args)]
#[command(args = unused(&["config", "set", "quiet", "verbose"]), after_help = "\
Examples:
  gatepass help
  gatepass help token
  gatepass help profile add")]
pub(crate) struct HelpArgs {
    /// The command [default: list all commands]
    #[arg(value_name = "COMMAND")]
    topic: Vec<String>,
}

pub(crate) fn run(
    args: &HelpArgs,
    mut root: Command,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let mut command = &root;
    for word in &args.topic {
        let names = command.get_subcommands().map(Command::get_name);
        let names = names.collect::<Vec<_>>().join(", ");
        let Some(found) = command.find_subcommand(word) else {
            let hint = match names.is_empty() {
                true => Hint::run("list all commands", ["gatepass", "help"]),
                false => Hint::new(format!("the commands are: {names}")),
            };
            return Err(usage(format!("unrecognized command{}", arguments::quoted(word)), hint));
        };
        command = found;
    }
    // The parser decides how long a help is; see `--help`.
    let words = args.topic.iter().map(String::as_str);
    match root
        .try_get_matches_from_mut([program::name()].into_iter().chain(words).chain(["--help"]))
    {
        Err(help) => output.styled(&help.render().ansi().to_string())?,
        Ok(_) => return Err(CommandError::Gatepass(Error::internal("--help printed no help"))),
    }
    Ok(ExitCode::SUCCESS)
}
