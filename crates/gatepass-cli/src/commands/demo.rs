//! `gatepass demo`: requests a token from every vendor of a sandbox, and calls each API with it.

use std::process::ExitCode;
use std::time::Duration;

use comfy_table::{Table, presets};
use gatepass::cli_support;
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::{Config, Env, Profile};
use gatepass::provider::Registry;
use gatepass::store::MemoryStore;
use gatepass::{CredentialSource, Error, Gate};
use gatepass_sandbox::Sandbox;
use http::HeaderValue;
use http::header::ACCEPT;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::login::{LoginOptions, has_logins, log_in};
use super::sandbox::sandbox_error;
use crate::error::CommandError;
use crate::options::{Format, unused};
use crate::output::{Output, format_duration};
use crate::program;
use crate::session::{authorize, read_profile};

/// The outcome for one vendor.
struct Row {
    profile: String,
    provider: String,
    vendor: String,
    grant: &'static str,
    result: Result<ApiCall, Error>,
}

/// A successful API call, and the lifetime of its token.
struct ApiCall {
    expires_in: u64,
    path: String,
    status: u16,
}

impl ApiCall {
    /// Returns the path without the ids in the middle of a long one.
    fn short_path(&self) -> String {
        match self.path.rsplit_once('/') {
            Some((before, last)) if before.len() > 30 => format!("…/{last}"),
            _ => self.path.clone(),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(args = unused(&["config", "set"]), after_help = "\
Examples:
  gatepass demo                       try all vendors: no configuration, no network
  gatepass demo --login               log in to a simulated vendor with your browser")]
pub(crate) struct DemoArgs {
    /// Try a login with a browser instead
    #[arg(long)]
    login: bool,
    #[command(flatten)]
    login_options: LoginOptions,
}

pub(crate) async fn run(args: &DemoArgs, output: &Output) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let sandbox = program::sandbox().start().await.map_err(|error| sandbox_error(&error))?;
    if args.login {
        let done = login(&sandbox, args.login_options, format, output).await;
        sandbox.shutdown().await;
        return done;
    }
    output.status(&format!(
        "the simulated vendors listen on {}; requesting a token from each",
        sandbox.url()
    ));
    let gate = gate(&sandbox)?;
    let mut rows = Vec::new();
    for name in gate.names() {
        let Ok(profile) = gate.profile(&name).read() else { continue };
        let progress = Progress::begin(output, &name);
        let result = call_api(&gate, &profile).await;
        progress.end(output, &name, &result);
        rows.push(Row {
            provider: profile.info().id.to_string(),
            vendor: profile.info().title.to_string(),
            grant: grant(&name),
            profile: name,
            result,
        });
    }
    sandbox.shutdown().await;
    match format {
        Format::Json => output.json(&rows.iter().map(to_json).collect())?,
        _ => {
            output.result(&to_table(&rows))?;
            output.status(&format!("next, with your own vendor: {} init", program::name()));
        }
    }
    let failed = rows.iter().find_map(|row| row.result.as_ref().err());
    match failed {
        Some(error) => Err(error.clone().into()),
        None if rows.is_empty() => Err(Error::config("this build has no providers")
            .hint("build it with the feature of a provider, such as --features cisco")
            .into()),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn gate(sandbox: &Sandbox) -> Result<Gate, Error> {
    let config = Config::from_toml(&sandbox.config_toml())?.with_env(Env::fixed::<&str, &str>([]));
    Gate::new(config, Registry::linked()?)
}

/// Lets the user log in to the first vendor that supports logins.
async fn login(
    sandbox: &Sandbox,
    login_options: LoginOptions,
    format: Format,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let gate = gate(sandbox)?.with_store(MemoryStore::new());
    let implicit = [(String::from("grant"), String::from("implicit"))];
    let names = gate.names();
    let mut profiles = names.iter().filter_map(|name| read_profile(&gate, name, &implicit).ok());
    let Some(profile) = profiles.find(|profile| has_logins(profile.info())) else {
        return Err(Error::config("no provider in this build supports logins")
            .hint("build it with the feature cisco or huawei")
            .into());
    };
    output.status(&format!(
        "{} listens on {} with one account: user sandbox, password sandbox. Log in, and choose \
         Allow or Deny.",
        profile.info().title,
        sandbox.url()
    ));
    log_in(&gate, &profile, login_options, output).await?;
    let result = call_api(&gate, &profile).await;
    let row = Row {
        provider: profile.info().id.to_string(),
        vendor: profile.info().title.to_string(),
        grant: "implicit",
        profile: profile.name.clone(),
        result,
    };
    match format {
        Format::Json => output.json(&to_json(&row))?,
        _ => output.result(&to_table(std::slice::from_ref(&row)))?,
    }
    row.result.map(|_| ExitCode::SUCCESS).map_err(CommandError::from)
}

/// Requests a token and sends one API request with it.
async fn call_api(gate: &Gate, profile: &Profile) -> Result<ApiCall, Error> {
    let name = &profile.name;
    let source = gate.open(profile)?;
    let token = source.token().await?;
    let provider = profile.provider()?;
    let path = provider.probe(&profile.credential().await?)?.ok_or_else(|| {
        Error::internal("this provider has no API call without side effects").with_profile(name)
    })?;
    let target = profile.api_endpoint(provider.as_ref(), &path)?;
    let mut request = http::Request::new(bytes::Bytes::new());
    *request.uri_mut() = target.to_uri()?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    authorize(&source, &token, &mut request).await?;
    let (parts, mut body) =
        cli_support::http_client(gate, profile)?.send_api(request).await?.into_parts();
    while body.chunk().await?.is_some() {}
    if !parts.status.is_success() {
        return Err(Error::internal("the API rejected a new token")
            .with_status(parts.status.as_u16())
            .with_profile(name));
    }
    let expires_in = token.remaining(SystemClock::new().wall()).as_secs();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    Ok(ApiCall { expires_in, path, status: parts.status.as_u16() })
}

fn grant(profile: &str) -> &'static str {
    match profile {
        "cloudneeti" => "license token",
        "cloudneeti-account" => "account token",
        _ => "client credentials",
    }
}

/// A spinner if stderr is a terminal, and a line for each result.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn begin(output: &Output, name: &str) -> Self {
        if !output.is_interactive() {
            return Self(None);
        }
        let style = ProgressStyle::with_template("{spinner} {msg}");
        let bar = ProgressBar::new_spinner().with_message(format!("{name}: requesting a token"));
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(80));
        Self(Some(bar))
    }

    fn end(self, output: &Output, name: &str, result: &Result<ApiCall, Error>) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
        output.status(&match result {
            Ok(call) => format!(
                "  ok  {name}: token valid for {}, {} from {}",
                format_duration(Duration::from_secs(call.expires_in)),
                call.status,
                call.path
            ),
            Err(error) => format!("  failed  {error}"),
        });
    }
}

fn to_table(rows: &[Row]) -> String {
    let mut table = Table::new();
    let header = ["PROVIDER", "VENDOR", "GRANT", "EXPIRES IN", "API RESPONSE"];
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        let (expires, response) = match &row.result {
            Ok(call) => (
                format_duration(Duration::from_secs(call.expires_in)),
                format!("{} from {}", call.status, call.short_path()),
            ),
            Err(error) => (String::from("-"), error.message().to_owned()),
        };
        table.add_row([&*row.provider, &row.vendor, row.grant, &expires, &response]);
    }
    format!("{}\n", table.trim_fmt())
}

fn to_json(row: &Row) -> serde_json::Value {
    let call = row.result.as_ref().ok();
    json!({
        "profile": row.profile,
        "provider": row.provider,
        "vendor": row.vendor,
        "grant": row.grant,
        "ok": call.is_some(),
        "expires_in": call.map(|call| call.expires_in),
        "api_path": call.map(|call| &call.path),
        "api_status": call.map(|call| call.status),
        "error": row.result.as_ref().err().map(ToString::to_string),
    })
}
