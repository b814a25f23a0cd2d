//! A profile's lines taken out of the config's text, and what they refer to.

use std::ops::Range;

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::{Document, joined, profiles};
use crate::error::{CommandError, usage};

/// A secret's place as a profile names it: `field = { kind = "text" }`.
#[derive(Clone, PartialEq, Eq)]
pub(in super::super) struct Reference {
    pub(in super::super) field: String,
    pub(in super::super) kind: &'static str,
    pub(in super::super) text: String,
}

impl Document {
    /// What a profile says, as it is written: its lines, and the comments that belong to it.
    pub(in super::super) fn written(&self, name: &str) -> Result<Zeroizing<String>, CommandError> {
        let own = self.own_lines(name)?;
        Ok(joined(&[self.0.get(own).unwrap_or_default()]))
    }

    /// The text without a profile's lines, the comments directly above and behind them, and one
    /// blank line that set them apart.
    pub(in super::super) fn without_profile(
        &self,
        name: &str,
    ) -> Result<Zeroizing<String>, CommandError> {
        let own = self.own_lines(name)?;
        let (before, after) = self.around(&own);
        // What stood between two gaps leaves one.
        let gap = match (last_line(before), first_line(after)) {
            (Some(above), None) if is_blank(above) => above.len()..0,
            (Some(above), Some(below)) if is_blank(above) && is_blank(below) => above.len()..0,
            (None, Some(below)) if is_blank(below) => 0..below.len(),
            _ => 0..0,
        };
        let (before, after) = self.around(&(own.start - gap.start..own.end + gap.end));
        let text = joined(&[before, after]);
        if self.differs_by(name, &text)? {
            return Ok(text);
        }
        Err(usage(
            format!("profile {name} is not one section of the config file"),
            "take its lines out by hand",
        ))
    }

    /// Whether another text has every profile but this one, and each as it is here.
    fn differs_by(&self, name: &str, text: &str) -> Result<bool, CommandError> {
        let (Ok(other), here) = (DeTable::parse(text), self.root()?) else { return Ok(false) };
        let mut now = profiles(other.get_ref());
        let mut here = profiles(&here).filter(|(key, _)| key.get_ref() != name);
        let are_kept = here.all(|(key, value)| {
            now.next()
                .is_some_and(|(other, now)| other == key && is_same(now.get_ref(), value.get_ref()))
        });
        Ok(are_kept && now.next().is_none())
    }

    /// What a profile refers to with a file or the keyring.
    pub(in super::super) fn references(&self, name: &str) -> Result<Vec<Reference>, CommandError> {
        let root = self.root()?;
        let own = profiles(&root).filter(|(key, _)| key.get_ref() == name);
        let mut references: Vec<_> =
            own.flat_map(|(_, value)| references_in(value.get_ref())).collect();
        references
            .retain(|it| ![&it.field, &it.text].iter().any(|text| text.contains(char::is_control)));
        Ok(references)
    }

    /// Another profile that refers to such a place, in whichever field.
    pub(in super::super) fn other_with(
        &self,
        name: &str,
        is_it: impl Fn(&Reference) -> bool,
    ) -> Result<Option<String>, CommandError> {
        let root = self.root()?;
        let mut others = profiles(&root).filter(|(key, _)| key.get_ref() != name);
        let found = others.find(|(_, value)| references_in(value.get_ref()).any(|it| is_it(&it)));
        Ok(found.map(|(key, _)| key.get_ref().to_string()))
    }

    /// A profile's lines, with the comments directly above its first and directly behind its last.
    fn own_lines(&self, name: &str) -> Result<Range<usize>, CommandError> {
        let root = self.root()?;
        let Range { mut start, mut end } = self.lines(&root, name).unwrap_or_default();
        // A line that looks like a comment may be the end of a text before it.
        let floor = last_end(&root, start);
        while let Some(line) = last_line(self.around(&(start..end)).0)
            && is_comment(line)
            && start - line.len() >= floor
        {
            start -= line.len();
        }
        let behind = end;
        while let Some(line) = first_line(self.around(&(start..end)).1)
            && is_comment(line)
        {
            end += line.len();
        }
        // Directly above what comes next, they are that one's.
        match first_line(self.around(&(start..end)).1) {
            Some(line) if !is_blank(line) => Ok(start..behind),
            _ => Ok(start..end),
        }
    }

