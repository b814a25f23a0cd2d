//! `cargo xtask release`: checks and packages everything; tags and publishes only when told to.

use serde_json::Value;

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{ci, say, workspace};

const HELP: &str = "\
cargo xtask release [--skip-ci] [--execute]

Checks that the tree is clean, runs `cargo xtask ci`, then packages and builds every crate that
is published, each from its own package. Writes nothing outside target/ and says what would
follow: the tag, and the crates in the order in which they would be published.

  --skip-ci  leaves out `cargo xtask ci`, to try the rest
  --execute  does it: publishes each crate in order, then makes the tag; not with --skip-ci";

/// A member that is published, and the members it needs.
#[derive(Debug, PartialEq)]
pub(crate) struct Package {
    pub(crate) name: String,
    needs: Vec<String>,
}

pub(crate) fn main(words: &[String]) -> Result<()> {
    let args = Args::read(words, &["--skip-ci", "--execute"], &[], HELP)?.no_names(HELP)?;
    if args.has("--help") {
        say::line(HELP);
        return Ok(());
    }
    if args.has("--skip-ci") && args.has("--execute") {
        return Err(Failure::usage("what is published has passed ci: not `--skip-ci --execute`"));
    }
    release(args.has("--skip-ci"), args.has("--execute"))
}

fn release(skip_ci: bool, execute: bool) -> Result<()> {
    let version = workspace::package_field("version")?;
    let tag = format!("v{version}");
    clean_tree()?;
    new_tag(&tag)?;
    let metadata = Run::new("cargo metadata --locked --no-deps --format-version 1").output()?;
    let (published, unpublished) = packages(&metadata)?;
    let order = in_order(published)?;
    let noted = has_section(&workspace::read("CHANGELOG.md")?, &version);
    if execute && !noted {
        return Err(Failure::failed(format!("CHANGELOG.md has no section `## [{version}]`")));
    }
    if !skip_ci {
        ci::run()?;
    }
    let package = Run::new(&package_line(&unpublished));
    say::note(format_args!("== package: {package}"));
    package.run()?;
    if execute {
        for name in &order {
            Run::new(&format!("cargo publish --locked -p {name}")).run()?;
        }
        Run::new(&format!("git tag --annotate {tag} --message {tag}")).run()?;
        say::line(format_args!("published {} crates and made the tag {tag}", order.len()));
        return Ok(());
    }
    say::line(format_args!("{} crates are packaged in target/package", order.len()));
    say::line("with --execute these would be published, in this order:");
    for name in &order {
        say::line(format_args!("  cargo publish --locked -p {name}"));
    }
    say::line(format_args!("and then:  git tag --annotate {tag} --message {tag}"));
    if !noted {
        say::line(format_args!("before that, CHANGELOG.md needs a section `## [{version}]`"));
    }
    Ok(())
}

fn clean_tree() -> Result<()> {
    let changed = Run::new("git status --porcelain").output()?;
    if changed.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the tree is not clean, commit or remove:\n{}",
        changed.trim_end()
    )))
}

fn new_tag(tag: &str) -> Result<()> {
    let tags = Run::new(&format!("git tag --list {tag}")).output()?;
    if tags.trim().is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("the tag {tag} exists: raise the version in Cargo.toml")))
}

/// One command for all: cargo lays a registry of its own over the packages that need each other.
fn package_line(unpublished: &[String]) -> String {
    let exclude: Vec<String> = unpublished.iter().map(|name| format!("--exclude {name}")).collect();
    format!("cargo package --workspace --locked {}", exclude.join(" "))
}

/// The members that are published, and the names of those that are not, from `cargo metadata`.
pub(crate) fn packages(metadata: &str) -> Result<(Vec<Package>, Vec<String>)> {
    let bad = || Failure::failed("cargo metadata has an unknown form");
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
            .filter_map(|needed| needed.get("name").and_then(Value::as_str))
            .map(str::to_owned)
            .collect();
        published.push(Package { name, needs });
    }
    Ok((published, unpublished))
}

/// The names so that every package comes after those it needs.
fn in_order(mut left: Vec<Package>) -> Result<Vec<String>> {
    let mut order = Vec::new();
    left.sort_by(|a, b| a.name.cmp(&b.name));
    while !left.is_empty() {
        let names: Vec<String> = left.iter().map(|package| package.name.clone()).collect();
        let ready = |package: &Package| !package.needs.iter().any(|need| names.contains(need));
        let Some(at) = left.iter().position(ready) else {
            return Err(Failure::failed(format!("these need each other: {}", names.join(", "))));
        };
        order.push(left.remove(at).name);
    }
    Ok(order)
}

fn has_section(changelog: &str, version: &str) -> bool {
    changelog.lines().any(|line| line.starts_with(&format!("## [{version}]")))
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
    fn a_crate_is_published_after_those_it_needs() {
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
    fn crates_that_need_each_other_are_named() {
        let says = in_order(vec![package("a", &["b"]), package("b", &["a"])]).unwrap_err();
        assert!(says.to_string().contains("a, b"));
    }

    #[test]
    fn a_member_that_is_not_published_is_left_out() {
        let metadata = r#"{"packages":[
            {"name":"xtask","publish":[],"dependencies":[]},
            {"name":"gatepass","publish":null,"dependencies":[
                {"name":"gatepass-core","path":"crates/gatepass-core"},{"name":"http"}]}]}"#;
        let (published, unpublished) = packages(metadata).unwrap();
        assert_eq!(published, [package("gatepass", &["gatepass-core"])]);
        assert_eq!(unpublished, ["xtask"]);
        assert!(package_line(&unpublished).ends_with("--exclude xtask"));
    }

    #[test]
    fn a_version_needs_its_section_in_the_changelog() {
        assert!(has_section("# Changelog\n\n## [0.1.0] - 2026-01-01\n", "0.1.0"));
        assert!(!has_section("## [Unreleased]\n", "0.1.0"));
    }
}
