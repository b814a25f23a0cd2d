//! Assignments: one for `env`, and lines of a .env file.

use zeroize::Zeroizing;

use super::{HandOut, Text};
use crate::output::rfc3339;

/// One assignment, as it is: for files whose readers know no quoting.
pub(crate) fn env(it: &HandOut<'_>) -> Text {
    Zeroizing::new(format!("GATEPASS_TOKEN={}\n", it.secret))
}

/// The token and its end as lines of a .env file.
pub(crate) fn dotenv(it: &HandOut<'_>) -> Text {
    let (secret, ends) = (value(it.secret), rfc3339(it.expires_at));
    Zeroizing::new(format!("GATEPASS_TOKEN={}\nGATEPASS_TOKEN_EXPIRES_AT={ends}\n", *secret))
}

/// A value bare where it can be, since `docker run --env-file` takes quotation marks as part of
/// it; else in the quotation marks inside which every reader takes the most as it is.
fn value(text: &str) -> Text {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte);
    if text.bytes().all(is_plain) {
        return Zeroizing::new(text.to_owned());
    }
    if !text.contains(['\'', '\\', '\n']) {
        return Zeroizing::new(format!("'{text}'"));
    }
    let mut value = Zeroizing::new(String::from("\""));
    for letter in text.chars() {
        match letter {
            '\n' => value.push_str("\\n"),
            '"' | '\\' | '$' | '`' => value.extend(['\\', letter]),
            _ => value.push(letter),
        }
    }
    value.push('"');
    value
}

#[cfg(test)]
mod tests {
    use super::super::tests::hand_out;
    use super::*;

    #[test]
    fn env_is_one_assignment_as_it_is() {
        assert_eq!(*env(&hand_out("a'b")), "GATEPASS_TOKEN=a'b\n");
    }

    #[test]
    fn a_token_of_plain_characters_stands_bare() {
        let expected = "GATEPASS_TOKEN=eyJ.a-b_c~d+e/f==\n\
                        GATEPASS_TOKEN_EXPIRES_AT=2026-11-20T14:00:00Z\n";
        assert_eq!(*dotenv(&hand_out("eyJ.a-b_c~d+e/f==")), expected);
    }

    #[test]
    fn other_values_are_quoted() {
        for (text, expected) in [
            ("a#b c$d`e\"f", "'a#b c$d`e\"f'"),
            ("it's $HOME", r#""it's \$HOME""#),
            ("a\\b\"c`d\ne", r#""a\\b\"c\`d\ne""#),
        ] {
            assert_eq!(*value(text), expected);
        }
    }
}
