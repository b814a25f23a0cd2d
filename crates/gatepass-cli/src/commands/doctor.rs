//! `gatepass doctor`: checks every step from the config to an API call, with a hint for each
//! failure.

mod network;
mod report;
mod vendor;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use gatepass::cli_support;
use gatepass::cli_support::BoundSecret;
use gatepass::config::{Config, Env};
use gatepass::provider::Registry;
use gatepass::store::FileStore;
use gatepass::{Error, Gate, Hint};

use self::report::Report;
use crate::error::CommandError;
use crate::options::{Common, Format};
use crate::output::Output;
use crate::session::{open_profile, warn_of_unused_variables};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass doctor                    check the config and every profile
  gatepass doctor cisco --fresh      send a token request even if a usable token is cached
  gatepass doctor --format json      {\"ok\",\"exit\",\"steps\":[…]}

The exit code is that of the first failed step. Secrets are read, but never shown.")]
pub(crate) struct DoctorArgs {
    /// The profile [default: all]
    profile: Option<String>,
    /// Send a token request even if a usable token is cached
    #[arg(long)]
    fresh: bool,
}

pub(crate) async fn run(
    args: &DoctorArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let mut report = Report::new(output, format, common.config.as_deref());
    let gate = check_config(args, common, &mut report)?;
    // Without a readable config, the state directory is the default one.
    let default = Config::default();
    let config = gate.as_ref().map_or(&default, Gate::config);
    let store = check_state(config, output, &mut report)?;
    let Some(gate) = gate else {
        report.skip_all(&["profile"], "config")?;
        return report.end();
    };
    let gate = match store {
        Some(store) => gate.with_store(store),
        None => gate,
    };
    warn_of_unused_variables(&gate, output);
    let names = args.profile.as_ref().map_or_else(|| gate.names(), |name| vec![name.clone()]);
    for name in names {
        report.begin(&name)?;
        check_profile(&gate, &name, args, common, output, &mut report).await?;
    }
    report.end()
}

/// Checks that the config can be read, and reports its path and mode.
fn check_config(
    args: &DoctorArgs,
    common: &Common,
    report: &mut Report<'_>,
) -> Result<Option<Gate>, CommandError> {
    let env = Env::process();
    let named = env.path("GATEPASS_CONFIG").is_some();
    let (config, by) = match &common.config {
        Some(path) => (Config::load(path), " (--config)"),
        None => (Config::find(), if named { " ($GATEPASS_CONFIG)" } else { "" }),
    };
    let gate = match config.and_then(|config| Gate::new(config, Registry::linked()?)) {
        Ok(gate) => gate,
        Err(error) => {
            report.fail("config", &error)?;
            return Ok(None);
        }
    };
    let count = match gate.names().len() {
        1 => String::from("1 profile"),
        count => format!("{count} profiles"),
    };
    if let Some(path) = gate.config().path() {
        let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o777);
        report.ok("config", format!("{}{by}, mode {mode:04o}, {count}", path.display()))?;
        return Ok(Some(gate));
    }
    let default = env.default_config_path().map(|path| format!("{} or ", path.display()));
    let place = format!(" at {}{}", default.unwrap_or_default(), cli_support::SYSTEM_CONFIG);
    if gate.names().is_empty() && args.profile.is_none() {
        let error = Error::config(format!("no config file{place}, and no profile in variables"));
        report.fail(
            "config",
            &error
                .hint(Hint::gatepass("create the file", ["init"]))
                .hint("or set GATEPASS_<PROFILE>_<KEY> variables")
                .hint(Hint::run("list all keys", ["gatepass", "providers"])),
        )?;
        return Ok(None);
    }
    report.ok("config", format!("no file{place}; {count} from variables"))?;
    Ok(Some(gate))
}

/// Checks that the state directory is private and writable.
fn check_state(
    config: &Config,
    output: &Output,
    report: &mut Report<'_>,
) -> Result<Option<FileStore>, CommandError> {
    let Some(directory) = cli_support::state_dir(config) else {
        report.warn(
            "state",
            "no state directory: tokens are not cached",
            "set GATEPASS_STATE_DIR",
        )?;
        return Ok(None);
    };
    let store = FileStore::open(&directory).and_then(|store| {
        // Opening a store that exists writes nothing.
        tempfile::Builder::new().prefix(".doctor-").tempfile_in(&directory).map_err(|error| {
            let directory = directory.display();
            Error::internal(format!("cannot write to {directory}: {}", error.kind()))
                .hint("tokens are stored there: check its owner, mode and free space")
        })?;
        Ok(store.with_process_name(output.command_name()))
    });
    match store {
        Ok(store) => {
            report.ok("state", format!("{}, private and writable", directory.display()))?;
            Ok(Some(store))
        }
        Err(error) => {
            report.fail(
                "state",
                &error.default_hint("set GATEPASS_STATE_DIR to a directory of your own"),
            )?;
            Ok(None)
        }
    }
}

fn has_unapproved_origin(secret: &BoundSecret) -> bool {
    !secret.missing().is_empty()
}

/// Runs the steps of one profile, in order.
async fn check_profile(
    gate: &Gate,
    name: &str,
    args: &DoctorArgs,
    common: &Common,
    output: &Output,
    report: &mut Report<'_>,
) -> Result<(), CommandError> {
    let opened = match open_profile(gate, name, common, output) {
        Err(CommandError::Gatepass(error)) => Err(error),
        Err(other) => return Err(other),
        Ok(profile) => cli_support::http_client(gate, &profile).and_then(|http| {
            let endpoint = profile.token_endpoint()?;
            Ok((profile, http, endpoint))
        }),
    };
    let (profile, http, endpoint) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            report.fail("profile", &error)?;
            report.skip_all(&network::STEPS, "profile")?;
            return report.skip_all(&["token", "api"], "profile");
        }
    };
    let (info, origin) = (profile.info(), &profile.origin);
    report.ok("profile", format!("{} ({}), from {origin}", info.id, info.title))?;

    let mut missing = None;
    for (field, source) in cli_support::secret_sources(&profile) {
        let step = format!("secret {field}");
        match cli_support::check_secret(&profile, field).await {
            Ok(remarks) if remarks.is_empty() => {
                report.ok(&step, format!("read from {source}"))?;
            }
            Ok(remarks) => {
                let (texts, hints): (Vec<_>, Vec<_>) =
                    remarks.into_iter().map(|(text, hint)| (text, hint.to_string())).unzip();
                let detail = format!("read from {source}; {}", texts.join("; "));
                report.warn(&step, detail, &hints.join("; "))?;
            }
            Err(error) => {
                report.fail(&step, &error)?;
                missing.get_or_insert(step);
            }
        }
    }
    // Connect to no address that the profile's stored secrets are not bound to.
    if let Some(step) = &missing
        && cli_support::bound_secrets(&profile)
            .await
            .is_ok_and(|all| all.iter().any(has_unapproved_origin))
    {
        report.skip_all(&network::STEPS, step)?;
        return report.skip_all(&["token", "api"], step);
    }
    let is_reachable = network::check(&http, &endpoint, report).await?;
    match missing {
        Some(step) => report.skip_all(&["token", "api"], &step),
        None if !is_reachable => report.skip_all(&["token", "api"], "the connection"),
        None => vendor::check(gate, &profile, &http, args.fresh, report).await,
    }
}
