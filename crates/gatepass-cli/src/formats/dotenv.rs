//! Assignments: one line for `env`, and the lines of a .env file.

use zeroize::Zeroizing;

use super::context::{FormatContext, SecretString};
use crate::output::rfc3339;

/// Formats one unquoted assignment, for readers that do not support quoting.
pub(crate) fn env(context: &FormatContext<'_>) -> SecretString {
    Zeroizing::new(format!("GATEPASS_TOKEN={}\n", context.secret))
}

/// Formats the token and its expiry as lines of a .env file.
pub(crate) fn dotenv(context: &FormatContext<'_>) -> SecretString {
    let (secret, expires) = (value(context.secret), rfc3339(context.expires_at));
    Zeroizing::new(format!("GATEPASS_TOKEN={}\nGATEPASS_TOKEN_EXPIRES_AT={expires}\n", *secret))
}

/// Quotes a value if necessary. Plain values stay unquoted, because `docker run --env-file` takes
/// quotation marks as part of the value. Single quotation marks are preferred: readers differ most
/// in what they replace between double ones.
fn value(text: &str) -> SecretString {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte);
    // A shell that reads the file expands `~` at the beginning and after a colon.
    let is_expanded = text.starts_with('~') || text.contains(":~");
    if text.bytes().all(is_plain) && !is_expanded {
        return Zeroizing::new(text.to_owned());
    }
    if !text.contains(['\'', '\\', '\n']) {
        return Zeroizing::new(format!("'{text}'"));
    }
    let mut value = Zeroizing::new(String::from("\""));
    for character in text.chars() {
        match character {
            '\n' => value.push_str("\\n"),
            '"' | '\\' | '$' | '`' => value.extend(['\\', character]),
            _ => value.push(character),
        }
    }
    value.push('"');
    value
}

#[cfg(test)]
mod tests {
    use super::super::context::sample_context;
    use super::*;

    #[test]
    fn env_is_one_unquoted_assignment() {
        assert_eq!(*env(&sample_context("a'b")), "GATEPASS_TOKEN=a'b\n");
    }

    #[test]
    fn plain_token_is_not_quoted() {
        let expected = "GATEPASS_TOKEN=eyJ.a-b_c~d+e/f==\n\
                        GATEPASS_TOKEN_EXPIRES_AT=2026-11-20T14:00:00Z\n";
        assert_eq!(*dotenv(&sample_context("eyJ.a-b_c~d+e/f==")), expected);
    }

    #[test]
    fn other_values_are_quoted() {
        for (text, expected) in [
            ("a#b c$d`e\"f", "'a#b c$d`e\"f'"),
            ("~root", "'~root'"),
            ("a:~root", "'a:~root'"),
            ("!a", "'!a'"),
            ("a~b", "a~b"),
            ("it's $HOME", r#""it's \$HOME""#),
            ("a\\b\"c`d\ne", r#""a\\b\"c\`d\ne""#),
        ] {
            assert_eq!(*value(text), expected);
        }
    }
}
