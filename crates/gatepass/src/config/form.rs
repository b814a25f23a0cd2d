//! The form of a secret and of the files that have one: the encoding, white space and wrapping that
//! programs add to the right value.

use std::borrow::Cow;

use gatepass_core::Hint;
use zeroize::Zeroizing;

/// A wrapping that is not part of a secret, as far as can be known without the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapping {
    Nul,
    ByteOrderMark,
    /// A newline at an end, in addition to the one that is dropped.
    Newline,
    Lines,
    WhiteSpace,
    Quotes,
    Control(char),
    Invisible(char),
}

impl Wrapping {
    /// Returns the wrapping of a value, if there is one. Letters outside ASCII do not count.
    pub(crate) fn of(value: &str) -> Option<Self> {
        let is_line_end = |c: char| c == '\n' || c == '\r';
        if value.contains('\0') {
            return Some(Self::Nul);
        }
        if value.starts_with('\u{feff}') {
            return Some(Self::ByteOrderMark);
        }
        if value.trim_matches(is_line_end).contains(is_line_end) {
            return Some(Self::Lines);
        }
        if value.contains(is_line_end) {
            return Some(Self::Newline);
        }
        if value.starts_with(char::is_whitespace) || value.ends_with(char::is_whitespace) {
            return Some(Self::WhiteSpace);
        }
        if let Some(control) = value.chars().find(|c| c.is_control()) {
            return Some(Self::Control(control));
        }
        if let Some(invisible) = value.chars().find(|c| INVISIBLE.contains(c)) {
            return Some(Self::Invisible(invisible));
        }
        let inner = |(open, close)| value.strip_prefix(open)?.strip_suffix(close);
        QUOTES.into_iter().find_map(inner).map(|_| Self::Quotes)
    }

    /// Describes the wrapping after the name of the value's source.
    pub(crate) fn describe(self) -> Cow<'static, str> {
        let code = |c: char| format!("U+{:04X}", u32::from(c));
        match self {
            Self::Nul => "contains a NUL character".into(),
            Self::ByteOrderMark => "begins with a byte order mark (BOM)".into(),
            Self::Newline => "has a newline or carriage return too many".into(),
            Self::Lines => "has several lines".into(),
            Self::WhiteSpace => "begins or ends with white space".into(),
            Self::Quotes => "has quotes around it".into(),
            Self::Control(c) => format!("contains a control character ({})", code(c)).into(),
            Self::Invisible(c) => format!("contains an invisible character ({})", code(c)).into(),
        }
    }

    /// Returns how the wrapping gets there, and how to avoid it.
    pub(crate) fn hint(self) -> Hint {
        Hint::new(match self {
            Self::Nul => "a text with a NUL after each letter is UTF-16: save it as UTF-8",
            Self::ByteOrderMark => "save it as UTF-8 without a byte order mark",
            Self::Newline => "write the secret with printf '%s' instead of echo",
            Self::Lines => "it must be the secret alone",
            Self::WhiteSpace => "remove the white space: check for a no-break space as well",
            Self::Quotes => "remove the quotes: an env file keeps them",
            Self::Control(_) | Self::Invisible(_) => "copy the secret again, or type it",
        })
    }
}

/// Quotation marks at both ends of a value.
const QUOTES: [(char, char); 5] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];

/// Characters without width: copying from a web page or a chat adds them.
const INVISIBLE: [char; 14] = [
    '\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}',
    '\u{202c}', '\u{202d}', '\u{202e}', '\u{2060}', '\u{2063}', '\u{feff}',
];

/// Returns whether a value looks like a line of an env file or like JSON. A secret may look so, and
/// then it is used.
pub(crate) fn looks_structured(value: &str) -> Option<&'static str> {
    let is_name = |name: &str| {
        name.len() > 2
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_- ".contains(&b))
    };
    match value.split_once('=') {
        Some((name, rest)) if is_name(name) && !rest.trim_start_matches('=').is_empty() => {
            Some("it looks like NAME=VALUE: only VALUE should be there")
        }
        _ if value.starts_with('{') && value.ends_with('}') => {
            Some("it looks like JSON: only the secret should be there")
        }
        _ => None,
    }
}

