//! HTML pages of the callback server and their security headers.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, PRAGMA,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::policy::{RESPONSE_TYPE, SecretPath, random_id};

/// An HTTP response of the callback server.
pub(super) type PageResponse = Response<Full<Bytes>>;

/// The result of a login as the browser shows it. The page itself adds that the window
/// can be closed.
#[derive(Clone, Debug)]
pub(crate) struct LoginResultPage {
    pub(crate) is_success: bool,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// The appearance of a page. The script and the style sheet use the same names.
#[derive(Clone, Copy, Debug)]
pub(super) enum PageState {
    Good,
    Bad,
    Empty,
}

impl PageState {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Empty => "empty",
        }
    }
}

/// Returns the page whose script takes the authorization response from its own address and posts
/// it to `delivery`.
pub(super) fn callback(delivery: &SecretPath) -> PageResponse {
    let nonce = nonce();
    let script = SCRIPT.replace("{delivery}", delivery.as_str()).replace("{type}", RESPONSE_TYPE);
    let html = CALLBACK.replace("{script}", &script);
    respond(StatusCode::OK, &nonce, "text/html; charset=utf-8", render(&html, &nonce))
}

/// Returns the page for a request that is not served.
pub(super) fn error(status: StatusCode) -> PageResponse {
    let (state, title, text) = match status {
        StatusCode::GONE => (
            PageState::Empty,
            "Already used",
            "This address works once, and it has been opened before. If that was not you, press \
             Ctrl-C in the terminal and run the login again.",
        ),
        StatusCode::NOT_FOUND => (
            PageState::Empty,
            "Page not found",
            "gatepass waits on this port for a login to finish. This is not the address of the \
             login.",
        ),
        _ => (
            PageState::Bad,
            "Request rejected",
            "gatepass waits on this port for a login to finish, and serves no other requests.",
        ),
    };
    plain(status, state, title, text)
}

/// Returns the page for a browser that arrives after the authorization response.
pub(super) fn already_received() -> PageResponse {
    let text = "gatepass has received the response to this login. The terminal shows the result.";
    plain(StatusCode::GONE, PageState::Empty, "Already received", text)
}

/// Returns a page with a title and one paragraph.
fn plain(
    status: StatusCode,
    state: PageState,
    title: &'static str,
    text: &'static str,
) -> PageResponse {
    let nonce = nonce();
    let html =
        PLAIN.replace("{state}", state.name()).replace("{title}", title).replace("{text}", text);
    let mut response = respond(status, &nonce, "text/html; charset=utf-8", render(&html, &nonce));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

/// Returns the JSON object that the callback page's script shows.
pub(super) fn result(
    status: StatusCode,
    state: PageState,
    title: &str,
    text: &str,
) -> PageResponse {
    let json = json!({"state": state.name(), "title": title, "text": text}).to_string();
    respond(status, &nonce(), "application/json", json)
}

/// Redirects the browser with 303, so that the next request is a GET after any method.
pub(super) fn redirect_to(location: HeaderValue) -> PageResponse {
    let mut response = respond(StatusCode::SEE_OTHER, &nonce(), "text/plain", String::new());
    response.headers_mut().insert(LOCATION, location);
    response
}

fn respond(
    status: StatusCode,
    nonce: &str,
    content_type: &'static str,
    body: String,
) -> PageResponse {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
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
    response
}

/// Fills in the parts that all pages share.
fn render(html: &str, nonce: &str) -> String {
    html.replace("{style}", STYLE).replace("{icon}", ICON).replace("{nonce}", nonce)
}

/// Returns a random nonce, or an empty one if the system has no random bytes. The policy then
/// allows neither the script nor the style sheet.
fn nonce() -> String {
    random_id().unwrap_or_default()
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
const CALLBACK: &str = include_str!("callback.html");
const PLAIN: &str = include_str!("plain.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");
const ICON: &str = include_str!("icon.svg");
