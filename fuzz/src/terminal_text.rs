//! External text for a terminal: an API's JSON, a token's claims and its scope.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepass_cli::fuzzing::{describe_claims, indented};
use gatepass_core::{Secret, Token};
use serde_json::Value;

use super::token_response::sent;

/// Uses the input as an API's response, as a token's claims and as its scope.
pub fn run(bytes: &[u8]) {
    if let Some(text) = indented(bytes) {
        let read: Value = serde_json::from_slice(bytes).expect("indented text is JSON");
        let shown = uncoloured(&text);
        assert!(is_harmless(&shown), "the text controls the terminal: {shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).ok(), Some(read), "{shown:?}");
    }
    let secret = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(bytes));
    let scope = String::from_utf8_lossy(bytes);
    let token = Token::builder(Secret::from(secret), sent()).scope(Some(&scope));
    let Ok(token) = token.expires_in(Duration::from_secs(60).into()).build() else { return };
    if let Some(shown) = describe_claims(&token) {
        assert!(is_harmless(&shown), "a claim controls the terminal: {shown:?}");
    }
    let shown = token.scope().unwrap_or_default();
    assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~')), "a scope of {shown:?}");
    assert!(shown.len() <= gatepass_core::MAX_TOKEN, "a scope of {} bytes", shown.len());
}

/// Returns whether the text has no control characters but line ends.
fn is_harmless(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !c.is_control())
}

/// Removes color sequences and keeps all other control sequences.
fn uncoloured(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('m') {
            Some((code, rest)) if code.bytes().all(|b| b.is_ascii_digit() || b == b';') => {
                plain.push_str(rest);
            }
            _ => plain.push_str(&format!("\u{1b}[{piece}")),
        }
    }
    plain
}
