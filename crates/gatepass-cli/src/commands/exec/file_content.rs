//! The formats of a token file, and how a file of an earlier run is recognized.

use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::{Error, Token, TokenSource};
use zeroize::Zeroizing;

use crate::commands::token::token_json;
use crate::formats::{self, FormatContext, SecretString};
use crate::options::Format;

/// Returns the content of a file with this token.
///
/// `Config` if headers alone do not authorize a request, and the errors of reading the credential.
pub(super) async fn content(
    format: Format,
    profile: &Profile,
    source: &TokenSource,
    token: &Token,
) -> Result<SecretString, Error> {
    let context = FormatContext::new(&profile.name, token, SystemClock::new().wall());
    Ok(match format {
        Format::Header => formats::header(&source.headers_for(token).await?),
        // Shells and service managers read this file: a value that they would interpret is quoted.
        Format::Env => formats::dotenv(&context),
        Format::Json => Zeroizing::new(format!("{}\n", token_json(profile, source, token))),
        // Without a newline, which many programs would send as a part of the token.
        _ => Zeroizing::new(context.secret.to_owned()),
    })
}

/// Returns whether gatepass can have written this text, in any format, or whether it is empty.
pub(super) fn is_token_text(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let is_raw = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_raw || is_env(text) || is_json(text) || is_headers(text)
}

fn is_env(text: &str) -> bool {
    let mut lines = text.lines();
    let mut has = |name: &str| lines.next().is_some_and(|line| line.starts_with(name));
    has("GATEPASS_TOKEN=") && has("GATEPASS_TOKEN_EXPIRES_AT=") && lines.next().is_none()
}

fn is_json(text: &str) -> bool {
    let parsed = serde_json::from_str(text).ok();
    let object: Option<serde_json::Map<String, serde_json::Value>> = parsed;
    object.is_some_and(|object| {
        ["access_token", "expires_at", "profile"].iter().all(|key| object.contains_key(*key))
    })
}

/// Returns whether every line is a header and one of them has the name of a credential's header, so
/// that a file of settings such as `name: value` is not taken for one.
fn is_headers(text: &str) -> bool {
    let is_name = |name: &str| http::HeaderName::from_bytes(name.as_bytes()).is_ok();
    let mut names = Vec::new();
    for line in text.lines() {
        match line.split_once(": ") {
            Some((name, value)) if is_name(name) && !value.contains(char::is_control) => {
                names.push(name.to_ascii_lowercase());
            }
            _ => return false,
        }
    }
    let is_credential = |name: &String| {
        ["authorization", "token", "key"].iter().any(|part| name.split('-').any(|it| it == *part))
    };
    names.iter().any(is_credential)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_of_token_files_are_recognized() {
        for text in [
            "",
            "eyJ.a-b_c",
            "Authorization: Bearer abc\n",
            "x-auth-token: abc\nhost: acme\n",
            "GATEPASS_TOKEN=abc\nGATEPASS_TOKEN_EXPIRES_AT=2026\n",
            "GATEPASS_TOKEN='a b'\nGATEPASS_TOKEN_EXPIRES_AT=2026\n",
            "{\"access_token\":\"a b\",\"expires_at\":\"\",\"profile\":\"cisco\"}\n",
        ] {
            assert!(is_token_text(text.as_bytes()), "{text}");
        }
        for text in [
            "one word",
            "one\n",
            "GATEPASS_TOKEN=abc\nOTHER=abc\n",
            "GATEPASS_TOKEN=abc\nGATEPASS_TOKEN_EXPIRES_AT=x\nOTHER=abc\n",
            "{\"access_token\": \"of another program\"}\n",
            "name: value\nport: 80\n",
            "-----BEGIN CERTIFICATE-----\nabc\n",
            "Authorization: Bearer abc\n\nbody\n",
        ] {
            assert!(!is_token_text(text.as_bytes()), "{text}");
        }
        assert!(!is_token_text(b"\xff\xfe"));
    }
}