/// Drops one newline at the end: LF or CRLF.
pub(crate) fn drop_newline(value: &str) -> &str {
    match value.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => value,
    }
}

/// Returns the text, or the problem with its encoding.
pub(crate) fn to_text(bytes: &[u8]) -> Result<Zeroizing<String>, &'static str> {
    // A little-endian UTF-32 text begins with the mark of UTF-16 as well.
    if bytes.starts_with(&[0xff, 0xfe, 0, 0]) || bytes.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err("is UTF-32 and not UTF-8");
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("is UTF-16 and not UTF-8");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The hint for a text in another encoding.
pub(crate) const ENCODING: &str = "save it as UTF-8; in Windows PowerShell, > writes UTF-16 and Set-Content -Encoding ascii does not";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_of_secret_is_recognized() {
        use Wrapping::{
            ByteOrderMark, Control, Invisible, Lines, Newline, Nul, Quotes, WhiteSpace,
        };

        for (value, wrapping) in [
            ("abc\0", Nul),
            ("a\0b\0", Nul),
            ("\u{feff}abc", ByteOrderMark),
            ("abc\n", Newline),
            ("\nabc", Newline),
            ("abc\r", Newline),
            ("abc\ndef", Lines),
            ("abc\r\ndef\r\n", Lines),
            (" abc", WhiteSpace),
            ("abc ", WhiteSpace),
            ("abc\t", WhiteSpace),
            ("abc\u{a0}", WhiteSpace),
            ("\u{3000}abc", WhiteSpace),
            (" ", WhiteSpace),
            ("\"abc\"", Quotes),
            ("'abc'", Quotes),
            ("`abc`", Quotes),
            ("\u{201c}abc\u{201d}", Quotes),
            ("\"\"", Quotes),
            ("a\tb", Control('\t')),
            ("a\u{1b}[0m", Control('\u{1b}')),
            ("a\u{7f}b", Control('\u{7f}')),
            ("a\u{85}b", Control('\u{85}')),
            ("abc\u{200b}", Invisible('\u{200b}')),
            ("a\u{feff}bc", Invisible('\u{feff}')),
        ] {
            assert_eq!(Wrapping::of(value), Some(wrapping), "{value:?}");
            assert!(!wrapping.describe().contains("abc"));
        }
        for value in ["abc", "a b c", "\u{e4}\u{4e2d}\u{1f511}", "\"abc", "abc'", "a\"b", "", "\""]
        {
            assert_eq!(Wrapping::of(value), None, "{value:?}");
        }
    }

    #[test]
    fn env_file_and_json_are_recognized() {
        for value in ["CLIENT_SECRET=abc", "secret = abc", "{\"secret\":\"abc\"}", "export A=b"] {
            assert!(looks_structured(value).is_some(), "{value}");
        }
        for value in ["abc", "YWJj=", "YWJjZA==", "a=b", "=abc", "a+b/c=d", "{abc", ""] {
            assert_eq!(looks_structured(value), None, "{value}");
        }
    }

    #[test]
    fn encoding_of_text_is_named() {
        assert_eq!(to_text("\u{e4}".as_bytes()).unwrap().as_str(), "\u{e4}");
        for (bytes, problem) in [
            (&b"\xff\xfea\0"[..], "is UTF-16 and not UTF-8"),
            (b"\xfe\xff\0a", "is UTF-16 and not UTF-8"),
            (b"\xff\xfe\0\0a\0\0\0", "is UTF-32 and not UTF-8"),
            (b"\0\0\xfe\xff\0\0\0a", "is UTF-32 and not UTF-8"),
            (b"a\xe4", "is not UTF-8"),
        ] {
            assert_eq!(to_text(bytes).unwrap_err(), problem);
        }
    }
}
