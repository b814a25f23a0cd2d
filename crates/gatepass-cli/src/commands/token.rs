//! `gatepass token`: the token, alone on stdout.

use std::io::{BufRead, Read};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use gatepass::{
    Authorize, Clock, Error, Expiry, Gate, Profile, ProfileKey, SystemClock, Token, TokenSource,
    TokenStore,
};
use http::HeaderMap;
use serde_json::json;
use zeroize::Zeroizing;

use crate::error::{CommandError, usage};
use crate::formats::{
    self, ApiVersion, CredentialHelper, EXEC_INFO, FormatContext, HelperError, HelperOperation,
    HelperRequest, MAX_REQUEST_BYTES, NETRC_NOTE, SecretString,
};
use crate::options::{COMMON_HEADING, Common, Format, WaitArgs, duration};
use crate::output::{Output, rfc3339, unix_seconds};
use crate::session::{open_gate, open_gate_with_store, open_profile, open_store};
use crate::wait::with_retries;

#[derive(Debug, clap::Args)]
#[command(arg = format_arg(), after_help = "\
Examples:
  gatepass token cisco
  gatepass token cisco --format json --min-ttl 10m
  GATEPASS_CISCO_CLIENT_ID=abc GATEPASS_CISCO_CLIENT_SECRET_FILE=cisco.secret gatepass token cisco")]
pub(crate) struct TokenArgs {
    /// The profile: a [profiles.NAME] of the config file, or defined by GATEPASS_NAME_… variables
    profile: String,
    /// What git, docker or Bazel ask of a credential helper; they add it themselves
    operation: Option<String>,
    /// The token must still live so long, such as 10m; exit 8 if the vendor gives a shorter one
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_ttl: Option<Duration>,
    /// Asks the vendor even if a good token is at hand
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
    let asker = CredentialHelper::from_format(format);
    let asked = match (asker, &args.operation) {
        (Some(asker), operation) => {
            Some(asker.read_operation(operation.as_deref(), || input(asker))?)
        }
        (None, Some(_)) => {
            return Err(usage(
                "an argument too many",
                "only --format git, docker and bazel take an operation after the profile",
            ));
        }
        (None, None) if format == Format::NetrcNote => {
            output.result(NETRC_NOTE)?;
            return Ok(ExitCode::SUCCESS);
        }
        (None, None) => None,
    };
    let hand = Hand { args, common, output };
    match (asked, asker) {
        (Some(HelperOperation::Respond(answer)), _) => output.result(answer)?,
        (Some(HelperOperation::Forget(refused)), _) => hand.forget(refused).await?,
        (Some(HelperOperation::Token(request)), Some(asker)) => match hand.answer(&request).await {
            Ok(text) => output.result(&text)?,
            Err(why) => {
                output.result(&asker.error_reply(&why))?;
                let (HelperError::WrongAddress(failure) | HelperError::NoToken(failure)) = why;
                return Err(failure);
            }
        },
        _ => hand.print(format).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What all hand-outs of a token need.
struct Hand<'a> {
    args: &'a TokenArgs,
    common: &'a Common,
    output: &'a Output,
}

impl Hand<'_> {
    fn gate(&self) -> Result<Gate, CommandError> {
        open_gate_with_store(self.common, self.output)
    }

    fn open(&self, gate: &Gate) -> Result<(Profile, TokenSource), CommandError> {
        let profile = open_profile(gate, &self.args.profile, self.common, self.output)?;
        let source = gate.open(&profile)?;
        Ok((profile, source))
    }

    /// Answers a program: with a token, if that may go where the program wants to send it.
    async fn answer(&self, request: &HelperRequest) -> Result<SecretString, HelperError> {
        let (profile, source) = self.open(&self.gate()?)?;
        check(&source, &request.addresses)
            .map_err(|error| HelperError::WrongAddress(error.into()))?;
        let token = self.token(&source).await?;
        Ok(request.reply(&it(&profile, &token)))
    }

    /// A token that lives as long as was asked for.
    async fn token(&self, source: &TokenSource) -> Result<Token, CommandError> {
        let args = self.args;
        let token = with_retries(args.wait.wait, source, self.output, || async {
            match (args.fresh, args.min_ttl) {
                (true, _) => source.refresh_now().await,
                (false, Some(min_ttl)) => source.token_for(min_ttl).await,
                (false, None) => source.token().await,
            }
        })
        .await?;
        self.output.warn_token(&args.profile, &token);
        if let Some(wanted) = args.min_ttl {
            let left = token.remaining(SystemClock::new().wall());
            if left < wanted {
                return Err(CommandError::LifetimeTooShort {
                    profile: args.profile.clone(),
                    lifetime: left,
                    required: wanted,
                });
            }
        }
        Ok(token)
    }

