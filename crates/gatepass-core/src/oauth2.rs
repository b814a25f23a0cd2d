//! The shared reading of RFC 6749 token responses and errors, with the vendors' deviations.
//!
//! [`read_token`] is sufficient for a vendor that follows section 5. Others use [`read_json`], which
//! returns every error response as an [`Error`], and read the token from the [`TokenResponse`].

mod client;
mod error_response;

use std::fmt;
use std::time::{Duration, SystemTime};

use http::header::CONTENT_ENCODING;
use zeroize::Zeroizing;

use crate::http::MAX_BODY;
use crate::json::{Json, NotJson};
use crate::token::MAX_LIFETIME;
use crate::{
    BasicEncoding, Credential, Error, ErrorKind, Response, Result, Retry, Secret, Token,
    TokenBuilder, percent_encode,
};

use self::error_response::{VendorError, is_html, response_error};

pub use self::client::{ClientAuth, ClientCredentials, Implicit, reject_on_json};
pub use self::error_response::vendor_error;
pub use crate::token::Lifetime;

/// Reads a token response of RFC 6749 section 5.1; every other response is an error.
pub fn read_token(response: &Response, sent: SystemTime) -> Result<Token> {
    read_json(response, sent)?.token("/access_token", sent)?.build()
}

/// Reads a response's JSON object, or its error (RFC 6749 section 5.2 and the dialects of Okta,
/// Huawei and Azure's gateway).
pub fn read_json(response: &Response, sent: SystemTime) -> Result<TokenResponse> {
    let body = parse(response);
    let code = body.as_ref().ok().and_then(|body| body.error_code(response));
    let status = response.status().as_u16();
    match (status, &code) {
        (200 | 201, None) => body,
        _ => Err(response_error(status, code, response, sent)),
    }
}

/// Adds to the error of a denied Basic client the other encoding, if it differs for this id or
/// secret. gatepass never tries both, because another denial may lock the client.
pub fn explain_basic(error: Error, credential: &Credential, encoding: BasicEncoding) -> Error {
    let differs = |text: &str| *Zeroizing::new(percent_encode(text)) != text;
    let id = credential.optional_text("client_id").unwrap_or_default();
    let secret = credential.optional_secret("client_secret").map_or("", Secret::expose_secret);
    let is_denied =
        error.kind() == ErrorKind::Denied || error.vendor_code() == Some("invalid_request");
    let is_denied = is_denied && matches!(error.status(), Some(400 | 401));
    if !is_denied || !(differs(id) || differs(secret)) {
        return error;
    }
    error.hint(match encoding {
        BasicEncoding::Raw => {
            "the id or secret has special characters: try basic_encoding = \"form\""
        }
        BasicEncoding::Form => {
            "the id or secret has special characters: try basic_encoding = \"raw\""
        }
    })
}

fn is_rejection(response: &Response) -> bool {
    matches!(response.status().as_u16(), 401 | 403)
}

/// Reads a response like [`read_json`], for a vendor whose body has its own status at `pointer`,
/// which takes precedence over the HTTP status. If it is present, it must be a success status.
///
/// # Errors
///
/// Those of [`read_json`]; `Protocol` for an invalid status.
pub fn read_json_with_status(
    response: &Response,
    pointer: &str,
    sent: SystemTime,
) -> Result<TokenResponse> {
    let body = parse(response);
    let is_success = matches!(response.status().as_u16(), 200 | 201);
    let text = || body.as_ref().ok().and_then(TokenResponse::error_text);
    let is_coded = body.as_ref().is_ok_and(|body| body.error_code(response).is_some());
    let rejection = |status: u16| {
        let error = VendorError { code: status.to_string(), text: text() };
        response_error(status, Some(error), response, sent)
    };
    let status = match body.as_ref().map_or(Ok(None), |body| body.one(pointer))? {
        // The vendor's own rejection has a text, even without a status; a gateway's has neither.
        None | Some(Json::Null) if text().is_some() && !is_coded && is_rejection(response) => {
            Some(response.status().as_u16())
        }
        None | Some(Json::Null) => return read_json(response, sent),
        Some(Json::Number(status)) => u16::try_from(*status).ok(),
        Some(Json::Text(status)) => status.parse().ok(),
        Some(_) => None,
    };
    match status {
        Some(200 | 201) if is_success => body,
        None if is_success => Err(Error::protocol(format!(
            "the response's `{}` is not a success status",
            name(pointer)
        ))),
        // An HTTP error with a body that claims success remains an error.
        None | Some(200 | 201) if !is_rejection(response) => read_json(response, sent),
        None | Some(200 | 201) => Err(rejection(response.status().as_u16())),
        Some(status) => Err(rejection(status)),
    }
}

