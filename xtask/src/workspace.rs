//! Files of the workspace: its root, its providers, its manifests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::error::{Error, Result};

/// Returns the folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    static XTASK: LazyLock<PathBuf> = LazyLock::new(xtask);
    XTASK.parent().unwrap_or(&XTASK)
}

/// Returns the folder of this package, which `cargo run` passes; a copy of the repository has another.
#[expect(clippy::disallowed_methods, reason = "cargo passes the folder in this variable")]
fn xtask() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Returns the ids of all providers, sorted: the folders `crates/provider-*`.
pub(crate) fn provider_ids() -> Result<Vec<String>> {
    let folder = path("crates");
    let entries = fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))?;
    let mut ids: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_prefix("provider-").map(str::to_owned))
        .collect();
    ids.sort();
    Ok(ids)
}

/// Returns the text of a file below the root.
pub(crate) fn read(name: &str) -> Result<String> {
    let path = path(name);
    fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))
}

/// Writes a file below the root, and the folders above it.
pub(crate) fn write(name: &str, text: &str) -> Result<()> {
    let path = path(name);
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| Error::failed(format!("{name} cannot be written: {error}")))
}

/// Creates a folder below the root.
pub(crate) fn create_folder(name: &str) -> Result<()> {
    fs::create_dir_all(path(name))
        .map_err(|error| Error::failed(format!("{name} cannot be created: {error}")))
}

/// Returns a file of the workspace as a TOML table.
pub(crate) fn manifest(name: &str) -> Result<toml::Table> {
    toml::from_str(&read(name)?)
        .map_err(|error| Error::failed(format!("{name} is not TOML: {}", error.message())))
}

/// Returns a field of `[workspace.package]`.
pub(crate) fn package_field(name: &str) -> Result<String> {
    let manifest = manifest("Cargo.toml")?;
    let value = manifest.get("workspace").and_then(|w| w.get("package")).and_then(|p| p.get(name));
    value
        .and_then(toml::Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| Error::failed(format!("Cargo.toml has no workspace.package.{name}")))
}

/// Returns a path below the root.
pub(crate) fn path(name: &str) -> PathBuf {
    root().join(name)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let name = path.strip_prefix(root()).unwrap_or(path);
    Error::failed(format!("{} cannot be read: {error}", name.display()))
}
