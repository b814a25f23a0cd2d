//! `gatepass call`: sends an API request with a token, and prints the response's body.

mod response;

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use gatepass::cli_support;
use gatepass::config::Profile;
use gatepass::provider::{ApiResponse, TokenVerdict};
use gatepass::{Authorize, Endpoint, Error, ErrorKind, Hint, HttpClient, Token, TokenSource};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use self::response::CallResponse;
use crate::error::{CommandError, describe_io, usage};
use crate::options::{Common, Format, WaitArgs, duration};
use crate::output::Output;
use crate::session::{authorize, open_gate_with_store, open_profile};
use crate::wait::with_retries;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gatepass call [OPTIONS] <PROFILE> [METHOD] <URL-OR-PATH>",
    after_help = "\
Examples:
  gatepass call cisco /hello                     a GET request; the body goes to stdout
  gatepass call lake GET /api/1.0/clusters --fail
  gatepass call iam /api/v2/tenant/users/user-by-username -d '{\"user_name\":\"ann\"}'
  gatepass call iam /big/export --timeout 5m > export.csv
  gatepass call lake PATCH /api/1.0/clusters/7/resume -H 'X-Trace: 1' -d @body.json"
)]
pub(crate) struct CallArgs {
    /// The profile
    profile: String,
    /// The method (default: GET, or POST with -d), then a path of the vendor's API or a URL
    #[arg(value_names = ["METHOD", "URL-OR-PATH"], num_args = 1..=2, required = true)]
    request: Vec<String>,
    /// Set the method, as in curl
    #[arg(short = 'X', long, alias = "request", value_name = "METHOD")]
    method: Option<String>,
    /// Add a header: 'Name: value'
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Send a body: a string, @FILE, or @- for stdin; as JSON if it starts with { or [, else as a
    /// form, unless -H sets a Content-Type
    #[arg(short, long, value_name = "DATA")]
    data: Option<String>,
    /// Print status and headers before the body
    #[arg(short, long)]
    include: bool,
    /// Exit with 3, 5 or 6 if the status is 400 or above
    #[arg(long)]
    fail: bool,
    /// Limit the time until the response is complete, e.g. 2m [default: 10s until it starts, and 5s
    /// for each pause]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(crate) async fn run(
    args: &CallArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    output.format(&[Format::Text, Format::Json])?;
    let request = Request::read(args)?;
    let gate = open_gate_with_store(common, output)?;
    let profile = open_profile(&gate, &args.profile, common, output)?;
    let target =
        profile.api_endpoint(profile.provider()?.as_ref(), &request.target).map_err(|error| {
            error.default_hint("write it as in a URL: '/users?name=a%20b', without `..`")
        })?;
    let source = gate.open(&profile)?;
    let mut api = profile.clone();
    api.options.timeout = args.timeout.or(api.options.timeout);
    let http = cli_support::http_client(&gate, &api)?;
    let deadline = args.wait.deadline();
    let token = with_retries(deadline, &source, output, || source.token()).await?;
    output.warn_token(&args.profile, &token);
    let call = Call { request, target, http: &http, source: &source };
    let whole = async {
        let mut response = call.send(&token).await?;
        // One fresh token and one retry: a second rejection is not about the token.
        if call.is_rejected(&mut response).await? {
            source.invalidate(&token);
            let token = with_retries(deadline, &source, output, || source.token()).await?;
            response = call.send(&token).await?;
        }
        let error = args.fail.then(|| response.error()).flatten();
        // The response to HEAD has no body.
        if args.include || call.request.method == Method::HEAD {
            response.print_head(output)?;
        } else if response.is_redirect() {
            let status = response.status.as_u16();
            output.warn(&format!(
                "the API redirects ({status}), which is not followed; -i shows the address"
            ));
        }
        response.print(output).await?;
        error.map_or(Ok(()), |error| Err(CommandError::Gatepass(error)))
    };
    let done = match args.timeout {
        None => whole.await,
        Some(limit) => tokio::time::timeout(limit, whole).await.unwrap_or_else(|_| {
            Err(Error::unavailable(format!("no complete response within {limit:?}"))
                .hint("try again, or raise --timeout")
                .into())
        }),
    };
    done.map(|()| ExitCode::SUCCESS).map_err(|error| Call::with_context(error, &profile))
}

/// The request of the command line.
struct Request {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    fn read(args: &CallArgs) -> Result<Self, CommandError> {
        let (method, target) = match args.request.as_slice() {
            [_, _] if args.method.is_some() => {
                return Err(usage("the method is given twice", example()));
            }
            [method, target] => (Some(method), target),
            [target] => (args.method.as_ref(), target),
            _ => return Err(usage("missing argument <URL-OR-PATH>", example())),
        };
        let method = match method {
            None if args.data.is_some() => Method::POST,
            None => Method::GET,
            Some(method) => Method::from_bytes(method.to_uppercase().as_bytes())
                .ok()
                .filter(|_| method.bytes().all(|b| b.is_ascii_alphabetic()))
                .ok_or_else(|| usage("not an HTTP method", example()))?,
        };
        let body = args.data.as_deref().map(read_data).transpose()?;
        let mut headers = HeaderMap::new();
        for header in &args.headers {
            let parsed = header.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let (name, value) = parsed
                .ok_or_else(|| usage("-H expects 'Name: value'", "for example: -H 'X-Trace: 1'"))?;
            headers.append(name, value);
        }
        let json = HeaderValue::from_static("application/json");
        if let Some(body) = &body {
            headers.entry(CONTENT_TYPE).or_insert_with(|| match looks_like_json(body) {
                true => json.clone(),
                false => HeaderValue::from_static("application/x-www-form-urlencoded"),
            });
        }
        headers.entry(ACCEPT).or_insert(json);
        // Some servers reject an empty body without a Content-Length (411).
        if body.as_ref().is_some_and(Bytes::is_empty) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let body = body.unwrap_or_default();
        Ok(Self { method, target: target.clone(), headers, body })
    }
}

fn example() -> Hint {
    Hint::run("for example", ["gatepass", "call", "cisco", "GET", "/hello"])
}

/// Returns whether a body starts like a JSON object or array. Others are sent as a form, as by curl.
fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Reads the value of `-d`: a string, `@FILE`, or `@-` for stdin.
fn read_data(data: &str) -> Result<Bytes, CommandError> {
    let Some(path) = data.strip_prefix('@') else {
        return Ok(Bytes::copy_from_slice(data.as_bytes()));
    };
    let mut bytes = Vec::new();
    let read = if path == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes.into()),
        Err(error) => Err(usage(
            format!("-d: cannot read {path}: {}", describe_io(&error)),
            "-d @FILE, or -d @- for stdin",
        )),
    }
}

