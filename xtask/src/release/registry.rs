//! The registry that crates are published to, and the versions that it has already.

use semver::Version;

use super::manifests;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{output, workspace};

/// A registry with its name in cargo's configuration.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    name: String,
}

impl Registry {
    /// Returns the registry with this name, by default crates.io.
    pub(super) fn named(name: Option<&str>) -> Self {
        Self { name: name.unwrap_or(CRATES_IO).to_owned() }
    }

    pub(super) fn is_crates_io(&self) -> bool {
        self.name == CRATES_IO
    }

    /// Returns an error if our crates would not find each other in this registry.
    pub(super) fn check(&self, manifest: &str) -> Result<()> {
        if self.is_crates_io() {
            return Ok(());
        }
        let elsewhere = manifests::from_elsewhere(manifest, &self.name)?;
        if elsewhere.is_empty() {
            return Ok(());
        }
        Err(Error::failed(format!(
            "in Cargo.toml, workspace.dependencies, give these `registry = \"{}\"`, or the \
             published crates look for them on {CRATES_IO}: {}",
            self.name,
            elsewhere.join(", ")
        )))
    }

    /// Publishes the crates that the registry does not have yet. `inside` moves a command into their
    /// workspace.
    pub(super) fn publish(
        &self,
        order: &[String],
        version: &Version,
        inside: impl Fn(Run) -> Run,
    ) -> Result<()> {
        for (at, name) in order.iter().enumerate() {
            let number = format!("{}/{}", at + 1, order.len());
            if self.has(name, version)? {
                output::note(format_args!("   {number} {name} {version} is published already"));
                continue;
            }
            inside(self.publish_line(name)).run().map_err(|error| {
                Error::failed(format!(
                    "{error}\n{at} of {} crates are published; run the same command again to \
                     continue",
                    order.len()
                ))
            })?;
            output::note(format_args!("   {number} {name} {version} is published"));
        }
        Ok(())
    }

    /// Returns the command that publishes one crate, which has been built from its package before.
    pub(super) fn publish_line(&self, name: &str) -> Run {
        let line = Run::new("cargo publish --locked --no-verify --quiet --package").arg(name);
        if self.is_crates_io() { line } else { line.arg("--registry").arg(&self.name) }
    }

    fn has(&self, name: &str, version: &Version) -> Result<bool> {
        let asked = Run::new("cargo info --quiet --registry")
            .arg(&self.name)
            .arg(format!("{name}@{version}"))
            // Within the workspace, cargo would show the member instead of the registry's crate.
            .in_folder(&workspace::path("target"));
        let (good, message) = asked.run_captured()?;
        if good {
            return Ok(true);
        }
        if message.contains(NOT_THERE) {
            return Ok(false);
        }
        Err(Error::failed(format!("`{asked}` failed\n{}", message.trim_end())))
    }
}

/// The name of cargo's built-in registry.
const CRATES_IO: &str = "crates-io";
/// The message of `cargo info` about a crate or a version that a registry does not have.
const NOT_THERE: &str = "could not find `";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_registry_must_have_our_crates() {
        let (ours, io) = (Registry::named(Some("ours")), Registry::named(None));
        assert!(ours.publish_line("core").to_string().ends_with("--package core --registry ours"));
        assert!(io.publish_line("core").to_string().ends_with("--package core"));
        let manifest =
            "[workspace.dependencies]\ncore = { path = \"core\", version = \"1.0.0\" }\n";
        io.check(manifest).unwrap();
        let message = ours.check(manifest).unwrap_err().to_string();
        assert!(
            message.contains("registry = \"ours\"") && message.ends_with(": core"),
            "{message}"
        );
    }

    #[test]
    fn name_of_crates_io_is_recognized() {
        assert!(Registry::named(Some("crates-io")).is_crates_io());
        assert!(!Registry::named(Some("local")).is_crates_io());
    }
}