/// Returns whether the response names a content coding. Some servers write a character set or `none`
/// into the field, which is not one.
fn is_compressed(response: &Response) -> bool {
    let fields = response.headers().get_all(CONTENT_ENCODING).iter();
    fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b',')).any(|coding| {
        let coding = coding.trim_ascii();
        CODINGS.iter().any(|name| coding.eq_ignore_ascii_case(name.as_bytes()))
    })
}

/// The content codings that IANA has registered and their old names.
const CODINGS: [&str; 12] = [
    "aes128gcm",
    "br",
    "compress",
    "dcb",
    "dcz",
    "deflate",
    "exi",
    "gzip",
    "pack200-gzip",
    "x-compress",
    "x-gzip",
    "zstd",
];

fn parse(response: &Response) -> Result<TokenResponse> {
    if is_compressed(response) {
        // A retry would have the same result.
        return Err(Error::protocol(
            "the response is compressed although the request did not allow it",
        )
        .with_retry(Retry::Never));
    }
    let bytes = response.body();
    if bytes.len() > MAX_BODY {
        return Err(Error::protocol("the response is longer than 256 KiB").with_retry(Retry::Never));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Error::protocol("the response is empty"));
    }
    let json = Json::read(bytes).map_err(|why| not_json(&why, response))?;
    match json {
        Json::Object(_) => {
            let warnings = is_html(response).then_some("the response is labelled as a web page");
            Ok(TokenResponse::of(json, warnings.into_iter().collect(), response.date()))
        }
        _ => Err(Error::protocol("the response is not a JSON object")),
    }
}

fn not_json(why: &NotJson, response: &Response) -> Error {
    let size = response.body().len();
    if is_html(response) {
        return Error::protocol(format!(
            "the response is a web page of {size} bytes instead of a token (a proxy or a login page?)"
        ))
        .hint("open the vendor's address in a browser from this machine, and check base_url");
    }
    match why {
        NotJson::Truncated => Error::protocol(format!("the response is cut off at byte {size}")),
        NotJson::TooDeep => {
            Error::protocol("the response is nested deeper than 16 levels").with_retry(Retry::Never)
        }
        NotJson::Wrong { .. } if response.body().starts_with(b"access_token=") => {
            Error::protocol("the response is a form, not JSON")
                .with_retry(Retry::Never)
                .hint("check base_url")
        }
        NotJson::Wrong { line, column } => {
            Error::protocol(format!("the response is not JSON (line {line}, column {column})"))
        }
    }
}

/// The JSON object of a token response. `Debug` shows only the type's name.
pub struct TokenResponse {
    json: Json,
    warnings: Vec<&'static str>,
    date: Option<SystemTime>,
}

impl TokenResponse {
    pub(crate) fn of(json: Json, warnings: Vec<&'static str>, date: Option<SystemTime>) -> Self {
        Self { json, warnings, date }
    }

    /// Returns a builder for the token at `pointer` (`/access_token`) with the members of RFC 6749
    /// section 5.1: `token_type` (required, any case), `expires_in`, `scope`, `refresh_token`,
    /// `id_token`.
    ///
    /// # Errors
    ///
    /// `Protocol` without a token or for another token type; `UnsafeToken` for a token that is not a
    /// string, is empty, or occurs twice with different values.
    pub fn token(&self, pointer: &str, sent: SystemTime) -> Result<TokenBuilder> {
        let secret = self.secret(pointer)?;
        self.require_bearer()?;
        let token = Token::builder(secret, sent)
            .date(self.date)
            .expires_in(self.seconds("/expires_in")?)
            .scope(self.optional_text("/scope")?)
            .extra("refresh_token", self.optional_secret("/refresh_token"))
            .extra("id_token", self.optional_secret("/id_token"));
        Ok(self.warnings.iter().fold(token, |token, warning| token.warning(Some(*warning))))
    }

    /// Returns the secret at a path like `/result/token`.
    ///
    /// # Errors
    ///
    /// `Protocol` if it is missing; `UnsafeToken` if it is empty, is not a string, or occurs twice.
    pub fn secret(&self, pointer: &str) -> Result<Secret> {
        match self.one(pointer)? {
            None | Some(Json::Null) => {
                Err(Error::protocol(format!("the response has no `{}`", name(pointer)))
                    .hint("check base_url and environment: is this the vendor's token endpoint?"))
            }
            Some(Json::Text(text)) if text.trim().is_empty() => {
                Err(Error::unsafe_token(format!("`{}` is empty", name(pointer)))
                    .with_retry(Retry::Once))
            }
            Some(Json::Text(text)) => Ok(Secret::from(text.as_str())),
            Some(other) => Err(Error::unsafe_token(format!(
                "`{}` is {}, not a string",
                name(pointer),
                other.kind()
            ))),
        }
    }

