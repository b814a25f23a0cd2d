//! Canaries: secrets that are generated at run time, and the search for them in output.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use gatepass_core::percent_encode;

/// A secret that [`find_leak`] searches for.
#[derive(Clone)]
pub struct Canary {
    name: String,
    text: String,
}

/// Returns a new random secret of 40 lowercase letters and digits, which do not contain its name.
pub fn canary(name: &str) -> Canary {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random = RandomState::new();
    let text = (0..40_u64)
        .map(|position| random.hash_one((name, position)) as usize % ALPHABET.len())
        .map(|index| char::from(*ALPHABET.get(index).unwrap_or(&b'x')))
        .collect();
    Canary { name: name.to_owned(), text }
}

impl Canary {
    /// Creates a canary of an existing secret, such as a fixture's token.
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned() }
    }

    /// Returns the name that a [`Leak`] shows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the secret.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the secret in all searched encodings, each with a description.
    fn forms(&self) -> Vec<(&'static str, String)> {
        let text = self.text.as_str();
        let mut forms = vec![
            ("unchanged", text.to_owned()),
            ("percent-encoded", percent_encode(text)),
            ("form-encoded", percent_encode(text).replace("%20", "+")),
            ("in hex", text.bytes().map(|byte| format!("{byte:02x}")).collect()),
            ("reversed", text.chars().rev().collect()),
            ("escaped for JSON", text.escape_default().collect()),
            (
                "escaped for JSON",
                text.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/"),
            ),
        ];
        // Base64 encodes groups of three bytes, so that the characters depend on the secret's offset
        // modulo three. Characters that also encode a neighbouring byte are cut off.
        for (padding, cut) in [("", 0), ("0", 2), ("00", 3)] {
            let plain = format!("{padding}{text}");
            for encoded in [STANDARD_NO_PAD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain)] {
                let end = encoded.len() - usize::from(plain.len() % 3 != 0);
                forms.push(("in base64", encoded.get(cut..end).unwrap_or_default().to_owned()));
            }
        }
        forms
    }
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canary({})", self.name)
    }
}

/// The canary that was found and its encoding, without the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// The canary's name.
    pub canary: String,
    /// The encoding in which the secret was found.
    pub form: &'static str,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.canary, self.form)
    }
}

/// Returns the first canary that `text` shows.
///
/// A canary counts as shown if twelve characters in a row occur, or all characters of a shorter one
/// that has at least four. The search ignores case. It covers the secret unchanged, percent-encoded,
/// form-encoded, in hex, in base64, reversed and escaped for JSON.
pub fn find_leak(text: &str, canaries: &[Canary]) -> Option<Leak> {
    const WINDOW: usize = 12;
    const MIN_LENGTH: usize = 4;
    let text = text.to_ascii_lowercase();
    // A set of windows instead of substring searches: a log is long, and a canary has hundreds of
    // windows.
    let windows: HashSet<&[u8]> = text.as_bytes().windows(WINDOW).collect();
    canaries.iter().find_map(|canary| {
        canary.forms().into_iter().find_map(|(form, pattern)| {
            let pattern = pattern.to_ascii_lowercase();
            let found = match pattern.len() {
                WINDOW.. => pattern.as_bytes().windows(WINDOW).any(|part| windows.contains(part)),
                MIN_LENGTH.. => text.contains(&pattern),
                _ => false,
            };
            found.then(|| Leak { canary: canary.name.clone(), form })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canary_is_different() {
        let (a, b) = (canary("a"), canary("a"));
        assert_eq!(a.text().len(), 40);
        assert_ne!(a.text(), b.text());
        assert_eq!(find_leak(&format!("{a:?} {}", b.text()), &[a]), None);
    }

    #[test]
    fn search_finds_every_encoding_of_twelve_characters() {
        let secret = Canary::new("secret", "pa ss+\"wordy\"/tail-of-it");
        let text = secret.text();
        let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        for encoded in [
            text[3..15].to_owned(),
            percent_encode(text),
            percent_encode(text).replace("%20", "+"),
            STANDARD_NO_PAD.encode(text),
            STANDARD_NO_PAD.encode(format!("i:{text}:b")),
            URL_SAFE_NO_PAD.encode(format!("id:{text}")),
            hex,
            text.chars().rev().collect(),
            format!("{text:?}"),
        ] {
            assert!(find_leak(&format!("<{encoded}>"), std::slice::from_ref(&secret)).is_some());
        }
        assert_eq!(find_leak(&text[..11], std::slice::from_ref(&secret)), None);
    }
}
