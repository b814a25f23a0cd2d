//! The crates of one build of the command, as cargo resolves them for its features and target.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{output, workspace};

/// The package whose binary is shipped.
pub(crate) const PACKAGE: &str = "gatepass-cli";
/// The features that are shipped.
const FEATURES: &str = "default";
/// The default target; counts and sizes are for this one on every machine.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The crates that are compiled into the command, without those for tests and build scripts.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The command itself, which is one of `all`.
    pub(crate) root: Id,
    /// Its features, with the ones that they enable.
    pub(crate) features: String,
    pub(crate) all: BTreeMap<Id, Part>,
}

/// A crate in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// The facts about a crate.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) needs: BTreeSet<Id>,
    /// An SPDX expression.
    pub(crate) licence: String,
    pub(crate) repository: Option<String>,
    /// SHA-256 of the package; `None` for a member of the workspace.
    pub(crate) checksum: Option<String>,
    /// The folder of its sources.
    pub(crate) folder: PathBuf,
}

impl Parts {
    /// Reads the crates from cargo. `features` has the form of `cargo build --no-default-features
    /// --features`; `default` is the shipped set.
    pub(crate) fn read(features: &str, target: &str) -> Result<Self> {
        let tree = Run::new(&format!(
            "cargo tree --locked -p {PACKAGE} --no-default-features --features {features} \
             --target {target} -e normal --prefix depth --format |{{p}}|{{f}}"
        ));
        let mut parts = from_tree(&tree.output()?)?;
        let metadata = Run::new("cargo metadata --locked --format-version 1").output()?;
        describe(&mut parts.all, &metadata)?;
        checksums(&mut parts.all, &workspace::manifest("Cargo.lock")?);
        if let Some((id, _)) = parts.all.iter().find(|(_, part)| part.licence.is_empty()) {
            return Err(Error::failed(format!("{id} states no license")));
        }
        Ok(parts)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Runs `cargo xtask … [--features F] [--target T] [FILE]`, a task that writes a document about one
/// build.
pub(crate) fn main(
    arguments: &[String],
    help: &str,
    file: &str,
    write: fn(&Path, &str, &str) -> Result<()>,
) -> Result<()> {
    let args = Args::read(arguments, &[], &["--features", "--target"], help)?;
    if args.has("--help") {
        output::line(help);
        return Ok(());
    }
    let file = if args.names().is_empty() { file } else { args.only_name(help)? };
    let features = args.option("--features").unwrap_or(FEATURES);
    write(&workspace::path(file), features, args.option("--target").unwrap_or(TARGET))
}

/// Reads the output of `cargo tree --prefix depth --format '|{p}|{f}'`.
fn from_tree(tree: &str) -> Result<Parts> {
    let mut all: BTreeMap<Id, Part> = BTreeMap::new();
    let (mut path, mut features) = (Vec::<Id>::new(), String::new());
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let bad = || Error::failed(format!("cargo tree wrote an unknown line: {line}"));
        let mut fields = line.split('|');
        let depth: usize = fields.next().and_then(|field| field.parse().ok()).ok_or_else(bad)?;
        let mut words = fields.next().unwrap_or_default().split_whitespace();
        let (Some(name), Some(version)) = (words.next(), words.next()) else { return Err(bad()) };
        let version = version.strip_prefix('v').ok_or_else(bad)?.to_owned();
        let id = Id { name: name.to_owned(), version };
        if depth > path.len() || (depth == 0) != all.is_empty() {
            return Err(bad());
        }
        path.truncate(depth);
        match path.last() {
            Some(above) => _ = all.entry(above.clone()).or_default().needs.insert(id.clone()),
            None => features = fields.next().unwrap_or_default().to_owned(),
        }
        all.entry(id.clone()).or_default();
        path.push(id);
    }
    let root = path.into_iter().next();
    let root = root.ok_or_else(|| Error::failed("cargo tree wrote nothing"))?;
    Ok(Parts { root, features, all })
}

/// Adds licences, repositories and folders from `cargo metadata`.
fn describe(parts: &mut BTreeMap<Id, Part>, metadata: &str) -> Result<()> {
    let bad = || Error::failed("cargo metadata has an unknown format");
    let metadata: Value = serde_json::from_str(metadata).map_err(|_| bad())?;
    for package in metadata.get("packages").and_then(Value::as_array).ok_or_else(bad)? {
        let text = |name: &str| package.get(name).and_then(Value::as_str);
        let (Some(name), Some(version)) = (text("name"), text("version")) else {
            return Err(bad());
        };
        let id = Id { name: name.to_owned(), version: version.to_owned() };
        let Some(part) = parts.get_mut(&id) else { continue };
        // The older form of a choice, which is not an SPDX expression.
        part.licence = text("license").unwrap_or_default().replace('/', " OR ");
        part.repository = text("repository").map(str::to_owned);
        part.folder = PathBuf::from(text("manifest_path").unwrap_or_default());
        part.folder.pop();
    }
    Ok(())
}

/// Adds the checksums of `Cargo.lock`.
fn checksums(parts: &mut BTreeMap<Id, Part>, lock: &toml::Table) {
    for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |name: &str| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        let (Some(name), Some(version)) = (text("name"), text("version")) else { continue };
        if let Some(part) = parts.get_mut(&Id { name, version }) {
            part.checksum = text("checksum");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0|gatepass-cli v0.1.0 (/x y/crates/gatepass-cli)|acme,default
1|a v1.0.0|std
2|b v2.0.0 (proc-macro)|
1|c v3.0.0|
2|a v1.0.0 (*)|std

";

    fn id(name: &str, version: &str) -> Id {
        Id { name: name.to_owned(), version: version.to_owned() }
    }

    #[test]
    fn depths_become_a_graph() {
        let parts = from_tree(TREE).unwrap();
        assert_eq!(parts.root, id("gatepass-cli", "0.1.0"));
        assert_eq!(parts.features, "acme,default");
        assert_eq!(parts.all.len(), 4);
        let needs = |id: &Id| parts.all[id].needs.iter().cloned().collect::<Vec<_>>();
        let (a, b, c) = (id("a", "1.0.0"), id("b", "2.0.0"), id("c", "3.0.0"));
        assert_eq!(needs(&parts.root), [a.clone(), c.clone()]);
        assert_eq!(needs(&a), [b]);
        assert_eq!(needs(&c), [a]);
    }

    #[test]
    fn unreadable_tree_is_an_error() {
        assert!(from_tree("").is_err());
        assert!(from_tree("1|a v1.0.0|\n").is_err());
        assert!(from_tree("0|a v1.0.0|\n2|b v1.0.0|\n").is_err());
        assert!(from_tree("0|a 1.0.0|\n").is_err());
        assert!(from_tree("0|a v1.0.0|\n0|b v1.0.0|\n").is_err());
    }

    #[test]
    fn metadata_and_checksums_are_added() {
        let mut parts = from_tree(TREE).unwrap().all;
        let metadata = r#"{"packages":[{"name":"a","version":"1.0.0","license":"MIT/Apache-2.0",
            "repository":"https://a.example","manifest_path":"/r/a/Cargo.toml"},
            {"name":"a","version":"0.9.0","license":"GPL-3.0"}]}"#;
        describe(&mut parts, metadata).unwrap();
        let lock = "[[package]]\nname=\"a\"\nversion=\"1.0.0\"\nchecksum=\"00ff\"\n";
        checksums(&mut parts, &toml::from_str(lock).unwrap());
        let a = &parts[&id("a", "1.0.0")];
        assert_eq!(a.licence, "MIT OR Apache-2.0");
        assert_eq!(a.folder, PathBuf::from("/r/a"));
        assert_eq!(a.checksum.as_deref(), Some("00ff"));
    }
}
