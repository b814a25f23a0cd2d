//! Takes secrets out of text that others wrote.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::{Credential, encode};

const SHOWN: usize = 200;
pub(crate) const MARK: &str = "[redacted]";

/// A vendor's words as they may be shown: RFC 6749's characters for `error_description`, at most
/// 200 of them, and nothing that looks like a token.
pub(crate) fn vendor_text(raw: &str) -> String {
    let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    let mut clean = String::new();
    for c in raw.chars().take(8 * SHOWN) {
        let c = if allowed(c) { c } else { ' ' };
        if c != ' ' || !clean.ends_with(' ') {
            clean.push(c);
        }
    }
    let mut shown = String::new();
    let mut rest = clean.trim();
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|c| !is_token_char(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(run.max(c.len_utf8()));
        shown.push_str(if looks_like_a_token(word) { MARK } else { word });
        rest = after;
    }
    if shown.len() > SHOWN {
        // All characters are ASCII by now, so every index is a boundary.
        shown.truncate(SHOWN - 1);
        shown.push('~');
    }
    shown
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/_.~-".contains(c)
}

fn looks_like_a_token(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let digit = word.bytes().any(|b| b.is_ascii_digit());
    let camel = word.as_bytes().windows(2).any(|w| {
        w.first().is_some_and(u8::is_ascii_lowercase)
            && w.last().is_some_and(u8::is_ascii_uppercase)
    });
    word.len() >= 25 || (word.len() >= 12 && (digit || camel))
}

/// Whether an error code of a vendor could be a token that stands in the code's place. Codes are
/// words, often several: `ERR_403_NOT_AUTHORIZED`, `USER.0001`.
pub(crate) fn code_hides_a_token(code: &str) -> bool {
    let digit = |word: &str| word.bytes().any(|b| b.is_ascii_digit());
    code.split(['_', '.']).any(|word| word.len() >= 25 || (word.len() >= 16 && digit(word)))
}

/// Removes what `text` repeats of the credential's secrets: raw (eight characters of it are
/// enough), percent- and form-encoded, base64 (alone or as `id:secret`), hex, reversed.
pub(crate) fn known(text: &str, credential: &Credential) -> String {
    let mut hidden = vec![false; text.len()];
    for (_, secret) in credential.secrets() {
        let secret = secret.expose_secret();
        hide(text, secret, 8, &mut hidden);
        let reversed: String = secret.chars().rev().collect();
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        let mut forms = vec![encode(secret), encode(secret).replace("%20", "+"), reversed, hex];
        let pairs = credential.texts().map(|(_, id)| format!("{id}:{secret}"));
        // Base64 depends on what stands before: three offsets cover every place in a text.
        let starts = ["", "0", "00"].map(|pad| format!("{pad}{secret}"));
        for plain in pairs.chain(starts) {
            forms.push(STANDARD.encode(&plain));
            forms.push(URL_SAFE.encode(&plain));
        }
        for form in forms {
            hide(text, &form, 12, &mut hidden);
        }
    }
    let mut shown = String::with_capacity(text.len());
    let mut in_mark = false;
    for (at, c) in text.char_indices() {
        let hide = hidden.get(at).copied().unwrap_or(false);
        if !hide {
            shown.push(c);
        } else if !in_mark {
            shown.push_str(MARK);
        }
        in_mark = hide;
    }
    shown
}

/// Marks each stretch of `text` that shares `window` characters with `pattern`; a shorter pattern
/// (of four or more) is matched whole.
fn hide(text: &str, pattern: &str, window: usize, hidden: &mut [bool]) {
    let text = text.to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let window = window.min(pattern.len());
    if window < 4 || text.len() < window {
        return;
    }
    let windows: std::collections::HashSet<&[u8]> = pattern.as_bytes().windows(window).collect();
    for (at, part) in text.as_bytes().windows(window).enumerate() {
        if windows.contains(part) {
            hidden.iter_mut().skip(at).take(window).for_each(|flag| *flag = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_stays_and_tokens_go() {
        assert_eq!(vendor_text("Bad client credentials"), "Bad client credentials");
        assert_eq!(
            vendor_text("Access token expired:0d61dde4-c700-4269-b1c9-16b5922ce888"),
            "Access token expired:[redacted]"
        );
        assert_eq!(vendor_text("a\r\nb\u{1b}[31m\"c\\"), "a b [31m c");
        assert!(vendor_text(&"word ".repeat(900)).len() <= SHOWN);
    }

    #[test]
    fn a_token_in_a_codes_place_is_seen() {
        for code in ["unsupported_grant_type", "ERR_403_DEVELOPER_OVER_RATE", "E0000047", "20001"] {
            assert!(!code_hides_a_token(code), "{code}");
        }
        for token in ["CNRY0secret0canary", "0d61dde4-c700-4269-b1c9-16b5922ce888"] {
            assert!(code_hides_a_token(token), "{token}");
        }
    }

    #[test]
    fn a_known_secret_goes_in_every_encoding() {
        let secret = "pa ss+wordy/tail";
        let credential = Credential::client("me", secret);
        let basic = STANDARD.encode(format!("me:{secret}"));
        let shifted = STANDARD.encode(format!("client_secret={secret}"));
        for form in [secret, &secret[..9], &encode(secret), &basic, &secret.to_uppercase()] {
            let shown = known(&format!("you sent {form} to us"), &credential);
            assert!(!shown.contains(form), "{shown}");
            assert!(shown.starts_with("you sent [redacted]"), "{shown}");
        }
        assert!(known(&shifted, &credential).contains(MARK));
        assert_eq!(known("nothing of it", &credential), "nothing of it");
    }
}
