//! `gatepass token`: prints the token, in the format that the reading program expects.

use std::io::{BufRead, Read};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::provider::Expiry;
use gatepass::store::{ProfileKey, TokenStore};
use gatepass::{Authorize, Error, Gate, Hint, Token, TokenSource};
use http::HeaderMap;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::acquire::{WantedToken, acquire};
use crate::arguments::{TypedArguments, quoted};
use crate::error::{CommandError, usage};
use crate::formats::{
    self, CredentialHelper, EXEC_INFO, ExecApiVersion, FormatContext, HelperError, HelperOperation,
    HelperRequest, MAX_REQUEST_BYTES, NETRC_NOTE, SecretString,
};
use crate::options::{Common, Format, WaitArgs, duration, format_arg};
use crate::output::{Output, rfc3339, unix_seconds};
use crate::session::{open_gate, open_gate_with_store, open_profile, open_store};
use crate::suggestion;

#[derive(Debug, clap::Args)]
#[command(arg = format_arg(&Format::of_token(), "Select the output format"), after_help = "\
Examples:
  gatepass token cisco                           print the token alone
  gatepass token cisco --min-ttl 10m             require ten minutes of remaining lifetime
  gatepass token cisco --format json
  GATEPASS_CISCO_ENVIRONMENT=id GATEPASS_CISCO_CLIENT_ID=abc \\
      GATEPASS_CISCO_CLIENT_SECRET_FILE=cisco.secret gatepass token cisco")]
pub(crate) struct TokenArgs {
    /// The profile: NAME of a [profiles.NAME] table, or of GATEPASS_NAME_… variables
    profile: String,
    /// The operation that git, docker or Bazel request of a credential helper; they add it
    operation: Option<String>,
    /// Require this remaining lifetime, e.g. 10m; exit 8 if the vendor issues less
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_ttl: Option<Duration>,
    /// Send a token request even if a usable token is cached
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(crate) async fn run(
    args: &TokenArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&Format::of_token())?;
    let helper = CredentialHelper::from_format(format);
    let operation = match (helper, &args.operation) {
        (Some(helper), operation) => {
            Some(helper.read_operation(operation.as_deref(), || input(helper))?)
        }
        (None, Some(argument)) => {
            let words = ["token", &args.profile, argument].map(str::to_owned).into();
            let typed =
                TypedArguments { words, config: common.config.clone(), ..Default::default() };
            let hint = suggestion::for_unexpected(&typed).unwrap_or_else(|| {
                Hint::new("only --format git, docker and bazel take an operation")
            });
            return Err(usage(format!("unexpected argument{}", quoted(argument)), hint));
        }
        (None, None) if format == Format::NetrcNote => {
            output.result(NETRC_NOTE)?;
            return Ok(ExitCode::SUCCESS);
        }
        (None, None) => None,
    };
    let command = TokenCommand { args, common, output };
    match (operation, helper) {
        (Some(HelperOperation::Respond(reply)), _) => output.result(reply)?,
        (Some(HelperOperation::Forget { rejected, addresses }), _) => {
            command.forget(rejected, &addresses).await?;
        }
        (Some(HelperOperation::Token(request)), Some(helper)) => {
            match command.respond(&request).await {
                Ok(text) => output.result(&text)?,
                Err(error) => {
                    output.result(&helper.error_reply(&error))?;
                    let (HelperError::WrongAddress(error) | HelperError::NotAcquired(error)) =
                        error;
                    return Err(error);
                }
            }
        }
        _ => command.print(format).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The inputs that all formats need.
struct TokenCommand<'a> {
    args: &'a TokenArgs,
    common: &'a Common,
    output: &'a Output,
}

impl TokenCommand<'_> {
    fn gate(&self) -> Result<Gate, CommandError> {
        open_gate_with_store(self.common, self.output)
    }

    fn open(&self, gate: &Gate) -> Result<(Profile, TokenSource), CommandError> {
        let profile = open_profile(gate, &self.args.profile, self.common, self.output)?;
        let source = gate.open(&profile)?;
        Ok((profile, source))
    }

    /// Responds to a credential helper's request with a token if the token may be sent to the address
    /// in the request.
    async fn respond(&self, request: &HelperRequest) -> Result<SecretString, HelperError> {
        let (profile, source) = self.open(&self.gate()?)?;
        check(&source, &request.addresses)
            .map_err(|error| HelperError::WrongAddress(error.into()))?;
        let token = self.acquire(&source).await?;
        Ok(request.reply(&format_context(&profile, &token)))
    }

    /// Acquires a token that satisfies `--fresh` and `--min-ttl`.
    async fn acquire(&self, source: &TokenSource) -> Result<Token, CommandError> {
        let TokenArgs { profile, min_ttl, fresh, wait, .. } = self.args;
        let wanted =
            WantedToken { profile, min_ttl: *min_ttl, is_fresh: *fresh, deadline: wait.deadline() };
        acquire(&wanted, source, self.output).await
    }

