//! Rules about the packages for crates.io and docs.rs.

use toml::{Table, Value};

use super::finding::Finding;
use super::manifests::each_package;
use super::tree::{File, Tree};

/// Checks that every published crate has a README and the licences of the root.
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
                let message = format!("needs {name}, a link to ../../{name}");
                found.push(Finding::new(folder, message));
            }
        }
        found
    })
}

/// Checks that the crate's documentation has a row for each feature, and that docs.rs enables it.
pub(super) fn features(tree: &Tree) -> Vec<Finding> {
    each_published(tree, |folder, file, manifest| {
        let lib = format!("{folder}/src/lib.rs");
        let features = features_of(manifest);
        let Some(text) = tree.get(&lib).map(|file| &file.text) else { return Vec::new() };
        let rows = rows(text);
        let mut found = Vec::new();
        for name in features.iter().filter(|name| !rows.contains(name)) {
            found.push(Finding::new(&lib, format!("needs a row `{name}` below `# Features`")));
        }
        for name in rows.iter().filter(|name| !features.contains(name)) {
            found.push(Finding::new(&lib, format!("has a row for an unknown feature: `{name}`")));
        }
        if features.is_empty() {
            return found;
        }
        if !text.contains(LABELS) {
            found.push(Finding::new(&lib, format!("needs `{LABELS}`, for docs.rs")));
        }
        if !shows(manifest, &features) {
            let message = "needs `[package.metadata.docs.rs]` with `all-features`, or with every \
                        feature in `features` if some are only for the project";
            found.push(Finding::new(&file.path, message));
        }
        found
    })
}

/// Returns the features that are meant for users.
fn features_of(manifest: &Table) -> Vec<&str> {
    let all = manifest.get("features").and_then(Value::as_table);
    let names = all.into_iter().flat_map(|all| all.keys().map(String::as_str));
    names.filter(|name| *name != "default" && !name.starts_with("__")).collect()
}

/// Returns the names in the first column of the table below `# Features`.
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

    fn message(manifest: &str, lib: &str) -> Vec<String> {
        let tree = Tree::of(&[("crates/a/Cargo.toml", manifest), ("crates/a/src/lib.rs", lib)]);
        features(&tree).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn rows_and_features_that_differ_are_found() {
        assert_eq!(message(MANIFEST, LIB), [""; 0]);
        let found = message(MANIFEST, &LIB.replace("`tls`", "`tsl`"));
        assert!(found[0].contains("a row `tls`") && found[1].ends_with("`tsl`"), "{found:?}");
        assert_eq!(message(MANIFEST, &LIB.replace("# Features", "# Others")).len(), 1);
    }

    #[test]
    fn docs_rs_enables_users_features_only() {
        assert!(message(&MANIFEST.replace("\"tls\"", ""), LIB)[0].contains("docs.rs"));
        let all = MANIFEST.replace("features = [\"tls\"]", "all-features = true");
        assert_eq!(message(&all, LIB).len(), 1);
        assert_eq!(message(&all.replace("__own = []\n", ""), LIB), [""; 0]);
        assert!(message(MANIFEST, &LIB.replace("doc_cfg", "other"))[0].contains("doc_cfg"));
    }

    #[test]
    fn missing_or_changed_licence_is_found() {
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
