//! `Fixture`, a recorded HTTP response that is read from a `.http` file.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use gatepass_core::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// A recorded response: status line, header fields, an empty line and the body, unchanged.
///
/// The lines before the body end in LF or CRLF.
///
/// ```
/// # use gatepass_testkit::Fixture;
/// let fixture = Fixture::parse("denied", b"HTTP/1.1 401 Unauthorized\nx-a: b\n\n{}");
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
    /// Reads the response in a file.
    ///
    /// # Panics
    ///
    /// Panics with the file's path or name if the file cannot be read as an HTTP response.
    pub fn read(path: impl AsRef<Path>) -> Response {
        Self::load(path).response()
    }

    /// Loads a file as a fixture with the name of the file's stem.
    ///
    /// # Panics
    ///
    /// Panics with the file's path or name if the file cannot be read as an HTTP response.
    pub fn load(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("fixture {}: {e}", path.display()));
        let name = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        Self::parse(&name, &bytes)
    }

    /// Loads all `.http` files of a folder in the order of their names.
    ///
    /// # Panics
    ///
    /// Panics if the folder or one of the files cannot be read.
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

    /// Parses a raw HTTP response.
    ///
    /// # Panics
    ///
    /// Panics with the fixture's name if `raw` is not an HTTP response.
    pub fn parse(name: &str, raw: &[u8]) -> Self {
        let fail = |problem: &str| -> ! { panic!("fixture {name}: {problem}") };
        let (mut rest, mut lines) = (raw, Vec::new());
        loop {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                fail("no empty line after the header fields")
            };
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                break;
            }
            lines.push(
                std::str::from_utf8(line).unwrap_or_else(|_| fail("a header line is not UTF-8")),
            );
        }
        let mut lines = lines.into_iter();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let version = first.next().unwrap_or_default();
        let status = first.next().and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
        let (true, Some(status)) = (version.starts_with("HTTP/"), status) else {
            fail("the first line is not like `HTTP/1.1 200 OK`")
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            let field = line.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let Some((name, value)) = field else {
                fail("a header line is not like `name: value`")
            };
            headers.append(name, value);
        }
        Self { name: name.to_owned(), status, headers, body: Bytes::copy_from_slice(rest) }
    }

    /// Creates a response with a JSON body.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).expect("a status has three digits");
        let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let headers = HeaderMap::from_iter([kind]);
        Self { name: String::from("json"), status, headers, body: Bytes::from(body.into()) }
    }

    /// Returns a copy with another body.
    pub fn with_body(&self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self.clone() }
    }

    /// Returns a copy with another status.
    pub fn with_status(&self, status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status has three digits");
        Self { status, ..self.clone() }
    }

    /// Returns a copy with a further header field.
    ///
    /// # Panics
    ///
    /// Panics if `name` or `value` is not valid in a header field.
    pub fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut changed = self.clone();
        let value = HeaderValue::from_str(value).expect("a header's value is visible ASCII");
        changed.headers.append(name, value);
        changed
    }

    /// Returns the file's name without `.http`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the fixture as the response that a provider reads.
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
    fn parser_accepts_crlf_and_preserves_the_body() {
        let raw = b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\nempty:\r\n\r\n{\"a\":1}\n\n";
        let response = Fixture::parse("x", raw).response();
        assert_eq!(response.headers().get_all("a").iter().count(), 2);
        assert_eq!(response.header("empty"), Some(""));
        assert_eq!(response.body(), b"{\"a\":1}\n\n");
    }

    #[test]
    fn error_names_the_malformed_fixture() {
        for raw in ["", "HTTP/1.1 200 OK\na: b\n", "200 OK\n\n", "HTTP/1.1 200 OK\nab\n\n"] {
            let parsed = std::panic::catch_unwind(|| Fixture::parse("odd", raw.as_bytes()));
            let message = parsed.expect_err(raw).downcast::<String>().expect("a string");
            assert!(message.starts_with("fixture odd: "), "{message}");
        }
    }
}
