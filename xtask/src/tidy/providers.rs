//! Rules about the provider crates: pure code, the same files, the same order.

use toml::{Table, Value};

use super::finding::Finding;
use super::manifests::dependencies as dependencies_of;
use super::tree::Tree;
use crate::code::{before_tests, line_of};

/// The allowed dependencies of a provider.
const MAY_USE: &[&str] = &[
    "async-trait",
    "base64",
    "gatepass-core",
    "http",
    "httpdate",
    "percent-encoding",
    "serde",
    "serde_json",
];

/// The additional dependencies that its tests and examples may have.
const TESTS_MAY_USE: &[&str] = &["gatepass-testkit", "proptest", "ureq"];

/// The files of every provider crate; of fixtures, at least one that starts with each name.
const FILES: &[&str] = &["Cargo.toml", "README.md", "src/lib.rs"];
const FIXTURES: &[&str] = &["token", "denied", "throttled", "garbage"];

/// Source files that a provider may have, each with its reason.
const MORE_FILES: &[(&str, &str)] = &[
    ("src/tests.rs", "tests of the vendor's own rules"),
    ("src/settings.rs", "more settings than the common fields"),
    ("src/wire.rs", "requests and responses that would make lib.rs longer than 250 lines"),
];

/// Names that a pure function does not need.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "Mutex",
    "RwLock",
    "OnceLock",
    "LazyLock",
    "thread_local!",
    "static ",
];

/// The parts of a provider's `lib.rs`, in order.
const ORDER: &[&str] =
    &["pub const INFO: ProviderInfo", "register!(INFO)", "pub struct ", "impl Provider for "];

/// The headings of a provider's README, in order.
const HEADINGS: &[&str] =
    &["Credential", "Settings", "Endpoint", "Lifetime", "Limits", "Errors", "Revoking", "Checking"];

const FACADE: &str = "crates/gatepass/Cargo.toml";
const FACADE_LIB: &str = "crates/gatepass/src/lib.rs";
const FACADE_REGISTRY: &str = "crates/gatepass/src/registry.rs";
const COMMAND: &str = "crates/gatepass-cli/Cargo.toml";

pub(super) fn dependencies(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for id in tree.providers() {
        let path = format!("crates/provider-{id}/Cargo.toml");
        let Some(manifest) = table(tree, &path) else { continue };
        for (kind, name, _) in dependencies_of(&manifest) {
            let may = match kind {
                "dependencies" => MAY_USE.contains(&name),
                "dev-dependencies" => MAY_USE.contains(&name) || TESTS_MAY_USE.contains(&name),
                _ => false,
            };
            if !may {
                found.push(Finding::new(&path, format!("a provider's {kind} may not hold {name}")));
            }
        }
    }
    found
}

pub(super) fn pure(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for id in tree.providers() {
        for (_, file) in tree.below(&format!("crates/provider-{id}/src")) {
            let code = before_tests(&file.code);
            for name in IMPURE {
                for (at, _) in code.match_indices(name).filter(|(at, _)| is_word(code, *at)) {
                    let message = format!("a provider is pure: no `{}`", name.trim());
                    found.push(Finding::at(&file.path, line_of(code, at), message));
                }
            }
        }
    }
    found
}

pub(super) fn files(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for id in tree.providers() {
        let folder = format!("crates/provider-{id}");
        let has: Vec<&str> = tree.below(&folder).into_iter().map(|(path, _)| path).collect();
        for file in FILES.iter().filter(|file| !has.contains(file)) {
            found.push(Finding::new(&folder, format!("has no {file}")));
        }
        let fixtures: Vec<&str> =
            has.iter().filter_map(|path| path.strip_prefix("fixtures/")).collect();
        let is = |file: &&str, name: &str| file.starts_with(name) && file.ends_with(".http");
        for name in FIXTURES.iter().filter(|name| !fixtures.iter().any(|file| is(file, name))) {
            found.push(Finding::new(&folder, format!("has no fixtures/{name}*.http")));
        }
        let listed = |path: &str| MORE_FILES.iter().any(|(file, _)| path == *file);
        for path in has.iter().filter(|path| path.starts_with("src/") && !FILES.contains(path)) {
            if !listed(path) {
                found.push(Finding::new(
                    &folder,
                    format!("has {path}, which is not a file of a provider"),
                ));
            }
        }
    }
    found
}

