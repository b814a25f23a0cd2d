//! `gatepass keep`: keeps a fresh token in a file until a signal ends it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::exec::FileArgs;
#[cfg(unix)]
use super::exec::{FileKeeper, TokenFile, open_source, run_in_child};
#[cfg(unix)]
use crate::acquire::{WantedToken, acquire};
use crate::error::CommandError;
use crate::options::{Common, Format, WaitArgs, duration, format_arg};
use crate::output::Output;
#[cfg(unix)]
use crate::output::rfc3339;
#[cfg(unix)]
use crate::session::open_gate_with_store;
#[cfg(unix)]
use crate::signal;

#[derive(Debug, clap::Args)]
#[command(
    arg = format_arg(&FILE_FORMATS, "Select the file's format; with json, errors are JSON as well"),
    after_help = "\
The command stays in the foreground. When the file has its first token, it prints one line and, under \
systemd, reports that it is ready (Type=notify). It replaces the file at each refresh, and removes it \
when the token expires and when SIGTERM, SIGINT or SIGHUP ends the command (exit code 0). If the first \
token fails, it exits with the error's code; later failures are warnings.

Examples:
  gatepass keep cisco --file /run/user/1000/cisco.token
  gatepass keep cisco --file /run/tokens/cisco --mode 0640 --group www-data
  gatepass keep lake --file lake.env --format env        for EnvironmentFile= and shells
  gatepass keep iam --file iam.header --format header    for curl -H @iam.header"
)]
pub(crate) struct KeepArgs {
    /// The profile
    profile: String,
    /// Keep the token in this file
    #[arg(long, value_name = "PATH", required = true)]
    file: PathBuf,
    #[command(flatten)]
    access: FileArgs,
    /// Refresh the token when less than this lifetime remains, e.g. 10m; exit 8 if the vendor's first
    /// token is shorter
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_ttl: Option<Duration>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// The formats of the file, the default first.
const FILE_FORMATS: [Format; 4] = [Format::Raw, Format::Header, Format::Env, Format::Json];

#[cfg(unix)]
pub(crate) async fn run(
    args: &KeepArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    if let Some(code) = run_in_child(output).await? {
        return Ok(code);
    }
    let format = output.format(&FILE_FORMATS)?;
    // Before a token request whose token could not be stored.
    let mut file = TokenFile::at(&args.file, args.access.access()?)?;
    let gate = open_gate_with_store(common, output)?;
    let (profile, source) = open_source(&gate, &args.profile, common, output)?;
    // Catch signals before there is a file to remove.
    let mut stopped = std::pin::pin!(signal::stop()?);
    file.remove_leftover();
    let min_ttl = args.min_ttl.unwrap_or_default();
    let wanted = WantedToken {
        profile: &args.profile,
        min_ttl: args.min_ttl,
        is_fresh: false,
        deadline: args.wait.deadline(),
    };
    let token = tokio::select! {
        token = acquire(&wanted, &source, output) => token?,
        () = &mut stopped => return Ok(ExitCode::SUCCESS),
    };
    let mut keeper =
        FileKeeper { file, format, profile: &profile, source: &source, min_ttl, output };
    keeper.write(&token).await?;
    let (path, expiry) = (keeper.file.path().display(), rfc3339(token.expires_at()));
    output.announce(&format!("gatepass: {}: {path} is ready, expires at {expiry}", args.profile));
    output.flush_warnings();
    notify(sd_notify::NotifyState::Ready, output);
    tokio::select! {
        never = keeper.keep(token) => match never {},
        () = &mut stopped => {}
    }
    notify(sd_notify::NotifyState::Stopping, output);
    drop(keeper);
    Ok(ExitCode::SUCCESS)
}

/// Reports a state to the service manager, if one started this process.
#[cfg(unix)]
fn notify(state: sd_notify::NotifyState<'_>, output: &Output) {
    if let Err(error) = sd_notify::notify(&[state]) {
        output.warn(&format!("cannot notify the service manager: {}", error.kind()));
        output.flush_warnings();
    }
}

#[cfg(not(unix))]
pub(crate) async fn run(_: &KeepArgs, _: &Common, _: &Output) -> Result<ExitCode, CommandError> {
    Err(super::exec::no_private_files())
}
