//! A secret that errors must not show, and the search for it.

use gatepass_core::Error;

/// The placeholder for the secret in an input.
const MARK: &str = "{SECRET}";

/// A secret in the form of vendors' secrets. Its last character cannot occur in the name of a key.
pub(crate) const CANARY: &str = "CNRYtokenQ7w8e9R0t1y2/";

/// The maximum length of an error.
const MAX_ERROR: usize = 4096;

/// Replaces the placeholders by the secret; `None` if the text contains the secret itself.
pub(crate) fn planted(text: &str) -> Option<String> {
    (!shows(text)).then(|| text.replace(MARK, CANARY))
}

/// Returns whether a text contains the secret, in upper or lower case.
pub(crate) fn shows(text: &str) -> bool {
    text.to_ascii_lowercase().contains(&CANARY.to_ascii_lowercase())
}

/// Panics if an error shows the secret, is too long, or contains control characters.
pub(crate) fn check(error: &Error) {
    let mut text = format!("{error}\n{error:?}\n{:?}", error.hints());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    assert!(!shows(&text), "an error of kind {:?} shows the secret", error.kind());
    assert!(text.len() <= MAX_ERROR, "an error of {} bytes", text.len());
    assert!(!text.contains(['\r', '\u{1b}', '\0']), "an error with control characters");
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn is_caught(error: Error) -> bool {
        catch_unwind(AssertUnwindSafe(|| check(&error))).is_err()
    }

    #[test]
    fn error_that_shows_the_secret_is_caught() {
        let shown = planted("not {SECRET} here").expect("the text does not contain the secret");
        assert!(is_caught(Error::config(shown.clone())));
        assert!(is_caught(Error::config("x").hint(shown.to_uppercase())));
        assert!(is_caught(Error::config("x").with_profile(&shown)));
        assert!(is_caught(Error::config("x".repeat(MAX_ERROR))));
        assert!(!is_caught(Error::denied("refused").with_vendor_text(&shown)));
        assert_eq!(planted(&shown), None);
    }
}
