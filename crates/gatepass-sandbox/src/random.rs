//! Generated identifiers, secrets and tokens in the vendors' formats.
//!
//! They do not protect anything, so the standard library's randomly keyed hasher is sufficient.

use std::hash::{BuildHasher, RandomState};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// The prefix of every generated alphanumeric token: it marks the token as a simulated one.
pub(crate) const MARK: &str = "Sandbox";
/// The prefix of tokens that consist of hexadecimal digits.
pub(crate) const HEX_MARK: &str = "5A4DB0C5";

pub(crate) const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
pub(crate) const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
pub(crate) const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
pub(crate) const HEX: &[u8] = b"0123456789abcdef";
pub(crate) const HEX_UPPER: &[u8] = b"0123456789ABCDEF";

pub(crate) fn bytes(count: usize) -> Vec<u8> {
    let mut made = Vec::with_capacity(count + 8);
    while made.len() < count {
        made.extend(RandomState::new().hash_one(made.len()).to_le_bytes());
    }
    made.truncate(count);
    made
}

pub(crate) fn text(alphabet: &[u8], count: usize) -> String {
    bytes(count)
        .iter()
        .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
        .collect()
}

/// Returns `mark` followed by random characters, `count` characters in total.
pub(crate) fn marked(mark: &str, alphabet: &[u8], count: usize) -> String {
    format!("{mark}{}", text(alphabet, count.saturating_sub(mark.len())))
}

pub(crate) fn guid() -> String {
    marked_guid(&text(HEX, 8))
}

/// Returns a GUID whose first group is `head`.
pub(crate) fn marked_guid(head: &str) -> String {
    let (a, b, c, d) = (text(HEX, 4), text(HEX, 3), text(HEX, 3), text(HEX, 12));
    format!("{}-{a}-4{b}-a{c}-{d}", head.to_ascii_lowercase())
}

/// Returns a JWT with real header and claims and random bytes as signature.
pub(crate) fn jwt(header: &Value, claims: &Value, signature: usize) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(bytes(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_values_have_the_requested_length() {
        for count in [0, 1, 7, 8, 9, 64] {
            assert_eq!(text(MIXED, count).len(), count);
        }
        assert_ne!(text(MIXED, 24), text(MIXED, 24));
        assert_eq!(marked(MARK, UPPER, 48).len(), 48);
        assert_eq!(guid().len(), 36);
    }
}
