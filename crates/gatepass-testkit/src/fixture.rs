//! Fixture: a recorded answer, read from raw HTTP text.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use gatepass_core::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// An answer in a `.http` file: status line, header fields, an empty line, the body as it is. Lines
/// of the head end in LF or CRLF.
///
/// ```
/// # use gatepass_testkit::Fixture;
/// let fixture = Fixture::parse("refused", b"HTTP/1.1 401 Unauthorized\nx-a: b\n\n{}");
/// assert_eq!(fixture.response().status(), 401);
/// assert_eq!(fixture.response().body(), b"{}");
/// ```
#[derive(Clone)]
pub struct Fixture {
    name: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Fixture {
    /// The answer in a file. Panics, with the file's name, where there is none.
    pub fn read(path: impl AsRef<Path>) -> Response {
        Self::load(path).response()
    }

    /// A file, named by its stem. Panics, with the file's name, if it is no HTTP answer.
    pub fn load(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("fixture {}: {e}", path.display()));
        let name = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        Self::parse(&name, &bytes)
    }

    /// Every `.http` file of a folder, by name. Panics if the folder cannot be read.
    pub fn load_all(folder: impl AsRef<Path>) -> Vec<Self> {
        let folder = folder.as_ref();
        let entries = fs::read_dir(folder)
            .unwrap_or_else(|e| panic!("folder of fixtures {}: {e}", folder.display()));
        let mut paths: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
            .collect();
        paths.sort();
        paths.into_iter().map(Self::load).collect()
    }

    /// Raw HTTP text. Panics, with the name, if it is none.
    pub fn parse(name: &str, raw: &[u8]) -> Self {
        let wrong = |what: &str| -> ! { panic!("fixture {name}: {what}") };
        let (mut rest, mut lines) = (raw, Vec::new());
        loop {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                wrong("no empty line after the header fields")
            };
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                break;
            }
            lines.push(std::str::from_utf8(line).unwrap_or_else(|_| wrong("a head of no text")));
        }
        let mut lines = lines.into_iter();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let version = first.next().unwrap_or_default();
        let status = first.next().and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
        let (true, Some(status)) = (version.starts_with("HTTP/"), status) else {
            wrong("the first line is not like `HTTP/1.1 200 OK`")
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            let field = line.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let Some((name, value)) = field else { wrong("a line is not like `name: value`") };
            headers.append(name, value);
        }
        Self { name: name.to_owned(), status, headers, body: Bytes::copy_from_slice(rest) }
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).expect("a status has three digits");
        let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let headers = HeaderMap::from_iter([kind]);
        Self { name: String::from("json"), status, headers, body: Bytes::from(body.into()) }
    }

    /// The same answer with another body.
    pub fn with_body(&self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self.clone() }
    }

    /// The same answer with another status.
    pub fn with_status(&self, status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status has three digits");
        Self { status, ..self.clone() }
    }

    /// The same answer with another header field. Panics for what cannot be one.
    pub fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut changed = self.clone();
        let value = HeaderValue::from_str(value).expect("a header's value is visible ASCII");
        changed.headers.append(name, value);
        changed
    }

    /// Its file's name, without `.http`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// It as an answer.
    pub fn response(&self) -> Response {
        let mut response = http::Response::new(self.body.clone());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response.into()
    }
}

impl std::fmt::Debug for Fixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fixture({}, {:?})", self.name, self.response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_lines_are_read_and_the_body_is_kept() {
        let raw = b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\nempty:\r\n\r\n{\"a\":1}\n\n";
        let response = Fixture::parse("x", raw).response();
        assert_eq!(response.headers().get_all("a").iter().count(), 2);
        assert_eq!(response.header("empty"), Some(""));
        assert_eq!(response.body(), b"{\"a\":1}\n\n");
    }

    #[test]
    fn what_is_no_answer_is_named() {
        for raw in ["", "HTTP/1.1 200 OK\na: b\n", "200 OK\n\n", "HTTP/1.1 200 OK\nab\n\n"] {
            let parsed = std::panic::catch_unwind(|| Fixture::parse("odd", raw.as_bytes()));
            let message = parsed.expect_err(raw).downcast::<String>().expect("a text");
            assert!(message.starts_with("fixture odd: "), "{message}");
        }
    }
}
