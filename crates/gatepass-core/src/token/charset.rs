//! The character set of tokens and scopes.

use super::{MAX_TOKEN, SCHEME};
use crate::{Error, Result};

/// Checks that a string can be a token.
pub(super) fn check(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::unsafe_token("the token is empty"));
    }
    if text.len() > MAX_TOKEN {
        return Err(Error::unsafe_token("the token is longer than 16 KiB"));
    }
    if text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME)) {
        return Err(Error::unsafe_token("the token begins with the word Bearer").hint(
            "the value looks like a complete header; the vendor's response may have changed",
        ));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::unsafe_token("the token has characters that are not allowed"));
    }
    Ok(())
}

/// Returns whether a byte is allowed in `b64token` of RFC 6750 section 2.1.
pub(super) fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

/// Returns whether a scope satisfies RFC 6749 section 3.3 and the maximum length.
pub(super) fn is_scope(text: &str) -> bool {
    let allowed = |b: u8| matches!(b, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
    text.len() <= MAX_TOKEN && text.bytes().all(allowed)
}
