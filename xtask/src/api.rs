//! `cargo xtask api`: the public API of every published crate, as lists that a reviewer reads.

use std::path::{Path, PathBuf};

use public_api::PublicItem;
use serde_json::Value;

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{release, rustdoc, say, workspace};

const HELP: &str = "\
cargo xtask api [--bless]

Compares the public API of every published crate, with all features, with xtask/api/CRATE.txt.

  --bless  writes these files";

/// Where the lists are.
const LISTS: &str = "xtask/api";

/// The form of rustdoc's JSON that the crate `public-api` reads in the version that is locked.
const FORMAT: u64 = 57;

pub(crate) fn main(words: &[String]) -> Result<()> {
    let args = Args::read(words, &["--bless", "--check"], &[], HELP)?.no_names(HELP)?;
    if args.has("--help") {
        say::line(HELP);
        return Ok(());
    }
    if args.has("--bless") { bless() } else { check() }
}

/// Fails if a list is not what the code says; says so where this toolchain cannot tell.
pub(crate) fn check() -> Result<()> {
    let Some(lists) = lists()? else { return Ok(()) };
    let mut wrong = strays(&lists)?;
    for (name, is) in &lists {
        let file = file(name);
        let noted = workspace::read(&file).unwrap_or_default();
        wrong.extend(changes(&noted, is).into_iter().map(|change| format!("{file}: {change}")));
    }
    if wrong.is_empty() {
        say::line(format_args!("{} crates have the public API of {LISTS}", lists.len()));
        return Ok(());
    }
    for line in &wrong {
        say::line(line);
    }
    Err(Failure::failed(format!(
        "the public API differs in {} lines from {LISTS}: where that is meant, \
         `cargo xtask api --bless` writes the lists anew",
        wrong.len()
    )))
}

fn bless() -> Result<()> {
    let Some(lists) = lists()? else {
        return Err(Failure::failed("the lists are as they were"));
    };
    for (name, is) in &lists {
        workspace::write(&file(name), is)?;
    }
    if let [stray, ..] = strays(&lists)?.as_slice() {
        return Err(Failure::failed(format!("{stray}; remove it")));
    }
    say::line(format_args!("{} lists are in {LISTS}", lists.len()));
    Ok(())
}

fn file(name: &str) -> String {
    format!("{LISTS}/{name}.txt")
}

/// Each published crate and its list; nothing where rustdoc writes another form of JSON.
fn lists() -> Result<Option<Vec<(String, String)>>> {
    let metadata = Run::new("cargo metadata --locked --no-deps --format-version 1").output()?;
    let names = release::published(&metadata)?;
    let chosen: Vec<String> = names.iter().map(|name| format!("-p {name}")).collect();
    rustdoc::run(
        &format!("cargo doc --quiet --lib --no-deps --all-features {}", chosen.join(" ")),
        "-Z unstable-options --output-format json",
    )?;
    let folder = target(&metadata)?.join("doc");
    let mut lists = Vec::new();
    for name in names {
        let json = folder.join(format!("{}.json", name.replace('-', "_")));
        let format = format(&json)?;
        if format != FORMAT {
            say::line(format_args!(
                "NOT CHECKED: this toolchain writes its documentation in form {format}, and \
                 public-api reads {FORMAT}, which Rust 1.95 writes"
            ));
            return Ok(None);
        }
        lists.push((name, list(&json)?));
    }
    Ok(Some(lists))
}

fn target(metadata: &str) -> Result<PathBuf> {
    let metadata: Option<Value> = serde_json::from_str(metadata).ok();
    metadata
        .as_ref()
        .and_then(|metadata| metadata.get("target_directory")?.as_str().map(PathBuf::from))
        .ok_or_else(|| Failure::failed("cargo metadata has an unknown form"))
}

fn format(json: &Path) -> Result<u64> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::failed(format!("{} cannot be read: {why}", json.display()))
    };
    let text = std::fs::read_to_string(json).map_err(|error| unreadable(&error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    value.get("format_version").and_then(Value::as_u64).ok_or_else(|| unreadable(&"no form"))
}

/// One line for each item. What every type has is left out, and so are the methods of a trait
/// that is derived or passed on by a `Box` or an `Arc`: that it is, stands there.
fn list(json: &Path) -> Result<String> {
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .map_err(|error| Failure::failed(format!("{} cannot be read: {error}", json.display())))?;
    let lines = api.items().map(PublicItem::to_string).filter(|line| !is_noise(line));
    Ok(lines.map(|line| line + "\n").collect())
}

fn is_noise(line: &str) -> bool {
    const DERIVED: [&str; 7] = [
        "::clone(&self) -> ",
        "::cmp(&self, ",
        "::default() -> ",
        "::eq(&self, ",
        "::fmt(&self, &mut core::fmt::Formatter",
        "::hash<__H: core::hash::Hasher>(&self, ",
        "::partial_cmp(&self, ",
    ];
    const PASSED_ON: [&str; 3] = [
        "impl core::marker::StructuralPartialEq ",
        "pub fn alloc::boxed::Box<",
        "pub fn alloc::sync::Arc<",
    ];
    PASSED_ON.iter().any(|start| line.starts_with(start))
        || line.starts_with("pub fn ") && DERIVED.iter().any(|method| line.contains(method))
}

/// The lines that are gone and those that came, in the order of the lists.
fn changes(noted: &str, is: &str) -> Vec<String> {
    let without = |from: &str, of: &str, sign: char| -> Vec<String> {
        let mut left: Vec<&str> = of.lines().collect();
        let mut found = Vec::new();
        for line in from.lines() {
            match left.iter().position(|other| *other == line) {
                Some(at) => drop(left.swap_remove(at)),
                None => found.push(format!("{sign}{line}")),
            }
        }
        found
    };
    let mut changes = without(noted, is, '-');
    changes.extend(without(is, noted, '+'));
    if changes.is_empty() && noted != is {
        changes.push("has its lines in another order".to_owned());
    }
    changes
}

/// Lists of crates that are not published.
fn strays(lists: &[(String, String)]) -> Result<Vec<String>> {
    let folder = workspace::path(LISTS);
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| Failure::failed(format!("{LISTS} cannot be read: {error}")))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names
        .filter(|name| !lists.iter().any(|(known, _)| *name == format!("{known}.txt")))
        .map(|name| format!("{LISTS}/{name}: no crate of this name is published"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_and_what_came_is_named() {
        let changes = changes("pub fn a()\npub fn b()\n", "pub fn b()\npub fn c()\n");
        assert_eq!(changes, ["-pub fn a()", "+pub fn c()"]);
    }

    #[test]
    fn a_line_that_stands_twice_counts_twice() {
        assert_eq!(changes("a\na\n", "a\n"), ["-a"]);
        assert_eq!(changes("a\n", "a\n"), [""; 0]);
    }

    #[test]
    fn another_order_is_a_change() {
        assert_eq!(changes("a\nb\n", "b\na\n"), ["has its lines in another order"]);
    }

    #[test]
    fn a_derived_trait_is_one_line() {
        assert!(is_noise("pub fn acme::Acme::clone(&self) -> acme::Acme"));
        assert!(!is_noise("pub fn acme::Acme::new() -> acme::Acme"));
        assert!(!is_noise("impl core::clone::Clone for acme::Acme"));
    }
}
