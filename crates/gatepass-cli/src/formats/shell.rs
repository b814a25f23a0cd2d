//! Exports that a shell evaluates: the token and its expiry, quoted for each shell.

use zeroize::Zeroizing;

use super::context::{FormatContext, SecretString};
use crate::output::rfc3339;

/// Formats exports for sh, bash and zsh.
pub(crate) fn sh(context: &FormatContext<'_>) -> SecretString {
    lines(context, "export ", "=", |text| {
        quote(text, |character| (character == '\'').then_some(r"'\'"))
    })
}

/// Formats exports for fish.
pub(crate) fn fish(context: &FormatContext<'_>) -> SecretString {
    let escape = |character| matches!(character, '\'' | '\\').then_some("\\");
    lines(context, "set -gx ", " ", |text| quote(text, escape))
}

/// Formats exports for PowerShell, which accepts typographic quotation marks as its own.
pub(crate) fn powershell(context: &FormatContext<'_>) -> SecretString {
    lines(context, "$env:", " = ", |text| {
        let mut quoted = Zeroizing::new(String::from("'"));
        for character in text.chars() {
            if matches!(character, '\'' | '\u{2018}'..='\u{201b}') {
                quoted.push(character);
            }
            quoted.push(character);
        }
        quoted.push('\'');
        quoted
    })
}

fn lines(
    context: &FormatContext<'_>,
    before: &str,
    equals: &str,
    quote: impl Fn(&str) -> SecretString,
) -> SecretString {
    let expires = rfc3339(context.expires_at);
    let mut lines = Zeroizing::new(String::new());
    for (name, value) in
        [("GATEPASS_TOKEN", context.secret), ("GATEPASS_TOKEN_EXPIRES_AT", &expires)]
    {
        lines.extend([before, name, equals, &quote(value), "\n"]);
    }
    lines
}

/// Returns a string in single quotation marks, with the output of `escape` before each character.
fn quote(text: &str, escape: impl Fn(char) -> Option<&'static str>) -> SecretString {
    let mut quoted = Zeroizing::new(String::from("'"));
    for character in text.chars() {
        quoted.push_str(escape(character).unwrap_or_default());
        quoted.push(character);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::context::sample_context;
    use super::*;

    #[test]
    fn sh_escapes_single_quotes() {
        let expected = "export GATEPASS_TOKEN='a'\\''b$c`d\"e\\f'\n\
                        export GATEPASS_TOKEN_EXPIRES_AT='2026-11-20T14:00:00Z'\n";
        assert_eq!(*sh(&sample_context("a'b$c`d\"e\\f")), expected);
    }

    #[test]
    fn fish_escapes_single_quotes_and_backslashes() {
        let expected = "set -gx GATEPASS_TOKEN 'a\\'b$c`d\"e\\\\f'\n\
                        set -gx GATEPASS_TOKEN_EXPIRES_AT '2026-11-20T14:00:00Z'\n";
        assert_eq!(*fish(&sample_context("a'b$c`d\"e\\f")), expected);
    }

    #[test]
    fn powershell_doubles_all_single_quotes() {
        let expected = "$env:GATEPASS_TOKEN = 'a''b$c`d\"e\\f\u{2019}\u{2019}'\n\
                        $env:GATEPASS_TOKEN_EXPIRES_AT = '2026-11-20T14:00:00Z'\n";
        assert_eq!(*powershell(&sample_context("a'b$c`d\"e\\f\u{2019}")), expected);
    }

    #[test]
    fn shells_read_back_hostile_tokens() {
        for text in HOSTILE {
            let context = sample_context(text);
            for (shell, script) in
                [("sh", sh(&context)), ("bash", sh(&context)), ("fish", fish(&context))]
            {
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
