//! The command line, as types.

use clap::{Parser, Subcommand};

use crate::commands::call::CallArgs;
use crate::commands::demo::DemoArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::exec::ExecArgs;
use crate::commands::forget::ForgetArgs;
use crate::commands::inspect::InspectArgs;
use crate::commands::list::ListArgs;
use crate::commands::login::LoginArgs;
use crate::commands::man::ManArgs;
use crate::commands::profile::{InitArgs, ProfileArgs};
use crate::commands::providers::ProvidersArgs;
use crate::commands::sandbox::SandboxArgs;
use crate::commands::token::TokenArgs;
use crate::commands::why::WhyArgs;
use crate::completion::CompletionsArgs;
use crate::help;
use crate::options::Common;

/// A vendor's access token at a shell: acquired once, never leaked.
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
    /// Prints a profile's access token
    Token(TokenArgs),
    /// Makes an API request with a fresh token; the body goes to stdout
    Call(CallArgs),
    /// Runs a program with the token in its environment, or in a file that is kept fresh
    Exec(ExecArgs),
    /// Writes your first profile: asks for what the vendor needs, and tries it
    Init(InitArgs),
    /// Adds another profile, removes one, or lets its secrets go to changed addresses
    Profile(ProfileArgs),
    /// Logs a person in with a browser, for profiles with grant = "implicit"
    Login(LoginArgs),
    /// Lists the profiles, and what is kept of each: asks no vendor
    List(ListArgs),
    /// Says what is known of a profile and its token, never the token
    Inspect(InspectArgs),
    /// Says what a profile's vendor answered lately when asked for a token, and what to do about it
    Why(WhyArgs),
    /// Checks one step after the other, from the config to the vendor's API, and says what to do
    Doctor(DoctorArgs),
    /// Forgets a profile's token, and what `why` knows of its vendor's answers
    Forget(ForgetArgs),
    /// Lists the vendors compiled in, and every field of each
    Providers(ProvidersArgs),
    /// Runs the vendors on loopback, for tests in any language
    Sandbox(SandboxArgs),
    /// Gets a token from every vendor of a sandbox of its own, and makes an API call with each
    Demo(DemoArgs),
    /// Prints a script that lets a shell complete commands, options and the names of profiles
    Completions(CompletionsArgs),
    /// Prints the manual as man pages
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Tests run every option that the help lists.
    fn assert_nothing_hidden(command: &clap::Command) {
        assert!(!command.is_hide_set(), "{}", command.get_name());
        for arg in command.get_arguments() {
            let hidden = arg.is_hide_set() || arg.is_hide_long_help_set();
            assert!(!hidden, "{} {}", command.get_name(), arg.get_id());
        }
        command.get_subcommands().for_each(assert_nothing_hidden);
    }

    #[test]
    fn no_command_and_no_option_is_hidden_from_the_help() {
        let mut command = Args::command();
        command.build();
        assert_nothing_hidden(&command);
    }
}
