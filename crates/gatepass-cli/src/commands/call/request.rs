//! The request of `gatepass call`: method, target, header fields and body, read from the options.

use std::io::Read;

use bytes::Bytes;
use gatepass::Hint;
use gatepass::cli_support::percent_encode;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::arguments::CallArgs;
use crate::error::{CommandError, describe_io, usage};

/// The request of the command line.
pub(super) struct CallRequest {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl CallRequest {
    pub(super) fn read(args: &CallArgs) -> Result<Self, CommandError> {
        let (method, target) = match args.request.as_slice() {
            [_, _] if args.method.is_some() => {
                return Err(usage("the method is given twice", example()));
            }
            [method, target] => (Some(method), target),
            [target] => (args.method.as_ref(), target),
            _ => return Err(usage("missing argument <URL-OR-PATH>", example())),
        };
        let body = Body::read(args)?;
        let method = match method {
            None if body.is_some() => Method::POST,
            None => Method::GET,
            Some(method) => Method::from_bytes(method.to_uppercase().as_bytes())
                .ok()
                .filter(|_| method.bytes().all(|b| b.is_ascii_alphabetic()))
                .ok_or_else(|| usage("not an HTTP method", example()))?,
        };
        let mut headers = HeaderMap::new();
        for header in &args.headers {
            let parsed = header.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let (name, value) = parsed
                .ok_or_else(|| usage("-H expects 'Name: value'", "for example: -H 'X-Trace: 1'"))?;
            headers.append(name, value);
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static(JSON));
        if let Some(body) = &body {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(body.content_type));
            // Some servers reject an empty body without a Content-Length (411).
            if body.bytes.is_empty() {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
        }
        let target = with_query(target, &args.query);
        Ok(Self { method, target, headers, body: body.map(|body| body.bytes).unwrap_or_default() })
    }
}

/// A body, and the `Content-Type` that it has unless `-H` sets one.
struct Body {
    bytes: Bytes,
    content_type: &'static str,
}

impl Body {
    /// Reads `-d`, `--json` or `--form`. The command line allows one of them.
    fn read(args: &CallArgs) -> Result<Option<Self>, CommandError> {
        let read = |option, values: &[String], separator: &[u8]| {
            let parts: Result<Vec<_>, _> =
                values.iter().map(|value| read_data(option, value)).collect();
            parts.map(|parts| Bytes::from(parts.join(separator)))
        };
        Ok(Some(if !args.json.is_empty() {
            Self { bytes: read("--json", &args.json, b"")?, content_type: JSON }
        } else if !args.form.is_empty() {
            Self { bytes: encoded(&args.form).into(), content_type: FORM }
        } else if !args.data.is_empty() {
            let bytes = read("-d", &args.data, b"&")?;
            // Joined documents are not JSON.
            let is_json = args.data.len() == 1 && looks_like_json(&bytes);
            Self { bytes, content_type: if is_json { JSON } else { FORM } }
        } else {
            return Ok(None);
        }))
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn example() -> Hint {
    Hint::run("for example", ["gatepass", "call", "cisco", "GET", "/hello"])
}

/// Returns whether a body starts like a JSON object or array. Others are sent as a form, as by curl.
fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Appends encoded parameters to the query of a URL or path.
fn with_query(target: &str, pairs: &[(String, String)]) -> String {
    let separator = match target.split_once('?') {
        _ if pairs.is_empty() => "",
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    [target, separator, &encoded(pairs)].concat()
}

/// Encodes pairs as `name=value&…`.
fn encoded(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| [percent_encode(name), percent_encode(value)].join("="));
    pairs.collect::<Vec<_>>().join("&")
}

/// Reads the value of `-d` or `--json`: a string, `@FILE`, or `@-` for stdin.
fn read_data(option: &str, data: &str) -> Result<Vec<u8>, CommandError> {
    let Some(path) = data.strip_prefix('@') else { return Ok(data.as_bytes().to_vec()) };
    let mut bytes = Vec::new();
    let read = if path == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(usage(
            format!("{option}: cannot read {path}: {}", describe_io(&error)),
            format!("{option} @FILE, or {option} @- for stdin"),
        )),
    }
}
