//! Page: what a browser gets to see, and the headers that come with all of it.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, PRAGMA,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::policy::{ANSWER_TYPE, Ticket, random};

pub(super) type Answer = Response<Full<Bytes>>;

/// How a page looks; its script and its style know the same names.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Good,
    Bad,
    Empty,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Empty => "empty",
        }
    }
}

/// The page that takes the answer from its address and sends it to `delivery`.
pub(super) fn landing(delivery: &Ticket) -> Answer {
    let nonce = nonce();
    let script = SCRIPT.replace("{delivery}", delivery.path()).replace("{type}", ANSWER_TYPE);
    let html = LANDING.replace("{script}", &script);
    respond(StatusCode::OK, &nonce, "text/html; charset=utf-8", dressed(&html, &nonce))
}

/// A page that says one thing.
pub(super) fn plain(
    status: StatusCode,
    state: State,
    title: &'static str,
    text: &'static str,
) -> Answer {
    let nonce = nonce();
    let html =
        PLAIN.replace("{state}", state.name()).replace("{title}", title).replace("{text}", text);
    let mut answer = respond(status, &nonce, "text/html; charset=utf-8", dressed(&html, &nonce));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    answer
}

/// What the landing page's script shows.
pub(super) fn verdict(state: State, title: &str, text: &str) -> Answer {
    let json = json!({"state": state.name(), "title": title, "text": text}).to_string();
    respond(StatusCode::OK, &nonce(), "application/json", json)
}

/// Sends the browser elsewhere, with a GET whatever it did here.
pub(super) fn leave_for(location: HeaderValue) -> Answer {
    let mut answer = respond(StatusCode::SEE_OTHER, &nonce(), "text/plain", String::new());
    answer.headers_mut().insert(LOCATION, location);
    answer
}

fn respond(status: StatusCode, nonce: &str, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy =
        HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    answer
}

fn dressed(html: &str, nonce: &str) -> String {
    html.replace("{style}", STYLE).replace("{icon}", ICON).replace("{nonce}", nonce)
}

/// If the system has no random bits, an empty one: then no script and no style is allowed.
fn nonce() -> String {
    random().unwrap_or_default()
}

const HEADERS: [(HeaderName, &str); 7] = [
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (PRAGMA, "no-cache"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
const LANDING: &str = include_str!("callback.html");
const PLAIN: &str = include_str!("plain.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");
const ICON: &str = include_str!("icon.svg");
