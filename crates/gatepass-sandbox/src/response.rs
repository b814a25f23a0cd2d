//! SandboxResponse: what a vendor says, kept open long enough for a fault to spoil it.

use std::time::Duration;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use hyper::ext::ReasonPhrase;
use serde_json::Value;

use crate::redirect::LoginRedirect;

/// Members of a JSON object in the order they are written.
pub(crate) type Members = Vec<(String, Value)>;

pub(crate) struct SandboxResponse {
    pub(crate) status: u16,
    pub(crate) reason: Option<&'static str>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
    pub(crate) delivery: Delivery,
    /// Did it hand out a token?
    pub(crate) issued: bool,
    /// The fault that changed it on the way, if the vendor asked for one itself.
    pub(crate) fault: Option<&'static str>,
}

pub(crate) enum Content {
    Members(Members),
    Bytes(Vec<u8>),
    /// No body; the members travel in the address the browser is sent to.
    LoginRedirect(LoginRedirect),
}

/// How the answer reaches the client.
#[derive(Clone, Debug, Default)]
pub(crate) enum Delivery {
    #[default]
    Whole,
    /// Whole, after a while.
    Late(Duration),
    /// Never; the request stays open until the client gives up.
    Never,
    /// These bytes instead of an HTTP answer, and then the end of the connection.
    Raw(Raw),
}

/// Bytes that go to the socket as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    /// Written at once.
    pub(crate) first: Vec<u8>,
    /// Written a byte at a time, with `pause` before each.
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
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            reason: None,
            headers,
            content: Content::Bytes(body.into()),
            delivery: Delivery::Whole,
            issued: false,
            fault: None,
        }
    }

    /// A body whose bytes matter.
    pub(crate) fn json_text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body.into())
    }

    /// A JSON object, its members in this order.
    pub(crate) fn json<const N: usize>(status: u16, members: [(&str, Value); N]) -> Self {
        let members = members.map(|(name, value)| (name.to_owned(), value)).into();
        let mut answer = Self::json_text(status, "");
        answer.content = Content::Members(members);
        answer
    }

    /// A token answer: never to be stored by anybody (RFC 6749, section 5.1).
    pub(crate) fn token<const N: usize>(members: [(&str, Value); N]) -> Self {
        let mut answer =
            Self::json(200, members).with("cache-control", "no-store").with("pragma", "no-cache");
        answer.issued = true;
        answer
    }

    /// A browser sent on to `landing`, without a trace of it in caches or in `Referer`.
    pub(crate) fn landing(landing: LoginRedirect) -> Self {
        let mut answer = Self::new(302, "text/html; charset=utf-8", "")
            .with("cache-control", "no-store")
            .with("pragma", "no-cache")
            .with("referrer-policy", "no-referrer");
        answer.content = Content::LoginRedirect(landing);
        answer
    }

    /// An error body in the form of RFC 6749, section 5.2.
    pub(crate) fn oauth_error(status: u16, error: &str, description: &str) -> Self {
        Self::json(status, [("error", error.into()), ("error_description", description.into())])
    }

    /// For a path this vendor does not have.
    pub(crate) fn not_found() -> Self {
        Self::json(404, [("message", "not found".into())])
    }

    /// For a path that wants another method.
    pub(crate) fn only(method: &str) -> Self {
        Self::json(405, [("message", "method not allowed".into())]).with("allow", method)
    }

    /// Sets a header, in place of one of that name.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.also(name, value)
    }

    /// Adds a header, beside one of that name.
    pub(crate) fn also(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        match &self.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Members(members) => rendered(members).into_bytes(),
            Content::LoginRedirect(_) => Vec::new(),
        }
    }

    /// What it says by name, wherever that stands.
    pub(crate) fn members(&self) -> Option<&Members> {
        match &self.content {
            Content::Members(members) | Content::LoginRedirect(LoginRedirect { members, .. }) => {
                Some(members)
            }
            Content::Bytes(_) => None,
        }
    }

    /// [`SandboxResponse::members`], to change them.
    pub(crate) fn members_mut(&mut self) -> Option<&mut Members> {
        match &mut self.content {
            Content::Members(members) | Content::LoginRedirect(LoginRedirect { members, .. }) => {
                Some(members)
            }
            Content::Bytes(_) => None,
        }
    }

    /// The address it sends to, if its content says so.
    fn location(&self) -> Option<String> {
        match &self.content {
            Content::LoginRedirect(landing) => Some(landing.location()),
            Content::Members(_) | Content::Bytes(_) => None,
        }
    }

    /// The same answer with other bytes.
    pub(crate) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.content = Content::Bytes(body.into());
        self
    }

    /// Status line and headers as HTTP/1.1 writes them, for answers written by hand.
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

    /// The HTTP answer, whole. Raw bytes travel beside it, for the connection to write instead.
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

/// An object with its members in the given order; vendors differ in it, and a map would sort.
pub(crate) fn rendered(members: &[(String, Value)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    format!("{{{}}}", members.join(","))
}
