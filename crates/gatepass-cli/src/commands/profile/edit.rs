//! The config file as text: a section more, less, or another in its place, and every other byte as
//! it was.

mod without;

use std::borrow::Cow;
use std::ops::Range;

use gatepass::Config;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

pub(super) use self::without::Reference;
use crate::error::{CommandError, usage};

/// The text of a config file, which may hold literal secrets.
pub(super) struct Document(Zeroizing<String>);

impl Document {
    pub(super) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The names of the profiles in it.
    pub(super) fn names(&self) -> Result<Vec<String>, CommandError> {
        Ok(profiles(&self.root()?).map(|(name, _)| name.get_ref().to_string()).collect())
    }

    /// Whether a value like this stands in it.
    #[cfg(feature = "keyring")]
    pub(super) fn mentions(&self, text: &str) -> bool {
        self.0.contains(quoted(text).as_str())
    }

    /// The text with this section as the profile's own: behind all others, or in the place of the
    /// one that there is.
    pub(super) fn with_profile(
        &self,
        name: &str,
        section: &str,
        replaces: bool,
    ) -> Result<Zeroizing<String>, CommandError> {
        let text = match (self.names()?.iter().any(|it| it == name), replaces) {
            (true, true) => self.with_instead(name, section)?,
            (true, false) => {
                return Err(usage(
                    "somebody has written a profile of that name meanwhile",
                    "choose another --name",
                ));
            }
            (false, _) => self.with(section),
        };
        Config::from_toml(&text).map_err(|_| {
            usage(
                "no section can be added to the config file as it is written",
                "write its profiles as sections: [profiles.NAME]",
            )
        })?;
        Ok(text)
    }

    /// The text with this section behind all others.
    fn with(&self, section: &str) -> Zeroizing<String> {
        let gap = match self.0.as_str() {
            "" => HEADER,
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        joined(&[&self.0, gap, section])
    }

    /// The text with this section in place of the profile's own. `Config` where the profile is not
    /// written as one section.
    fn with_instead(&self, name: &str, section: &str) -> Result<Zeroizing<String>, CommandError> {
        let range = self.section(name)?.ok_or_else(|| {
            usage(
                format!("profile {name} is not one section of the config file"),
                format!("take its lines out by hand, or choose another name than {name}"),
            )
        })?;
        let (before, after) = (self.0.get(..range.start), self.0.get(range.end..));
        Ok(joined(&[before.unwrap_or_default(), section, after.unwrap_or_default()]))
    }

    /// The lines from a profile's header to the last of its keys, if nobody else's are among them.
    fn section(&self, name: &str) -> Result<Option<Range<usize>>, CommandError> {
        let root = self.root()?;
        let Some(lines) = self.lines(&root, name) else { return Ok(None) };
        let first = self.0.get(lines.clone()).unwrap_or_default();
        let others = profiles(&root).filter(|(key, _)| key.get_ref() != name);
        let is_alone = others.into_iter().all(|(key, value)| {
            let far = end_of(value.get_ref(), key.span().end);
            far <= lines.start || key.span().start >= lines.end
        });
        Ok((first.trim_start().starts_with('[') && is_alone).then_some(lines))
    }

    /// The lines from the first that names a profile to the last of its keys.
    fn lines(&self, root: &DeTable<'_>, name: &str) -> Option<Range<usize>> {
        let (key, value) = profiles(root).find(|(key, _)| key.get_ref() == name)?;
        let start = self.0.get(..key.span().start).and_then(|text| text.rfind('\n'));
        let last = end_of(value.get_ref(), key.span().end);
        let end = self.0.get(last..).and_then(|text| text.find('\n'));
        let end = end.map_or(self.0.len(), |newline| last + newline + 1);
        Some(start.map_or(0, |newline| newline + 1)..end)
    }

    fn root(&self) -> Result<DeTable<'_>, CommandError> {
        DeTable::parse(&self.0).map(Spanned::into_inner).map_err(|_| no_toml())
    }
}

/// The profiles of a file, each with its name.
fn profiles<'a, 'i>(root: &'a DeTable<'i>) -> impl Iterator<Item = Named<'a, 'i>> {
    let profiles = root.get("profiles").and_then(|it| it.get_ref().as_table());
    profiles.into_iter().flatten()
}

type Named<'a, 'i> = (&'a Spanned<Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

/// Where the last key or value of a table ends.
fn end_of(value: &DeValue<'_>, so_far: usize) -> usize {
    let DeValue::Table(table) = value else { return so_far };
    table.iter().fold(so_far, |end, (key, value)| {
        let end = end.max(key.span().end).max(value.span().end);
        end_of(value.get_ref(), end)
    })
}

/// The pieces in one text that never grew, since growing would leave copies of a secret behind.
pub(super) fn joined(pieces: &[&str]) -> Zeroizing<String> {
    let mut text = String::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    text.extend(pieces.iter().copied());
    Zeroizing::new(text)
}

fn no_toml() -> CommandError {
    usage("the config file is not valid TOML", "`gatepass list` says where it is wrong")
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> Zeroizing<String> {
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

/// A profile's name as a key of TOML.
pub(super) fn key(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

const HEADER: &str =
    "# Profiles of gatepass. `gatepass providers` lists every key of each vendor.\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::new(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn a_section_is_added_behind_every_byte_that_was_there() {
        for text in ["# mine\r\n[profiles.a]\r\nx = 1 # one\r\n", "[profiles.a]\nx = 1", "\n"] {
            let added = document(text).with("[profiles.b]\n");
            assert!(added.starts_with(text) && added.ends_with("\n\n[profiles.b]\n"), "{added:?}");
        }
        assert_eq!(*document("").with("[profiles.b]\n"), format!("{HEADER}[profiles.b]\n"));
    }

    #[test]
    fn a_section_takes_the_place_of_another_and_of_nothing_else() {
        let text = "# first\n[profiles.a]\nx = [\n  \"[no]\", # kept? no\n]\n\
                    [profiles.a.secret]\nfile = \"f\"\n# about b\n\n[profiles.\"b.c\"]\ny = 2\n";
        let replaced = document(text).with_instead("a", "NEW\n").unwrap();
        assert_eq!(*replaced, "# first\nNEW\n# about b\n\n[profiles.\"b.c\"]\ny = 2\n");
        let replaced = document(text).with_instead("b.c", "NEW\n").unwrap();
        assert!(replaced.ends_with("# about b\n\nNEW\n"), "{replaced:?}");
    }

    #[test]
    fn a_profile_that_is_no_section_of_its_own_is_left_to_its_owner() {
        for text in [
            "profiles.a.x = 1\n",
            "profiles = { a = { x = 1 } }\n",
            "[profiles]\na = { x = 1 }\n",
            "[profiles.a]\nx = 1\n[profiles.b]\ny = 2\n[profiles.a.z]\nfile = \"f\"\n",
        ] {
            assert!(document(text).with_instead("a", "").is_err(), "{text}");
        }
    }

    #[test]
    fn any_text_comes_back_as_it_was_written() {
        for text in ["a", "", "\"\\\n\t\u{7f}\u{0}\u{85} ä€𝄞'#"] {
            let line = format!("x = {}", *quoted(text));
            let table: toml::Table = toml::from_str(&line).unwrap();
            assert_eq!(table["x"].as_str(), Some(text), "{line}");
        }
    }
}