    async fn print(&self, format: Format) -> Result<(), CommandError> {
        let gate = self.gate()?;
        // A question that has no answer needs no token.
        let version = match format {
            Format::Kubernetes => Some(exec_version(&gate)?),
            _ => None,
        };
        let (profile, source) = self.open(&gate)?;
        let token = self.token(&source).await?;
        let it = it(&profile, &token);
        let text = match (format, version) {
            (Format::Json, _) => return self.json(&profile, &source, &token),
            (Format::Header, _) => formats::header(&headers(&source, &token).await?),
            (Format::Curl, _) => formats::curl(&headers(&source, &token).await?),
            (Format::Env, _) => formats::env(&it),
            (Format::Sh, _) => formats::sh(&it),
            (Format::Fish, _) => formats::fish(&it),
            (Format::Powershell, _) => formats::powershell(&it),
            (Format::Dotenv, _) => formats::dotenv(&it),
            (Format::Aws, _) => formats::aws(&it),
            (_, Some(version)) => formats::kubernetes(&it, version),
            _ => formats::raw(&it),
        };
        self.output.result(&text)
    }

    fn json(
        &self,
        profile: &Profile,
        source: &TokenSource,
        token: &Token,
    ) -> Result<(), CommandError> {
        let now = SystemClock::new().wall();
        self.output.json(&json!({
            "access_token": token.expose_secret(),
            "token_type": token.token_type(),
            "expires_at": rfc3339(token.expires_at()),
            "expires_at_unix": unix_seconds(token.expires_at()),
            "expires_in": token.remaining(now).as_secs(),
            "expires_assumed": token.expiry() == Expiry::Assumed,
            "provider": profile.info.id,
            "profile": profile.name,
            "scope": token.scope(),
            "source": if source.status().is_stored { "cache" } else { "vendor" },
        }))
    }

    /// Forgets a token that a server refused, unless another one has taken its place.
    async fn forget(&self, refused: Option<SecretString>) -> Result<(), CommandError> {
        let gate = open_gate(self.common)?;
        let Some(store) = open_store(&gate, self.output).map(Arc::new) else { return Ok(()) };
        let gate = gate.with_store(Arc::clone(&store));
        if let Some(refused) = refused {
            let (_, source) = self.open(&gate)?;
            // Whatever is in the way of a token is told to who asks for one.
            let held = source.token().await.ok();
            if held.is_none_or(|held| held.expose_secret() != refused.as_str()) {
                return Ok(());
            }
        }
        store.forget(&ProfileKey::new(&self.args.profile)).await?;
        Ok(())
    }
}

/// `--format` as `token` has it, in the place of the one that every command has.
fn format_arg() -> clap::Arg {
    let values = Format::of_token().into_iter().filter_map(|it| it.to_possible_value());
    let parser = PossibleValuesParser::new(values.map(|value| value.hide(false)))
        .try_map(|name| Format::from_str(&name, false));
    clap::Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .help_heading(COMMON_HEADING)
        .help("How to print the token")
        .value_parser(parser)
}

/// The version of ExecCredential that is asked for.
fn exec_version(gate: &Gate) -> Result<ApiVersion, CommandError> {
    let asked = gate.config().env().get(EXEC_INFO);
    ApiVersion::from_exec_info(asked.as_deref()).ok_or_else(|| {
        usage(
            format!("{EXEC_INFO} asks for a version that is not known"),
            "in the kubeconfig's exec write apiVersion: client.authentication.k8s.io/v1",
        )
    })
}

fn it<'a>(profile: &'a Profile, token: &'a Token) -> FormatContext<'a> {
    FormatContext::new(&profile.name, token, SystemClock::new().wall())
}

/// Every header the vendor wants.
async fn headers(source: &TokenSource, token: &Token) -> Result<HeaderMap, Error> {
    source.headers_for(token).await
}

/// Whether the token may go to one of these addresses; the first's error if not.
fn check(source: &TokenSource, addresses: &[String]) -> Result<(), Error> {
    let one = |address: &String| match address.parse() {
        Ok(uri) => source.check(&uri),
        Err(_) => Err(Error::config("the program's address is not a URL like https://host/path")),
    };
    let mut checked = addresses.iter().map(one);
    let first = checked.next().unwrap_or(Ok(()));
    first.or_else(|error| if checked.any(|it| it.is_ok()) { Ok(()) } else { Err(error) })
}

/// What the program writes to stdin: to an empty line, or to the end.
fn input(asker: CredentialHelper) -> Result<SecretString, CommandError> {
    let mut stdin = std::io::stdin().lock().take(MAX_REQUEST_BYTES);
    let mut text = Zeroizing::new(String::new());
    while stdin.read_line(&mut text).map_err(|error| unreadable(&error))? > 0 {
        if asker == CredentialHelper::Git && text.ends_with("\n\n") {
            break;
        }
    }
    Ok(text)
}

fn unreadable(error: &std::io::Error) -> CommandError {
    usage(format!("cannot read what the program asks: {}", error.kind()), "it must be text")
}
