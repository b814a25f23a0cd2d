//! Redaction: removes secrets from the text of vendors.
//!
//! Vendors put request data into error messages: the client secret as they received it, the form
//! body, the `Authorization` header, a token. Users paste these messages into tickets. Two filters
//! are applied, because each misses what the other one finds:
//!
//! 1. [`vendor_text`] knows no secret. It keeps the characters of RFC 6749 section 5.2, cuts the
//!    text, and replaces every word that looks like a token: long, or shorter with a digit or a
//!    capital inside.
//! 2. [`redact_credential`] knows the credential. It replaces every part of a text that shares a
//!    window of 8 characters with a secret, or of 12 with one of the secret's encodings.
//!
//! Invariant: after both, no 8 characters of a secret and no 12 of one of its encodings remain. The
//! leak tests and the fuzz target `redaction` search for them.
//!
//! The second filter decodes the text and not only encodes the secret. Percent-encoders differ in
//! the characters that they encode, and in the case of the digits, so a secret has too many encoded
//! forms to list; a text has one decoding. Encodings without such freedom (base64 at its three
//! offsets, hex, UTF-16, JSON escapes) are searched as patterns. A match is marked by position in
//! the original text, so that overlapping matches of several forms become one mark.
//!
//! Rejected: a regular expression of the secret, which cannot express windows and would copy the
//! secret into its program; removing every description, because it often names the real mistake;
//! replacing exact matches only, because vendors truncate what they repeat; the `aho-corasick`
//! crate, whose automaton keeps copies of the patterns that are not cleared. Therefore the search is
//! our own: a table of hashed 4-byte prefixes, then a set of windows that is only built if a prefix
//! matches. A response is at most 256 KiB, but only 1600 characters of its description are read.

use std::cell::LazyCell;
use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use zeroize::Zeroizing;

use crate::Credential;

/// The maximum length of a vendor's description, in characters.
const MAX_SHOWN: usize = 200;
/// The text in place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Returns a vendor's description as it may be shown: at most 200 of the characters that RFC 6749
/// allows in `error_description`, without anything that looks like a token.
pub(crate) fn vendor_text(raw: &str) -> String {
    let clean = clean(&raw.chars().take(8 * MAX_SHOWN).collect::<String>());
    let mut shown = String::new();
    let mut rest = clean.trim();
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|c| !is_token_char(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(run.max(c.len_utf8()));
        shown.push_str(if looks_like_a_token(word) { REDACTED } else { word });
        rest = after;
    }
    if shown.len() > MAX_SHOWN {
        // `clean` has left ASCII only, so every index is a character boundary.
        shown.truncate(MAX_SHOWN - 1);
        shown.push('~');
    }
    shown
}

