//! The faults that take bytes to make, as data: one row each. `TOKEN` and `SECRET` stand for a
//! token and the client's secret that can be recognised.

mod bytes;
mod connections;
mod members;
mod statuses;

use std::sync::LazyLock;

use gatepass::Retry;
use gatepass_testkit::{Canary, canary};
use gatepass_tests::{Certificate, Step};

/// A fault and what has to become of it.
pub(crate) struct Row {
    /// Its number: F1 to F120.
    pub(crate) id: &'static str,
    /// What happens, as `docs/faults.md` says it.
    pub(crate) what: &'static str,
    /// What the server does on each connection.
    pub(crate) steps: fn() -> Vec<Step>,
    pub(crate) tls: Tls,
    /// More lines of the profile.
    pub(crate) more: &'static str,
    pub(crate) takes: Takes,
    /// How often the command asks with its usual patience.
    pub(crate) tries: usize,
    /// Whether the server never gets to read a request.
    pub(crate) is_unread: bool,
}

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Plain http.
    None,
    /// An https address where plain bytes are sent.
    Bytes,
    /// Real TLS with this certificate.
    With(Certificate),
}

/// How gatepass takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A token, without a word.
    Token,
    /// A token, and a warning.
    Warning,
    /// An error of this code, with this exit code, and whether asking again may help.
    Error(&'static str, i32, Retry),
}

pub(crate) use self::Takes::{Token, Warning};

pub(crate) const CONFIG: Takes = Takes::Error("config", 2, Retry::Never);
pub(crate) const DENIED: Takes = Takes::Error("denied", 3, Retry::Never);
pub(crate) const THROTTLED: Takes = Takes::Error("throttled", 5, Retry::Later);
pub(crate) const DOWN: Takes = Takes::Error("unavailable", 6, Retry::Later);
pub(crate) const UNTRUSTED: Takes = Takes::Error("unavailable", 6, Retry::Never);
pub(crate) const ODD: Takes = Takes::Error("protocol", 6, Retry::Once);
pub(crate) const WRONG: Takes = Takes::Error("protocol", 6, Retry::Never);
pub(crate) const MISSING: Takes = Takes::Error("protocol", 6, Retry::Later);
pub(crate) const UNSAFE: Takes = Takes::Error("unsafe_token", 6, Retry::Never);
pub(crate) const UNSAFE_ONCE: Takes = Takes::Error("unsafe_token", 6, Retry::Once);

/// All rows, in the order of their numbers.
pub(crate) fn all() -> Vec<&'static Row> {
    let parts = [statuses::ROWS, members::ROWS, bytes::ROWS, connections::ROWS];
    parts.into_iter().flatten().collect()
}

impl Row {
    const fn new(
        id: &'static str,
        what: &'static str,
        takes: Takes,
        steps: fn() -> Vec<Step>,
    ) -> Self {
        let tries = match takes {
            Takes::Error(_, _, Retry::Once) => 2,
            Takes::Error(_, _, Retry::Later) => 4,
            _ => 1,
        };
        Self { id, what, steps, tls: Tls::None, more: "", takes, tries, is_unread: false }
    }

    /// The command asks so often.
    const fn tries(mut self, tries: usize) -> Self {
        self.tries = tries;
        self
    }

    /// The profile says this, too.
    const fn with(mut self, more: &'static str) -> Self {
        self.more = more;
        self
    }

    const fn unread(mut self) -> Self {
        self.is_unread = true;
        self
    }

    /// By https, with this certificate.
    const fn tls(mut self, certificate: Certificate) -> Self {
        self.tls = Tls::With(certificate);
        self
    }

    /// By https, where the server does not speak it.
    const fn https(mut self) -> Self {
        (self.tls, self.is_unread) = (Tls::Bytes, true);
        self
    }
}

/// What stands for `TOKEN`, and for `SECRET`.
pub(crate) static CANARIES: LazyLock<[Canary; 2]> =
    LazyLock::new(|| ["token", "secret"].map(canary));

/// The answer that is as it should be.
pub(crate) const GOOD: &str = r#"{"access_token":"TOKEN","token_type":"Bearer","expires_in":3599}"#;

/// The text with the token and the secret in their places.
pub(crate) fn fill(text: &str) -> String {
    let [token, secret] = &*CANARIES;
    text.replace("TOKEN", token.text()).replace("SECRET", secret.text())
}

/// An answer with this first line, these header fields (each with its end) and this body.
pub(crate) fn with_fields(status: &str, fields: &str, body: &str) -> String {
    let body = fill(body);
    let length = body.len();
    fill(&format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{fields}\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

/// Reads the request, answers with these bytes, and ends.
fn bytes(answer: impl Into<Vec<u8>>) -> Vec<Step> {
    vec![Step::Request, Step::send(answer), Step::Finish]
}

/// The same with text.
fn text(answer: &str) -> Vec<Step> {
    bytes(fill(answer))
}

/// An answer with this status and body.
fn answer(status: &str, body: &str) -> Vec<Step> {
    text(&with_fields(status, "", body))
}

/// An answer of this status with these fields, and no body.
fn fields(status: &str, fields: &str) -> Vec<Step> {
    text(&with_fields(status, fields, ""))
}

/// A success with this body.
fn ok(body: &str) -> Vec<Step> {
    answer("200 OK", body)
}

/// The good answer with these fields.
fn good_with(fields: &str) -> Vec<Step> {
    text(&with_fields("200 OK", fields, GOOD))
}

/// The good answer with a part of it replaced.
fn instead(part: &str, by: &str) -> Vec<Step> {
    assert!(GOOD.contains(part));
    ok(&GOOD.replace(part, by))
}

/// The good answer with this as its life.
fn life(value: &str) -> Vec<Step> {
    instead("3599", value)
}

/// The good body behind this head, which says no length yet.
fn behind(head: &str) -> String {
    let body = fill(GOOD);
    format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// A success with a body that is no text.
fn ok_bytes(body: &[u8]) -> Vec<Step> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    bytes([head.as_bytes(), body].concat())
}
