//! The response in a redirect: its parameters, the vendor's error, or a token response.

use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use super::NOTHING;
use crate::json::Json;
use crate::oauth2::TokenResponse;
use crate::{Error, Result, redact};

/// The maximum length of a response, in bytes.
pub(super) const MAX_RESPONSE: usize = 64 * 1024;

/// The name and value of a parameter.
pub(super) type Pair = (String, Zeroizing<String>);

/// The parts of a redirect.
pub(super) struct Redirect<'a> {
    /// The address without its query, if the redirect is a complete address.
    pub(super) place: Option<&'a str>,
    pub(super) query: &'a str,
    pub(super) fragment: &'a str,
}

impl<'a> Redirect<'a> {
    pub(super) fn split(response: &'a str) -> Result<Self> {
        let response = response.trim();
        if response.len() > MAX_RESPONSE {
            return Err(Error::unsafe_token("the response is longer than 64 KiB"));
        }
        let is_address = response.contains("://") && !response.starts_with(['?', '#']);
        let (place, fragment) = response.split_once('#').unwrap_or_else(|| match response {
            bare if !is_address && !bare.starts_with('?') => ("", bare),
            address => (address, ""),
        });
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        Ok(Self { place: is_address.then_some(place), query, fragment })
    }

    pub(super) fn pairs(&self) -> Result<Vec<Pair>> {
        Ok(pairs(self.fragment)?.into_iter().chain(pairs(self.query)?).collect())
    }
}

/// Reads the parameters of a query or a fragment.
pub(super) fn pairs(text: &str) -> Result<Vec<Pair>> {
    let decoded = |part: &str| {
        let spaced = Zeroizing::new(part.replace('+', " ").into_bytes());
        let bytes = Zeroizing::new(percent_decode(&spaced).collect::<Vec<u8>>());
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => Err(Error::protocol("the redirect's parameters are not UTF-8")),
        }
    };
    let parts = text.split('&').filter(|part| !part.is_empty());
    let read = parts.map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Ok((decoded(name)?.to_string(), decoded(value)?))
    });
    read.collect()
}

/// Returns the vendor's error, if the response is one (RFC 6749 section 4.2.2.1).
pub(super) fn denied(pairs: &[Pair]) -> Option<Error> {
    let find = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, v)| &**v);
    let code = find("error").filter(|code| !code.is_empty())?;
    let error = match code.as_str() {
        "access_denied" => Error::denied("the login was denied")
            .hint("log in again and choose Allow, or ask the vendor for the reason"),
        "unauthorized_client" => Error::denied("this client may not log in users").hint(NOTHING),
        "unsupported_response_type" => {
            Error::config("the vendor does not support this grant type").hint(NOTHING)
        }
        "invalid_scope" => Error::config("the vendor rejected the scope"),
        "invalid_request" => {
            Error::config("the vendor rejected the request as malformed").hint(NOTHING)
        }
        "temporarily_unavailable" | "server_error" => {
            Error::unavailable("the vendor returned a server error")
        }
        "login_required" | "interaction_required" | "consent_required" => {
            Error::denied("the vendor requires an action of the user")
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

/// Converts the parameters into a token response, which is read like any other.
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
        warnings.push("the vendor sent a refresh token in the address: the token was discarded");
    }
    let members = kept.into_iter().map(|(name, value)| (name, Json::Text(value)));
    TokenResponse::of(Json::Object(members.collect()), warnings, None)
}