pub(super) fn order(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for id in tree.providers() {
        let path = format!("crates/provider-{id}/src/lib.rs");
        let Some(file) = tree.get(&path) else { continue };
        if !file.text.contains(&format!("ProviderInfo::new(\"{id}\",")) {
            let message =
                format!("INFO must begin with `ProviderInfo::new(\"{id}\", …)`: the folder's name");
            found.push(Finding::new(&path, message));
        }
        let mut last = 0;
        for part in ORDER {
            match file.code.find(part) {
                None => found.push(Finding::new(&path, format!("has no `{part}`"))),
                Some(at) if at < last => {
                    let message = format!("`{}` is too early", part.trim());
                    found.push(Finding::at(&path, line_of(&file.code, at), message));
                }
                Some(at) => last = at,
            }
        }
    }
    found
}

pub(super) fn readme(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for id in tree.providers() {
        let path = format!("crates/provider-{id}/README.md");
        let Some(file) = tree.get(&path) else { continue };
        let headings: Vec<&str> =
            file.text.lines().filter_map(|line| line.strip_prefix("## ")).map(str::trim).collect();
        if headings != HEADINGS {
            let message = format!("its headings are {headings:?}, not {HEADINGS:?}");
            found.push(Finding::new(&path, message));
        }
    }
    found
}

pub(super) fn features(tree: &Tree) -> Vec<Finding> {
    let ids = tree.providers();
    let mut found = Vec::new();
    if let Some(facade) = table(tree, FACADE) {
        for id in &ids {
            wants(&mut found, FACADE, &facade, id, &[format!("dep:provider-{id}")]);
        }
        let all: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
        wants(&mut found, FACADE, &facade, "all-providers", &all);
        extra(&mut found, FACADE, &facade, &ids, "dep:provider-");
    }
    if let Some(command) = table(tree, COMMAND) {
        let default = switched_on(&command, "default");
        for id in &ids {
            let part = format!("gatepass/{id}");
            if !feature(&command, id).contains(&part) {
                found.push(Finding::new(
                    COMMAND,
                    format!("wants the feature `{id} = [\"{part}\"]`"),
                ));
            }
            if !default.contains(&part) && !default.contains(&"gatepass/all-providers".to_owned()) {
                found.push(Finding::new(COMMAND, format!("`default` needs \"{id}\"")));
            }
        }
    }
    if let Some(lib) = tree.get(FACADE_LIB) {
        let text: String = lib.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for id in &ids {
            let name = id.replace('-', "_");
            let line = format!("#[cfg(feature = \"{id}\")] pub use provider_{name} as {name};");
            if !text.contains(&line) {
                let message = format!("needs `{line}`: a crate that no code names is not linked");
                found.push(Finding::new(FACADE_LIB, message));
            }
        }
    }
    if let Some(registry) = tree.get(FACADE_REGISTRY) {
        for id in ids.iter().filter(|id| !registry.text.contains(&format!("(\"{id}\", &["))) {
            found.push(Finding::new(FACADE_REGISTRY, format!("FEATURES needs `(\"{id}\", &[…])`")));
        }
    }
    found
}

/// Reports a feature that does not have exactly these parts, in any order.
fn wants(found: &mut Vec<Finding>, path: &str, manifest: &Table, name: &str, parts: &[String]) {
    let mut is = feature(manifest, name);
    let mut wanted = parts.to_vec();
    is.sort();
    wanted.sort();
    if is != wanted {
        found.push(Finding::new(path, format!("wants the feature `{name} = {parts:?}`")));
    }
}

/// Reports features for providers that have no folder.
fn extra(found: &mut Vec<Finding>, path: &str, manifest: &Table, ids: &[&str], prefix: &str) {
    let features = manifest.get("features").and_then(Value::as_table);
    for (name, _) in features.into_iter().flatten() {
        for part in feature(manifest, name) {
            if let Some(id) = part.strip_prefix(prefix).filter(|id| !ids.contains(id)) {
                found.push(Finding::new(path, format!("`{name}` needs crates/provider-{id}")));
            }
        }
    }
}

/// Returns everything that a feature enables, through other features of the same manifest too.
fn switched_on(manifest: &Table, name: &str) -> Vec<String> {
    let mut all = feature(manifest, name);
    let mut at = 0;
    while let Some(part) = all.get(at).cloned() {
        let more = feature(manifest, &part);
        all.extend(more.into_iter().filter(|part| !all.contains(part)).collect::<Vec<_>>());
        at += 1;
    }
    all
}

