//! Counts the calls that open secrets and compares them with a reviewed list.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::tree::Tree;
use crate::code::before_tests;
use crate::error::Result;
use crate::{output, workspace};

const LIST: &str = "xtask/expose_secret.txt";
const CALL: &str = "expose_secret";

const HEAD: &str = "\
# How often each file opens a secret outside its tests. Written by `cargo xtask tidy --bless`;
# a changed line is a question to the reviewer: must this place see the secret?
";

pub(super) fn expose_secret(tree: &Tree) -> Vec<Finding> {
    let listed = tree.get(LIST).map(|file| parse(&file.text)).unwrap_or_default();
    let counted = count(tree);
    let mut files: Vec<&String> = listed.keys().chain(counted.keys()).collect();
    files.sort();
    files.dedup();
    files
        .into_iter()
        .filter_map(|file| {
            let (is, was) = (counted.get(file).unwrap_or(&0), listed.get(file).unwrap_or(&0));
            (is != was).then(|| {
                let message = format!(
                    "opens a secret in {is} places, {LIST} allows {was}: `cargo xtask tidy --bless`"
                );
                Finding::new(file, message)
            })
        })
        .collect()
}

/// Writes the list from the tree.
pub(super) fn bless(tree: &Tree) -> Result<()> {
    let counted = count(tree);
    let lines: String = counted.iter().map(|(file, n)| format!("{n:>3} {file}\n")).collect();
    workspace::write(LIST, &format!("{HEAD}{lines}"))?;
    output::line(format_args!("{LIST}: {} files", counted.len()));
    Ok(())
}

fn count(tree: &Tree) -> BTreeMap<String, usize> {
    tree.rust()
        .filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/"))
        .map(|file| (file.path.clone(), calls(before_tests(&file.code))))
        .filter(|(_, calls)| *calls > 0)
        .collect()
}

/// Counts the uses of `expose_secret`, also as a function's name, but not its definition.
fn calls(code: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(CALL)
        .filter(|(at, _)| {
            let (before, after) = (&code[..*at], &code[at + CALL.len()..]);
            let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
            whole && !before.ends_with("fn ")
        })
        .count()
}

/// Reads lines of a count and a path.
pub(super) fn parse(text: &str) -> BTreeMap<String, usize> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.trim().split_once(' '))
        .filter_map(|(count, file)| Some((file.to_owned(), count.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "fn expose_secret(&self) {}\n\
        // expose_secret()\nfn f() { a.expose_secret(); b.map(Secret::expose_secret); }\n\
        #[cfg(test)]\nmod tests { c.expose_secret(); }";

    #[test]
    fn only_calls_are_counted() {
        let tree = Tree::of(&[("crates/a/src/b.rs", CODE)]);
        assert_eq!(count(&tree).get("crates/a/src/b.rs"), Some(&2));
    }

    #[test]
    fn unlisted_count_is_found() {
        let tree = Tree::of(&[("crates/a/src/b.rs", CODE), (LIST, "  1 crates/a/src/b.rs\n")]);
        assert_eq!(expose_secret(&tree).len(), 1);
    }

    #[test]
    fn listed_file_that_was_removed_is_found() {
        let tree = Tree::of(&[(LIST, "# head\n  1 crates/a/src/b.rs\n")]);
        assert_eq!(expose_secret(&tree).len(), 1);
    }

    #[test]
    fn listed_count_is_accepted() {
        let tree = Tree::of(&[("crates/a/src/b.rs", CODE), (LIST, "  2 crates/a/src/b.rs\n")]);
        assert_eq!(expose_secret(&tree), []);
    }
}
