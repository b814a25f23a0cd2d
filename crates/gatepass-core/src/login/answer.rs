//! What a redirect brings: its parameters, the vendor's refusal, or a token answer.

use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use super::NOTHING;
use crate::json::Json;
use crate::oauth2::TokenResponse;
use crate::{Error, Result, redact};

/// A parameter's name and value.
pub(super) type Pair = (String, Zeroizing<String>);

/// The parameters of a query or a fragment.
pub(super) fn pairs(text: &str) -> Result<Vec<Pair>> {
    let decoded = |part: &str| {
        let spaced = Zeroizing::new(part.replace('+', " ").into_bytes());
        let bytes = Zeroizing::new(percent_decode(&spaced).collect::<Vec<u8>>());
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => Err(Error::protocol("the redirect's answer is not UTF-8")),
        }
    };
    let parts = text.split('&').filter(|part| !part.is_empty());
    let read = parts.map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Ok((decoded(name)?.to_string(), decoded(value)?))
    });
    read.collect()
}

/// The vendor's refusal, if it is one (RFC 6749 section 4.2.2.1).
pub(super) fn refusal(pairs: &[Pair]) -> Option<Error> {
    let find = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, v)| &**v);
    let code = find("error").filter(|code| !code.is_empty())?;
    let error = match code.as_str() {
        "access_denied" => Error::denied("the login was denied")
            .hint("run it again and choose Allow, or ask the vendor why it denies"),
        "unauthorized_client" => Error::denied("this client may not log people in").hint(NOTHING),
        "unsupported_response_type" => {
            Error::config("the vendor does not do this grant").hint(NOTHING)
        }
        "invalid_scope" => Error::config("the scope is refused"),
        "invalid_request" => Error::config("the vendor calls the request malformed").hint(NOTHING),
        "temporarily_unavailable" | "server_error" => Error::unavailable("vendor fault"),
        "login_required" | "interaction_required" | "consent_required" => {
            Error::denied("the vendor wants the person to act")
        }
        _ => Error::denied("the vendor refused"),
    };
    let text = find("error_description").map_or("", String::as_str);
    let is_secret = |(name, value): &&Pair| {
        name.ends_with("_token") && !value.is_empty() && text.contains(value.as_str())
    };
    let text = if pairs.iter().any(|pair| is_secret(&pair)) { redact::REDACTED } else { text };
    Some(error.with_vendor_code(code).with_vendor_text(text))
}

/// The parameters as the members of an answer, which are read as any other token answer's are.
pub(super) fn body(pairs: Vec<Pair>, is_in_query: bool) -> TokenResponse {
    let mut warnings = Vec::new();
    if is_in_query {
        warnings.push(
            "the vendor sent the token in the query of the address, where logs and histories keep \
             it",
        );
    }
    let (refresh, kept): (Vec<Pair>, Vec<Pair>) =
        pairs.into_iter().partition(|(name, _)| name == "refresh_token");
    if !refresh.is_empty() {
        warnings.push("the vendor sent a refresh token in the address: it was thrown away");
    }
    let members = kept.into_iter().map(|(name, value)| (name, Json::Text(value)));
    TokenResponse::of(Json::Object(members.collect()), warnings)
}
