//! `gatepass sandbox`: the vendors on loopback, until Ctrl-C.

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
use crate::options::{Format, duration};
use crate::output::Output;
use crate::quote::shell_argument;
use crate::signal;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass sandbox
  gatepass sandbox --listen 127.0.0.1:8480 --ttl 30s --fault cisco:status-503*2 --format json
  gatepass token cisco --config /path/it/printed/config.toml")]
pub(crate) struct SandboxArgs {
    /// Where to listen: loopback only; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8480", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// How long its tokens live, such as 1h [default: as long as each vendor's]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    ttl: Option<Duration>,
    /// A fault from the start: [VENDOR:]NAME[*TIMES][,PARAM=VALUE]; an unknown name lists them all
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// Speaks https, with a certificate made for this run
    #[arg(long)]
    tls: bool,
}

pub(crate) async fn run(args: &SandboxArgs, output: &Output) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    if !args.listen.ip().is_loopback() {
        let message = format!("--listen: {} is not loopback", args.listen.ip());
        return Err(usage(message, "the sandbox serves this machine alone: 127.0.0.1 or [::1]"));
    }
    let mut builder = Sandbox::builder().listen(args.listen).tls(args.tls);
    if let Some(ttl) = args.ttl {
        builder = builder.ttl(ttl);
    }
    for fault in &args.fault {
        builder = builder.fault(fault.parse().map_err(|error| sandbox_error(&error))?);
    }
    // The signals are caught before anything is written that they would have to clean up.
    let stop = signal::stop()?;
    let sandbox = builder.start().await.map_err(|error| sandbox_error(&error))?;
    let folder = tempfile::Builder::new().prefix("gatepass-sandbox-").tempdir();
    let folder = folder.map_err(|error| internal("cannot make a folder", &error))?;
    let config = folder.path().join("config.toml");
    write_private(&config, &sandbox.config_toml())?;
    if let Some(ca) = sandbox.ca_pem() {
        write_private(&folder.path().join("ca.pem"), ca)?;
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
    folder.close().map_err(|error| internal("cannot remove the config's folder", &error))?;
    Ok(ExitCode::SUCCESS)
}

fn ready(sandbox: &Sandbox, config: &Path) -> String {
    let (url, path, config) = (sandbox.url(), config.display(), shell_argument(config));
    format!(
        "sandbox  {url}\nconfig   {path}\ncontrol  {url}/_sandbox/state\n\n\
         try      gatepass token cisco --config {config}\n\
         \x20        gatepass call celerdata /api/1.0/clusters --config {config}\n\n\
         Ctrl-C stops it and removes the config.\n"
    )
}

/// Per vendor, the made-up fields it accepts.
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
            usage(format!("sandbox: {error}"), format!("faults: {}", names.join(", ")))
        }
        _ => Error::internal(format!("sandbox: {error}"))
            .with_hint("is the port taken? --listen 127.0.0.1:0 takes a free one")
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
