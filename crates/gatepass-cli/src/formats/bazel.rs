//! The credential helper protocol of Bazel, which other tools use as well.
//!
//! <https://github.com/EngFlow/credential-helper-spec>

use serde_json::Value;
use zeroize::Zeroizing;

use super::context::{FormatContext, SecretString, json_string};
use crate::output::rfc3339;

/// Reads the address from a request.
pub(super) fn address(request: &str) -> Option<String> {
    let request: Value = serde_json::from_str(request).ok()?;
    Some(request.get("uri")?.as_str()?.to_owned())
}

/// Formats the `Authorization` header and its expiry.
pub(super) fn reply(context: &FormatContext<'_>) -> SecretString {
    let bearer = Zeroizing::new(format!("Bearer {}", context.secret));
    let (value, expires) = (json_string(&bearer), rfc3339(context.use_until));
    let headers = Zeroizing::new(format!("{{\"Authorization\":[{}]}}", *value));
    Zeroizing::new(format!("{{\"headers\":{},\"expires\":\"{expires}\"}}\n", *headers))
}

#[cfg(test)]
mod tests {
    use super::super::context::sample_context;
    use super::*;

    #[test]
    fn request_names_an_address() {
        let read = address("{\"uri\": \"https://x.example/a\", \"more\": 1}\n");
        assert_eq!(read.as_deref(), Some("https://x.example/a"));
        for bad in ["", "{}", "{\"uri\": 1}", "https://x.example"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn reply_has_headers_and_expiry() {
        let expected = "{\"headers\":{\"Authorization\":[\"Bearer a\\\"b\"]},\
                        \"expires\":\"2026-11-20T13:59:50Z\"}\n";
        assert_eq!(*reply(&sample_context("a\"b")), expected);
    }
}
