//! Indents and colors JSON for a terminal without changing a value.
//!
//! serde_json's pretty printer is not used: it parses numbers and strings and prints them in its own
//! form (`1.50` becomes `1.5`, long integers lose digits, members may be sorted). The API's response
//! must be shown as it was sent, so this file copies the text and changes only the white space
//! between the values.

use std::str::Chars;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

/// Returns the JSON with one member per line, or `None` if the input is not JSON. The order of
/// members, numbers and escapes do not change.
pub(crate) fn indented(json: &[u8]) -> Option<String> {
    serde_json::from_slice::<Value>(json).ok()?;
    let mut text = String::with_capacity(json.len() * 2);
    let (mut rest, mut depth) = (std::str::from_utf8(json).ok()?.trim().chars(), 0);
    while let Some(char) = rest.next() {
        match char {
            '{' | '[' if matches!(next(&rest), Some('}' | ']')) => {
                text.push(char);
                rest = rest.as_str().trim_start().chars();
                text.extend(rest.next());
            }
            '{' | '[' => {
                depth += 1;
                text.push(char);
                new_line(&mut text, depth);
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut text, depth);
                text.push(char);
            }
            ',' => {
                text.push(char);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            '"' => {
                let string = string(&mut rest);
                let style = if next(&rest) == Some(':') { KEY } else { STRING };
                text.push_str(&format!("{style}{string}{style:#}"));
            }
            char if char.is_ascii_whitespace() => {}
            char => text.push(char),
        }
    }
    Some(text)
}

const KEY: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Blue)));
const STRING: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));

fn next(rest: &Chars<'_>) -> Option<char> {
    rest.as_str().trim_start().chars().next()
}

/// Reads a string to its end; its first quotation mark has been read.
fn string(rest: &mut Chars<'_>) -> String {
    let mut text = String::from('"');
    while let Some(char) = rest.next() {
        match char {
            // JSON allows these characters unescaped, and some terminals execute them.
            '\u{7f}'..='\u{9f}' => text.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => text.push(char),
        }
        match char {
            '"' => break,
            '\\' => text.extend(rest.next()),
            _ => {}
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(json: &str) -> String {
        anstream::adapter::strip_str(&indented(json.as_bytes()).unwrap()).to_string()
    }

    #[test]
    fn indentation_preserves_every_value() {
        let json = r#" {"b":[1.50,{ },[ ]],"a\"":"x: {y, \\", "n":12345678901234567890123} "#;
        let wanted = r#"{
  "b": [
    1.50,
    {},
    []
  ],
  "a\"": "x: {y, \\",
  "n": 12345678901234567890123
}"#;
        assert_eq!(plain(json), wanted);
        assert_eq!(plain("\"alone\""), "\"alone\"");
        assert_eq!(plain("[true,null]"), "[\n  true,\n  null\n]");
    }

    #[test]
    fn indentation_is_idempotent() {
        let once = plain(r#"{"a":{"b":[{"c":""}]},"d":[[],[{}]]}"#);
        assert_eq!(plain(&once), once);
    }

    #[test]
    fn keys_and_strings_have_different_colors() {
        let text = indented(br#"{"k":"v"}"#).unwrap();
        assert!(text.contains(&format!("{KEY}\"k\"{KEY:#}: {STRING}\"v\"{STRING:#}")), "{text:?}");
    }

    #[test]
    fn control_characters_are_escaped() {
        let text = plain("{\"a\u{9b}31m\":\"\u{7f}\"}");
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
        assert!(text.contains(r"a\u009b31m"), "{text:?}");
    }

    #[test]
    fn other_text_is_not_indented() {
        for text in ["", "{", "{]", "<html>", "{} {}", "[1,]"] {
            assert_eq!(indented(text.as_bytes()), None, "{text}");
        }
    }
}
