//! The error of a token endpoint's response: by the body's error code, or else by the status.

use std::time::SystemTime;

use http::header::CONTENT_TYPE;

use crate::json::Json;
use crate::{Error, ErrorKind, Response, Retry};

/// Returns the error of a response whose rejection the provider has found outside the bodies that
/// [`read_json`](super::read_json) knows: in a header, say, or in plain text.
///
/// The code decides before the status, as in `read_json`. Without a code the status decides, and a
/// 401 or 403 counts as the vendor's own rejection.
pub fn vendor_error(
    response: &Response,
    code: Option<&str>,
    text: Option<&str>,
    sent: SystemTime,
) -> Error {
    let (code, text) = (code.unwrap_or_default().to_owned(), text.map(str::to_owned));
    let status = response.status().as_u16();
    response_error(status, Some(VendorError { code, text }), response, sent)
}

/// The error code and description of a vendor.
pub(super) struct VendorError {
    pub(super) code: String,
    pub(super) text: Option<String>,
}

/// Returns the code of an error response, in the first dialect that has one; of several codes, the
/// first one that is known. In a success response only the member of RFC 6749 and known codes count,
/// because the other members have harmless uses there.
pub(super) fn code_of(json: &Json, is_success: bool) -> Option<String> {
    let codes = || CODES.iter().filter_map(|pointer| code_at(json, pointer, is_success));
    let known = codes().find(|code| by_code(code).is_some());
    known.or_else(|| match is_success {
        true => code_at(json, CODES[0], true),
        false => codes().next(),
    })
}

fn code_at(json: &Json, pointer: &str, is_success: bool) -> Option<String> {
    match json.at(pointer).as_slice() {
        [Json::Text(code), ..] if !code.is_empty() => Some(code.to_string()),
        [Json::Number(code), ..] if !is_success => Some(code.to_string()),
        // `"error": {"code": …}`: an error whose code is not one of RFC 6749, unless it is known.
        [object @ Json::Object(_), ..] if pointer == CODES[0] => {
            let mut codes =
                OBJECT_CODES.iter().filter_map(|pointer| code_at(object, pointer, false));
            let known = codes.find(|code| by_code(code).is_some());
            Some(known.unwrap_or_else(|| String::from("error")))
        }
        _ => None,
    }
}

/// Where error codes are: RFC 6749, Okta, Huawei, CelerData.
const CODES: [&str; 4] = ["/error", "/errorCode", "/error_code", "/code"];
/// Where they are in an object at `/error`.
const OBJECT_CODES: [&str; 4] = ["/code", "/type", "/status", "/error"];

/// Returns the error for a status and the body's code, if there is one; the code takes precedence.
pub(super) fn response_error(
    status: u16,
    vendor_error: Option<VendorError>,
    response: &Response,
    sent: SystemTime,
) -> Error {
    let code = vendor_error.as_ref().map(|error| error.code.as_str());
    let error = match code.and_then(by_code) {
        Some(error) => error,
        None => by_status(status, code.is_some(), is_html(response)),
    };
    let mut error = error.with_status(status);
    let after = match error.kind() {
        ErrorKind::Throttled => response.rate_limit_delay(sent),
        ErrorKind::Unavailable => response.retry_after(sent),
        _ => None,
    };
    if let Some(after) = after {
        if error.kind() == ErrorKind::Throttled {
            let seconds = after.as_millis().div_ceil(1000);
            error = error.with_message(format!("rate limited: retry after {seconds} s"));
        }
        error = error.with_retry_after(after);
    }
    match vendor_error {
        Some(VendorError { code, text }) => {
            let error =
                if code == status.to_string() { error } else { error.with_vendor_code(&code) };
            error.with_vendor_text(text.as_deref().unwrap_or_default())
        }
        None => error,
    }
}

