//! Requests to the sandbox: its vendors, its pages and its control API.

use bytes::Bytes;
use gatepass_sandbox::fuzzing::Front;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Uri};

use super::canary::{self, CANARY};
use super::message::Message;

/// The input is HTTP requests, separated by NUL, to one sandbox. `{TOKEN}` is its last token.
pub fn run(bytes: &[u8]) {
    let router = Front::new(CANARY).expect("made-up clients are valid");
    let (mut token, mut has_fault) = (Vec::new(), false);
    for part in bytes.split(|byte| *byte == 0).take(MAX_REQUESTS) {
        let text = replaced(part, b"{TOKEN}", &token);
        let Some(request) = Message::read(&text).and_then(request) else { return };
        has_fault |= request.uri().path().starts_with("/_sandbox/faults");
        // A request that a fault delays has no response here.
        let Some(response) = router.ask(request) else { continue };
        let status = response.status().as_u16();
        assert!(has_fault || (200..500).contains(&status), "status {status}");
        assert!(
            has_fault || response.body().len() <= MAX_RESPONSE,
            "{} bytes",
            response.body().len()
        );
        if let Some(issued) = issued(response.body()) {
            token = issued;
        }
    }
    for what in ["state", "requests", "faults"] {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = format!("/_sandbox/{what}").parse().expect("a path");
        request.headers_mut().insert(HOST, HeaderValue::from_static(Front::HOST));
        let response = router.ask(request).expect("the control API responds at once");
        assert_eq!(response.status(), 200);
        let text = String::from_utf8_lossy(response.body()).into_owned();
        assert!(!canary::shows(&text), "/_sandbox/{what} shows a secret");
    }
}

fn request(message: Message<'_>) -> Option<Request<Bytes>> {
    let mut words = message.first.split(' ');
    let mut request = Request::new(Bytes::from(message.body));
    *request.method_mut() = Method::from_bytes(words.next()?.as_bytes()).ok()?;
    // The log shows paths and names, so the secret may only be in values.
    let target = words.next()?;
    let target = target.replace("={SECRET}", &format!("={CANARY}"));
    *request.uri_mut() = target.parse::<Uri>().ok()?;
    if canary::shows(request.uri().path()) {
        return None;
    }
    *request.headers_mut() = message.headers;
    let host = HeaderValue::from_static(Front::HOST);
    request.headers_mut().entry(HOST).or_insert(host);
    Some(request)
}

/// Returns the token in a response of any vendor.
fn issued(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("token\":\"")?;
    Some(rest.split('"').next()?.as_bytes().to_vec())
}

fn replaced(text: &[u8], mark: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(mark) {
            Some(after) => {
                out.extend_from_slice(by);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

const MAX_REQUESTS: usize = 6;
/// The maximum length of a vendor's response and of a login page.
const MAX_RESPONSE: usize = 256 * 1024;
