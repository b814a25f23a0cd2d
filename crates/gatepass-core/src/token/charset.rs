//! The character set of tokens and scopes, and the time claims of JWTs.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{MAX_TOKEN, SCHEME};
use crate::json::Json;
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

/// The start (`nbf`, `iat`) and the end (`exp`) of a JWT.
#[derive(Default)]
pub(super) struct Span {
    pub(super) begins: Option<SystemTime>,
    pub(super) ends: Option<SystemTime>,
}

/// Reads the time claims of a JWT. The signature is not checked: `exp` may only shorten a lifetime.
pub(super) fn jwt_span(token: &str) -> Span {
    let Some(claims) = jwt_claims(token) else { return Span::default() };
    let time = |claim: &str| {
        let &[Json::Number(at)] = claims.at(claim).as_slice() else { return None };
        // A time before 1970 is past; one after the year 9999 is never reached.
        let at = u64::try_from((*at).clamp(0, 253_402_300_799)).ok()?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
    };
    Span { begins: time("/nbf").max(time("/iat")), ends: time("/exp") }
}

/// Returns the unverified claims of a JWT.
pub(crate) fn jwt_claims(token: &str) -> Option<Json> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?);
    Json::read(&claims).ok()
}
