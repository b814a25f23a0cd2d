//! Where crates are published, and what is there already.

use semver::Version;

use super::manifests;
use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{say, workspace};

/// A registry that cargo knows by its name.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    name: String,
}

impl Registry {
    /// crates.io, if nothing else is said.
    pub(super) fn named(name: Option<&str>) -> Self {
        Self { name: name.unwrap_or(CRATES_IO).to_owned() }
    }

    pub(super) fn is_crates_io(&self) -> bool {
        self.name == CRATES_IO
    }

    /// Would what is published there find the others of ours there?
    pub(super) fn check(&self, manifest: &str) -> Result<()> {
        if self.is_crates_io() {
            return Ok(());
        }
        let elsewhere = manifests::from_elsewhere(manifest, &self.name)?;
        if elsewhere.is_empty() {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "in Cargo.toml, workspace.dependencies, give these `registry = \"{}\"`, or what is \
             published there looks for them on {CRATES_IO}: {}",
            self.name,
            elsewhere.join(", ")
        )))
    }

    /// Publishes these crates, but for those that are there.
    /// `inside` is where cargo finds their workspace.
    pub(super) fn publish(
        &self,
        order: &[String],
        version: &Version,
        inside: impl Fn(Run) -> Run,
    ) -> Result<()> {
        for (at, name) in order.iter().enumerate() {
            let number = format!("{}/{}", at + 1, order.len());
            if self.has(name, version)? {
                say::note(format_args!("   {number} {name} {version} is published already"));
                continue;
            }
            inside(self.publish_line(name)).run().map_err(|failure| {
                Failure::failed(format!(
                    "{failure}\n{at} of {} crates are published; run the same again: it goes on \
                     from there",
                    order.len()
                ))
            })?;
            say::note(format_args!("   {number} {name} {version} is published"));
        }
        Ok(())
    }

    /// The command for one crate; it has been built from its package before.
    pub(super) fn publish_line(&self, name: &str) -> Run {
        let line = Run::new("cargo publish --locked --no-verify --quiet --package").arg(name);
        if self.is_crates_io() { line } else { line.arg("--registry").arg(&self.name) }
    }

    fn has(&self, name: &str, version: &Version) -> Result<bool> {
        let asked = Run::new("cargo info --quiet --registry")
            .arg(&self.name)
            .arg(format!("{name}@{version}"))
            // Inside a workspace cargo would show its member.
            .inside(&workspace::path("target"));
        let (good, says) = asked.said()?;
        if good {
            return Ok(true);
        }
        if says.contains(NOT_THERE) {
            return Ok(false);
        }
        Err(Failure::failed(format!("`{asked}` failed\n{}", says.trim_end())))
    }
}

/// The name of the registry that cargo has built in.
const CRATES_IO: &str = "crates-io";
/// What `cargo info` says of a crate or a version that a registry has not.
const NOT_THERE: &str = "could not find `";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_registry_is_named_and_asks_that_our_crates_are_there() {
        let (ours, io) = (Registry::named(Some("ours")), Registry::named(None));
        assert!(ours.publish_line("core").to_string().ends_with("--package core --registry ours"));
        assert!(io.publish_line("core").to_string().ends_with("--package core"));
        let manifest =
            "[workspace.dependencies]\ncore = { path = \"core\", version = \"1.0.0\" }\n";
        io.check(manifest).unwrap();
        let says = ours.check(manifest).unwrap_err().to_string();
        assert!(says.contains("registry = \"ours\"") && says.ends_with(": core"), "{says}");
    }

    #[test]
    fn crates_io_by_its_name_is_crates_io() {
        assert!(Registry::named(Some("crates-io")).is_crates_io());
        assert!(!Registry::named(Some("local")).is_crates_io());
    }
}
