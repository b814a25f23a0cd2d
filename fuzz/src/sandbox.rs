//! Requests to the sandbox: its vendors, its pages and its control.

use bytes::Bytes;
use gatepass_sandbox::fuzzing::Front;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Uri};

use super::canary::{self, CANARY};
use super::message::Message;

/// HTTP requests as text, with NUL between them, to one sandbox. `{TOKEN}` is the last it issued.
pub fn run(bytes: &[u8]) {
    let front = Front::new(CANARY).expect("made-up clients are clients");
    let (mut token, mut has_fault) = (Vec::new(), false);
    for part in bytes.split(|byte| *byte == 0).take(MOST) {
        let text = replaced(part, b"{TOKEN}", &token);
        let Some(request) = Message::read(&text).and_then(request) else { return };
        has_fault |= request.uri().path().starts_with("/_sandbox/faults");
        // Those that a fault keeps waiting have no answer.
        let Some(answer) = front.ask(request) else { continue };
        let status = answer.status().as_u16();
        assert!(has_fault || (200..500).contains(&status), "status {status}");
        assert!(has_fault || answer.body().len() <= LARGEST, "{} bytes", answer.body().len());
        if let Some(issued) = issued(answer.body()) {
            token = issued;
        }
    }
    for what in ["state", "requests", "faults"] {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = format!("/_sandbox/{what}").parse().expect("a path");
        request.headers_mut().insert(HOST, HeaderValue::from_static(Front::HOST));
        let answer = front.ask(request).expect("control waits for nothing");
        assert_eq!(answer.status(), 200);
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(!canary::shows(&text), "/_sandbox/{what} shows a secret");
    }
}

fn request(message: Message<'_>) -> Option<Request<Bytes>> {
    let mut words = message.first.split(' ');
    let mut request = Request::new(Bytes::from(message.body));
    *request.method_mut() = Method::from_bytes(words.next()?.as_bytes()).ok()?;
    // The log shows paths and names; a secret belongs into values.
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

/// The token in an answer, whatever the vendor calls it.
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

const MOST: usize = 6;
/// No vendor's honest answer, and no page of a login, is longer.
const LARGEST: usize = 256 * 1024;