/// Replaces each run of characters that are not allowed with one space.
fn clean(raw: &str) -> String {
    let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    // Allocated once: a string that grows leaves copies of a secret in memory.
    let mut clean = String::with_capacity(raw.len());
    for c in raw.chars() {
        let c = if allowed(c) { c } else { ' ' };
        if c != ' ' || !clean.ends_with(' ') {
            clean.push(c);
        }
    }
    clean
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

/// Returns whether a vendor's error code could be a token instead. Error codes are words, often
/// several: `ERR_403_NOT_AUTHORIZED`, `USER.0001`.
pub(crate) fn code_hides_a_token(code: &str) -> bool {
    let digit = |word: &str| word.bytes().any(|b| b.is_ascii_digit());
    code.split(['_', '.']).any(|word| word.len() >= 25 || (word.len() >= 16 && digit(word)))
}

/// Replaces all parts of `text` that repeat a secret of the credential.
///
/// Recognized forms: plain (eight characters are enough), escaped for JSON, base64 (alone, as
/// `id:secret`, or of UTF-16), hex, UTF-16 read as single bytes, reversed; each of them plain,
/// percent-encoded or form-encoded, once or twice; and the characters or their numbers with other
/// characters between them.
pub(crate) fn redact_credential(text: &str, credential: &Credential) -> String {
    let mut hidden = vec![false; text.len()];
    let (plain, once) = (View::of(text), View::of(text).decoded());
    let twice = once.decoded();
    let mut views = Vec::with_capacity(6);
    for view in [plain.spaced(), once.spaced(), twice.spaced(), plain, once, twice] {
        // Most texts have no encoded part, and then all views are equal.
        if !views.contains(&view) {
            views.push(view);
        }
    }
    // Each pattern is searched unchanged, and as `clean` leaves it in a description.
    let hide = |pattern: &str, window: usize, hidden: &mut [bool]| {
        let clean = Zeroizing::new(clean(pattern));
        let patterns = [Some(pattern), Some(clean.as_str()).filter(|clean| *clean != pattern)];
        for pattern in patterns.into_iter().flatten() {
            views.iter().for_each(|view| view.hide(pattern, window, hidden));
        }
    };
    for (_, secret) in credential.secrets() {
        let secret = secret.expose_secret();
        hide(secret, 8, &mut hidden);
        encodings(secret, credential).iter().for_each(|form| hide(form, 12, &mut hidden));
        for pattern in separated(secret) {
            hide_separated(text, &pattern, &mut hidden);
        }
    }
    let mut shown = String::with_capacity(text.len());
    let mut in_mark = false;
    for (at, c) in text.char_indices() {
        let hide = hidden.get(at).copied().unwrap_or(false);
        if !hide {
            shown.push(c);
        } else if !in_mark {
            shown.push_str(REDACTED);
        }
        in_mark = hide;
    }
    shown
}

/// Returns the encodings of a secret that are searched as patterns.
fn encodings(secret: &str, credential: &Credential) -> Vec<Zeroizing<String>> {
    let json = escape(secret);
    let hex = |bytes: &[u8]| {
        collect_text(2 * bytes.len(), |out| bytes.iter().try_for_each(|b| write!(out, "{b:02x}")))
    };
    let mut wide = Zeroizing::new(Vec::with_capacity(2 * secret.len()));
    wide.extend(secret.encode_utf16().flat_map(u16::to_le_bytes));
    let mut forms = vec![
        collect_text(2 * json.len(), |out| {
            json.split_inclusive('/').try_for_each(|part| match part.strip_suffix('/') {
                Some(part) => write!(out, "{part}\\/"),
                None => out.write_str(part),
            })
        }),
        json,
        collect_text(6 * secret.len(), |out| {
            secret.encode_utf16().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
        }),
        collect_text(secret.len(), |out| secret.chars().rev().try_for_each(|c| out.write_char(c))),
        hex(secret.as_bytes()),
        hex(&wide),
        collect_text(2 * secret.len(), |out| secret.chars().try_for_each(|c| write!(out, "{c} "))),
    ];
    let pairs = credential.texts().map(|(_, id)| [id.as_bytes(), b":", secret.as_bytes()].concat());
    // Base64 depends on the bytes before the secret: three offsets cover every position.
    let starts = ["", "0", "00"].map(|pad| [pad.as_bytes(), secret.as_bytes()].concat());
    let wide = ["", "0", "00"].map(|pad| [pad.as_bytes(), &wide].concat());
    for plain in pairs.chain(starts).chain(wide).map(Zeroizing::new) {
        forms.push(Zeroizing::new(STANDARD.encode(&*plain)));
        forms.push(Zeroizing::new(URL_SAFE.encode(&*plain)));
    }
    forms
}

/// Returns the letters and digits of a secret that is written with other characters between its
/// own: `C-N-R-Y`; `43:4e` and `%43%4E`; `%2543%254E`; `&#67;&#78;`; `&#x43;&#x4e;`.
fn separated(secret: &str) -> [Zeroizing<String>; 5] {
    let each = |write: fn(&mut String, u8) -> fmt::Result| {
        collect_text(4 * secret.len(), |out| secret.bytes().try_for_each(|b| write(out, b)))
    };
    [
        collect_text(secret.len(), |out| {
            secret.chars().filter(char::is_ascii_alphanumeric).try_for_each(|c| out.write_char(c))
        }),
        each(|out, b| write!(out, "{b:02x}")),
        each(|out, b| write!(out, "25{b:02x}")),
        each(|out, b| write!(out, "{b}")),
        each(|out, b| write!(out, "x{b:02x}")),
    ]
}

/// Returns the text as JSON writes it between quotation marks.
fn escape(text: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(Vec::with_capacity(6 * text.len() + 2));
    let _ = serde_json::to_writer(&mut *quoted, text);
    let quoted = std::str::from_utf8(&quoted).unwrap_or_default();
    let bare = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Zeroizing::new(bare.unwrap_or_default().to_owned())
}

/// Writes a form of a secret into memory that is cleared on drop, and allocated once: a string that
/// grows leaves copies behind.
fn collect_text(
    capacity: usize,
    write: impl FnOnce(&mut String) -> fmt::Result,
) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    let _ = write(&mut text);
    text
}

