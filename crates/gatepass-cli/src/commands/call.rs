//! `gatepass call`: sends an API request with a token, and prints the response's body.

mod arguments;
mod destination;
mod request;
mod response;

use std::process::ExitCode;

use bytes::Bytes;
use gatepass::cli_support;
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::provider::{ApiResponse, Response, TokenVerdict};
use gatepass::{Authorize, Endpoint, Error, ErrorKind, HttpClient, Token, TokenSource};
use http::StatusCode;

pub(crate) use self::arguments::CallArgs;
use self::destination::{Destination, OutputFile};
use self::request::CallRequest;
use self::response::CallResponse;
use crate::acquire::{WantedToken, acquire};
use crate::error::CommandError;
use crate::options::{Common, Format};
use crate::output::Output;
use crate::session::{authorize, open_gate_with_store, open_profile};
use crate::signal;

pub(crate) async fn run(
    args: &CallArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    output.format(&[Format::Text, Format::Json])?;
    let request = CallRequest::read(args)?;
    let file = OutputFile::check(args.output.as_deref())?;
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
    let wanted = WantedToken {
        profile: &args.profile,
        min_ttl: None,
        is_fresh: false,
        deadline: args.wait.deadline(),
    };
    let token = acquire(&wanted, &source, output).await?;
    let call = Call { request, target, http: &http, source: &source };
    let whole = async {
        let mut response = call.send(&token).await?;
        // One fresh token and one retry: a second rejection is not about the token.
        if call.is_rejected(&mut response).await? {
            let status = response.status.as_u16();
            output.verbose(|| format!("the API rejected the token ({status}): trying a new one"));
            source.invalidate(&token);
            let next = acquire(&wanted, &source, output).await?;
            // A token that has just replaced a rejected one is not replaced.
            if !next.is_same_as(&token) {
                response = call.send(&next).await?;
            }
            response.is_second = true;
        }
        let failure = match args.fail {
            true => {
                let is_throttled = call.is_throttled(&mut response).await?;
                response.failure(is_throttled, file.is_some())
            }
            false => None,
        };
        match (&file, failure) {
            (Some(_), Some(failure)) => return Err(failure),
            (Some(file), None) => {
                response.write(file.open()?, args.include, &call.request.method, output).await?
            }
            (None, failure) => {
                let stdout = Destination::Stdout(output);
                response.write(stdout, args.include, &call.request.method, output).await?;
                return failure.map_or(Ok(()), Err);
            }
        }
        Ok(())
    };
    let whole = async {
        match args.timeout {
            None => whole.await,
            Some(limit) => tokio::time::timeout(limit, whole).await.unwrap_or_else(|_| {
                Err(Error::unavailable(format!("no complete response within {limit:?}"))
                    .hint("try again, or raise --timeout")
                    .into())
            }),
        }
    };
    let done = match file {
        None => whole.await,
        Some(_) => unless_stopped(whole).await,
    };
    done.map(|()| ExitCode::SUCCESS).map_err(|error| Call::with_context(error, &profile))
}

/// Runs `work`. If a signal stops the command, `work` is dropped before, and with it its unfinished
/// file.
async fn unless_stopped(
    work: impl Future<Output = Result<(), CommandError>>,
) -> Result<(), CommandError> {
    let stop = signal::stop_signal()?;
    let signal = {
        let mut work = Box::pin(work);
        tokio::select! {
            done = &mut work => return done,
            signal = stop => signal,
        }
    };
    signal::end_by(signal);
    Err(CommandError::Interrupted)
}

/// How much of a body is read to find out what the response means.
const MAX_EXAMINED: usize = 64 * 1024;

struct Call<'a> {
    request: CallRequest,
    target: Endpoint,
    http: &'a HttpClient,
    source: &'a TokenSource,
}

impl Call<'_> {
    /// Adds provider and profile to an error of the API. Errors of the token endpoint have them.
    fn with_context(error: CommandError, profile: &Profile) -> CommandError {
        let named = |error: Error| match error.profile() {
            None => error.with_provider(&profile.info().id).with_profile(&profile.name),
            Some(_) => error,
        };
        match error {
            CommandError::ApiRejected(error) => CommandError::ApiRejected(named(error)),
            CommandError::Gatepass(error) if error.profile().is_none() => {
                CommandError::Gatepass(match error.kind() {
                    ErrorKind::Unavailable => named(error)
                        .default_hint("the API may be down or slow: try again, or raise --timeout"),
                    _ => named(error),
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
        let (status, headers) = (parts.status, parts.headers);
        Ok(CallResponse { status, headers, begun: Bytes::new(), body, is_second: false })
    }

    /// Returns whether the provider recognises a rate limit in a 403, as in a token response.
    async fn is_throttled(&self, response: &mut CallResponse) -> Result<bool, Error> {
        if response.status != StatusCode::FORBIDDEN {
            return Ok(false);
        }
        response.read(MAX_EXAMINED).await?;
        let mut whole = http::Response::new(response.begun.clone());
        *whole.status_mut() = response.status;
        whole.headers_mut().clone_from(&response.headers);
        let now = SystemClock::new().wall();
        let read = self.source.provider().read_token(&Response::from(whole), now);
        Ok(read.is_err_and(|error| error.kind() == ErrorKind::Throttled))
    }

    async fn is_rejected(&self, response: &mut CallResponse) -> Result<bool, Error> {
        let provider = self.source.provider();
        let rejection =
            provider.token_verdict(&ApiResponse::new(response.status, &response.headers));
        if rejection != TokenVerdict::NeedsBody {
            return Ok(rejection == TokenVerdict::Rejected);
        }
        response.read(MAX_EXAMINED).await?;
        let whole = ApiResponse::new(response.status, &response.headers).with_body(&response.begun);
        Ok(provider.token_verdict(&whole) == TokenVerdict::Rejected)
    }
}
