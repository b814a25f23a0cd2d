//! A JSON reader for vendors' answers: tolerant in three places, strict in all others.
//!
//! It accepts what real vendors send (a byte order mark; one comma before a `}`), keeps duplicate
//! members so that they can be refused, never goes deeper than 16 levels, clears its texts when
//! dropped, and no error of it repeats a byte of the answer.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

const DEPTH: usize = 16;

pub(crate) enum Json {
    Null,
    Bool,
    /// A whole number, or the floor of a fraction; out of range is clamped.
    Number(i128),
    Text(Zeroizing<String>),
    Array,
    Object(Vec<(String, Self)>),
}

/// Why a text is not JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotJson {
    Truncated,
    TooDeep,
    Wrong { line: usize, column: usize },
}

impl Json {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, NotJson> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let (deepest, commas) = scan(bytes);
        if deepest > DEPTH {
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

    /// All values at a path like `/result/token`, duplicates included.
    pub(crate) fn at<'a>(&'a self, pointer: &str) -> Vec<&'a Self> {
        pointer.split('/').skip(1).fold(vec![self], |values, name| {
            values.into_iter().flat_map(|value| value.members(name)).collect()
        })
    }

    fn members<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Self> {
        let members = if let Self::Object(members) = self { members.as_slice() } else { &[] };
        members.iter().filter(move |(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn member_text(&self, name: &str) -> Option<String> {
        match self.members(name).next()? {
            Self::Text(text) => Some(text.to_string()),
            Self::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Array => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// The deepest nesting, and where commas stand directly before a `}`.
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
        // A comma that follows no value is wrong in any case.
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
        // `as` saturates, which is the clamp that is wanted.
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

/// The one member of what serde_json makes of a number where some crate of the program has switched
/// on its feature `arbitrary_precision`.
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
    fn a_mark_and_one_trailing_comma_are_read() {
        assert_eq!(text(b"\xEF\xBB\xBF{\"a\":\"b\"}", "/a").as_deref(), Some("b"));
        assert_eq!(text(b"{\"a\":\"b,}\" , \n}", "/a").as_deref(), Some("b,}"));
        assert_eq!(text(b"{\"r\":{\"a\":\"b\",}}", "/r/a").as_deref(), Some("b"));
        for bad in ["{\"a\":1,,}", "{\"r\":{\"a\":1,},}", "[1,]", "{,}", "{\"a\":1} {}", "{'a':1}"]
        {
            assert!(Json::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn errors_say_where_and_never_what() {
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
        // As serde_json has them with `arbitrary_precision`, which is any other crate's to choose.
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
