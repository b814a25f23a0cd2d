//! What the vendor says to this profile: to its credential, and to the token.

use bytes::Bytes;
use gatepass::{
    ApiResponse, Authorize, Clock, CredentialSource, Endpoint, Error, Gate, HttpClient, Profile,
    SystemClock, Token, TokenSource, TokenVerdict, retry_after,
};
use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use tokio::time::{Instant, timeout};

use super::network::LIMIT;
use super::report::{Report, ms};
use crate::error::CommandError;
use crate::output::format_duration;
use crate::session::authorize;

/// A token, by way of the store: a credential that was refused is not sent again.
pub(super) async fn ask(
    gate: &Gate,
    profile: &Profile,
    http: &HttpClient,
    fresh: bool,
    report: &mut Report<'_>,
) -> Result<(), CommandError> {
    let begun = Instant::now();
    let asked = match gate.open(profile) {
        Ok(source) if fresh => source.refresh_now().await.map(|token| (source, token)),
        Ok(source) => source.token().await.map(|token| (source, token)),
        Err(error) => Err(error),
    };
    let (source, token) = match asked {
        Ok(got) => got,
        Err(error) => {
            report.fail("token", &error)?;
            return report.skip_all(&["api"], "token");
        }
    };
    let kept = source.status().is_stored;
    let from = if kept {
        String::from("kept from before")
    } else {
        format!("from the vendor, {}", ms(begun.elapsed()))
    };
    let told =
        format!("{from}; lives {}", format_duration(token.remaining(SystemClock::new().wall())));
    let warnings: Vec<String> = token.warnings().map(ToString::to_string).collect();
    match warnings.is_empty() {
        true => report.ok("token", told)?,
        false => report.warn("token", told, &warnings.join("; "))?,
    }

    let begun = Instant::now();
    let target = match target(profile, &source).await {
        Ok(Some(target)) => target,
        Ok(None) => return report.skip("api", "this provider knows no harmless API call"),
        Err(error) => return report.fail("api", &error),
    };
    let answer = match timeout(LIMIT, probe(&source, &token, &target, http)).await {
        Ok(answer) => answer,
        Err(_) => {
            let limit = LIMIT.as_secs();
            Err(Error::unavailable(format!("no answer in {limit} s from {}", target.origin())))
        }
    };
    match answer {
        Ok(status) => {
            let took = ms(begun.elapsed());
            report.ok("api", format!("{} from {target}, {took}", status.as_u16()))
        }
        Err(error) if kept && error.status() == Some(401) => {
            let hint = format!("`gatepass doctor {} --fresh` tries another token", profile.name);
            report.fail("api", &error.with_hint(hint))
        }
        Err(error) => report.fail("api", &error),
    }
}

/// The harmless call that the provider knows.
async fn target(profile: &Profile, source: &TokenSource) -> Result<Option<Endpoint>, Error> {
    let provider = source.provider();
    match provider.probe(&profile.credential().await?)? {
        Some(path) => profile.api_endpoint(provider, &path).map(Some),
        None => Ok(None),
    }
}

/// The status of an API that takes the token, or why it does not.
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
    let (head, mut body) = http.call(request, None).await?.into_parts();
    let (status, provider) = (head.status, source.provider());
    let mut refusal = provider.token_verdict(&ApiResponse::new(status, &head.headers));
    if refusal == TokenVerdict::NeedsBody {
        let mut begun = Vec::new();
        while begun.len() < BEGINNING {
            let Some(chunk) = body.chunk().await? else { break };
            begun.extend_from_slice(&chunk);
        }
        refusal =
            provider.token_verdict(&ApiResponse::new(status, &head.headers).with_body(&begun));
    }
    let place = target.origin();
    let error = match status.as_u16() {
        _ if refusal == TokenVerdict::Rejected => {
            Error::denied(format!("{place} refuses the token"))
        }
        401 => Error::denied(format!("{place} refuses the token")),
        403 => Error::denied(format!("{place} does not allow this client the call"))
            .with_hint("ask the vendor's administrator what this client may do"),
        429 => {
            let error = Error::throttled(format!("{place} throttles"));
            match retry_after(status, &head.headers, SystemClock::new().wall()) {
                Some(after) => error.with_retry_after(after),
                None => error,
            }
        }
        _ if status.is_success() => return Ok(status),
        500.. => Error::unavailable(format!("{place} fails")),
        _ => Error::protocol(format!("{place} does not know {target}"))
            .with_hint("check api_url and base_url: is this the vendor's API?"),
    };
    Err(error.with_status(status.as_u16()))
}

/// How much of a body tells whether the token was refused.
const BEGINNING: usize = 64 * 1024;
