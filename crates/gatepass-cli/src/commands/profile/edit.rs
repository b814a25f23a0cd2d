//! Edits the text of the config file: adds, replaces or removes one profile, and keeps every other
//! byte.
//!
//! The file belongs to the user, with comments, an order and line ends of its own. The approach is
//! to parse it for the byte ranges of keys and values, to extend the profile's range to whole
//! lines, and to cut these lines out of the text. An edit is only made if it is safe:
//!
//! - A profile that is written in several places, or in a line that it shares with another one, is
//!   an error, and the user edits the file.
//! - After a removal, the result is parsed again, and every other profile must be unchanged.
//!
//! `toml_edit` was tried and rejected. It loses what the file promises: it writes CRLF as LF, adds
//! a newline at the end of the file, drops a byte order mark, and moves dotted keys of one profile
//! together. Restoring these from the original text takes more code than the ranges do. It also
//! adds 77 KB, one percent, to the command.
//!
//! The text may contain secrets. Strings are therefore built at their final size, because growing
//! them would leave copies behind.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use gatepass::Hint;
use gatepass::config::Config;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::error::{CommandError, usage};

/// The text of a config file, which may contain literal secrets.
pub(super) struct ConfigText(Zeroizing<String>);

/// A reference to a file or a keyring entry, as a profile writes it: `field = { kind = "value" }`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct FieldReference {
    pub(super) field: String,
    pub(super) kind: &'static str,
    pub(super) value: String,
}

impl ConfigText {
    pub(super) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Returns the names of the profiles in the file.
    pub(super) fn profile_names(&self) -> Result<Vec<String>, CommandError> {
        Ok(profiles(&self.parse()?).map(|(name, _)| name.get_ref().to_string()).collect())
    }

    /// Returns whether the file contains this string value.
    #[cfg(feature = "keyring")]
    pub(super) fn contains_string(&self, value: &str) -> bool {
        self.0.contains(toml_string(value).as_str())
    }

    /// Returns the text with this section for the profile: in place of its section, or at the end.
    pub(super) fn with_profile(
        &self,
        name: &str,
        section: &str,
        replaces: bool,
    ) -> Result<Zeroizing<String>, CommandError> {
        let exists = self.profile_names()?.iter().any(|profile| profile == name);
        let text = match (exists, replaces) {
            (true, true) => self.replace_section(name, section)?,
            (true, false) => {
                return Err(usage(
                    "another process has added a profile with this name",
                    "choose another --name",
                ));
            }
            (false, _) => self.append_section(section),
        };
        Config::from_toml(&text).map_err(|_| {
            usage(
                "cannot add a section to this config file",
                "write its profiles as sections: [profiles.NAME]",
            )
        })?;
        Ok(text)
    }

