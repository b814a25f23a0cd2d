//! The steps of `doctor` at the vendor: a token request, and an API call with the token.

use bytes::Bytes;
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::provider::{ApiResponse, TokenVerdict, retry_after};
use gatepass::{
    Authorize, CredentialSource, Endpoint, Error, Gate, Hint, HttpClient, Token, TokenSource,
};
use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use tokio::time::{Instant, timeout};

use super::network::STEP_TIMEOUT;
use super::report::{Report, ms};
use crate::error::CommandError;
use crate::output::format_duration;
use crate::session::authorize;

/// Acquires a token through the store, so that a denied credential is not sent again, and calls the
/// API with it.
pub(super) async fn check(
    gate: &Gate,
    profile: &Profile,
    http: &HttpClient,
    fresh: bool,
    report: &mut Report<'_>,
) -> Result<(), CommandError> {
    let start = Instant::now();
    let acquired = match gate.open(profile) {
        Ok(source) if fresh => source.refresh_now().await.map(|token| (source, token)),
        Ok(source) => source.token().await.map(|token| (source, token)),
        Err(error) => Err(error),
    };
    let (source, token) = match acquired {
        Ok(acquired) => acquired,
        Err(error) => {
            report.fail("token", &error)?;
            return report.skip_all(&["api"], "token");
        }
    };
    let is_cached = source.status().is_stored;
    let origin = if is_cached {
        String::from("cached")
    } else {
        format!("from the vendor, {}", ms(start.elapsed()))
    };
    let detail = format!(
        "{origin}; valid for {}",
        format_duration(token.remaining(SystemClock::new().wall()))
    );
    let warnings: Vec<String> = token.warnings().map(ToString::to_string).collect();
    match warnings.is_empty() {
        true => report.ok("token", detail)?,
        false => report.warn("token", detail, &warnings.join("; "))?,
    }

    let start = Instant::now();
    let target = match target(profile, &source).await {
        Ok(Some(target)) => target,
        Ok(None) => {
            return report.skip("api", "this provider has no API call without side effects");
        }
        Err(error) => return report.fail("api", &error),
    };
    let outcome = match timeout(STEP_TIMEOUT, probe(&source, &token, &target, http)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let limit = STEP_TIMEOUT.as_secs();
            Err(Error::unavailable(format!(
                "no response within {limit} s from {}",
                target.origin()
            )))
        }
    };
    match outcome {
        Ok(status) => {
            let took = ms(start.elapsed());
            report.ok("api", format!("{} from {target}, {took}", status.as_u16()))
        }
        Err(error) if is_cached && error.status() == Some(401) => {
            let hint = Hint::gatepass("try a new token", ["doctor", &profile.name, "--fresh"]);
            report.fail("api", &error.with_hints([hint]))
        }
        Err(error) => report.fail("api", &error),
    }
}

/// Returns the address of the provider's API call without side effects.
async fn target(profile: &Profile, source: &TokenSource) -> Result<Option<Endpoint>, Error> {
    let provider = source.provider();
    match provider.probe(&profile.credential().await?)? {
        Some(path) => profile.api_endpoint(provider, &path).map(Some),
        None => Ok(None),
    }
}

/// Sends the API request. Returns the status if the API accepts the token.
async fn probe(
    source: &TokenSource,
    token: &Token,
    target: &Endpoint,
    http: &HttpClient,
) -> Result<StatusCode, Error> {
    let mut request = http::Request::new(Bytes::new());
    *request.uri_mut() = target.to_uri()?;
    source.check(request.uri())?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    authorize(source, token, &mut request).await?;
    let (head, mut body) = http.send_api(request).await?.into_parts();
    let (status, provider) = (head.status, source.provider());
    let mut verdict = provider.token_verdict(&ApiResponse::new(status, &head.headers));
    if verdict == TokenVerdict::NeedsBody {
        let mut body_start = Vec::new();
        while body_start.len() < MAX_INSPECTED {
            let Some(chunk) = body.chunk().await? else { break };
            body_start.extend_from_slice(&chunk);
        }
        verdict =
            provider.token_verdict(&ApiResponse::new(status, &head.headers).with_body(&body_start));
    }
    let place = target.origin();
    let error = match status.as_u16() {
        _ if verdict == TokenVerdict::Rejected => {
            Error::denied(format!("{place} rejected the token"))
        }
        401 => Error::denied(format!("{place} rejected the token")),
        403 => Error::denied(format!("{place} does not allow this client to make the call"))
            .hint("ask the vendor's administrator what this client may do"),
        429 => {
            let error = Error::throttled(format!("{place} rate limited the request"));
            match retry_after(status, &head.headers, SystemClock::new().wall()) {
                Some(after) => error.with_retry_after(after),
                None => error,
            }
        }
        _ if status.is_success() => return Ok(status),
        500.. => Error::unavailable(format!("{place} returned a server error")),
        _ => Error::protocol(format!("{place} does not have {target}"))
            .hint("check api_url and base_url: is this the vendor's API?"),
    };
    Err(error.with_status(status.as_u16()))
}

/// How much of a body is read to see whether the token was rejected.
const MAX_INSPECTED: usize = 64 * 1024;
