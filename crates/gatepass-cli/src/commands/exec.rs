//! `gatepass exec`: runs a program with tokens in its environment or with one in a refreshed file.

#[cfg(unix)]
mod child;
mod file_args;
#[cfg(unix)]
mod file_content;
#[cfg(unix)]
mod init;
#[cfg(unix)]
mod refresh;
mod targets;
#[cfg(unix)]
mod token_file;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use gatepass::config::{ConfigPlace, Profile};
use gatepass::{Error, Gate, Token, TokenSource, cli_support};

pub(super) use self::file_args::FileArgs;
#[cfg(unix)]
pub(super) use self::init::run_in_child;
#[cfg(unix)]
pub(super) use self::refresh::FileKeeper;
use self::targets::{EXPIRES_AT, ProfileWords, TOKEN, TokenTarget, targets, variable};
#[cfg(unix)]
pub(super) use self::token_file::TokenFile;
use crate::acquire::{WantedToken, acquire};
use crate::error::{CommandError, usage};
use crate::exit;
use crate::hardening::with_user_limits;
use crate::options::{Common, Deadline, Format, WaitArgs, duration, format_arg};
use crate::output::{Output, rfc3339};
use crate::session::{open_gate_with_store, open_profile};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gatepass exec [OPTIONS] <PROFILE[=ENV]>... [--] <PROGRAM> [ARGUMENT]...",
    arg = format_arg(&FORMATS, "Select the format of --file; with json, errors are JSON as well"),
    after_help = "\
One profile's token is in GATEPASS_TOKEN and its expiry in GATEPASS_TOKEN_EXPIRES_AT. With several \
profiles, one without =ENV has its token in GATEPASS_TOKEN_<PROFILE>. The variables that the profiles' \
secrets were read from are removed. Without --, the first argument is a profile, each PROFILE=ENV after \
it is another one, and the first argument without = is the program.

Examples:
  gatepass exec cisco ./report.sh                        the token in $GATEPASS_TOKEN
  gatepass exec lake=LAKE_TOKEN python load.py
  gatepass exec cisco=A huawei=B -- ./sync --dry-run     two tokens, in $A and $B
  gatepass exec cisco lake -- ./sync                     $GATEPASS_TOKEN_CISCO, $GATEPASS_TOKEN_LAKE
  gatepass exec iam --file /run/user/1000/iam.token -- ./server --port 80

Exit codes:
  the program's own, or 128+N if signal N ended it   125 no token, or another error of gatepass
  126 the program cannot be run   127 the program was not found   2 no such profile, without --"
)]
pub(crate) struct ExecArgs {
    /// The profiles; =ENV names the variable for a profile's token
    #[arg(required = true, value_name = "PROFILE[=ENV]")]
    profile: Vec<String>,
    /// Put the token in this variable; repeatable [default: GATEPASS_TOKEN, or none with --file]
    #[arg(long, value_name = "NAME", value_parser = variable)]
    env: Vec<String>,
    /// Keep a fresh token in this file while the program runs, and remove it afterwards; the program
    /// gets the path in GATEPASS_TOKEN_FILE
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    #[command(flatten)]
    access: FileArgs,
    /// Require this remaining lifetime, e.g. 10m; fail if the vendor issues less
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_ttl: Option<Duration>,
    #[command(flatten)]
    wait: WaitArgs,
    /// The program and its arguments; no shell interprets them
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
    /// Whether the command line has the `--` itself.
    #[arg(skip)]
    pub(crate) has_separator: bool,
}

impl ExecArgs {
    fn profile_words(&self) -> ProfileWords<'_> {
        ProfileWords {
            profiles: &self.profile,
            env: &self.env,
            has_file: self.file.is_some(),
            has_separator: self.has_separator,
        }
    }

    fn wanted<'a>(&self, profile: &'a str, deadline: Deadline) -> WantedToken<'a> {
        WantedToken { profile, min_ttl: self.min_ttl, is_fresh: false, deadline }
    }
}

/// The formats of `--format`; without a file only JSON has a meaning, for errors.
const FORMATS: [Format; 4] = [Format::Raw, Format::Header, Format::Env, Format::Json];

pub(crate) async fn run(
    args: &ExecArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let done = match &args.file {
        None => with_variables(args, common, output).await,
        Some(path) => with_file(args, path, common, output).await,
    };
    done.map_err(|error| match error {
        CommandError::WithExitCode { .. } => error,
        error => error.with_exit_code(exit::EXEC_FAILED),
    })
}

