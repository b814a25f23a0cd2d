//! The version in the manifests and lock files.
//!
//! cargo-edit's `cargo set-version` writes the manifests of one workspace. The lock files of both
//! workspaces, this one and `fuzz/`, would still need toml_edit, which does the manifest as well.

use semver::Version;
use toml_edit::{DocumentMut, Item, TableLike, value};

use crate::error::{Error, Result};

/// Returns the root's Cargo.toml with another version of all packages, and in their dependencies on each
/// other.
pub(super) fn raised(manifest: &str, version: &Version) -> Result<String> {
    let mut document = read(manifest, "Cargo.toml")?;
    let workspace = document.get_mut("workspace").and_then(Item::as_table_like_mut);
    let workspace = workspace.ok_or_else(|| no("Cargo.toml has no workspace"))?;
    let package = workspace.get_mut("package").and_then(Item::as_table_like_mut);
    let package = package.ok_or_else(|| no("Cargo.toml has no workspace.package"))?;
    set(package, version, "workspace.package")?;
    let needed = workspace.get_mut("dependencies").and_then(Item::as_table_like_mut);
    for (name, item) in needed.into_iter().flat_map(TableLike::iter_mut) {
        let ours = item.as_table_like_mut().filter(|item| item.contains_key("path"));
        ours.map_or(Ok(()), |ours| set(ours, version, &name))?;
    }
    Ok(document.to_string())
}

/// Returns a lock file with another version of our packages, which are the ones without a source.
pub(super) fn raised_lock(lock: &str, from: &Version, to: &Version) -> Result<String> {
    let mut document = read(lock, "Cargo.lock")?;
    let packages = document.get_mut("package").and_then(Item::as_array_of_tables_mut);
    let packages = packages.ok_or_else(|| no("Cargo.lock has no packages"))?;
    let (from, to) = (from.to_string(), to.to_string());
    for package in packages.iter_mut().filter(|package| !package.contains_key("source")) {
        if package.get("version").and_then(Item::as_str) == Some(from.as_str()) {
            package["version"] = value(to.as_str());
        }
    }
    Ok(document.to_string())
}

/// Returns the version that a Cargo.toml states for all packages.
pub(super) fn version(manifest: &str) -> Result<Version> {
    let document = read(manifest, "Cargo.toml")?;
    let workspace = document.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = workspace.and_then(|package| package.get("version")).and_then(Item::as_str);
    super::version::read(version.ok_or_else(|| no("Cargo.toml has no workspace.package.version"))?)
}

/// Returns our crates for which the manifest does not name `registry`.
pub(super) fn from_elsewhere(manifest: &str, registry: &str) -> Result<Vec<String>> {
    let document = read(manifest, "Cargo.toml")?;
    let needed = document.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let needed = needed.and_then(Item::as_table_like);
    let text = |item: &Item, key: &str| Some(item.get(key)?.as_str()?.to_owned());
    Ok(needed
        .into_iter()
        .flat_map(TableLike::iter)
        .filter(|(_, item)| text(item, "path").is_some())
        .filter(|(_, item)| text(item, "registry").as_deref() != Some(registry))
        .map(|(name, _)| name.to_owned())
        .collect())
}

fn set(table: &mut dyn TableLike, version: &Version, of: &str) -> Result<()> {
    let item = table.get_mut("version").filter(|item| item.is_str());
    let item = item.ok_or_else(|| no(format!("{of} has no version in Cargo.toml")))?;
    // Keep the blanks and comments around the value.
    let decor = item.as_value().map(|old| old.decor().clone()).unwrap_or_default();
    *item = value(version.to_string());
    if let Some(new) = item.as_value_mut() {
        *new.decor_mut() = decor;
    }
    Ok(())
}

fn read(text: &str, name: &str) -> Result<DocumentMut> {
    text.parse().map_err(|_| no(format!("{name} is not TOML")))
}

fn no(message: impl Into<String>) -> Error {
    Error::failed(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    const MANIFEST: &str = "\
# ours
[workspace.package]
version = \"0.1.0\" # one for all
rust-version = \"0.1.0\"

[workspace.dependencies]
core = { version = \"0.1.0\", path = \"crates/core\" }
other = { version = \"0.1.0\", default-features = false }
plain = \"0.1.0\"
";

    #[test]
    fn only_our_packages_get_the_new_version() {
        let raised = raised(MANIFEST, &Version::new(0, 2, 0)).unwrap();
        let wanted = MANIFEST
            .replace("\nversion = \"0.1.0\"", "\nversion = \"0.2.0\"")
            .replace("core = { version = \"0.1.0\"", "core = { version = \"0.2.0\"");
        assert_eq!(raised, wanted);
        assert_eq!(version(&raised).unwrap(), Version::new(0, 2, 0));
    }

    #[test]
    fn own_crate_without_version_is_named() {
        let manifest = MANIFEST.replace("version = \"0.1.0\", path", "path");
        let error = raised(&manifest, &Version::new(0, 2, 0)).unwrap_err().to_string();
        assert!(error.contains("core has no version"), "{error}");
    }

    #[test]
    fn lock_file_changes_only_our_versions() {
        let to = Version::new(9, 8, 7);
        for name in ["Cargo.lock", "fuzz/Cargo.lock"] {
            let lock = workspace::read(name).unwrap();
            let from = version(&workspace::read("Cargo.toml").unwrap()).unwrap();
            let raised = raised_lock(&lock, &from, &to).unwrap();
            let changed: Vec<(&str, &str)> =
                lock.lines().zip(raised.lines()).filter(|(old, new)| old != new).collect();
            assert!(changed.len() >= 5, "{name}");
            assert!(changed.iter().all(|(_, new)| *new == "version = \"9.8.7\""), "{changed:?}");
            assert_eq!(raised_lock(&raised, &to, &from).unwrap(), lock);
        }
        let others = "[[package]]\nname = \"a\"\nversion = \"0.1.0\"\nsource = \"registry+x\"\n";
        assert_eq!(raised_lock(others, &Version::new(0, 1, 0), &to).unwrap(), others);
    }

    #[test]
    fn crates_missing_in_the_registry_are_named() {
        assert_eq!(from_elsewhere(MANIFEST, "local").unwrap(), ["core"]);
        let ours = MANIFEST.replace("path =", "registry = \"local\", path =");
        assert!(from_elsewhere(&ours, "local").unwrap().is_empty());
        assert_eq!(from_elsewhere(&ours, "other").unwrap(), ["core"]);
    }
}
