//! Canaries: secrets made at run time, and the search for them where none belongs.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use gatepass_core::percent_encode;

/// A secret to look for.
#[derive(Clone)]
pub struct Canary {
    name: String,
    text: String,
}

/// A secret of 40 small letters and digits, another one each time. Its name is not part of it.
pub fn canary(name: &str) -> Canary {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random = RandomState::new();
    let text = (0..40_u64)
        .map(|at| random.hash_one((name, at)) as usize % ALPHABET.len())
        .map(|index| char::from(*ALPHABET.get(index).unwrap_or(&b'x')))
        .collect();
    Canary { name: name.to_owned(), text }
}

impl Canary {
    /// A secret that is there already, such as a fixture's token.
    pub fn of(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned() }
    }

    /// What it is called in a [`Leak`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The secret.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every usual way to write it.
    fn forms(&self) -> Vec<(&'static str, String)> {
        let text = self.text.as_str();
        let mut forms = vec![
            ("as it is", text.to_owned()),
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
        // Base64 depends on what stands before: three offsets cover every place in a text. What
        // shares a character with a neighbour is cut off.
        for (pad, cut) in [("", 0), ("0", 2), ("00", 3)] {
            let plain = format!("{pad}{text}");
            for coded in [STANDARD_NO_PAD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain)] {
                let end = coded.len() - usize::from(plain.len() % 3 != 0);
                forms.push(("in base64", coded.get(cut..end).unwrap_or_default().to_owned()));
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

/// A secret that was found. It says which and how, and not the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// The canary's name.
    pub canary: String,
    /// How it was written.
    pub form: &'static str,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.canary, self.form)
    }
}

/// The first canary of which `text` shows twelve characters in a row (all, if it has fewer), in
/// any case: as it is, percent- or form-encoded, in hex, in base64, reversed, escaped for JSON.
pub fn find_leak(text: &str, canaries: &[Canary]) -> Option<Leak> {
    const WINDOW: usize = 12;
    const SHORTEST: usize = 4;
    let text = text.to_ascii_lowercase();
    // Looked up rather than searched for: a log is long, and a canary has hundreds of windows.
    let shown: HashSet<&[u8]> = text.as_bytes().windows(WINDOW).collect();
    canaries.iter().find_map(|canary| {
        canary.forms().into_iter().find_map(|(form, pattern)| {
            let pattern = pattern.to_ascii_lowercase();
            let found = match pattern.len() {
                WINDOW.. => pattern.as_bytes().windows(WINDOW).any(|part| shown.contains(part)),
                SHORTEST.. => text.contains(&pattern),
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
    fn a_canary_is_another_one_each_time() {
        let (a, b) = (canary("a"), canary("a"));
        assert_eq!(a.text().len(), 40);
        assert_ne!(a.text(), b.text());
        assert_eq!(find_leak(&format!("{a:?} {}", b.text()), &[a]), None);
    }

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let secret = Canary::of("secret", "pa ss+\"wordy\"/tail-of-it");
        let text = secret.text();
        let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        for shown in [
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
            assert!(find_leak(&format!("<{shown}>"), std::slice::from_ref(&secret)).is_some());
        }
        assert_eq!(find_leak(&text[..11], std::slice::from_ref(&secret)), None);
    }
}