async fn with_variables(
    args: &ExecArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    if output.format(&FORMATS)? != Format::Json {
        output.format(&[Format::Raw, Format::Json]).map_err(|error| {
            error.hint("or write the token into a file of this format: --file PATH")
        })?;
    }
    let gate = open_gate_with_store(common, output)?;
    let targets = targets(args.profile_words(), &gate)?;
    let mut command = command(args);
    let mut opened = Vec::new();
    for target in &targets {
        opened.push((target, open_source(&gate, &target.profile, common, output)?));
    }
    for (_, (profile, _)) in &opened {
        remove_secrets(&mut command, profile);
    }
    // One deadline applies to all profiles.
    let deadline = args.wait.deadline();
    let mut tokens = Vec::new();
    for (target, (profile, source)) in &opened {
        let token = acquire(&args.wanted(&target.profile, deadline), source, output).await;
        tokens.push((*target, token.map_err(|error| explain(error, &gate, profile))?));
    }
    for (target, token) in &tokens {
        set_token(&mut command, target, token);
    }
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
    use crate::error::internal;

    if let Some(code) = run_in_child(output).await? {
        return Ok(code);
    }
    let format = output.format(&FORMATS)?;
    let gate = open_gate_with_store(common, output)?;
    let targets = targets(args.profile_words(), &gate)?;
    let Some(target) = targets.first() else { return Err(Error::internal("no profile").into()) };
    // Before a token request whose token could not be stored.
    let mut file = TokenFile::at(path, args.access.access()?)?;
    let (profile, source) = open_source(&gate, &target.profile, common, output)?;
    file.remove_leftover();
    let token = acquire(&args.wanted(&profile.name, args.wait.deadline()), &source, output).await;
    let token = token.map_err(|error| explain(error, &gate, &profile))?;
    let mut command = command(args);
    remove_secrets(&mut command, &profile);
    set_token(&mut command, target, &token);
    command.env(targets::TOKEN_FILE, file.path());
    // Catch signals before there is a file to remove.
    let signals =
        child::Signals::catch().map_err(|error| internal("cannot catch signals", &error))?;
    let min_ttl = args.min_ttl.unwrap_or_default();
    let mut keeper =
        FileKeeper { file, format, profile: &profile, source: &source, min_ttl, output };
    keeper.write(&token).await?;
    output.flush_warnings();
    let child =
        with_user_limits(|| command.spawn()).map_err(|error| start_error(&command, &error))?;
    let status = child::wait(child, signals, keeper.keep(token)).await;
    drop(keeper);
    Ok(child::exit_code(status.map_err(|error| internal("cannot wait for the program", &error))?))
}

#[cfg(not(unix))]
async fn with_file(
    _: &ExecArgs,
    _: &Path,
    _: &Common,
    _: &Output,
) -> Result<ExitCode, CommandError> {
    Err(no_private_files())
}

/// Makes the error of a token file on a system without Unix permissions.
#[cfg(not(unix))]
pub(super) fn no_private_files() -> CommandError {
    usage(
        "--file: this system cannot create files that are private from the start",
        "use gatepass exec without --file: the program gets the token in GATEPASS_TOKEN",
    )
}

/// Opens a profile.
pub(super) fn open_source(
    gate: &Gate,
    name: &str,
    common: &Common,
    output: &Output,
) -> Result<(Profile, TokenSource), CommandError> {
    let profile = open_profile(gate, name, common, output).map_err(|error| match error {
        // A required variable is missing.
        CommandError::Gatepass(error)
            if matches!(error.place(), Some(ConfigPlace::Environment)) =>
        {
            CommandError::from(error).hint(NESTED)
        }
        error => error,
    })?;
    let source = gate.open(&profile)?;
    Ok((profile, source))
}

/// Adds a hint to the error of a profile whose secret's variable is missing.
fn explain(error: CommandError, gate: &Gate, profile: &Profile) -> CommandError {
    let env = gate.config().env();
    let variables = cli_support::secret_variables(profile);
    match variables.iter().any(|name| env.get(name).is_none()) {
        true => error.hint(NESTED),
        false => error,
    }
}

const NESTED: &str = "inside another gatepass exec: the outer one removed the variables of its own \
                      profiles' secrets; name all profiles in one exec: cisco=A huawei=B";

/// Prepares the program, without a token.
fn command(args: &ExecArgs) -> Command {
    let mut words = args.command.iter();
    let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
    command.args(words);
    command
}

/// Removes the variables that the profile's secrets are read from.
fn remove_secrets(command: &mut Command, profile: &Profile) {
    for name in cli_support::secret_variables(profile) {
        command.env_remove(name);
    }
}

fn set_token(command: &mut Command, target: &TokenTarget, token: &Token) {
    for name in &target.variables {
        command.env(name, token.expose_secret());
        if name == TOKEN {
            // An outer gatepass may have set another token's expiry.
            command.env(EXPIRES_AT, rfc3339(token.expires_at()));
        }
    }
}

/// Makes the error of a program that did not start, with the exit codes of a shell.
fn start_error(command: &Command, error: &io::Error) -> CommandError {
    let program = Path::new(command.get_program()).display();
    if let Some(error) = Error::process_limit(&format!("cannot run {program}"), error) {
        return CommandError::Gatepass(error).with_exit_code(exit::EXEC_CANNOT_RUN);
    }
    let (exit, error) = match error.kind() {
        ErrorKind::NotFound => (
            exit::EXEC_NOT_FOUND,
            usage(
                format!("program not found: {program}"),
                "name a program of PATH or a path; for shell syntax: -- sh -c '…'",
            ),
        ),
        kind => (
            exit::EXEC_CANNOT_RUN,
            usage(
                format!("cannot run {program}: {kind}"),
                "check that it is a program, and make it executable: chmod +x",
            ),
        ),
    };
    error.with_exit_code(exit)
}
