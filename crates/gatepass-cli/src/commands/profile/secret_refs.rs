//! The secrets that gatepass has stored for a profile, found by what its config refers to.

use std::fs;
use std::path::{Path, PathBuf};

use gatepass::{BoundSecret, Env};

use super::config_file::Place;
use super::edit::{Document, Reference};
use crate::error::{CommandError, usage};

/// A secret that a profile refers to.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Referred {
    pub(super) field: String,
    home: Home,
    /// Why it stays when the profile goes, if it does.
    pub(super) stays: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
enum Home {
    File(PathBuf),
    Keyring(String),
}

impl Referred {
    /// What a profile refers to. What is not at the place that `profile add` chooses for it stays,
    /// and so does what somebody else refers to. No keyring is asked.
    pub(super) fn all(
        document: &Document,
        place: &Place,
        name: &str,
        variables: &[(String, PathBuf)],
    ) -> Result<Vec<Self>, CommandError> {
        let mut all = Vec::new();
        for Reference { field, kind, text } in document.references(name)? {
            let (home, is_own, other) = if kind == "file" {
                let path = place.beside(&text);
                // What is not there cannot go.
                let Ok(real) = path.canonicalize() else { continue };
                let is_it = |path: &Path| path.canonicalize().is_ok_and(|path| path == real);
                let own = place.beside(&format!("{name}.{field}"));
                let is_own = is_plain(&own) && is_plain(&of_origins(&own)) && is_it(&own);
                let is_said = |it: &Reference| it.kind == "file" && is_it(&place.beside(&it.text));
                let other = document.other_with(name, is_said)?;
                let variable = || variables.iter().find(|(_, path)| is_it(path));
                let other = other.map(|name| format!("profile {name}"));
                (
                    Home::File(if is_own { own } else { path }),
                    is_own,
                    other.or_else(|| Some(variable()?.0.clone())),
                )
            } else {
                let is_said = |it: &Reference| it.kind == "keyring" && it.text == text;
                let other = document.other_with(name, is_said)?;
                let is_own = is_entry_of(&text, name, &field);
                (Home::Keyring(text), is_own, other.map(|name| format!("profile {name}")))
            };
            let stays = match other {
                _ if !is_own => Some(NOT_OURS.to_owned()),
                Some(other) => Some(format!("{other} refers to it, too")),
                None => None,
            };
            all.push(Self { field, home, stays });
        }
        Ok(all)
    }

    /// Asks the keyring whether what it has was stored by gatepass. It may ask for its password.
    pub(super) fn ask_keyring(mut self) -> Self {
        if let (Home::Keyring(entry), None) = (&self.home, &self.stays) {
            self.stays = match is_bound(entry) {
                Ok(true) => None,
                Ok(false) => Some(NOT_OURS.to_owned()),
                Err(failure) => Some(failure.message()),
            };
        }
        self
    }

    /// Where it is, in words.
    pub(super) fn shown(&self) -> String {
        match &self.home {
            Home::File(path) => path.display().to_string(),
            Home::Keyring(entry) => format!("the keyring's {entry}"),
        }
    }

    /// Deletes it, and then its origins: never is it without them.
    pub(super) fn delete(&self) -> Result<(), CommandError> {
        match &self.home {
            Home::File(path) => {
                for path in [path, &of_origins(path)] {
                    fs::remove_file(path).map_err(|error| {
                        usage(
                            format!("{} cannot be removed: {}", path.display(), error.kind()),
                            "the profile is removed; take that file away by hand",
                        )
                    })?;
                }
                Ok(())
            }
            Home::Keyring(entry) => delete_entry(entry).map_err(|failure| {
                failure.and_hint(&format!("the profile is removed; delete {entry} by hand"))
            }),
        }
    }
}

/// The files that variables name, which a profile of the environment may read.
pub(super) fn files_of_variables(env: &Env, variables: Vec<String>) -> Vec<(String, PathBuf)> {
    let files = variables.into_iter().filter(|name| name.ends_with("_FILE"));
    files.filter_map(|name| env.get(&name).map(|path| (name, PathBuf::from(path)))).collect()
}

/// Whether it is a file itself and no link to one: gatepass writes no links.
fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

fn of_origins(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(BoundSecret::SUFFIX);
    path.into()
}

/// Whether `profile add` may have chosen this entry: `gatepass/NAME/FIELD`, or NAME-2, NAME-3 …
fn is_entry_of(entry: &str, name: &str, field: &str) -> bool {
    let own = entry.strip_prefix("gatepass/").and_then(|rest| rest.strip_suffix(field));
    let own = own.and_then(|rest| rest.strip_suffix('/'));
    let number = own.and_then(|own| own.strip_prefix(name));
    match number.map(|number| number.strip_prefix('-').ok_or(number)) {
        Some(Err(none)) => none.is_empty(),
        Some(Ok(digits)) => digits.parse::<u32>().is_ok_and(|n| n.to_string() == digits && n > 1),
        None => false,
    }
}

#[cfg(feature = "keyring")]
fn is_bound(entry: &str) -> Result<bool, CommandError> {
    let origins = gatepass::keyring::find(&format!("{entry}{}", BoundSecret::SUFFIX))?;
    Ok(origins.is_some())
}

#[cfg(not(feature = "keyring"))]
fn is_bound(_: &str) -> Result<bool, CommandError> {
    Err(usage("this build has no keyring", "use one that has"))
}

#[cfg(feature = "keyring")]
fn delete_entry(entry: &str) -> Result<(), CommandError> {
    gatepass::keyring::delete(entry)?;
    gatepass::keyring::delete(&format!("{entry}{}", BoundSecret::SUFFIX))?;
    Ok(())
}

#[cfg(not(feature = "keyring"))]
fn delete_entry(entry: &str) -> Result<(), CommandError> {
    is_bound(entry).map(drop)
}

const NOT_OURS: &str = "gatepass did not store it for this profile";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_profiles_by_its_whole_name() {
        let is_labs = |entry| is_entry_of(entry, "lab", "client_secret");
        for own in ["gatepass/lab/client_secret", "gatepass/lab-2/client_secret"] {
            assert!(is_labs(own), "{own}");
        }
        for other in [
            "gatepass/lab/client_secret.origins",
            "gatepass/lab2/client_secret",
            "gatepass/lab-1/client_secret",
            "gatepass/lab-02/client_secret",
            "gatepass/lab-b/client_secret",
            "gatepass/lab/subscription_key",
            "gatepass/labclient_secret",
            "lab/client_secret",
            "acme/lab/client_secret",
        ] {
            assert!(!is_labs(other), "{other}");
        }
    }
}
