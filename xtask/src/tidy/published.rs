//! Rules about what crates.io and docs.rs are given.

use toml::{Table, Value};

use super::Finding;
use super::manifests::each_package;
use super::tree::{File, Tree};

/// Every published crate carries its own README and the licences as they are at the root.
pub(super) fn files(tree: &Tree) -> Vec<Finding> {
    each_published(tree, |folder, _, _| {
        let has = |name: &str| tree.get(&format!("{folder}/{name}"));
        let mut found = Vec::new();
        if has("README.md").is_none() {
            found.push(Finding::new(folder, "has no README.md"));
        }
        for name in LICENCES {
            let ours = tree.get(name).map(|file| &file.text);
            if has(name).map(|file| &file.text) != ours {
                let says = format!("wants {name}, a link to ../../{name}");
                found.push(Finding::new(folder, says));
            }
        }
        found
    })
}

/// Every feature has its row in the crate's documentation, and docs.rs shows what it switches on.
pub(super) fn features(tree: &Tree) -> Vec<Finding> {
    each_published(tree, |folder, file, manifest| {
        let lib = format!("{folder}/src/lib.rs");
        let features = features_of(manifest);
        let Some(text) = tree.get(&lib).map(|file| &file.text) else { return Vec::new() };
        let rows = rows(text);
        let mut found = Vec::new();
        for name in features.iter().filter(|name| !rows.contains(name)) {
            found.push(Finding::new(&lib, format!("wants a row `{name}` below `# Features`")));
        }
        for name in rows.iter().filter(|name| !features.contains(name)) {
            found.push(Finding::new(&lib, format!("has a row of no feature: `{name}`")));
        }
        if features.is_empty() {
            return found;
        }
        if !text.contains(LABELS) {
            found.push(Finding::new(&lib, format!("wants `{LABELS}`, for docs.rs")));
        }
        if !shows(manifest, &features) {
            let says = "wants `[package.metadata.docs.rs]` with `all-features`, or with every \
                        feature in `features` where some are for the project alone";
            found.push(Finding::new(&file.path, says));
        }
        found
    })
}

/// The features of a crate that are for others.
fn features_of(manifest: &Table) -> Vec<&str> {
    let all = manifest.get("features").and_then(Value::as_table);
    let names = all.into_iter().flat_map(|all| all.keys().map(String::as_str));
    names.filter(|name| *name != "default" && !name.starts_with("__")).collect()
}

/// The names in the first column of the table below `# Features`.
fn rows(text: &str) -> Vec<&str> {
    text.lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .skip_while(|line| *line != "# Features")
        .skip(1)
        .take_while(|line| !line.starts_with("# "))
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name))
        .collect()
}

fn shows(manifest: &Table, features: &[&str]) -> bool {
    let docs = |key: &str| {
        ["package", "metadata", "docs", "rs", key]
            .iter()
            .try_fold(None, |at: Option<&Value>, key| {
                at.map_or_else(|| manifest.get(*key), |at| at.get(*key)).map(Some)
            })
            .flatten()
    };
    let hidden = manifest
        .get("features")
        .and_then(Value::as_table)
        .is_some_and(|all| all.keys().any(|name| name.starts_with("__")));
    if !hidden && docs("all-features").and_then(Value::as_bool) == Some(true) {
        return true;
    }
    let shown = docs("features").and_then(Value::as_array);
    shown.is_some_and(|shown| {
        features.iter().all(|name| shown.iter().any(|shown| shown.as_str() == Some(name)))
    })
}

fn each_published(
    tree: &Tree,
    check: impl Fn(&str, &File, &Table) -> Vec<Finding>,
) -> Vec<Finding> {
    each_package(tree, |file, manifest| {
        let folder = file.path.trim_end_matches("/Cargo.toml");
        let is_published = manifest.get("package").and_then(|package| package.get("publish"))
            != Some(&Value::Boolean(false));
        if is_published { check(folder, file, manifest) } else { Vec::new() }
    })
}

const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];
const LABELS: &str = "#![cfg_attr(docsrs, feature(doc_cfg))]";

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"a\"\n[package.metadata.docs.rs]\n\
        features = [\"tls\"]\n[features]\ndefault = []\ntls = []\n__own = []\n";
    const LIB: &str = "//! A.\n//!\n//! # Features\n//!\n//! | `tls` | https |\n\n\
         #![cfg_attr(docsrs, feature(doc_cfg))]\n";

    fn says(manifest: &str, lib: &str) -> Vec<String> {
        let tree = Tree::of(&[("crates/a/Cargo.toml", manifest), ("crates/a/src/lib.rs", lib)]);
        features(&tree).into_iter().map(|finding| finding.says).collect()
    }

    #[test]
    fn a_feature_without_a_row_and_a_row_without_a_feature_are_found() {
        assert_eq!(says(MANIFEST, LIB), [""; 0]);
        let found = says(MANIFEST, &LIB.replace("`tls`", "`tsl`"));
        assert!(found[0].contains("a row `tls`") && found[1].ends_with("`tsl`"), "{found:?}");
        assert_eq!(says(MANIFEST, &LIB.replace("# Features", "# Others")).len(), 1);
    }

    #[test]
    fn docs_rs_is_told_the_features_and_never_those_of_the_project_alone() {
        assert!(says(&MANIFEST.replace("\"tls\"", ""), LIB)[0].contains("docs.rs"));
        let all = MANIFEST.replace("features = [\"tls\"]", "all-features = true");
        assert_eq!(says(&all, LIB).len(), 1);
        assert_eq!(says(&all.replace("__own = []\n", ""), LIB), [""; 0]);
        assert!(says(MANIFEST, &LIB.replace("doc_cfg", "other"))[0].contains("doc_cfg"));
    }

    #[test]
    fn a_licence_that_is_missing_or_another_is_found() {
        let with = |licence: &str| {
            let tree = Tree::of(&[
                ("LICENSE-APACHE", "A"),
                ("LICENSE-MIT", "M"),
                ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
                ("crates/a/LICENSE-APACHE", "A"),
                ("crates/a/LICENSE-MIT", licence),
                ("crates/a/README.md", ""),
            ]);
            files(&tree).len()
        };
        assert_eq!((with("M"), with("../../LICENSE-MIT")), (0, 1));
        let own = Tree::of(&[("xtask/Cargo.toml", "[package]\npublish = false\n")]);
        assert_eq!(files(&own), []);
    }
}
