//! Exports that a shell evaluates: the token and its end, quoted as each shell wants.

use zeroize::Zeroizing;

use super::{HandOut, Text};
use crate::output::rfc3339;

/// For sh and its family.
pub(crate) fn sh(it: &HandOut<'_>) -> Text {
    lines(it, "export ", "=", |text| quote(text, |letter| (letter == '\'').then_some(r"'\'")))
}

/// For fish.
pub(crate) fn fish(it: &HandOut<'_>) -> Text {
    let escape = |letter| matches!(letter, '\'' | '\\').then_some("\\");
    lines(it, "set -gx ", " ", |text| quote(text, escape))
}

/// For PowerShell, which takes typographic quotation marks for its own.
pub(crate) fn powershell(it: &HandOut<'_>) -> Text {
    lines(it, "$env:", " = ", |text| {
        let mut quoted = Zeroizing::new(String::from("'"));
        for letter in text.chars() {
            if matches!(letter, '\'' | '\u{2018}'..='\u{201b}') {
                quoted.push(letter);
            }
            quoted.push(letter);
        }
        quoted.push('\'');
        quoted
    })
}

fn lines(it: &HandOut<'_>, before: &str, equals: &str, quote: impl Fn(&str) -> Text) -> Text {
    let ends = rfc3339(it.expires_at);
    let mut lines = Zeroizing::new(String::new());
    for (name, value) in [("GATEPASS_TOKEN", it.secret), ("GATEPASS_TOKEN_EXPIRES_AT", &ends)] {
        lines.extend([before, name, equals, &quote(value), "\n"]);
    }
    lines
}

/// A text in single quotation marks, with what `escape` gives before a letter.
fn quote(text: &str, escape: impl Fn(char) -> Option<&'static str>) -> Text {
    let mut quoted = Zeroizing::new(String::from("'"));
    for letter in text.chars() {
        quoted.push_str(escape(letter).unwrap_or_default());
        quoted.push(letter);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::tests::hand_out;
    use super::*;

    #[test]
    fn sh_ends_the_text_for_a_quotation_mark() {
        let expected = "export GATEPASS_TOKEN='a'\\''b$c`d\"e\\f'\n\
                        export GATEPASS_TOKEN_EXPIRES_AT='2026-11-20T14:00:00Z'\n";
        assert_eq!(*sh(&hand_out("a'b$c`d\"e\\f")), expected);
    }

    #[test]
    fn fish_escapes_the_quotation_mark_and_the_backslash() {
        let expected = "set -gx GATEPASS_TOKEN 'a\\'b$c`d\"e\\\\f'\n\
                        set -gx GATEPASS_TOKEN_EXPIRES_AT '2026-11-20T14:00:00Z'\n";
        assert_eq!(*fish(&hand_out("a'b$c`d\"e\\f")), expected);
    }

    #[test]
    fn powershell_doubles_every_kind_of_single_quotation_mark() {
        let expected = "$env:GATEPASS_TOKEN = 'a''b$c`d\"e\\f\u{2019}\u{2019}'\n\
                        $env:GATEPASS_TOKEN_EXPIRES_AT = '2026-11-20T14:00:00Z'\n";
        assert_eq!(*powershell(&hand_out("a'b$c`d\"e\\f\u{2019}")), expected);
    }

    #[test]
    fn the_shells_themselves_read_back_what_was_handed_out() {
        for text in HOSTILE {
            let it = hand_out(text);
            for (shell, script) in [("sh", sh(&it)), ("bash", sh(&it)), ("fish", fish(&it))] {
                let script = format!("{}printenv GATEPASS_TOKEN", *script);
                let ran = Command::new(shell).args(["-c", &script]).output().unwrap();
                let read = String::from_utf8(ran.stdout).unwrap();
                assert_eq!(read, format!("{text}\n"), "{shell}");
                assert!(ran.stderr.is_empty(), "{shell}: {text}");
            }
        }
    }

    const HOSTILE: [&str; 9] = [
        "plain",
        "it's",
        "''",
        "\\' \\\\' \\",
        "$(echo no)`echo no`${HOME}$HOME",
        "\"; echo no; \"",
        "two\nlines'; echo no",
        "~ * ? [a] {a,b} ! # & | < > ( ) ;",
        "\u{2019}\u{fc}",
    ];
}
