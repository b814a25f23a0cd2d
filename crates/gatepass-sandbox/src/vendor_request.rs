//! A request to a vendor, parsed once: form, query, Basic pair, bearer token, cookies.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::faults::Target;

/// A request to a vendor. `Debug` shows the method only; all other parts can contain secrets.
pub struct VendorRequest {
    pub(crate) method: Method,
    /// The path after the provider's prefix, not decoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl VendorRequest {
    /// Creates a request; `prefix` is the provider's part of the path, without slashes.
    pub(crate) fn new(
        method: Method,
        uri: &Uri,
        prefix: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        let path = path.strip_prefix(prefix).unwrap_or(path).to_owned();
        let query = pairs(uri.query().unwrap_or_default().as_bytes());
        Self { method, path, query, headers, body }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path after the provider's prefix, not decoded: `/v1/token`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the parts of the path, not decoded: `/a/b` is `["a", "b"]`.
    pub fn segments(&self) -> Vec<&str> {
        self.path.strip_prefix('/').unwrap_or(&self.path).split('/').collect()
    }

    /// Returns the parts of the path, decoded: `/a%2Fb/c` is `["a/b", "c"]`.
    pub fn decoded_segments(&self) -> Vec<String> {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        self.segments().into_iter().map(decoded).collect()
    }

    /// Returns whether a request to a vendor of this crate is for its token endpoint, its login page
    /// or its API.
    pub(crate) fn target(&self) -> Target {
        let ends_with = |ends: [&str; 2]| ends.iter().any(|end| self.path.ends_with(end));
        if ends_with(["/token", "/token.oauth2"]) {
            Target::Token
        } else if ends_with(["/authorization.oauth2", "/oauth2/authorize"]) {
            Target::Login
        } else {
            Target::Api
        }
    }

    /// Returns a parameter of the query, decoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// Returns the media type, in lower case and without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = self.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    pub(crate) fn is_form(&self) -> bool {
        self.media_type().as_deref() == Some("application/x-www-form-urlencoded")
    }

    /// Returns the fields of a form body; empty for other content types.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        if self.is_form() { pairs(&self.body) } else { Vec::new() }
    }

    /// Returns whether the body is neither empty nor a form.
    pub(crate) fn has_other_body(&self) -> bool {
        !self.body.is_empty() && !self.is_form()
    }

    /// Returns a field of a form body, decoded; `None` for other content types.
    pub fn form_field(&self, name: &str) -> Option<String> {
        find(&self.form(), name).map(str::to_owned)
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body if it is JSON, with any content type.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns a header if it is text; the name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns a cookie's value.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let sent = self.headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs = sent.flat_map(|line| line.split(';')).filter_map(|c| c.split_once('='));
        pairs.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim())
    }

    /// Returns the token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        scheme(self.header("authorization")?, "bearer")
    }

    pub(crate) fn has_basic(&self) -> bool {
        self.header("authorization").is_some_and(|value| scheme(value, "basic").is_some())
    }

    /// Returns the possible Basic pairs: as sent, and form-decoded.
    pub fn basic(&self) -> Vec<(String, String)> {
        let sent = self
            .header("authorization")
            .and_then(|value| scheme(value, "basic"))
            .and_then(|value| STANDARD.decode(value).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((id, secret)) = sent.as_deref().and_then(|text| text.split_once(':')) else {
            return Vec::new();
        };
        let raw = (id.to_owned(), secret.to_owned());
        let decoded = (form_decoded(id.as_bytes()), form_decoded(secret.as_bytes()));
        if raw == decoded { vec![raw] } else { vec![raw, decoded] }
    }

    /// Returns the secret of the request: from the form, the query, the JSON body or Basic.
    pub(crate) fn secret(&self) -> Option<String> {
        let form = self.form();
        find(&form, "client_secret")
            .or_else(|| self.query("client_secret"))
            .map(str::to_owned)
            .or_else(|| {
                let json = self.json()?;
                let names = ["Secret", "secret", "client_secret"];
                names.iter().find_map(|name| json.get(name)?.as_str().map(str::to_owned))
            })
            .or_else(|| self.basic().into_iter().next().map(|(_, secret)| secret))
    }
}

impl fmt::Debug for VendorRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

pub(crate) fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

pub(crate) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let cut = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let value = pair.get(cut + 1..).unwrap_or_default();
            (form_decoded(&pair[..cut]), form_decoded(value))
        })
        .collect()
}

fn form_decoded(text: &[u8]) -> String {
    let spaced = String::from_utf8_lossy(text).replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn scheme<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_accepts_both_space_encodings() {
        let read = pairs(b"a=1+2&b=%203&c&=&d=%zz");
        let text: Vec<_> = read.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(text, ["a=1 2", "b= 3", "c=", "=", "d=%zz"]);
    }
}