/// Returns the error for a code that is known, in any spelling: `RateLimitExceeded` and
/// `rate-limit-exceeded` are the same.
fn by_code(code: &str) -> Option<Error> {
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    if THROTTLED_PARTS.iter().any(|part| plain.contains(part))
        || THROTTLED_CODES.contains(&plain.as_str())
    {
        return Some(Error::throttled("rate limited"));
    }
    if UNAVAILABLE_CODES.contains(&plain.as_str()) {
        return Some(Error::unavailable("the vendor returned a server error"));
    }
    Some(match plain.as_str() {
        "invalidclient" => Error::denied("the vendor rejected client id or secret").hint(
            "check client_id and client_secret, and that the client still exists at the vendor",
        ),
        "invalidgrant" | "unauthorizedclient" | "accessdenied" => {
            Error::denied("the vendor denied this client a token")
                .hint("check at the vendor what this client may do")
        }
        "invalidscope" => Error::config("the vendor rejected the scope")
            .hint("check the profile's `scope` (or the client's permissions, if it is not set)"),
        "unsupportedgranttype" => Error::config("the vendor does not know this grant type")
            .hint("check client_auth and the other settings of the request in the profile"),
        "invalidrequest" => Error::config("the vendor rejected the request as malformed")
            .hint("check client_auth, basic_encoding and scope in the profile"),
        _ => return None,
    })
}

/// Parts of codes that say that the vendor limits requests, without `_` and in lower case.
const THROTTLED_PARTS: [&str; 8] = [
    "ratelimit",
    "toomanyrequest",
    "quota",
    "slowdown",
    "overrate",
    "overqps",
    "throttl",
    "limitexceeded",
];
/// Whole codes that say so: HTTP's status, CelerData's, gRPC's, Okta's, and that of Huawei's gateway.
const THROTTLED_CODES: [&str; 5] = ["429", "42900", "resourceexhausted", "e0000047", "apigw0308"];
/// Codes that say that the vendor is down, without `_` and in lower case.
const UNAVAILABLE_CODES: [&str; 11] = [
    "internalerror",
    "internalservererror",
    "servererror",
    "temporarilyunavailable",
    "serviceunavailable",
    "unavailable",
    "backenderror",
    "500",
    "502",
    "503",
    "504",
];

/// Returns the error for a status. `is_coded` is true if the vendor has stated its rejection in the
/// body; otherwise a 401 or 403 may be the response of a gateway.
fn by_status(status: u16, is_coded: bool, is_html: bool) -> Error {
    match status {
        101 => Error::protocol("the server switched protocols without being asked")
            .with_retry(Retry::Never)
            .hint("check base_url: it may not lead to the vendor"),
        // An error in a response with status 200 is still an error.
        200 | 201 => Error::denied("the vendor refused"),
        202 | 203 => {
            Error::protocol("the response seems to come from a proxy instead of the vendor")
        }
        204 | 205 => Error::protocol("the response has no content"),
        300..=399 => Error::protocol("the response is a redirect, which is not followed"),
        400 if is_coded => Error::denied("the vendor refused"),
        400 => Error::protocol("the vendor rejected the request without a reason"),
        401 if is_coded => Error::denied("the vendor rejected the credential")
            .hint("check the profile's credential, and that it still exists at the vendor"),
        403 if is_coded => {
            Error::denied("access denied: check the account or the subscription key")
                .hint("check at the vendor what this client may do")
        }
        401 | 403 => {
            Error::unavailable("a gateway or firewall refused the request, not the vendor")
                .hint(match is_html {
                    true => "the response is a web page, possibly of a firewall: check the network",
                    false => "the response has no error code of the vendor: check base_url",
                })
                .hint("if this persists, check the profile's credential at the vendor")
        }
        404 | 410 => Error::config("no token endpoint at this address")
            .hint("check base_url, environment and the ids in the profile"),
        407 => Error::config("the proxy requires credentials")
            .hint("put them into HTTPS_PROXY, or add the host to NO_PROXY"),
        405 | 406 | 415 => {
            Error::config("the endpoint rejected the request method or content type")
                .hint("check base_url: it may not lead to the vendor")
        }
        413 | 431 => Error::config("the request is too large for the server")
            .hint("check the lengths of the profile's values"),
        408 | 425 => Error::unavailable("the vendor timed out"),
        429 => Error::throttled("rate limited"),
        402 | 409..=499 if is_coded => Error::denied("the vendor refused"),
        511 => Error::protocol("the network requires a login (captive portal)")
            .with_retry(Retry::Later),
        501 | 505 => {
            Error::protocol("the server does not support the request").with_retry(Retry::Later)
        }
        500..=598 => Error::unavailable("the vendor returned a server error"),
        _ => Error::protocol("the response has an unexpected status"),
    }
}

pub(super) fn is_html(response: &Response) -> bool {
    let typed = response.header(CONTENT_TYPE).is_some_and(|kind| kind.contains("html"));
    typed || response.body().trim_ascii_start().starts_with(b"<")
}
