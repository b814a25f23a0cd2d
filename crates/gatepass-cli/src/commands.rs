//! The commands, one file each.

mod call;
mod completions;
mod demo;
mod doctor;
mod exec;
mod forget;
mod inspect;
mod kept;
mod list;
mod login;
mod man;
mod profile;
mod providers;
mod sandbox;
mod token;
mod why;

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use gatepass::{Clock, Config, FileStore, Gate, Profile, Registry, Response, SystemClock};
use http::{HeaderMap, StatusCode};

pub(crate) use self::demo::DemoArgs;
pub(crate) use self::doctor::DoctorArgs;
pub(crate) use self::exec::{ExecArgs, FAILED};
pub(crate) use self::inspect::InspectArgs;
#[cfg(feature = "__fuzzing")]
pub use self::inspect::told_claims;
pub(crate) use self::login::LoginArgs;
pub(crate) use self::man::ManArgs;
#[cfg(feature = "__fuzzing")]
pub use self::profile::NewProfile;
pub(crate) use self::profile::{InitArgs, ProfileArgs};
pub(crate) use self::why::WhyArgs;
use crate::args::{Args, Command, Common};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) async fn run(args: Args, output: &Output) -> Result<ExitCode, Failure> {
    let common = &args.common;
    match &args.command {
        Command::Token(args) => token::run(args, common, output).await,
        Command::Call(args) => call::run(args, common, output).await,
        Command::Exec(args) => exec::run(args, common, output).await,
        Command::List => list::run(common, output).await,
        Command::Inspect(args) => inspect::run(args, common, output).await,
        Command::Why(args) => why::run(args, common, output).await,
        Command::Doctor(args) => doctor::run(args, common, output).await,
        Command::Login(args) => login::run(args, common, output).await,
        Command::Init(args) => profile::init(args, common, output).await,
        Command::Profile(args) => profile::run(args, common, output).await,
        Command::Forget { profile } => forget::run(profile, common, output).await,
        Command::Providers => providers::run(output),
        Command::Sandbox(args) => sandbox::run(args, output).await,
        Command::Demo(args) => demo::run(args, output).await,
        Command::Completions { shell } => completions::run(*shell, output),
        Command::Man(args) => man::run(args, output),
    }
}

/// The profiles of the file that `--config` names, or of the user's own.
fn gate(common: &Common) -> Result<Gate, Failure> {
    let config = match &common.config {
        Some(path) => Config::load(path)?,
        None => Config::find()?,
    };
    Ok(Gate::new(config, Registry::linked()?)?)
}

/// The profiles, with the store that keeps their tokens from one command to the next.
fn gate_with_store(common: &Common, output: &Output) -> Result<Gate, Failure> {
    let gate = gate(common)?;
    Ok(match store(&gate, output) {
        Some(store) => gate.with_store(store),
        None => gate,
    })
}

/// The store; without one, tokens live as long as the command does.
fn store(gate: &Gate, output: &Output) -> Option<FileStore> {
    let env = gate.config().env();
    let Some(folder) = FileStore::default_dir(|name| env.get(name)) else {
        output.warn("there is no folder for tokens (set GATEPASS_STATE_DIR): none are kept");
        return None;
    };
    FileStore::open(folder)
        .map(|store| store.with_process_name(output.word()))
        .inspect_err(|error| {
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            output.warn(&format!("no tokens are kept: {}{hint}", error.message()));
        })
        .ok()
}

/// A profile, and a warning where it lets secrets cross a network in the clear.
fn profile(gate: &Gate, name: &str, common: &Common, output: &Output) -> Result<Profile, Failure> {
    let profile = gate.profile(name, &common.set)?;
    let base = profile.settings.base_url();
    let host =
        profile.settings.optional_text("host").is_some_and(|host| host.starts_with("http://"));
    let in_the_clear = base.map_or(host, |base| base.is_plain_http() && !base.is_loopback());
    if profile.options.allow_plain_http && in_the_clear {
        output
            .warn(&format!("{name}: allow_plain_http sends the secret and the token unencrypted"));
    }
    Ok(profile)
}

/// How long an API asks to wait, read as the answer of a token endpoint is: never for ever.
fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let mut head = http::Response::new(Bytes::new());
    *head.status_mut() = status;
    *head.headers_mut() = headers.clone();
    Response::from(head).retry_after(SystemClock::new().wall())
}
