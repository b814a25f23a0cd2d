//! JSON for people: indented and coloured, with every value as it was written.

use std::str::Chars;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

/// The same JSON, a member a line. Order, numbers and escapes stay, since nothing of it is read as a
/// value; `None` if it is not JSON.
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

/// A string up to its end, after its first quotation mark.
fn string(rest: &mut Chars<'_>) -> String {
    let mut text = String::from('"');
    while let Some(char) = rest.next() {
        match char {
            // JSON allows these in the open, and some terminals obey them.
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
    fn every_value_stays_as_it_was_written() {
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
    fn what_is_indented_once_is_indented_for_good() {
        let once = plain(r#"{"a":{"b":[{"c":""}]},"d":[[],[{}]]}"#);
        assert_eq!(plain(&once), once);
    }

    #[test]
    fn keys_and_strings_differ_in_colour() {
        let text = indented(br#"{"k":"v"}"#).unwrap();
        assert!(text.contains(&format!("{KEY}\"k\"{KEY:#}: {STRING}\"v\"{STRING:#}")), "{text:?}");
    }

    #[test]
    fn no_control_character_reaches_a_terminal() {
        let text = plain("{\"a\u{9b}31m\":\"\u{7f}\"}");
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
        assert!(text.contains(r"a\u009b31m"), "{text:?}");
    }

    #[test]
    fn what_is_not_json_is_left_alone() {
        for text in ["", "{", "{]", "<html>", "{} {}", "[1,]"] {
            assert_eq!(indented(text.as_bytes()), None, "{text}");
        }
    }
}
