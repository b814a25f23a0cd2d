//! An HTTP message in an input: first line, header fields, empty line, body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::canary;

/// The first line, the valid header fields, and the body.
pub(crate) struct Message<'a> {
    pub(crate) first: &'a str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl<'a> Message<'a> {
    /// Reads a message; `None` if the input is not a message, or contains the secret itself.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let first = line(&mut rest)?;
        let mut headers = HeaderMap::new();
        loop {
            let text = line(&mut rest)?;
            if text.is_empty() {
                break;
            }
            let Some((name, value)) = text.split_once(':') else { continue };
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(&canary::planted(value.trim())?);
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        let body = match std::str::from_utf8(rest) {
            Ok(text) => canary::planted(text)?.into_bytes(),
            Err(_) => rest.to_vec(),
        };
        Some(Self { first, headers, body })
    }

    /// Converts the message to a response; the status is the second word of the first line.
    pub(crate) fn response(self) -> Option<http::Response<Bytes>> {
        let status = StatusCode::from_bytes(self.first.split(' ').nth(1)?.as_bytes()).ok()?;
        let mut answer = http::Response::new(Bytes::from(self.body));
        *answer.status_mut() = status;
        *answer.headers_mut() = self.headers;
        Some(answer)
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (text, after) = rest.split_at(end);
    *rest = after.get(1..)?;
    std::str::from_utf8(text.strip_suffix(b"\r").unwrap_or(text)).ok()
}