    /// Returns an optional secret; a value that is not a string counts as missing.
    pub fn optional_secret(&self, pointer: &str) -> Option<Secret> {
        match self.json.at(pointer).as_slice() {
            [Json::Text(text)] if !text.is_empty() => Some(Secret::from(text.as_str())),
            _ => None,
        }
    }

    /// Returns an optional string; another value counts as missing.
    ///
    /// # Errors
    ///
    /// `UnsafeToken` if the member occurs twice with different values.
    pub fn optional_text(&self, pointer: &str) -> Result<Option<&str>> {
        Ok(match self.one(pointer)? {
            Some(Json::Text(text)) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Returns a lifetime in seconds, from a number or a string of digits. A value that is not a
    /// number counts as missing, with a warning; more than 30 days is reduced to 30 days.
    ///
    /// # Errors
    ///
    /// `Protocol` for zero and less: the token has expired.
    pub fn seconds(&self, pointer: &str) -> Result<Lifetime> {
        let odd = Lifetime { duration: None, warning: Some("expires_in is not a number: ignored") };
        let seconds = match self.one(pointer)? {
            None | Some(Json::Null) => return Ok(Lifetime::default()),
            Some(Json::Number(seconds)) => *seconds,
            Some(Json::Text(text))
                if (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                text.parse().unwrap_or_default()
            }
            Some(_) => return Ok(odd),
        };
        let Ok(seconds @ 1..) = u64::try_from(seconds.min(i128::from(u64::MAX))) else {
            return Err(Error::protocol(format!(
                "according to `{}` the token has expired",
                name(pointer)
            )));
        };
        let warning = match seconds {
            1_000_000_000..=9_999_999_999 => Some("expires_in looks like a date: 30 days are used"),
            _ if seconds > MAX_LIFETIME.as_secs() => Some("expires_in is cut to 30 days"),
            _ => None,
        };
        Ok(Lifetime { duration: Some(Duration::from_secs(seconds).min(MAX_LIFETIME)), warning })
    }

    /// Checks that the token is a bearer token (RFC 6750): a token of another type must not be sent as
    /// one (RFC 6749 section 7.1).
    ///
    /// # Errors
    ///
    /// `Protocol` for another or a missing type.
    pub fn require_bearer(&self) -> Result<()> {
        match self.one("/token_type")? {
            None | Some(Json::Null) => Err(Error::protocol("the response has no `token_type`")),
            Some(Json::Text(kind)) if kind.eq_ignore_ascii_case("bearer") => Ok(()),
            Some(Json::Text(kind)) if is_token_type(kind) => {
                Err(Error::protocol(format!("the token is of type {}, not Bearer", kind.as_str()))
                    .with_retry(Retry::Never))
            }
            Some(_) => Err(Error::protocol("the token is of an unknown type, not Bearer")
                .with_retry(Retry::Never)),
        }
    }

    /// Returns the value at a path. Two different values indicate an attack or a defect; neither is used.
    fn one(&self, pointer: &str) -> Result<Option<&Json>> {
        let values = self.json.at(pointer);
        match values.as_slice() {
            [first, rest @ ..] if rest.iter().any(|other| !first.is_same(other)) => {
                Err(Error::unsafe_token(format!(
                    "the response has `{}` twice, with different values",
                    name(pointer)
                ))
                .with_retry(Retry::Once))
            }
            _ => Ok(values.first().copied()),
        }
    }

    /// Returns the code and the description of an error response.
    fn error_code(&self, response: &Response) -> Option<VendorError> {
        let code = error_response::code_of(&self.json, response.status().is_success())?;
        Some(VendorError { code, text: self.error_text() })
    }

    fn error_text(&self) -> Option<String> {
        let names =
            ["/error_description", "/errorSummary", "/error_msg", "/errorMessage", "/message"];
        names.iter().find_map(|pointer| match self.json.at(pointer).as_slice() {
            [Json::Text(text), ..] => Some(text.to_string()),
            _ => None,
        })
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse").finish_non_exhaustive()
    }
}

fn name(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

fn is_token_type(kind: &str) -> bool {
    (1..=16).contains(&kind.len())
        && kind.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'-')
}