    fn append_section(&self, section: &str) -> Zeroizing<String> {
        let separator = match self.0.as_str() {
            "" => HEADER,
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        concat(&[&self.0, separator, section])
    }

    fn replace_section(
        &self,
        name: &str,
        section: &str,
    ) -> Result<Zeroizing<String>, CommandError> {
        let range = self.section_range(name)?.ok_or_else(|| {
            not_a_section(
                name,
                format!("remove its lines by hand, or choose another --name than {name}"),
            )
        })?;
        let (before, after) = self.around(&range);
        Ok(concat(&[before, section, after]))
    }

    /// Returns the text without a profile's lines, the comments directly above and below them, and
    /// one of the blank lines that separated them from the rest.
    pub(super) fn without_profile(&self, name: &str) -> Result<Zeroizing<String>, CommandError> {
        let own = self.own_range(name)?;
        let (before, after) = self.around(&own);
        // Between two blank lines, the removed lines leave one.
        let blank = match (last_line(before), first_line(after)) {
            (Some(above), None) if is_blank(above) => above.len()..0,
            (Some(above), Some(below)) if is_blank(above) && is_blank(below) => above.len()..0,
            (None, Some(below)) if is_blank(below) => 0..below.len(),
            _ => 0..0,
        };
        let (before, after) = self.around(&(own.start - blank.start..own.end + blank.end));
        let text = concat(&[before, after]);
        match self.has_same_other_profiles(name, &text)? {
            true => Ok(text),
            false => Err(not_a_section(name, "remove its lines by hand")),
        }
    }

    /// Returns a profile's lines, with the comments that `without_profile` removes.
    pub(super) fn profile_lines(&self, name: &str) -> Result<Zeroizing<String>, CommandError> {
        let own = self.own_range(name)?;
        Ok(concat(&[self.0.get(own).unwrap_or_default()]))
    }

    /// Returns the profile's references to files and keyring entries.
    pub(super) fn references(&self, name: &str) -> Result<Vec<FieldReference>, CommandError> {
        let root = self.parse()?;
        let own = profiles(&root).filter(|(key, _)| key.get_ref() == name);
        let mut references: Vec<_> =
            own.flat_map(|(_, value)| references_in(value.get_ref())).collect();
        references.retain(|reference| {
            !reference.field.contains(char::is_control)
                && !reference.value.contains(char::is_control)
        });
        Ok(references)
    }

    /// Returns the name of another profile with a matching reference, in any field.
    pub(super) fn other_profile_with(
        &self,
        name: &str,
        matches: impl Fn(&FieldReference) -> bool,
    ) -> Result<Option<String>, CommandError> {
        let root = self.parse()?;
        let mut others = profiles(&root).filter(|(key, _)| key.get_ref() != name);
        let found =
            others.find(|(_, value)| references_in(value.get_ref()).any(|found| matches(&found)));
        Ok(found.map(|(key, _)| key.get_ref().to_string()))
    }

    /// Returns the lines from a profile's header to its last key, if they begin with a header and
    /// contain no key of another profile.
    fn section_range(&self, name: &str) -> Result<Option<Range<usize>>, CommandError> {
        let root = self.parse()?;
        let Some(lines) = self.key_lines(&root, name) else { return Ok(None) };
        let text = self.0.get(lines.clone()).unwrap_or_default();
        let mut others = profiles(&root).filter(|(key, _)| key.get_ref() != name);
        let is_alone = others.all(|(key, value)| {
            let end = end_of(value.get_ref(), key.span().end);
            end <= lines.start || key.span().start >= lines.end
        });
        Ok((text.trim_start().starts_with('[') && is_alone).then_some(lines))
    }

    /// Returns the lines from the first that names a profile to its last key.
    fn key_lines(&self, root: &DeTable<'_>, name: &str) -> Option<Range<usize>> {
        let (key, value) = profiles(root).find(|(key, _)| key.get_ref() == name)?;
        let start = self.0.get(..key.span().start).and_then(|text| text.rfind('\n'));
        let last = end_of(value.get_ref(), key.span().end);
        let end = self.0.get(last..).and_then(|text| text.find('\n'));
        let end = end.map_or(self.0.len(), |newline| last + newline + 1);
        Some(start.map_or(0, |newline| newline + 1)..end)
    }

    /// Returns a profile's lines with the comments directly above the first and below the last.
    fn own_range(&self, name: &str) -> Result<Range<usize>, CommandError> {
        let root = self.parse()?;
        let Range { mut start, mut end } = self.key_lines(&root, name).unwrap_or_default();
        // A line above that looks like a comment may be the end of a multi-line string.
        let value_end = last_end_before(&root, start);
        while let Some(line) = last_line(self.around(&(start..end)).0)
            && is_comment(line)
            && start - line.len() >= value_end
        {
            start -= line.len();
        }
        let keys_end = end;
        while let Some(line) = first_line(self.around(&(start..end)).1)
            && is_comment(line)
        {
            end += line.len();
        }
        // Comments directly above another section belong to that section.
        match first_line(self.around(&(start..end)).1) {
            Some(line) if !is_blank(line) => Ok(start..keys_end),
            _ => Ok(start..end),
        }
    }

    /// Returns whether another text has the same profiles apart from this one.
    fn has_same_other_profiles(&self, name: &str, text: &str) -> Result<bool, CommandError> {
        let (Ok(other), root) = (DeTable::parse(text), self.parse()?) else { return Ok(false) };
        let mut after = profiles(other.get_ref());
        let mut before = profiles(&root).filter(|(key, _)| key.get_ref() != name);
        let are_same = before.all(|(key, value)| {
            after.next().is_some_and(|(other, other_value)| {
                other == key && is_same(other_value.get_ref(), value.get_ref())
            })
        });
        Ok(are_same && after.next().is_none())
    }

    fn parse(&self) -> Result<DeTable<'_>, CommandError> {
        DeTable::parse(&self.0).map(Spanned::into_inner).map_err(|_| {
            usage("the config file is not valid TOML", Hint::gatepass("show the line", ["list"]))
        })
    }