/// One reading of a text: its bytes in lower case, each with its range in the original.
#[derive(PartialEq)]
struct View(Vec<(u8, Range<usize>)>);

impl View {
    fn of(text: &str) -> Self {
        let bytes = text.bytes().enumerate();
        Self(bytes.map(|(at, byte)| (byte.to_ascii_lowercase(), at..at + 1)).collect())
    }

    /// Returns the text with `%2f` and the like decoded.
    fn decoded(&self) -> Self {
        let (mut bytes, mut rest) = (Vec::with_capacity(self.0.len()), self.0.as_slice());
        let digit = |byte: u8| char::from(byte).to_digit(16);
        while let [(first, place), after @ ..] = rest {
            rest = after;
            bytes.push((*first, place.clone()));
            let [(high, _), (low, last), after @ ..] = after else { continue };
            if let (b'%', Some(high), Some(low)) = (*first, digit(*high), digit(*low))
                && let Ok(byte) = u8::try_from(high * 16 + low)
            {
                bytes.pop();
                bytes.push((byte.to_ascii_lowercase(), place.start..last.end));
                rest = after;
            }
        }
        Self(bytes)
    }

    /// Returns the text with a space for each `+`, as in a form.
    fn spaced(&self) -> Self {
        let space = |byte: u8| if byte == b'+' { b' ' } else { byte };
        Self(self.0.iter().map(|(byte, place)| (space(*byte), place.clone())).collect())
    }

    /// Marks each part that shares `window` characters with `pattern`. A pattern that is shorter, but
    /// has at least four, must match as a whole.
    fn hide(&self, pattern: &str, window: usize, hidden: &mut [bool]) {
        let pattern = Zeroizing::new(pattern.to_ascii_lowercase());
        let text: Vec<u8> = self.0.iter().map(|(byte, _)| *byte).collect();
        let window = window.min(pattern.len());
        if window < 4 || text.len() < window {
            return;
        }
        let mut mark = |from: usize, to: usize| {
            let first = self.0.get(from).map_or(0, |(_, place)| place.start);
            let end = to.checked_sub(1).and_then(|last| self.0.get(last));
            let end = end.map_or(0, |(_, place)| place.end);
            hidden.iter_mut().take(end).skip(first).for_each(|flag| *flag = true);
        };
        // Few windows of a text share even their first four bytes with the pattern.
        let mut prefixes = [false; 1 << 12];
        for part in pattern.as_bytes().windows(window) {
            prefixes.get_mut(prefix_hash(part)).into_iter().for_each(|flag| *flag = true);
        }
        let windows =
            LazyCell::new(|| -> HashSet<&[u8]> { pattern.as_bytes().windows(window).collect() });
        for (at, part) in text.windows(window).enumerate() {
            if prefixes.get(prefix_hash(part)).is_some_and(|flag| *flag) && windows.contains(part) {
                mark(at, at + window);
            }
        }
        // The end of a text that was cut may be the beginning of the pattern.
        let Some(text) = text.strip_suffix(b"~") else { return };
        let begun = (4..window).rev().find(|n| {
            let start = pattern.as_bytes().get(..*n);
            start.is_some_and(|start| text.ends_with(start))
        });
        if let Some(begun) = begun {
            mark(text.len() - begun, text.len());
        }
    }
}

/// Hashes the first four bytes to twelve bits.
fn prefix_hash(part: &[u8]) -> usize {
    let first = part.first_chunk().copied().map_or(0, u32::from_le_bytes);
    (first.wrapping_mul(0x9E37_79B1) >> 20) as usize
}