fn feature(manifest: &Table, name: &str) -> Vec<String> {
    let parts = manifest.get("features").and_then(|features| features.get(name));
    let parts = parts.and_then(Value::as_array).into_iter().flatten();
    parts.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns a manifest; an unreadable one is reported by another rule.
fn table(tree: &Tree, path: &str) -> Option<Table> {
    tree.get(path)?.text.parse().ok()
}

fn is_word(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "//! Acme tokens.\n\
        pub const INFO: ProviderInfo = ProviderInfo::new(\"acme\", \"Acme\");\nregister!(INFO);\n\
        pub struct Acme;\nimpl Provider for Acme {}\n";

    fn lib(text: &str) -> Tree {
        Tree::of(&[("crates/provider-acme/src/lib.rs", text)])
    }

    #[test]
    fn dependency_on_a_runtime_is_found() {
        let manifest = "[dependencies]\ngatepass-core.workspace = true\ntokio.workspace = true\n\
            [dev-dependencies]\ngatepass-testkit.workspace = true\n";
        let found = dependencies(&Tree::of(&[("crates/provider-acme/Cargo.toml", manifest)]));
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("tokio"));
    }

    #[test]
    fn clock_and_state_are_found() {
        let tree =
            lib("static CACHE: Mutex<()> = x;\nfn f(a: &'static str) { SystemTime::now(); }");
        let lines: Vec<_> = pure(&tree).iter().map(|found| found.line).collect();
        assert_eq!(lines, [Some(2), Some(1), Some(1)]);
    }

    #[test]
    fn missing_and_extra_files_are_found() {
        let tree = Tree::of(&[
            ("crates/provider-acme/Cargo.toml", ""),
            ("crates/provider-acme/src/lib.rs", ""),
            ("crates/provider-acme/src/wire.rs", ""),
            ("crates/provider-acme/src/client.rs", ""),
            ("crates/provider-acme/fixtures/token.http", ""),
            ("crates/provider-acme/fixtures/denied-html.http", ""),
            ("crates/provider-acme/fixtures/garbage.http", ""),
        ]);
        let messages: Vec<String> = files(&tree).into_iter().map(|found| found.message).collect();
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert_eq!(messages[0], "has no README.md");
        assert_eq!(messages[1], "has no fixtures/throttled*.http");
        assert!(messages[2].contains("src/client.rs"));
    }

    #[test]
    fn parts_in_another_order_are_found() {
        assert_eq!(order(&lib(LIB)), []);
        let (head, tail) = LIB.split_at(LIB.find("pub struct").unwrap());
        let turned = format!("{tail}{head}");
        assert!(order(&lib(&turned)).iter().any(|found| found.message.contains("too early")));
    }

    #[test]
    fn id_other_than_the_folders_name_is_found() {
        let found = order(&lib(&LIB.replace("\"acme\"", "\"acme-cloud\"")));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn readme_with_other_headings_is_found() {
        let good: String = HEADINGS.iter().map(|heading| format!("## {heading}\n")).collect();
        let good = format!("# Acme\n{good}");
        let path = "crates/provider-acme/README.md";
        assert_eq!(readme(&Tree::of(&[(path, &good)])), []);
        let swapped = good.replace("Settings", "Limits");
        assert_eq!(readme(&Tree::of(&[(path, &swapped)])).len(), 1);
    }

    #[test]
    fn missing_features_and_lines_are_found() {
        let files = |facade: &str, command: &str, lib: &str| {
            let tree = Tree::of(&[
                ("crates/provider-acme/Cargo.toml", ""),
                (FACADE, facade),
                (COMMAND, command),
                (FACADE_LIB, lib),
            ]);
            features(&tree).len()
        };
        let facade = "[features]\nacme = [\"dep:provider-acme\"]\nall-providers = [\"acme\"]\n";
        let command = "[features]\ndefault = [\"acme\"]\nacme = [\"gatepass/acme\"]\n";
        let lib = "#[cfg(feature = \"acme\")]\npub use provider_acme as acme;\n";
        assert_eq!(files(facade, command, lib), 0);
        assert_eq!(files("[features]\n", command, lib), 2);
        assert_eq!(files(facade, "[features]\n", lib), 2);
        assert_eq!(files(facade, command, "pub use provider_acme as acme;"), 1);
        let gone = format!("{facade}cisco = [\"dep:provider-cisco\"]\n");
        assert_eq!(files(&gone, command, lib), 1);
    }
}