    fn around(&self, range: &Range<usize>) -> (&str, &str) {
        let (before, after) = (self.0.get(..range.start), self.0.get(range.end..));
        (before.unwrap_or_default(), after.unwrap_or_default())
    }
}

/// Returns a string as TOML writes it, with its quotation marks.
pub(super) fn toml_string(text: &str) -> Zeroizing<String> {
    // An escaped character takes ten bytes at most.
    let mut quoted = Zeroizing::new(String::with_capacity(2 + text.len() * 10));
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => *quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns a profile's name as a TOML key.
pub(super) fn toml_key(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

/// Concatenates strings into one that is allocated once.
pub(super) fn concat(pieces: &[&str]) -> Zeroizing<String> {
    let mut text = String::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    text.extend(pieces.iter().copied());
    Zeroizing::new(text)
}

type NamedValue<'a, 'i> = (&'a Spanned<Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

fn profiles<'a, 'i>(root: &'a DeTable<'i>) -> impl Iterator<Item = NamedValue<'a, 'i>> {
    let profiles = root.get("profiles").and_then(|value| value.get_ref().as_table());
    profiles.into_iter().flatten()
}

/// Returns a profile's references. A literal secret is not one: its value must not be looked for as
/// a file's name.
fn references_in(profile: &DeValue<'_>) -> impl Iterator<Item = FieldReference> {
    let fields = profile.as_table().into_iter().flatten();
    fields.flat_map(|(field, value)| {
        let keys = value.get_ref().as_table().into_iter().flatten();
        keys.filter_map(|(key, value)| {
            let kind = ["file", "keyring"].into_iter().find(|kind| key.get_ref() == kind)?;
            let value = value.get_ref().as_str()?.to_owned();
            Some(FieldReference { field: field.get_ref().to_string(), kind, value })
        })
    })
}

/// Returns where the last key or value of a table ends, or `end` if it has none.
fn end_of(value: &DeValue<'_>, end: usize) -> usize {
    let DeValue::Table(table) = value else { return end };
    table.iter().fold(end, |end, (key, value)| {
        let end = end.max(key.span().end).max(value.span().end);
        end_of(value.get_ref(), end)
    })
}

/// Returns where the last key or value ends that ends at or before `limit`.
fn last_end_before(table: &DeTable<'_>, limit: usize) -> usize {
    let ends = table.iter().flat_map(|(key, value)| {
        let inner = value.get_ref().as_table().map_or(0, |table| last_end_before(table, limit));
        [key.span().end, value.span().end, inner]
    });
    ends.filter(|end| *end <= limit).max().unwrap_or_default()
}

/// Compares values. `DeValue` has no `PartialEq`, and `toml::Value` would copy the secrets.
fn is_same(one: &DeValue<'_>, other: &DeValue<'_>) -> bool {
    match (one, other) {
        (DeValue::String(one), DeValue::String(other)) => one == other,
        (DeValue::Boolean(one), DeValue::Boolean(other)) => one == other,
        (DeValue::Integer(one), DeValue::Integer(other)) => one.as_str() == other.as_str(),
        (DeValue::Float(one), DeValue::Float(other)) => one.as_str() == other.as_str(),
        (DeValue::Datetime(one), DeValue::Datetime(other)) => one == other,
        (DeValue::Array(one), DeValue::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other.iter()).all(|(a, b)| is_same(a.get_ref(), b.get_ref()))
        }
        (DeValue::Table(one), DeValue::Table(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other.iter())
                    .all(|((key, a), (other, b))| key == other && is_same(a.get_ref(), b.get_ref()))
        }
        _ => false,
    }
}

fn first_line(text: &str) -> Option<&str> {
    text.split_inclusive('\n').next()
}

fn last_line(text: &str) -> Option<&str> {
    text.split_inclusive('\n').next_back()
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn not_a_section(name: &str, hint: impl Into<Hint>) -> CommandError {
    usage(format!("profile {name} is not a single section of the config file"), hint)
}

const HEADER: &str =
    "# Profiles of gatepass. `gatepass providers` lists the keys of each vendor.\n\n";
