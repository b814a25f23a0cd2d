//! A vendor's response in a form that faults can change before it is sent.

use std::{fmt, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use hyper::ext::ReasonPhrase;
use serde_json::Value;

use crate::redirect::LoginRedirect;

/// Members of a JSON object in serialization order.
pub(crate) type Members = Vec<(String, Value)>;

/// A vendor's response. Faults can change it before the sandbox sends it.
pub struct SandboxResponse {
    pub(crate) status: u16,
    pub(crate) reason: Option<&'static str>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
    pub(crate) delivery: Delivery,
    /// Whether the response contains a new token.
    pub(crate) issued: bool,
    /// The fault that the vendor's own code applied, if any.
    pub(crate) fault: Option<&'static str>,
    /// Where the token and its lifetime are, if the vendor has names of its own for them.
    pub(crate) pointers: TokenPointers,
}

/// JSON pointers (RFC 6901) to the members of a token response that faults change.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenPointers {
    pub(crate) token: Option<String>,
    pub(crate) lifetime: Option<String>,
}

pub(crate) enum Content {
    Members(Members),
    Bytes(Vec<u8>),
    /// No body; the members are in the address of a redirect.
    LoginRedirect(LoginRedirect),
}

/// How the response is delivered.
#[derive(Clone, Debug, Default)]
pub(crate) enum Delivery {
    #[default]
    Whole,
    /// Complete, after a delay.
    Late(Duration),
    /// Never; the request stays open until the client disconnects.
    Never,
    /// Raw bytes instead of an HTTP response, then the connection ends.
    Raw(Raw),
}

/// Bytes that are written to the socket unchanged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    /// Bytes written at once.
    pub(crate) first: Vec<u8>,
    /// Bytes written one at a time, with `pause` before each.
    pub(crate) rest: Vec<u8>,
    pub(crate) pause: Duration,
    pub(crate) end: End,
}

/// How a connection ends after raw bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum End {
    #[default]
    Close,
    Reset,
}

impl SandboxResponse {
    /// Creates a response with this content type and body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            reason: None,
            headers,
            content: Content::Bytes(body.into()),
            delivery: Delivery::Whole,
            issued: false,
            fault: None,
            pointers: TokenPointers::default(),
        }
    }

    /// Creates a JSON response from text.
    pub(crate) fn json_text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body.into())
    }

    /// Creates a JSON object with its members in this order.
    pub fn json<const N: usize>(status: u16, members: [(&str, Value); N]) -> Self {
        let members = members.map(|(name, value)| (name.to_owned(), value)).into();
        let mut response = Self::json_text(status, "");
        response.content = Content::Members(members);
        response
    }

    /// Creates a token response, which must not be stored by caches (RFC 6749 section 5.1).
    pub fn token<const N: usize>(members: [(&str, Value); N]) -> Self {
        let mut response =
            Self::json(200, members).with("cache-control", "no-store").with("pragma", "no-cache");
        response.issued = true;
        response
    }

    /// Names the token's member in a token response, as a JSON pointer: `/data/jwt`. Faults that damage
    /// the token need it, unless the member is `access_token` or `token`.
    #[must_use]
    pub fn token_at(mut self, pointer: impl Into<String>) -> Self {
        self.pointers.token = Some(pointer.into());
        self
    }

    /// Names the lifetime's member in a token response, as a JSON pointer: `/data/ttl`. Faults that
    /// change the lifetime need it, unless the member is `expires_in`.
    #[must_use]
    pub fn lifetime_at(mut self, pointer: impl Into<String>) -> Self {
        self.pointers.lifetime = Some(pointer.into());
        self
    }

    /// Creates a redirect that leaves no trace in caches or in `Referer`.
    pub(crate) fn login_redirect(redirect: LoginRedirect) -> Self {
        let mut response = Self::new(302, "text/html; charset=utf-8", "")
            .with("cache-control", "no-store")
            .with("pragma", "no-cache")
            .with("referrer-policy", "no-referrer");
        response.content = Content::LoginRedirect(redirect);
        response
    }

    /// Creates an error response of RFC 6749 section 5.2.
    pub fn oauth_error(status: u16, error: &str, description: &str) -> Self {
        Self::json(status, [("error", error.into()), ("error_description", description.into())])
    }

    /// Creates the response for an unknown path.
    pub fn not_found() -> Self {
        Self::json(404, [("message", "not found".into())])
    }

    /// Creates the response for a method that the path does not allow.
    pub fn method_not_allowed(method: &str) -> Self {
        Self::json(405, [("message", "method not allowed".into())]).with("allow", method)
    }

    /// Sets a header and replaces one of the same name. Names are in lower case.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.with_additional(name, value)
    }

    /// Adds a header and keeps one of the same name.
    pub(crate) fn with_additional(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        match &self.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Members(members) => to_json(members).into_bytes(),
            Content::LoginRedirect(_) => Vec::new(),
        }
    }

    /// Returns the named members, from the body or the redirect.
    pub(crate) fn members(&self) -> Option<&Members> {
        match &self.content {
            Content::Members(members) | Content::LoginRedirect(LoginRedirect { members, .. }) => {
                Some(members)
            }
            Content::Bytes(_) => None,
        }
    }

    /// Returns the named members for modification.
    pub(crate) fn members_mut(&mut self) -> Option<&mut Members> {
        match &mut self.content {
            Content::Members(members) | Content::LoginRedirect(LoginRedirect { members, .. }) => {
                Some(members)
            }
            Content::Bytes(_) => None,
        }
    }

    /// Returns the address of a redirect.
    fn location(&self) -> Option<String> {
        match &self.content {
            Content::LoginRedirect(redirect) => Some(redirect.location()),
            Content::Members(_) | Content::Bytes(_) => None,
        }
    }

    /// Replaces the body.
    pub(crate) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.content = Content::Bytes(body.into());
        self
    }

    /// Returns status line and headers in HTTP/1.1 format, for raw responses.
    pub(crate) fn head(&self, length: Option<usize>) -> Vec<u8> {
        let status = StatusCode::from_u16(self.status).ok();
        let reason = status.and_then(|status| status.canonical_reason()).unwrap_or("Unknown");
        let mut head = format!("HTTP/1.1 {:03} {}\r\n", self.status, self.reason.unwrap_or(reason));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(location) = self.location() {
            head.push_str(&format!("location: {location}\r\n"));
        }
        if let Some(length) = length {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Converts into an HTTP response. Raw bytes are attached for the connection to write instead.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(Bytes::from(self.body())));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(value);
            if let (Ok(name), Ok(value)) = (name, value) {
                response.headers_mut().append(name, value);
            }
        }
        if let Some(Ok(location)) = self.location().map(HeaderValue::try_from) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
        }
        if let Delivery::Raw(raw) = self.delivery {
            response.extensions_mut().insert(raw);
        }
        if response.status() == StatusCode::NO_CONTENT
            || response.status() == StatusCode::NOT_MODIFIED
            || response.status().is_informational()
        {
            response.headers_mut().remove(header::CONTENT_TYPE);
            *response.body_mut() = Body::empty();
        }
        response
    }
}

impl fmt::Debug for SandboxResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Serializes an object in the given order, which differs between vendors; a map would sort it.
pub(crate) fn to_json(members: &[(String, Value)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    format!("{{{}}}", members.join(","))
}