    fn around(&self, range: &Range<usize>) -> (&str, &str) {
        let (before, after) = (self.0.get(..range.start), self.0.get(range.end..));
        (before.unwrap_or_default(), after.unwrap_or_default())
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

/// Where the last of a table's keys and values ends that stands before this.
fn last_end(table: &DeTable<'_>, before: usize) -> usize {
    let ends = table.iter().flat_map(|(key, value)| {
        let inner = value.get_ref().as_table().map_or(0, |table| last_end(table, before));
        [key.span().end, value.span().end, inner]
    });
    ends.filter(|end| *end <= before).max().unwrap_or_default()
}

/// A literal secret is none: nothing looks for a file of its name.
fn references_in(profile: &DeValue<'_>) -> impl Iterator<Item = Reference> {
    let fields = profile.as_table().into_iter().flatten();
    fields.flat_map(|(field, value)| {
        let keys = value.get_ref().as_table().into_iter().flatten();
        keys.filter_map(|(kind, text)| {
            let kind = ["file", "keyring"].into_iter().find(|it| kind.get_ref() == it)?;
            let (field, text) = (field.get_ref().to_string(), text.get_ref().as_str()?.to_owned());
            Some(Reference { field, kind, text })
        })
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str, name: &str) -> Result<String, CommandError> {
        let text = Document::new(Zeroizing::new(text.to_owned())).without_profile(name);
        text.map(|text| text.to_string())
    }

    #[test]
    fn a_profile_goes_with_its_comments_and_every_other_byte_stays() {
        let text = "# mine\r\n\r\n# of a\r\n  # more of a\r\n[profiles.a]\r\n# in a\r\nx = 1 # so\r\n\
                    \n# also in a\r\n[profiles.a.s]\r\nfile = 'f'\r\n# the last of a\r\n\r\n\
                    # stands alone\n\n# of b\n[profiles.b]\ny = 2\n# of c\n[profiles.'c.d']\nz = 3";
        let a = "# mine\r\n\r\n# stands alone\n\n# of b\n[profiles.b]\ny = 2\n# of c\n\
                 [profiles.'c.d']\nz = 3";
        assert_eq!(without(text, "a").unwrap(), a);
        let b = "# mine\r\n\r\n# stands alone\n\n# of c\n[profiles.'c.d']\nz = 3";
        assert_eq!(without(a, "b").unwrap(), b);
        assert_eq!(without(b, "c.d").unwrap(), "# mine\r\n\r\n# stands alone\n");
    }

    #[test]
    fn what_was_added_and_removed_again_leaves_the_text_as_it_was() {
        for text in ["# mine\n", "[profiles.a]\nx = 1\n", "[profiles.a]\n# a\n\n\n", "# mine\n\n"] {
            let document = Document::new(Zeroizing::new(text.to_owned()));
            let added = document.with_profile("b", "[profiles.b]\n# b\nx = 1\n", false).unwrap();
            assert_ne!(*added, text);
            assert_eq!(without(&added, "b").unwrap(), text);
        }
    }

    #[test]
    fn the_end_of_a_text_is_no_comment_of_the_next_profile() {
        let first = "[profiles.a]\nx = \"\"\"\n# not one\n# nor this\"\"\"\n";
        let text = format!("{first}[profiles.b]\ny = 1\n");
        assert_eq!(without(&text, "b").unwrap(), first);
        let inner = "[profiles.a]\nx = '''\n[profiles.b]\n# b\n'''\n";
        let text = format!("{inner}\n[profiles.b]\ny = 1\n");
        assert_eq!(without(&text, "b").unwrap(), inner);
    }

    #[test]
    fn however_it_is_written_it_goes_alone_or_not_at_all() {
        let others = "[profiles]\nb = { y = 2 }\n";
        assert_eq!(without("[profiles]\na = { x = 1 }\nb = { y = 2 }\n", "a").unwrap(), others);
        assert_eq!(without("profiles.a.x = 1\nprofiles.a.y = 2\n", "a").unwrap(), "");
        for text in [
            "profiles = { a = { x = 1 }, b = { y = 2 } }\n",
            "[profiles.a]\nx = 1\n[profiles.b]\ny = 2\n[profiles.a.z]\nfile = \"f\"\n",
            "profiles.a.x = 1\nprofiles.b.y = 2\nprofiles.a.y = 2\n",
        ] {
            assert!(without(text, "a").is_err(), "{text}");
        }
    }
}
