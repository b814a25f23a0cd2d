//! `gatepass exec`: runs a program with the token in its environment or in a refreshed file.

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod refresh;
#[cfg(unix)]
mod token_file;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use gatepass::{Error, Gate, Token, TokenSource};

use crate::acquire::{WantedToken, acquire};
use crate::error::{CommandError, internal};
use crate::exit;
use crate::hardening::with_user_limits;
use crate::options::{Common, Format, WaitArgs, duration};
use crate::output::Output;
use crate::session::{open_gate_with_store, open_profile};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass exec cisco -- ./report.sh                          the token in $GATEPASS_TOKEN
  gatepass exec lake --env LAKE_TOKEN -- python load.py
  gatepass exec iam --file /run/user/1000/iam.token -- ./server --port 80

Exit codes:
  the program's own, or 128+N if signal N ended it   125 no token, or another error of gatepass
  126 the program cannot be run   127 the program was not found")]
pub(crate) struct ExecArgs {
    /// The profile
    profile: String,
    /// Put the token in this variable; repeatable [default: GATEPASS_TOKEN, or none with --file]
    #[arg(long, value_name = "NAME", value_parser = variable)]
    env: Vec<String>,
    /// Keep a fresh token in this file (mode 0600) while the program runs, and remove it afterwards;
    /// the program gets the path in GATEPASS_TOKEN_FILE
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Require this remaining lifetime, e.g. 10m; fail if the vendor issues less
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_ttl: Option<Duration>,
    #[command(flatten)]
    wait: WaitArgs,
    /// The program and its arguments after --; no shell interprets them
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl ExecArgs {
    fn wanted(&self) -> WantedToken<'_> {
        let Self { profile, min_ttl, wait, .. } = self;
        WantedToken { profile, min_ttl: *min_ttl, is_fresh: false, deadline: wait.deadline() }
    }
}

/// The variable that holds the token.
const TOKEN: &str = "GATEPASS_TOKEN";
/// The variable that holds the path of the token file.
#[cfg(unix)]
const TOKEN_FILE: &str = "GATEPASS_TOKEN_FILE";

pub(crate) async fn run(
    args: &ExecArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let done = match &args.file {
        None => with_variable(args, common, output).await,
        Some(path) => with_file(args, path, common, output).await,
    };
    done.map_err(|error| match error {
        CommandError::WithExitCode { .. } => error,
        error => error.with_exit_code(exit::EXEC_FAILED),
    })
}

async fn with_variable(
    args: &ExecArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let (gate, source) = open(args, common, output)?;
    let token = acquire(&args.wanted(), &source, output).await?;
    let names = if args.env.is_empty() { &[TOKEN.to_owned()] } else { args.env.as_slice() };
    let command = command(args, &gate, names, &token);
    // After this, stderr belongs to the program.
    output.flush_warnings();
    exec_replace(command)
}

/// Replaces this process by the program: signals, terminal and exit code are then the program's, and
/// no process that knows the secret remains.
#[cfg(unix)]
fn exec_replace(mut command: Command) -> Result<ExitCode, CommandError> {
    use std::os::unix::process::CommandExt;

    let error = with_user_limits(|| command.exec());
    Err(start_error(&command, &error))
}

#[cfg(not(unix))]
fn exec_replace(mut command: Command) -> Result<ExitCode, CommandError> {
    let status =
        with_user_limits(|| command.status()).map_err(|error| start_error(&command, &error))?;
    // A code above 255 does not fit and must stay a failure.
    let code = status.code().map_or(u8::MAX, |code| u8::try_from(code).unwrap_or(u8::MAX));
    Ok(ExitCode::from(code))
}

#[cfg(unix)]
async fn with_file(
    args: &ExecArgs,
    path: &Path,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    // Before a token request whose token could not be stored.
    let mut file = token_file::TokenFile::at(path)?;
    let (gate, source) = open(args, common, output)?;
    let token = acquire(&args.wanted(), &source, output).await?;
    let mut command = command(args, &gate, &args.env, &token);
    command.env(TOKEN_FILE, file.path());
    // Catch signals before there is a file to remove.
    let signals =
        child::Signals::catch().map_err(|error| internal("cannot catch signals", &error))?;
    file.write(&token).map_err(|error| token_file::write_error(file.path(), &error))?;
    output.flush_warnings();
    let child =
        with_user_limits(|| command.spawn()).map_err(|error| start_error(&command, &error))?;
    let refreshing = refresh::refresh(&mut file, token, &source, &args.profile, output);
    let status = child::wait(child, signals, refreshing).await;
    drop(file);
    Ok(child::exit_code(status.map_err(|error| internal("cannot wait for the program", &error))?))
}

#[cfg(not(unix))]
async fn with_file(
    _: &ExecArgs,
    _: &Path,
    _: &Common,
    _: &Output,
) -> Result<ExitCode, CommandError> {
    Err(crate::error::usage(
        "--file: this system cannot create files that are private from the start",
        "omit --file: the program gets the token in GATEPASS_TOKEN",
    ))
}

fn open(
    args: &ExecArgs,
    common: &Common,
    output: &Output,
) -> Result<(Gate, TokenSource), CommandError> {
    output.format(&[Format::Text, Format::Json])?;
    let gate = open_gate_with_store(common, output)?;
    let source = gate.open(&open_profile(&gate, &args.profile, common, output)?)?;
    Ok((gate, source))
}

/// Prepares the program with the token in these variables, and without the variables that profiles
/// read secrets from.
fn command(args: &ExecArgs, gate: &Gate, names: &[String], token: &Token) -> Command {
    let mut words = args.command.iter();
    let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
    command.args(words);
    for name in gate.config().variables(gate.registry()) {
        command.env_remove(name);
    }
    for name in names {
        command.env(name, token.expose_secret());
    }
    command
}

/// Makes the error of a program that did not start, with the exit codes of a shell.
fn start_error(command: &Command, error: &io::Error) -> CommandError {
    let program = Path::new(command.get_program()).display();
    let (exit, error) = match error.kind() {
        ErrorKind::NotFound => (
            exit::EXEC_NOT_FOUND,
            Error::config(format!("program not found: {program}"))
                .hint("put a program of PATH or a path after --; for shell syntax: -- sh -c '…'"),
        ),
        kind => (
            exit::EXEC_CANNOT_RUN,
            Error::config(format!("cannot run {program}: {kind}"))
                .hint("check that it is a program, and make it executable: chmod +x"),
        ),
    };
    CommandError::from(error).with_exit_code(exit)
}

/// Parses a variable's name as a shell does, and refuses `NAME=value`.
fn variable(text: &str) -> Result<String, &'static str> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = text.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    match starts && text.bytes().all(is_word) {
        true => Ok(text.to_owned()),
        false => Err("expected letters, digits and _, without a digit at the start"),
    }
}
