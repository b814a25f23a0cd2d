//! Rules about the members' `Cargo.toml`, and about where dependencies come from.

use toml::{Table, Value};

use super::finding::Finding;
use super::tree::{File, Tree};

/// The fields that every member inherits from `[workspace.package]`.
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "repository"];

/// The only registry that `Cargo.lock` may name.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn package_name(tree: &Tree) -> Vec<Finding> {
    each_package(tree, |file, manifest| {
        let folder = file.path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap_or("");
        let wanted = if folder == "tests" { "gatepass-tests" } else { folder };
        let name = field(manifest, "package", "name").and_then(Value::as_str).unwrap_or("");
        if name == wanted {
            return Vec::new();
        }
        vec![Finding::new(&file.path, format!("the package is `{name}`, its folder `{folder}`"))]
    })
}

pub(super) fn inheritance(tree: &Tree) -> Vec<Finding> {
    each_package(tree, |file, manifest| {
        let mut found = Vec::new();
        for name in INHERITED {
            if !is_from_workspace(field(manifest, "package", name)) {
                found.push(Finding::new(&file.path, format!("needs `{name}.workspace = true`")));
            }
        }
        if !is_from_workspace(manifest.get("lints")) {
            found.push(Finding::new(&file.path, "needs `[lints] workspace = true`"));
        }
        found
    })
}

pub(super) fn workspace_dependencies(tree: &Tree) -> Vec<Finding> {
    each_package(tree, |file, manifest| {
        dependencies(manifest)
            .into_iter()
            .filter(|(kind, _, value)| !is_from_workspace(Some(value)) && !is_removed(kind, value))
            .map(|(_, name, _)| {
                Finding::new(&file.path, format!("needs `{name}.workspace = true`"))
            })
            .collect()
    })
}

pub(super) fn registry(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files().iter().filter(|file| file.name() == "Cargo.lock") {
        for (number, line) in file.text.lines().enumerate() {
            let source = line.strip_prefix("source = ").map(|text| text.trim_matches('"'));
            if source.is_some_and(|source| source != REGISTRY) {
                found.push(Finding::at(&file.path, number + 1, "names another registry"));
            }
        }
    }
    for file in tree.files().iter().filter(|file| file.path.ends_with(".toml")) {
        let Ok(manifest) = file.text.parse::<Table>() else { continue };
        for key in ["source", "registries", "registry"] {
            if manifest.contains_key(key) {
                found.push(Finding::new(&file.path, format!("`[{key}]` points elsewhere")));
            }
        }
    }
    found
}

/// Returns every dependency of a manifest: its table, its name, its value.
pub(super) fn dependencies(manifest: &Table) -> Vec<(&str, &str, &Value)> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        tables.extend(targets.values().filter_map(Value::as_table));
    }
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    tables
        .into_iter()
        .flat_map(|table| kinds.map(|kind| (kind, table.get(kind).and_then(Value::as_table))))
        .flat_map(|(kind, table)| {
            table.into_iter().flatten().map(move |(name, value)| (kind, name.as_str(), value))
        })
        .collect()
}

/// Runs `check` on every member's manifest; an unreadable manifest is a finding.
pub(super) fn each_package(
    tree: &Tree,
    check: impl Fn(&File, &Table) -> Vec<Finding>,
) -> Vec<Finding> {
    tree.manifests()
        .flat_map(|file| match file.text.parse::<Table>() {
            Ok(manifest) => check(file, &manifest),
            Err(error) => vec![Finding::new(&file.path, format!("not TOML: {}", error.message()))],
        })
        .collect()
}

/// Returns whether cargo removes the dependency when it publishes: a dev-dependency by path alone, for
/// two crates that need each other in tests.
fn is_removed(kind: &str, value: &Value) -> bool {
    kind == "dev-dependencies" && value.get("path").is_some() && value.get("version").is_none()
}

fn field<'a>(manifest: &'a Table, table: &str, name: &str) -> Option<&'a Value> {
    manifest.get(table)?.get(name)
}

fn is_from_workspace(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
        [package]\nname = \"gatepass-core\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\nrepository.workspace = true\n\
        [lints]\nworkspace = true\n[dependencies]\nhttp.workspace = true\n\
        [target.'cfg(unix)'.dependencies]\nrustix = { workspace = true, features = [\"fs\"] }\n";

    fn core(manifest: &str) -> Tree {
        Tree::of(&[("crates/gatepass-core/Cargo.toml", manifest)])
    }

    #[test]
    fn manifest_that_inherits_everything_is_accepted() {
        let tree = core(GOOD);
        assert_eq!(package_name(&tree), []);
        assert_eq!(inheritance(&tree), []);
        assert_eq!(workspace_dependencies(&tree), []);
    }

    #[test]
    fn field_that_is_not_inherited_is_found() {
        let tree = core(&GOOD.replace("edition.workspace = true", "edition = \"2021\""));
        assert_eq!(inheritance(&tree)[0].message, "needs `edition.workspace = true`");
    }

    #[test]
    fn lints_that_are_not_inherited_are_found() {
        let tree = core(&GOOD.replace("[lints]\nworkspace = true\n", ""));
        assert_eq!(inheritance(&tree)[0].message, "needs `[lints] workspace = true`");
    }

    #[test]
    fn dependency_with_a_version_is_found_in_every_table() {
        let tree = core(&GOOD.replace("{ workspace = true,", "{ version = \"1\","));
        assert_eq!(workspace_dependencies(&tree)[0].message, "needs `rustix.workspace = true`");
    }

    #[test]
    fn dev_dependency_by_path_alone_is_accepted() {
        let with = |table: &str| {
            core(&format!("{GOOD}[{table}]\ntestkit = {{ path = \"../testkit\" }}\n"))
        };
        assert_eq!(workspace_dependencies(&with("dev-dependencies")), []);
        assert_eq!(workspace_dependencies(&with("build-dependencies")).len(), 1);
    }

    #[test]
    fn package_with_another_name_than_its_folder_is_found() {
        let tree = core(&GOOD.replace("gatepass-core", "gatepass-kernel"));
        assert_eq!(package_name(&tree).len(), 1);
    }

    #[test]
    fn other_registry_in_lock_file_is_found() {
        let lock = format!("source = \"{REGISTRY}\"\nsource = \"sparse+https://elsewhere/\"\n");
        let found = registry(&Tree::of(&[("Cargo.lock", &lock)]));
        assert_eq!(found, [Finding::at("Cargo.lock", 2, "names another registry")]);
    }

    #[test]
    fn source_replacement_is_found() {
        let config = "[source.crates-io]\nreplace-with = \"here\"\n";
        assert_eq!(registry(&Tree::of(&[(".cargo/config.toml", config)])).len(), 1);
    }
}