/// Marks the parts whose letters and digits share 12 with `pattern`, and the characters between.
fn hide_separated(text: &str, pattern: &str, hidden: &mut [bool]) {
    if pattern.len() < 8 {
        return;
    }
    let is_last = |at: usize, b: u8| b == b'~' && at + 1 == text.len();
    let (places, bare): (Vec<usize>, Vec<u8>) = text
        .bytes()
        .enumerate()
        .filter(|(at, b)| b.is_ascii_alphanumeric() || is_last(*at, *b))
        .unzip();
    let mut found = vec![false; bare.len()];
    View::of(&String::from_utf8_lossy(&bare)).hide(pattern, 12, &mut found);
    let marked = places.iter().zip(&found);
    for ((at, is_found), (next, is_next)) in marked.clone().zip(marked.skip(1)) {
        if *is_found {
            // Also marks the characters up to the next one of the secret.
            let end = if *is_next { *next } else { at + 1 };
            hidden.iter_mut().take(end).skip(*at).for_each(|flag| *flag = true);
        }
    }
    if let (Some(last), Some(true)) = (places.last(), found.last()) {
        hidden.iter_mut().skip(*last).take(1).for_each(|flag| *flag = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::percent_encode;

    #[test]
    fn vendor_text_keeps_prose_and_hides_tokens() {
        assert_eq!(vendor_text("Bad client credentials"), "Bad client credentials");
        assert_eq!(
            vendor_text("Access token expired:0d61dde4-c700-4269-b1c9-16b5922ce888"),
            "Access token expired:[redacted]"
        );
        assert_eq!(vendor_text("a\r\nb\u{1b}[31m\"c\\"), "a b [31m c");
        assert!(vendor_text(&"word ".repeat(900)).len() <= MAX_SHOWN);
    }

    #[test]
    fn token_as_error_code_is_detected() {
        for code in ["unsupported_grant_type", "ERR_403_DEVELOPER_OVER_RATE", "E0000047", "20001"] {
            assert!(!code_hides_a_token(code), "{code}");
        }
        for token in ["CNRY0secret0canary", "0d61dde4-c700-4269-b1c9-16b5922ce888"] {
            assert!(code_hides_a_token(token), "{token}");
        }
    }

    #[test]
    fn secret_is_redacted_in_every_encoding() {
        // Spaces, characters that URLs and JSON escape, and ones that no error_description may have.
        for secret in ["pa ss+wordy/tail", r#"q"uo\te"d\se"cr\et"#, "zusätzlich-geheim"] {
            let credential = Credential::client("me", secret);
            let (percent, json) = (percent_encode(secret), serde_json::to_string(secret).unwrap());
            // Some encoders also encode unreserved characters.
            let strictly: String = secret.bytes().map(|b| format!("%{b:02X}")).collect();
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
            let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            let base64 = |before: &str, by: &str| STANDARD.encode(format!("{before}{secret}{by}"));
            let forms = [
                secret.to_owned(),
                secret.to_uppercase(),
                percent.clone(),
                percent.replace("%20", "+"),
                percent_encode(&percent),
                strictly.clone(),
                percent_encode(&strictly),
                strictly.to_lowercase(),
                percent_encode(json.trim_matches('"')),
                json.trim_matches('"').to_owned(),
                json.trim_matches('"').replace('/', r"\/"),
                big,
                base64("me:", ""),
                base64("", ""),
                base64("a", "bc"),
                base64("ab", "c"),
                URL_SAFE.encode(secret),
                STANDARD.encode(&wide),
                hex(secret.as_bytes()),
                hex(&wide),
                secret.chars().rev().collect(),
                String::from_utf8_lossy(&wide).into_owned(),
                secret.bytes().map(|b| format!("%{b:02X}")).collect(),
                secret.bytes().map(|b| format!("%25{b:02x}")).collect(),
                secret.bytes().map(|b| format!("{b:02x}:")).collect(),
                secret.bytes().map(|b| format!("&#{b};")).collect(),
                secret.bytes().map(|b| format!("&#x{b:X};")).collect(),
                secret.chars().flat_map(|c| [c, '-']).collect(),
            ];
            for form in forms {
                // In the engine's order: `vendor_text` first.
                let cleaned = vendor_text(&format!("you sent {form} to us"));
                let shown = redact_credential(&cleaned, &credential);
                let left = shown.replace(REDACTED, "");
                assert!(shown.starts_with("you sent"), "{form}: {shown}");
                // Up to nine encoded characters may remain beside a word that looked like a token.
                assert!(left.len() <= "you sent  to us".len() + 9, "{form}: {shown}");
            }
            assert_eq!(redact_credential("no secret here", &credential), "no secret here");
        }
    }

    #[test]
    fn truncated_secret_is_redacted() {
        let credential = Credential::client("me", "wordy secret");
        for before in MAX_SHOWN - 12..MAX_SHOWN - 4 {
            let cut =
                vendor_text(&("so ".repeat(MAX_SHOWN)[..before].to_owned() + "wordy secret, no"));
            let shown = redact_credential(&cut, &credential);
            assert!(!shown.contains("word"), "{before}: {shown}");
        }
    }
}
