//! Lists of strings that are borrowed in a `const`, or owned.
//!
//! `Cow<'static, [Cow<'static, str>]>` could hold both, but a `const` could not be written with plain
//! string literals.

use std::fmt;
use std::sync::Arc;

/// Several strings.
///
/// ```
/// # use gatepass_core::StringList;
/// const WORDS: StringList = StringList::new(&["form", "basic"]);
/// assert!(WORDS.contains("basic"));
/// assert_eq!(WORDS, StringList::from(vec![String::from("form"), String::from("basic")]));
/// ```
#[derive(Clone)]
pub struct StringList(Repr<&'static str, String>);

/// Several strings, by name.
#[derive(Clone)]
pub struct ValueList(Repr<(&'static str, &'static str), (String, String)>);

#[derive(Clone)]
enum Repr<B: 'static, O> {
    Borrowed(&'static [B]),
    Owned(Arc<[O]>),
}

impl StringList {
    /// A list of literals.
    pub const fn new(strings: &'static [&'static str]) -> Self {
        Self(Repr::Borrowed(strings))
    }

    /// Iterates over the strings.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (borrowed, owned): (&[&str], &[String]) = match &self.0 {
            Repr::Borrowed(strings) => (strings, &[]),
            Repr::Owned(strings) => (&[], strings),
        };
        borrowed.iter().copied().chain(owned.iter().map(String::as_str))
    }

    /// Returns whether this string is in the list.
    pub fn contains(&self, string: &str) -> bool {
        self.iter().any(|one| one == string)
    }

    /// Returns the first string.
    pub fn first(&self) -> Option<&str> {
        self.iter().next()
    }
}

impl ValueList {
    /// A list of literals.
    pub const fn new(values: &'static [(&'static str, &'static str)]) -> Self {
        Self(Repr::Borrowed(values))
    }

    /// Iterates over names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let borrowed = match &self.0 {
            Repr::Borrowed(values) => *values,
            Repr::Owned(_) => &[],
        };
        let owned: &[(String, String)] = match &self.0 {
            Repr::Borrowed(_) => &[],
            Repr::Owned(values) => values,
        };
        let owned = owned.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        borrowed.iter().copied().chain(owned)
    }

    /// Returns the value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(one, _)| *one == name).map(|(_, value)| value)
    }
}

impl From<Vec<String>> for StringList {
    fn from(strings: Vec<String>) -> Self {
        Self(Repr::Owned(strings.into()))
    }
}

impl From<Vec<(String, String)>> for ValueList {
    fn from(values: Vec<(String, String)>) -> Self {
        Self(Repr::Owned(values.into()))
    }
}

impl PartialEq for StringList {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for StringList {}

impl fmt::Debug for StringList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for ValueList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Replaces a place's value in a `const fn`, where no destructor can run. The old value is a borrowed
/// default, so that nothing leaks.
macro_rules! replace {
    ($place:expr, $value:expr) => {{
        let value = $value;
        ::std::mem::forget(::std::mem::replace(&mut $place, value));
    }};
}
pub(crate) use replace;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owned_list_equals_borrowed_one() {
        let owned = vec![(String::from("base_url"), String::from("https://a.example"))];
        let lists = [ValueList::new(&[("base_url", "https://a.example")]), ValueList::from(owned)];
        for list in lists {
            assert_eq!(list.get("base_url"), Some("https://a.example"));
            assert_eq!(list.get("other"), None);
            assert_eq!(format!("{list:?}"), r#"{"base_url": "https://a.example"}"#);
        }
        assert_eq!(StringList::from(vec![String::from("a")]).first(), Some("a"));
    }
}
