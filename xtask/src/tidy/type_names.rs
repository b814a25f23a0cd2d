//! The rule that a type name means one thing in the workspace.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::tree::{File, Tree};
use crate::code::{before_tests, line_of};

/// The names that several types share, each with its reason.
const LIST: &str = "xtask/type_names.txt";

/// Names that every crate may declare.
const ANY: [&str; 3] = ["Error", "ErrorKind", "Result"];

/// A name that other files see and that two types have, unless the list accepts it.
pub(super) fn type_names(tree: &Tree) -> Vec<Finding> {
    let accepted = accepted(tree);
    let mut found = Vec::new();
    for (name, places) in shared(tree) {
        if !accepted.contains(name.as_str()) {
            for (path, line) in &places {
                let others: Vec<&str> =
                    places.iter().map(|(other, _)| *other).filter(|other| other != path).collect();
                let text = format!("declares `{name}` as {} does", others.join(", "));
                found.push(Finding::at(*path, *line, text));
            }
        }
    }
    found
}

/// Names of the list that a single type has today.
pub(super) fn outdated(tree: &Tree) -> Vec<String> {
    let shared = shared(tree);
    let names = accepted(tree).into_iter().filter(|name| !shared.contains_key(*name));
    names.map(|name| format!("{LIST}: `{name}` has one type now, remove the line")).collect()
}

fn accepted(tree: &Tree) -> BTreeSet<&str> {
    let text = tree.get(LIST).map(|file| file.text.as_str()).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect()
}

/// The names that are declared in more than one file, with the places.
fn shared(tree: &Tree) -> BTreeMap<String, Vec<(&str, usize)>> {
    let mut names: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    for file in tree.rust().filter(|file| file.path.starts_with("crates/")) {
        for (name, line) in declared(file) {
            names.entry(name.to_owned()).or_default().push((&file.path, line));
        }
    }
    names.retain(|name, places| {
        // Twins for two platforms are in one file. Tests of two crates never meet.
        let files: BTreeSet<&str> = places.iter().map(|(path, _)| *path).collect();
        let is_source = files.iter().any(|path| path.contains("/src/"));
        files.len() > 1 && is_source && !ANY.contains(&name.as_str())
    });
    names
}

/// The types of a file that other files may name, each with its line.
fn declared(file: &File) -> Vec<(&str, usize)> {
    let code = before_tests(&file.code);
    let mut found = Vec::new();
    for keyword in ["struct ", "enum ", "union ", "trait ", "type "] {
        for (at, _) in code.match_indices(keyword) {
            let before = code[..at].trim_end_matches(' ');
            let before = before.strip_suffix("unsafe").unwrap_or(before).trim_end();
            let is_public =
                before.ends_with("pub") || before.ends_with(')') && is_restricted(before);
            let name = &code[at + keyword.len()..];
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            if is_public && end > 0 {
                found.push((&name[..end], line_of(code, at)));
            }
        }
    }
    found
}

/// Ends the text in `pub(crate)` or the like?
fn is_restricted(text: &str) -> bool {
    text.rfind('(').is_some_and(|open| text[..open].ends_with("pub"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> usize {
        type_names(&Tree::of(files)).len()
    }

    #[test]
    fn name_of_two_types_is_found_in_both_files() {
        let files = [
            ("crates/a/src/b.rs", "pub struct Place;"),
            ("crates/c/src/d.rs", "pub(crate) enum Place<T> { A }"),
        ];
        assert_eq!(found(&files), 2);
        let listed = [files[0], files[1], (LIST, "# head\nPlace: two rules of one norm\n")];
        assert_eq!(found(&listed), 0);
    }

    #[test]
    fn private_types_and_twins_are_free() {
        let files = [
            (
                "crates/a/src/b.rs",
                "#[cfg(unix)]\npub struct Place;\n#[cfg(windows)]\npub struct Place;",
            ),
            ("crates/c/src/d.rs", "struct Place;\nimpl A for B { type Place = C; }"),
            ("crates/c/src/e.rs", "#[cfg(test)]\nmod tests { pub struct Place; }"),
        ];
        assert_eq!(found(&files), 0);
    }

    #[test]
    fn outdated_line_is_noted() {
        let tree =
            Tree::of(&[(LIST, "Place: two rules\n"), ("crates/a/src/b.rs", "pub struct Place;")]);
        assert_eq!(outdated(&tree).len(), 1);
    }
}
