//! Runs the command that the user chose. Each command has a file of its own.

mod cached_state;
pub(crate) mod call;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod forget;
pub(crate) mod help;
pub(crate) mod inspect;
pub(crate) mod keep;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod man;
pub(crate) mod profile;
pub(crate) mod providers;
pub(crate) mod sandbox;
pub(crate) mod token;
pub(crate) mod why;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Args, Command};
use crate::completion;
use crate::error::CommandError;
use crate::output::Output;
use crate::program;

pub(crate) async fn run(args: Args, output: &Output) -> Result<ExitCode, CommandError> {
    let common = &args.common;
    match &args.command {
        Command::Token(args) => token::run(args, common, output).await,
        Command::Call(args) => call::run(args, common, output).await,
        Command::Exec(args) => exec::run(args, common, output).await,
        Command::Keep(args) => keep::run(args, common, output).await,
        Command::Init(args) => profile::init(args, common, output).await,
        Command::Profile(args) => profile::run(args, common, output).await,
        Command::Config(args) => config::run(args, common, output),
        Command::Login(args) => login::run(args, common, output).await,
        Command::List(args) => list::run(args, common, output).await,
        Command::Inspect(args) => inspect::run(args, common, output).await,
        Command::Why(args) => why::run(args, common, output).await,
        Command::Doctor(args) => doctor::run(args, common, output).await,
        Command::Forget(args) => forget::run(args, common, output).await,
        Command::Providers(_) => providers::run(output),
        Command::Sandbox(args) => sandbox::run(args, output).await,
        Command::Demo(args) => demo::run(args, output).await,
        Command::Completions(args) => completion::run(args, output),
        Command::Man(args) => man::run(args, program::named(Args::command()), output),
        Command::Help(args) => help::run(args, program::named(Args::command()), output),
    }
}
