//! `gatepass sandbox`: runs simulated vendors on loopback until Ctrl-C.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use gatepass::Error;
use gatepass_sandbox::{ErrorKind, Fault, Sandbox};
use serde_json::{Map, Value, json};

use crate::error::{CommandError, internal, usage};
use crate::options::{Format, duration, unused};
use crate::output::Output;
use crate::program;
use crate::quote::shell_argument;
use crate::signal;

#[derive(Debug, clap::Args)]
#[command(args = unused(&["config", "set"]), after_help = "\
Examples:
  gatepass sandbox
  gatepass sandbox --listen 127.0.0.1:8480 --ttl 30s --fault cisco:status-503*2 --format json
  gatepass token cisco --config /printed/path/config.toml")]
pub(crate) struct SandboxArgs {
    /// Listen on this loopback address; port 0 selects a free port
    #[arg(long, default_value = "127.0.0.1:8480", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Issue tokens with this lifetime, e.g. 1h [default: the lifetime of each vendor]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    ttl: Option<Duration>,
    /// Inject a fault: [VENDOR:]NAME[*TIMES][,PARAM=VALUE]; repeatable; an unknown name lists them
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// Serve https with a certificate that is created for this run
    #[arg(long)]
    tls: bool,
}

pub(crate) async fn run(args: &SandboxArgs, output: &Output) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    if !args.listen.ip().is_loopback() {
        let message = format!("--listen: {} is not loopback", args.listen.ip());
        return Err(usage(message, "the sandbox serves this machine only: 127.0.0.1 or [::1]"));
    }
    let mut builder = program::sandbox().listen(args.listen).tls(args.tls);
    if let Some(ttl) = args.ttl {
        builder = builder.ttl(ttl);
    }
    for fault in &args.fault {
        builder = builder.fault(fault.parse().map_err(|error| sandbox_error(&error))?);
    }
    // Catch signals before there are files to remove.
    let stop = signal::stop()?;
    let sandbox = builder.start().await.map_err(|error| sandbox_error(&error))?;
    let directory = tempfile::Builder::new().prefix("gatepass-sandbox-").tempdir();
    let directory = directory.map_err(|error| internal("cannot create a directory", &error))?;
    let config = directory.path().join("config.toml");
    write_private(&config, &sandbox.config_toml())?;
    if let Some(ca) = sandbox.ca_pem() {
        write_private(&directory.path().join("ca.pem"), ca)?;
    }
    match format {
        Format::Json => output.result(&format!(
            "{}\n",
            json!({
                "url": sandbox.url(),
                "config": config.display().to_string(),
                "clients": clients(&sandbox),
            })
        ))?,
        _ => output.result(&ready(&sandbox, &config))?,
    }
    stop.await;
    sandbox.shutdown().await;
    directory.close().map_err(|error| internal("cannot remove the config's directory", &error))?;
    Ok(ExitCode::SUCCESS)
}

fn ready(sandbox: &Sandbox, config: &Path) -> String {
    let (url, path, config) = (sandbox.url(), config.display(), shell_argument(config));
    let name = program::name();
    format!(
        "sandbox  {url}\nconfig   {path}\ncontrol  {url}/_sandbox/state\n\n\
         try      {name} token cisco --config {config}\n\
         \x20        {name} call celerdata /api/1.0/clusters --config {config}\n\n\
         Ctrl-C stops it and removes the config.\n"
    )
}

/// Returns the made-up credentials that each vendor accepts.
fn clients(sandbox: &Sandbox) -> Value {
    let mut clients = Map::new();
    for client in sandbox.clients() {
        let fields = client.fields().map(|(name, value)| (name.to_owned(), json!(value)));
        clients.entry(client.provider()).or_insert_with(|| Value::Object(fields.collect()));
    }
    Value::Object(clients)
}

pub(super) fn sandbox_error(error: &gatepass_sandbox::Error) -> CommandError {
    match error.kind() {
        ErrorKind::Usage => {
            let names: Vec<&str> = Fault::all().map(|fault| fault.name).collect();
            usage(format!("sandbox: {error}"), format!("known faults: {}", names.join(", ")))
        }
        _ => Error::internal(format!("sandbox: {error}"))
            .hint("if the port is in use, --listen 127.0.0.1:0 selects a free one")
            .into(),
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), CommandError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| internal("cannot write the config", &error))
}
