//! The command line: the list of commands, and the options that all of them share.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource::CommandLine;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::call::CallArgs;
use crate::commands::config::ConfigArgs;
use crate::commands::demo::DemoArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::exec::ExecArgs;
use crate::commands::forget::ForgetArgs;
use crate::commands::help::HelpArgs;
use crate::commands::inspect::InspectArgs;
use crate::commands::keep::KeepArgs;
use crate::commands::list::ListArgs;
use crate::commands::login::LoginArgs;
use crate::commands::man::ManArgs;
use crate::commands::profile::{InitArgs, ProfileArgs};
use crate::commands::providers::ProvidersArgs;
use crate::commands::sandbox::SandboxArgs;
use crate::commands::token::TokenArgs;
use crate::commands::why::WhyArgs;
use crate::completion::CompletionsArgs;
#[cfg(test)]
use crate::options::COMMON_HEADING;
use crate::options::Common;
use crate::program;
use crate::{help, separator};

/// Get, cache and use access tokens from vendors' APIs
#[derive(Debug, Parser)]
#[command(name = "gatepass", version, max_term_width = 100, after_help = help::SHORT)]
#[command(after_long_help = help::long(), disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a profile's access token
    Token(TokenArgs),
    /// Send an API request with a fresh token
    Call(CallArgs),
    /// Run a program with a token
    Exec(ExecArgs),
    /// Keep a fresh token in a file
    Keep(KeepArgs),
    /// Create your first profile
    Init(InitArgs),
    /// Add, remove or change profiles
    Profile(ProfileArgs),
    /// Check the config, or print its schema
    Config(ConfigArgs),
    /// Log in with a browser
    Login(LoginArgs),
    /// List profiles and their state
    List(ListArgs),
    /// Show a profile's token state
    Inspect(InspectArgs),
    /// Show recent token requests
    Why(WhyArgs),
    /// Check every step up to the API
    Doctor(DoctorArgs),
    /// Remove cached tokens and history
    Forget(ForgetArgs),
    /// List the providers in this build
    Providers(ProvidersArgs),
    /// Run simulated vendors on loopback
    Sandbox(SandboxArgs),
    /// Try every provider against a sandbox
    Demo(DemoArgs),
    /// Print a shell completion script
    Completions(CompletionsArgs),
    /// Print the man pages
    Man(ManArgs),
    /// Print the help of a command
    Help(HelpArgs),
}

impl Args {
    /// Parses the command line, and returns the name of its command as well.
    pub(crate) fn parse_named() -> Result<(Self, String), clap::Error> {
        let mut command = program::named(Self::command());
        let words = separator::separate_program(&command, std::env::args_os().collect());
        let matches = command.try_get_matches_from_mut(&words.all)?;
        refuse_unused(&mut command, &matches)?;
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        let mut args = Self::from_arg_matches(&matches)?;
        if let Command::Exec(exec) = &mut args.command {
            exec.has_separator = !words.was_separated;
        }
        Ok((args, name))
    }
}

/// Refuses `--set` and `--format` if the command's help hides them, because the user expects an effect.
/// The other common options are accepted by every command: a shell alias such as
/// `gatepass --config FILE -q` works then.
fn refuse_unused(root: &mut clap::Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let Some(command) = root.find_subcommand_mut(name) else { return Ok(()) };
    let hidden = command.get_arguments().filter(|arg| arg.is_hide_set());
    let mut refused = hidden.filter(|arg| ["set", "format"].contains(&arg.get_id().as_str()));
    let unused = refused.find_map(|arg| {
        let is_given = matches.value_source(arg.get_id().as_str()) == Some(CommandLine);
        is_given.then(|| format!("--{}", arg.get_long().unwrap_or_default()))
    });
    let Some(option) = unused else { return Ok(()) };
    let mut error = clap::Error::new(ErrorKind::UnknownArgument).with_cmd(command);
    error.insert(ContextKind::InvalidArg, ContextValue::String(option));
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts that the tests that read options from the help see all of them.
    fn assert_nothing_else_hidden(command: &clap::Command) {
        assert!(!command.is_hide_set(), "{}", command.get_name());
        for arg in command.get_arguments() {
            let is_common = arg.get_help_heading() == Some(COMMON_HEADING);
            let is_hidden = arg.is_hide_set() || arg.is_hide_long_help_set();
            assert!(is_common || !is_hidden, "{} {}", command.get_name(), arg.get_id());
        }
        command.get_subcommands().for_each(assert_nothing_else_hidden);
    }

    #[test]
    fn help_hides_only_unused_common_options() {
        let mut command = Args::command();
        command.build();
        assert_nothing_else_hidden(&command);
    }

    #[test]
    fn unused_common_options_are_refused() {
        let parse = |args: &[&str]| {
            let mut command = Args::command();
            let matches = command.try_get_matches_from_mut(args).unwrap();
            refuse_unused(&mut command, &matches).map_err(|error| error.kind())
        };
        for args in [["gatepass", "man", "--set=a=b"], ["gatepass", "--set=a=b", "man"]] {
            assert_eq!(parse(&args), Err(ErrorKind::UnknownArgument), "{args:?}");
        }
        assert_eq!(parse(&["gatepass", "--set=a=b", "token", "cisco"]), Ok(()));
        assert_eq!(parse(&["gatepass", "man", "-qv", "--config", "c.toml"]), Ok(()));
    }
}
