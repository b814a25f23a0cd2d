//! The credential helper protocol of Bazel, which other tools speak as well.
//!
//! <https://github.com/EngFlow/credential-helper-spec>

use serde_json::Value;
use zeroize::Zeroizing;

use super::{HandOut, Text, quoted};
use crate::output::rfc3339;

/// The address in a request.
pub(super) fn address(request: &str) -> Option<String> {
    let request: Value = serde_json::from_str(request).ok()?;
    Some(request.get("uri")?.as_str()?.to_owned())
}

/// The header, and until when to send it.
pub(super) fn reply(it: &HandOut<'_>) -> Text {
    let bearer = Zeroizing::new(format!("Bearer {}", it.secret));
    let (value, ends) = (quoted(&bearer), rfc3339(it.use_until));
    let headers = Zeroizing::new(format!("{{\"Authorization\":[{}]}}", *value));
    Zeroizing::new(format!("{{\"headers\":{},\"expires\":\"{ends}\"}}\n", *headers))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hand_out;
    use super::*;

    #[test]
    fn the_request_names_an_address() {
        let read = address("{\"uri\": \"https://x.example/a\", \"more\": 1}\n");
        assert_eq!(read.as_deref(), Some("https://x.example/a"));
        for bad in ["", "{}", "{\"uri\": 1}", "https://x.example"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_reply_is_headers_and_their_end() {
        let expected = "{\"headers\":{\"Authorization\":[\"Bearer a\\\"b\"]},\
                        \"expires\":\"2026-11-20T13:59:50Z\"}\n";
        assert_eq!(*reply(&hand_out("a\"b")), expected);
    }
}
