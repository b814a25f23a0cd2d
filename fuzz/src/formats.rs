//! A token in each output format, read back by the rules of its reader.

use std::time::Duration;

use gatepass_cli::fuzzing::all_formats;
use gatepass_core::{Secret, Token};
use serde_json::Value;

use super::token_response::sent;

/// The first line is the profile, the rest is the token.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (profile, secret) = text.split_once('\n').unwrap_or(("", text));
    let token = Token::builder(Secret::from(secret), sent());
    let Ok(token) = token.expires_in(Duration::from_secs(3600).into()).build() else { return };
    for (format, text) in all_formats(profile, &token) {
        let read = read(format, profile, &text);
        assert_eq!(read.as_deref(), Some(secret), "{format}: {text:?}");
    }
}

/// Reads the token back by the rules of this format.
fn read(format: &str, profile: &str, text: &str) -> Option<String> {
    let is_json = matches!(format, "aws" | "kubernetes");
    let lines = text.strip_suffix('\n')?;
    let (first, second) = match lines.split_once('\n') {
        Some((first, second)) => (first, Some(second)),
        None => (lines, None),
    };
    let has_end = matches!(format, "sh" | "fish" | "powershell" | "dotenv");
    assert_eq!(second.is_some(), has_end, "{format} has other lines: {text:?}");
    assert!(second.is_none_or(|line| line.contains(EXPIRES) && !line.contains('\n')));
    if is_json {
        let value: Value = serde_json::from_str(text).ok()?;
        if format == "aws" {
            assert_eq!(value["AccessKeyId"], profile);
            assert_eq!(value["SecretAccessKey"], value["SessionToken"]);
            return Some(value["SessionToken"].as_str()?.to_owned());
        }
        return Some(value["status"]["token"].as_str()?.to_owned());
    }
    match format {
        "raw" => Some(first.to_owned()),
        "env" => Some(first.strip_prefix("GATEPASS_TOKEN=")?.to_owned()),
        "header" => Some(first.strip_prefix(HEADER)?.to_owned()),
        "curl" => {
            let quoted = first.strip_prefix("header = \"")?.strip_suffix('"')?;
            Some(unescaped(quoted, "\"")?.strip_prefix(HEADER)?.to_owned())
        }
        "sh" => sh(first.strip_prefix("export GATEPASS_TOKEN=")?),
        "fish" => {
            let quoted = first.strip_prefix("set -gx GATEPASS_TOKEN '")?.strip_suffix('\'')?;
            unescaped(quoted, "'")
        }
        "powershell" => {
            let quoted = first.strip_prefix("$env:GATEPASS_TOKEN = '")?.strip_suffix('\'')?;
            let is_even = quoted.split(|c| c != '\'').all(|run| run.len() % 2 == 0);
            is_even.then(|| quoted.replace("''", "'"))
        }
        "dotenv" => dotenv(first.strip_prefix("GATEPASS_TOKEN=")?),
        _ => None,
    }
}

/// Reads a word of sh that consists of single-quoted strings and escaped single quotes.
fn sh(mut word: &str) -> Option<String> {
    let mut read = String::new();
    while !word.is_empty() {
        if let Some(rest) = word.strip_prefix("\\'") {
            read.push('\'');
            word = rest;
        } else {
            let (text, rest) = word.strip_prefix('\'')?.split_once('\'')?;
            read.push_str(text);
            word = rest;
        }
    }
    Some(read)
}

/// Reads a dotenv value: bare, single-quoted without escapes, or double-quoted with escapes.
fn dotenv(value: &str) -> Option<String> {
    if let Some(rest) = value.strip_prefix('\'') {
        let text = rest.strip_suffix('\'')?;
        return (!text.contains(['\'', '\\'])).then(|| text.to_owned());
    }
    if let Some(rest) = value.strip_prefix('"') {
        let text = rest.strip_suffix('"')?;
        return unescaped(text, "\"$`");
    }
    (!value.contains([' ', '#', '\'', '"', '\\', '$', '`'])).then(|| value.to_owned())
}

/// Removes the backslashes before special characters.
fn unescaped(text: &str, special: &str) -> Option<String> {
    let (mut read, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let next = letters.next()?;
                assert!(next == '\\' || special.contains(next), "an escape of {next:?}");
                read.push(next);
            }
            _ if special.contains(letter) => return None,
            _ => read.push(letter),
        }
    }
    Some(read)
}

const HEADER: &str = "Authorization: Bearer ";
const EXPIRES: &str = "GATEPASS_TOKEN_EXPIRES_AT";