struct Call<'a> {
    request: Request,
    target: Endpoint,
    http: &'a HttpClient,
    source: &'a TokenSource,
}

impl Call<'_> {
    /// Adds provider and profile to an error of the API. Errors of the token endpoint have them.
    fn with_context(error: CommandError, profile: &Profile) -> CommandError {
        match error {
            CommandError::Gatepass(error) if error.profile().is_none() => {
                let error = error.with_provider(&profile.info().id).with_profile(&profile.name);
                CommandError::Gatepass(match error.kind() {
                    ErrorKind::Unavailable => error
                        .default_hint("the API may be down or slow: try again, or raise --timeout"),
                    _ => error,
                })
            }
            other => other,
        }
    }

    async fn send(&self, token: &Token) -> Result<CallResponse, Error> {
        let mut request = http::Request::new(self.request.body.clone());
        *request.uri_mut() = self.target.to_uri()?;
        self.source.check(request.uri())?;
        *request.method_mut() = self.request.method.clone();
        *request.headers_mut() = self.request.headers.clone();
        // Last, so that a header of the user cannot replace the token.
        authorize(self.source, token, &mut request).await?;
        let (parts, body) = self.http.send_api(request).await?.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::protocol("the API switched protocols and sent no response")
                .with_status(101)
                .hint("check the address: the server there may not be an API"));
        }
        Ok(CallResponse { status: parts.status, headers: parts.headers, begun: Bytes::new(), body })
    }

    async fn is_rejected(&self, response: &mut CallResponse) -> Result<bool, Error> {
        let provider = self.source.provider();
        let refusal = provider.token_verdict(&ApiResponse::new(response.status, &response.headers));
        if refusal != TokenVerdict::NeedsBody {
            return Ok(refusal == TokenVerdict::Rejected);
        }
        response.read(64 * 1024).await?;
        let whole = ApiResponse::new(response.status, &response.headers).with_body(&response.begun);
        Ok(provider.token_verdict(&whole) == TokenVerdict::Rejected)
    }
}