    async fn print(&self, format: Format) -> Result<(), CommandError> {
        let gate = self.gate()?;
        // Fail before the token request if the version is unknown.
        let version = match format {
            Format::Kubernetes => Some(exec_version(&gate)?),
            _ => None,
        };
        let (profile, source) = self.open(&gate)?;
        let token = self.acquire(&source).await?;
        let context = format_context(&profile, &token);
        let text = match (format, version) {
            (Format::Json, _) => return self.output.json(&token_json(&profile, &source, &token)),
            (Format::Header, _) => formats::header(&headers(&source, &token).await?),
            (Format::Curl, _) => formats::curl(&headers(&source, &token).await?),
            (Format::Env, _) => formats::env(&context),
            (Format::Sh, _) => formats::sh(&context),
            (Format::Fish, _) => formats::fish(&context),
            (Format::Powershell, _) => formats::powershell(&context),
            (Format::Dotenv, _) => formats::dotenv(&context),
            (Format::Aws, _) => formats::aws(&context),
            (_, Some(version)) => formats::kubernetes(&context, version),
            _ => formats::raw(&context),
        };
        self.output.result(&text)
    }

    /// Forgets a token that a server rejected, unless a newer token has replaced it.
    /// Does nothing for a server that the token is not sent to.
    async fn forget(
        &self,
        rejected: Option<SecretString>,
        addresses: &[String],
    ) -> Result<(), CommandError> {
        let gate = open_gate(self.common)?;
        let Some(store) = open_store(&gate, self.output).map(Arc::new) else { return Ok(()) };
        let gate = gate.with_store(Arc::clone(&store));
        if !addresses.is_empty() && check(&self.open(&gate)?.1, addresses).is_err() {
            return Ok(());
        }
        if let Some(rejected) = rejected {
            let (_, source) = self.open(&gate)?;
            // Errors are ignored: the next `get` reports them.
            let cached = source.token().await.ok();
            if cached.is_none_or(|cached| cached.expose_secret() != rejected.as_str()) {
                return Ok(());
            }
        }
        store.forget(&ProfileKey::new(&self.args.profile)).await?;
        Ok(())
    }
}

/// Returns the token and its facts as JSON.
pub(crate) fn token_json(profile: &Profile, source: &TokenSource, token: &Token) -> Value {
    let now = SystemClock::new().wall();
    json!({
        "access_token": token.expose_secret(),
        "token_type": token.token_type(),
        "expires_at": rfc3339(token.expires_at()),
        "expires_at_unix": unix_seconds(token.expires_at()),
        "expires_in": token.remaining(now).as_secs(),
        "expires_assumed": token.expiry() == Expiry::Assumed,
        "provider": profile.info().id,
        "profile": profile.name,
        "scope": token.scope(),
        "source": if source.status().is_stored { "cache" } else { "vendor" },
    })
}

/// Reads which version of ExecCredential kubectl requests.
fn exec_version(gate: &Gate) -> Result<ExecApiVersion, CommandError> {
    let operation = gate.config().env().get(EXEC_INFO);
    ExecApiVersion::from_exec_info(operation.as_deref()).ok_or_else(|| {
        usage(
            format!("{EXEC_INFO} requests an unknown version"),
            "set apiVersion: client.authentication.k8s.io/v1 in the kubeconfig's exec section",
        )
    })
}

fn format_context<'a>(profile: &'a Profile, token: &'a Token) -> FormatContext<'a> {
    FormatContext::new(&profile.name, token, SystemClock::new().wall())
}

/// Returns every header that the vendor requires.
async fn headers(source: &TokenSource, token: &Token) -> Result<HeaderMap, Error> {
    source.headers_for(token).await
}

/// Checks that the token may be sent to one of these addresses. Returns the first address's error.
fn check(source: &TokenSource, addresses: &[String]) -> Result<(), Error> {
    let one = |address: &String| match address.parse() {
        Ok(uri) => source.check(&uri),
        Err(_) => {
            Err(Error::config("the address in the request is not a URL such as https://host/path"))
        }
    };
    let mut checked = addresses.iter().map(one);
    let first = checked.next().unwrap_or(Ok(()));
    first.or_else(|error| if checked.any(|one| one.is_ok()) { Ok(()) } else { Err(error) })
}

/// Reads the request of a credential helper from stdin: git's ends with an empty line.
fn input(helper: CredentialHelper) -> Result<SecretString, CommandError> {
    let mut stdin = std::io::stdin().lock().take(MAX_REQUEST_BYTES);
    let mut text = Zeroizing::new(String::new());
    while stdin.read_line(&mut text).map_err(|error| unreadable(&error))? > 0 {
        if helper == CredentialHelper::Git && text.ends_with("\n\n") {
            break;
        }
    }
    Ok(text)
}

fn unreadable(error: &std::io::Error) -> CommandError {
    usage(format!("cannot read the request on stdin: {}", error.kind()), "it must be UTF-8")
}
