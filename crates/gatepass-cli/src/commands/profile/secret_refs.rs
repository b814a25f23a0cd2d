//! The stored secrets that a profile refers to, and which of them belong to it alone.

use std::fs;
use std::path::{Path, PathBuf};

use gatepass::cli_support::BoundSecret;
use gatepass::config::Env;

use super::config_file::ConfigFile;
use super::edit::{ConfigText, FieldReference};
use crate::error::{CommandError, usage};

/// A stored secret that a profile refers to.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SecretRef {
    pub(super) field: String,
    location: SecretLocation,
    /// The reason why the secret is kept when the profile is removed, if there is one.
    pub(super) keep_reason: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
enum SecretLocation {
    File(PathBuf),
    Keyring(String),
}

impl SecretRef {
    /// Finds the secrets that a profile refers to. A secret is kept if it is not where
    /// `profile add` stores the profile's secrets, or if another profile or variable refers to it.
    /// The keyring is not read.
    pub(super) fn all(
        config: &ConfigText,
        file: &ConfigFile,
        name: &str,
        variables: &[(String, PathBuf)],
    ) -> Result<Vec<Self>, CommandError> {
        let mut all = Vec::new();
        for FieldReference { field, kind, value } in config.references(name)? {
            let (location, is_own, other) = if kind == "file" {
                let path = file.sibling(&value);
                // The secret is already gone.
                let Ok(real) = path.canonicalize() else { continue };
                let is_same = |path: &Path| path.canonicalize().is_ok_and(|path| path == real);
                let own = file.sibling(&format!("{name}.{field}"));
                let is_own =
                    is_regular_file(&own) && is_regular_file(&origins_path(&own)) && is_same(&own);
                let matches = |other: &FieldReference| {
                    other.kind == "file" && is_same(&file.sibling(&other.value))
                };
                let profile = config.other_profile_with(name, matches)?;
                let variable = || variables.iter().find(|(_, path)| is_same(path));
                let other = profile
                    .map(|name| format!("profile {name}"))
                    .or_else(|| Some(variable()?.0.clone()));
                (SecretLocation::File(if is_own { own } else { path }), is_own, other)
            } else {
                let matches =
                    |other: &FieldReference| other.kind == "keyring" && other.value == value;
                let profile = config.other_profile_with(name, matches)?;
                let is_own = is_entry_of(&value, name, &field);
                let other = profile.map(|name| format!("profile {name}"));
                (SecretLocation::Keyring(value), is_own, other)
            };
            let keep_reason = match other {
                _ if !is_own => Some(NOT_STORED_BY_GATEPASS.to_owned()),
                Some(other) => Some(format!("{other} refers to it as well")),
                None => None,
            };
            all.push(Self { field, location, keep_reason });
        }
        Ok(all)
    }

    /// Keeps a keyring entry that gatepass did not store. The keyring may ask for its password.
    pub(super) fn check_keyring(mut self) -> Self {
        if let (SecretLocation::Keyring(entry), None) = (&self.location, &self.keep_reason) {
            self.keep_reason = match is_bound(entry) {
                Ok(true) => None,
                Ok(false) => Some(NOT_STORED_BY_GATEPASS.to_owned()),
                Err(error) => Some(error.message()),
            };
        }
        self
    }

    /// Describes where the secret is stored.
    pub(super) fn describe(&self) -> String {
        match &self.location {
            SecretLocation::File(path) => path.display().to_string(),
            SecretLocation::Keyring(entry) => format!("the keyring entry {entry}"),
        }
    }

    /// Deletes the secret, and then its origins, so that the secret is never stored unbound.
    pub(super) fn delete(&self) -> Result<(), CommandError> {
        match &self.location {
            SecretLocation::File(path) => {
                for path in [path, &origins_path(path)] {
                    fs::remove_file(path).map_err(|error| {
                        usage(
                            format!("{} cannot be removed: {}", path.display(), error.kind()),
                            "the profile is removed; remove this file by hand",
                        )
                    })?;
                }
                Ok(())
            }
            SecretLocation::Keyring(entry) => delete_entry(entry).map_err(|error| {
                error.hint(format!("the profile is removed; delete {entry} by hand"))
            }),
        }
    }
}

/// Returns the files that variables name, from which profiles of the environment read secrets.
pub(super) fn files_of_variables(env: &Env, variables: Vec<String>) -> Vec<(String, PathBuf)> {
    let files = variables.into_iter().filter(|name| name.ends_with("_FILE"));
    files.filter_map(|name| env.get(&name).map(|path| (name, PathBuf::from(path)))).collect()
}

/// Returns whether a path is a regular file and not a link: gatepass writes no links.
fn is_regular_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

fn origins_path(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(BoundSecret::SUFFIX);
    path.into()
}

/// Returns whether `profile add` may have chosen this entry for a profile: `gatepass/NAME/FIELD`,
/// or with NAME-2, NAME-3 and so on.
fn is_entry_of(entry: &str, name: &str, field: &str) -> bool {
    let owner = entry.strip_prefix("gatepass/").and_then(|rest| rest.strip_suffix(field));
    let owner = owner.and_then(|rest| rest.strip_suffix('/'));
    let suffix = owner.and_then(|owner| owner.strip_prefix(name));
    match suffix.map(|suffix| suffix.strip_prefix('-').ok_or(suffix)) {
        Some(Err(suffix)) => suffix.is_empty(),
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
    Err(usage("this build has no keyring support", "use a build with the feature `keyring`"))
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

const NOT_STORED_BY_GATEPASS: &str = "gatepass did not store it for this profile";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_belongs_to_profile_by_its_whole_name() {
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
