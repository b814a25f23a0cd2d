//! A secret that no error may show, and the search for it.

use gatepass_core::Error;

/// What an input writes where a secret is to stand.
const MARK: &str = "{SECRET}";

/// A secret as vendors make them. Its last sign keeps it apart from whatever may name a key.
pub(crate) const CANARY: &str = "CNRYtokenQ7w8e9R0t1y2/";

/// The longest that one of our errors may be.
const LONGEST: usize = 4096;

/// The text with the secret in its places; `None` if it knew the secret.
pub(crate) fn planted(text: &str) -> Option<String> {
    (!shows(text)).then(|| text.replace(MARK, CANARY))
}

/// Whether a text has the secret in it, in any case.
pub(crate) fn shows(text: &str) -> bool {
    text.to_ascii_lowercase().contains(&CANARY.to_ascii_lowercase())
}

/// Panics if an error shows the secret, or has no end.
pub(crate) fn check(error: &Error) {
    let mut text = format!("{error}\n{error:?}\n{:?}", error.hints());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    assert!(!shows(&text), "an error of kind {:?} shows the secret", error.kind());
    assert!(text.len() <= LONGEST, "an error of {} bytes", text.len());
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
    fn an_error_that_shows_the_secret_is_caught_wherever_it_stands() {
        let shown = planted("not {SECRET} here").expect("it did not know the secret");
        assert!(is_caught(Error::config(shown.clone())));
        assert!(is_caught(Error::config("x").hint(shown.to_uppercase())));
        assert!(is_caught(Error::config("x").with_profile(&shown)));
        assert!(is_caught(Error::config("x".repeat(LONGEST))));
        assert!(!is_caught(Error::denied("refused").with_vendor_text(&shown)));
        assert_eq!(planted(&shown), None);
    }
}
