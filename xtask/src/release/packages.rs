//! The published crates, their order, and the build of each from its own package.

use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::run::Run;

/// The members of the workspace.
#[derive(Debug)]
pub(crate) struct Packages {
    /// The published members, each after its dependencies.
    pub(crate) order: Vec<String>,
    unpublished: Vec<String>,
}

/// A published member and the members it depends on.
#[derive(Debug, PartialEq)]
struct Package {
    name: String,
    needs: Vec<String>,
}

impl Packages {
    /// Reads the members of the workspace in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let command = "cargo metadata --locked --no-deps --format-version 1";
        Self::of(&Run::new(command).in_folder(folder).output()?)
    }

    /// Reads the members from the output of `cargo metadata`.
    pub(crate) fn of(metadata: &str) -> Result<Self> {
        let (published, unpublished) = members(metadata)?;
        Ok(Self { order: in_order(published)?, unpublished })
    }

    /// Returns the command that packages all crates and builds each from its package.
    pub(crate) fn package(&self) -> Run {
        // One command for all, so that cargo finds the packages that depend on each other.
        let mut run = Run::new("cargo package --workspace --locked --quiet");
        for name in &self.unpublished {
            run = run.arg("--exclude").arg(name);
        }
        run
    }
}

/// Returns the published members and the names of the others from `cargo metadata`.
fn members(metadata: &str) -> Result<(Vec<Package>, Vec<String>)> {
    let bad = || Error::failed("cargo metadata has an unknown format");
    let metadata: Value = serde_json::from_str(metadata).map_err(|_| bad())?;
    let members = metadata.get("packages").and_then(Value::as_array).ok_or_else(bad)?;
    let (mut published, mut unpublished) = (Vec::new(), Vec::new());
    for member in members {
        let name = member.get("name").and_then(Value::as_str).ok_or_else(bad)?.to_owned();
        if member.get("publish").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            unpublished.push(name);
            continue;
        }
        let dependencies = member.get("dependencies").and_then(Value::as_array).ok_or_else(bad)?;
        let needs = dependencies
            .iter()
            .filter(|needed| needed.get("path").is_some_and(Value::is_string))
            .filter(|needed| !is_removed(needed))
            .filter_map(|needed| needed.get("name").and_then(Value::as_str))
            .map(str::to_owned)
            .collect();
        published.push(Package { name, needs });
    }
    Ok((published, unpublished))
}

/// Returns whether cargo removes the dependency when it publishes: a dev-dependency by path alone.
fn is_removed(dependency: &Value) -> bool {
    let text = |key: &str| dependency.get(key).and_then(Value::as_str);
    text("kind") == Some("dev") && text("req") == Some("*")
}

/// Returns the names, each after its dependencies.
fn in_order(mut left: Vec<Package>) -> Result<Vec<String>> {
    let mut order = Vec::new();
    left.sort_by(|a, b| a.name.cmp(&b.name));
    while !left.is_empty() {
        let names: Vec<String> = left.iter().map(|package| package.name.clone()).collect();
        let ready = |package: &Package| !package.needs.iter().any(|need| names.contains(need));
        let Some(at) = left.iter().position(ready) else {
            return Err(Error::failed(format!(
                "these crates depend on each other: {}",
                names.join(", ")
            )));
        };
        order.push(left.remove(at).name);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, needs: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
        }
    }

    #[test]
    fn crate_is_published_after_its_dependencies() {
        let order = in_order(vec![
            package("gatepass", &["gatepass-core", "provider-acme"]),
            package("provider-acme", &["gatepass-core", "gatepass-testkit"]),
            package("gatepass-testkit", &["gatepass-core"]),
            package("gatepass-core", &[]),
        ]);
        let wanted = ["gatepass-core", "gatepass-testkit", "provider-acme", "gatepass"];
        assert_eq!(order.unwrap(), wanted);
    }

    #[test]
    fn dependency_cycle_is_named() {
        let message = in_order(vec![package("a", &["b"]), package("b", &["a"])]).unwrap_err();
        assert!(message.to_string().contains("a, b"));
    }

    #[test]
    fn unpublished_member_is_left_out() {
        let metadata = r#"{"packages":[
            {"name":"xtask","publish":[],"dependencies":[]},
            {"name":"gatepass","publish":null,"dependencies":[
                {"name":"gatepass-core","path":"crates/gatepass-core"},{"name":"http"},
                {"name":"testkit","path":"crates/testkit","kind":"dev","req":"*"}]}]}"#;
        let (published, unpublished) = members(metadata).unwrap();
        assert_eq!(published, [package("gatepass", &["gatepass-core"])]);
        assert_eq!(unpublished, ["xtask"]);
        let packages = Packages { order: Vec::new(), unpublished };
        assert!(packages.package().to_string().ends_with("--exclude xtask"));
    }
}
