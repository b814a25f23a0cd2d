//! The table of faults that a server produces, one row each.
//!
//! `TOKEN` and `SECRET` are placeholders of recognizable values.

mod bytes;
mod connections;
mod members;
mod statuses;

use std::sync::LazyLock;

use gatepass::Retry;
use gatepass_testkit::{Canary, canary};
use gatepass_tests::{Certificate, Step};

/// A fault and its expected outcome.
pub(crate) struct Row {
    /// The number, F1 to F120.
    pub(crate) id: &'static str,
    /// The description in `docs/faults.md`.
    pub(crate) description: &'static str,
    /// The server's steps on each connection.
    pub(crate) steps: fn() -> Vec<Step>,
    pub(crate) tls: Tls,
    /// Additional lines of the profile.
    pub(crate) more: &'static str,
    pub(crate) outcome: Outcome,
    /// The number of tries with the default `--wait`.
    pub(crate) attempts: usize,
    /// Whether the server receives no request.
    pub(crate) is_unread: bool,
}

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Plain http.
    None,
    /// An https address of a server that sends plain bytes.
    Bytes,
    /// Real TLS with this certificate.
    With(Certificate),
}

/// The expected outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A token without a warning.
    Token,
    /// A token with a warning.
    Warning,
    /// An error with this code, exit code and retry advice.
    Error(&'static str, i32, Retry),
}

pub(crate) use self::Outcome::{Token, Warning};

pub(crate) const CONFIG: Outcome = Outcome::Error("config", 2, Retry::Never);
pub(crate) const DENIED: Outcome = Outcome::Error("denied", 3, Retry::Never);
pub(crate) const THROTTLED: Outcome = Outcome::Error("throttled", 5, Retry::Later);
pub(crate) const UNAVAILABLE: Outcome = Outcome::Error("unavailable", 6, Retry::Later);
pub(crate) const UNTRUSTED: Outcome = Outcome::Error("unavailable", 6, Retry::Never);
pub(crate) const PROTOCOL_ONCE: Outcome = Outcome::Error("protocol", 6, Retry::Once);
pub(crate) const PROTOCOL: Outcome = Outcome::Error("protocol", 6, Retry::Never);
pub(crate) const PROTOCOL_LATER: Outcome = Outcome::Error("protocol", 6, Retry::Later);
pub(crate) const UNSAFE: Outcome = Outcome::Error("unsafe_token", 6, Retry::Never);
pub(crate) const UNSAFE_ONCE: Outcome = Outcome::Error("unsafe_token", 6, Retry::Once);

/// Returns all rows in the order of their numbers.
pub(crate) fn all() -> Vec<&'static Row> {
    let parts = [statuses::ROWS, members::ROWS, bytes::ROWS, connections::ROWS];
    parts.into_iter().flatten().collect()
}

/// The number of attempts of an outage, which is tried until `--wait` is over.
pub(crate) const UNTIL_DEADLINE: usize = usize::MAX;

impl Row {
    const fn new(
        id: &'static str,
        description: &'static str,
        outcome: Outcome,
        steps: fn() -> Vec<Step>,
    ) -> Self {
        let attempts = match outcome {
            Outcome::Error(_, _, Retry::Once) => 2,
            Outcome::Error(_, _, Retry::Later) => UNTIL_DEADLINE,
            _ => 1,
        };
        Self {
            id,
            description,
            steps,
            tls: Tls::None,
            more: "",
            outcome,
            attempts,
            is_unread: false,
        }
    }

    /// Sets the expected number of tries.
    const fn attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts;
        self
    }

    /// Adds lines to the profile.
    const fn with(mut self, more: &'static str) -> Self {
        self.more = more;
        self
    }

    const fn without_request(mut self) -> Self {
        self.is_unread = true;
        self
    }

    /// Uses https with this certificate.
    const fn tls(mut self, certificate: Certificate) -> Self {
        self.tls = Tls::With(certificate);
        self
    }

    /// Uses https with a server without TLS.
    const fn https(mut self) -> Self {
        (self.tls, self.is_unread) = (Tls::Bytes, true);
        self
    }
}

/// The values of `TOKEN` and `SECRET`.
pub(crate) static CANARIES: LazyLock<[Canary; 2]> =
    LazyLock::new(|| ["token", "secret"].map(canary));

/// A valid token response.
pub(crate) const GOOD: &str = r#"{"access_token":"TOKEN","token_type":"Bearer","expires_in":3599}"#;

/// Replaces the placeholders of token and secret.
pub(crate) fn fill(text: &str) -> String {
    let [token, secret] = &*CANARIES;
    text.replace("TOKEN", token.text()).replace("SECRET", secret.text())
}

/// Returns a response with this status line, these header fields (each with CRLF) and this body.
pub(crate) fn with_fields(status: &str, fields: &str, body: &str) -> String {
    let body = fill(body);
    let length = body.len();
    fill(&format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{fields}\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

/// Reads the request, sends these bytes and closes the connection.
fn bytes(response: impl Into<Vec<u8>>) -> Vec<Step> {
    vec![Step::Request, Step::send(response), Step::Finish]
}

/// Reads the request, sends this text and closes the connection.
fn text(response: &str) -> Vec<Step> {
    bytes(fill(response))
}

/// Returns a response with this status and body.
fn response(status: &str, body: &str) -> Vec<Step> {
    text(&with_fields(status, "", body))
}

/// Returns a response with this status and these header fields, without a body.
fn fields(status: &str, fields: &str) -> Vec<Step> {
    text(&with_fields(status, fields, ""))
}

/// Returns a 200 response with this body.
fn ok(body: &str) -> Vec<Step> {
    response("200 OK", body)
}

/// Returns the valid response with additional header fields.
fn good_with(fields: &str) -> Vec<Step> {
    text(&with_fields("200 OK", fields, GOOD))
}

/// Returns the valid response with a part replaced.
fn replaced(part: &str, by: &str) -> Vec<Step> {
    assert!(GOOD.contains(part));
    ok(&GOOD.replace(part, by))
}

/// Returns the valid response with this `expires_in`.
fn with_lifetime(value: &str) -> Vec<Step> {
    replaced("3599", value)
}

/// Returns the valid body after this head, to which the length is added.
fn good_after(head: &str) -> String {
    let body = fill(GOOD);
    format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// Returns a 200 response with a binary body.
fn ok_bytes(body: &[u8]) -> Vec<Step> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    bytes([head.as_bytes(), body].concat())
}
