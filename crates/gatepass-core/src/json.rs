//! The JSON reader for vendors' responses, on top of serde_json.
//!
//! It is our own, and not `serde_json::Value` or derived structs, because these cannot do four
//! things that a token response needs:
//!
//! - Duplicate members are kept. Two `access_token` members mean that another reader of the same
//!   response may take the other token, so the caller must see both to reject them. `Value` keeps the
//!   last one, derived structs fail for a harmless duplicate as well.
//! - Strings are cleared when dropped. `Value` owns plain `String`s. Arrays are skipped, since no
//!   vendor has a token in one, and booleans carry no value that is read.
//! - Errors have a position and never a byte of the response. serde_json's "invalid type" error quotes
//!   the value, which may be the token.
//! - Nesting is limited to 16 levels, and checked before the first value is allocated. serde_json
//!   stops at 128, after it has built the values up to there.
//!
//! It is tolerant in three places only, each of which a real vendor needs: a byte order mark, one
//! comma before a `}` (Bright Pattern), and fractional or overlong numbers. `scan` finds the comma
//! and the depth in one pass over the bytes without parsing values. Exactly one such comma is
//! replaced with a space in a copy; with two or more the text is malformed in another way, and
//! serde_json rejects it.
//!
//! Rejected: a lenient parser such as JSON5, which accepts far more than vendors send, and a patched
//! text for each vendor, because a wrong patch of a token response yields another token.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// The maximum depth of nested arrays and objects.
const MAX_DEPTH: usize = 16;

/// A JSON value.
pub(crate) enum Json {
    Null,
    Bool,
    /// An integer, or the floor of a fraction. Numbers out of range are clamped.
    Number(i128),
    Text(Zeroizing<String>),
    Array,
    Object(Vec<(String, Self)>),
}

/// The reason why a text is not JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotJson {
    Truncated,
    TooDeep,
    Wrong { line: usize, column: usize },
}

impl Json {
    /// Parses a text.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, NotJson> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let (deepest, commas) = scan(bytes);
        if deepest > MAX_DEPTH {
            return Err(NotJson::TooDeep);
        }
        let mut text = Zeroizing::new(bytes.to_vec());
        if let &[comma] = &*commas
            && let Some(byte) = text.get_mut(comma)
        {
            *byte = b' ';
        }
        serde_json::from_slice(&text).map_err(|error| match error.classify() {
            serde_json::error::Category::Eof => NotJson::Truncated,
            _ => NotJson::Wrong { line: error.line(), column: error.column() },
        })
    }

    /// Returns all values at a path like `/result/token`, duplicates included.
    pub(crate) fn at<'a>(&'a self, pointer: &str) -> Vec<&'a Self> {
        pointer.split('/').skip(1).fold(vec![self], |values, name| {
            values.into_iter().flat_map(|value| value.members(name)).collect()
        })
    }

    fn members<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Self> {
        let members = if let Self::Object(members) = self { members.as_slice() } else { &[] };
        members.iter().filter(move |(key, _)| key == name).map(|(_, value)| value)
    }

    /// Returns the first member of this name, if it is a string or a number.
    pub(crate) fn member_text(&self, name: &str) -> Option<String> {
        match self.members(name).next()? {
            Self::Text(text) => Some(text.to_string()),
            Self::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Returns whether both are the same null, number or string.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }

    /// Returns the name of the type, for an error that must not show the value.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Returns the depth of the text, and the positions of commas directly before a `}`.
fn scan(bytes: &[u8]) -> (usize, Vec<usize>) {
    let (mut depth, mut deepest, mut commas) = (0usize, 0usize, Vec::new());
    let (mut in_text, mut escaped, mut comma, mut last) = (false, false, None, b'{');
    for (at, &byte) in bytes.iter().enumerate() {
        if in_text {
            (in_text, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        if byte == b'}' {
            commas.extend(comma);
        }
        // A comma without a value before it is malformed in any case.
        comma = (byte == b',' && !b"{[,:".contains(&last)).then_some(at);
        last = byte;
    }
    (deepest, commas)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        // `as` saturates.
        Ok(Json::Number(number.floor() as i128))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        match members.as_slice() {
            [(name, Json::Text(digits))] if name == DIGITS => {
                Ok(number(digits).map_or(Json::Object(members), Json::Number))
            }
            _ => Ok(Json::Object(members)),
        }
    }
}

/// The only member of the object that serde_json makes of a number, if another crate of the program
/// enables its feature `arbitrary_precision`.
const DIGITS: &str = "$serde_json::private::Number";

fn number(digits: &str) -> Option<i128> {
    let floor = || digits.parse().ok().map(|number: f64| number.floor() as i128);
    digits.parse().ok().or_else(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &[u8], at: &str) -> Option<String> {
        match Json::read(json).ok()?.at(at).as_slice() {
            [Json::Text(text)] => Some(text.to_string()),
            _ => None,
        }
    }

    #[test]
    fn byte_order_mark_and_one_trailing_comma_are_accepted() {
        assert_eq!(text(b"\xEF\xBB\xBF{\"a\":\"b\"}", "/a").as_deref(), Some("b"));
        assert_eq!(text(b"{\"a\":\"b,}\" , \n}", "/a").as_deref(), Some("b,}"));
        assert_eq!(text(b"{\"r\":{\"a\":\"b\",}}", "/r/a").as_deref(), Some("b"));
        for bad in ["{\"a\":1,,}", "{\"r\":{\"a\":1,},}", "[1,]", "{,}", "{\"a\":1} {}", "{'a':1}"]
        {
            assert!(Json::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn errors_have_position_and_no_content() {
        assert_eq!(Json::read(b"{\"token\":\"abc").err(), Some(NotJson::Truncated));
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(Json::read(&deep).err(), Some(NotJson::TooDeep));
        assert!(matches!(Json::read(b"{\"a\": nope}"), Err(NotJson::Wrong { line: 1, .. })));
    }

    #[test]
    fn duplicates_are_kept() {
        let json = Json::read(br#"{"a":1,"a":2,"b":{"c":"x"},"b":{"c":"x"}}"#).unwrap();
        assert_eq!(json.at("/a").len(), 2);
        assert!(matches!(json.at("/b/c").as_slice(), [a, b] if a.is_same(b)));
    }

    #[test]
    fn numbers_are_floored_and_clamped() {
        let plain = r#"{"a":3599.7,"b":1e30,"c":99999999999999999999,"d":-0.5,"e":3600}"#;
        // The form that serde_json uses with `arbitrary_precision`.
        let mut digits = plain.to_owned();
        for number in ["3599.7", "1e30", "99999999999999999999", "-0.5", "3600"] {
            digits = digits.replace(number, &format!("{{\"{DIGITS}\":\"{number}\"}}"));
        }
        for json in [plain, &digits].map(|text| Json::read(text.as_bytes()).unwrap()) {
            let number = |at| match json.at(at).as_slice() {
                [Json::Number(number)] => *number,
                _ => panic!("{at}"),
            };
            assert_eq!((number("/a"), number("/d"), number("/e")), (3599, -1, 3600));
            assert!(number("/b") > i128::from(u64::MAX) && number("/c") > i128::from(u64::MAX));
        }
        let odd = format!("{{\"a\":{{\"{DIGITS}\":\"x\"}}}}");
        assert_eq!(Json::read(odd.as_bytes()).unwrap().at("/a")[0].kind(), "an object");
    }
}
