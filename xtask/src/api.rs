//! `cargo xtask api`: the public API of every published crate, as lists for reviewers.

use std::path::{Path, PathBuf};

use public_api::PublicItem;
use serde_json::Value;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::release::packages::Packages;
use crate::run::Run;
use crate::{output, rustdoc, workspace};

const HELP: &str = "\
cargo xtask api [--bless]

Compares the public API of every published crate, with all features, with xtask/api/CRATE.txt.

  --bless  writes these files";

/// The folder of the lists.
const LISTS: &str = "xtask/api";

/// The version of rustdoc's JSON format that the locked `public-api` reads.
const FORMAT: u64 = 57;

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &["--bless", "--check"], &[], HELP)?.no_names(HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    if args.has("--bless") { bless() } else { check() }
}

/// Compares the lists with the code. Passes with a note if this toolchain's format is not readable.
pub(crate) fn check() -> Result<()> {
    let Some(lists) = lists()? else { return Ok(()) };
    let mut wrong = strays(&lists)?;
    for (name, is) in &lists {
        let file = file(name);
        let listed = workspace::read(&file).unwrap_or_default();
        wrong.extend(changes(&listed, is).into_iter().map(|change| format!("{file}: {change}")));
    }
    if wrong.is_empty() {
        output::line(format_args!("{} crates have the public API of {LISTS}", lists.len()));
        return Ok(());
    }
    for line in &wrong {
        output::line(line);
    }
    Err(Error::failed(format!(
        "the public API differs in {} lines from {LISTS}: if that is intended, \
         `cargo xtask api --bless` writes the lists",
        wrong.len()
    )))
}

fn bless() -> Result<()> {
    let Some(lists) = lists()? else {
        return Err(Error::failed("the lists were not written"));
    };
    for (name, is) in &lists {
        workspace::write(&file(name), is)?;
    }
    if let [stray, ..] = strays(&lists)?.as_slice() {
        return Err(Error::failed(format!("{stray}; remove it")));
    }
    output::line(format_args!("{} lists are in {LISTS}", lists.len()));
    Ok(())
}

fn file(name: &str) -> String {
    format!("{LISTS}/{name}.txt")
}

/// Returns each published crate and its list; `None` if rustdoc's JSON has another format.
fn lists() -> Result<Option<Vec<(String, String)>>> {
    let metadata = Run::new("cargo metadata --locked --no-deps --format-version 1").output()?;
    let names = Packages::of(&metadata)?.order;
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
            output::line(format_args!(
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
        .ok_or_else(|| Error::failed("cargo metadata has an unknown form"))
}

fn format(json: &Path) -> Result<u64> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::failed(format!("{} cannot be read: {why}", json.display()))
    };
    let text = std::fs::read_to_string(json).map_err(|error| unreadable(&error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    value
        .get("format_version")
        .and_then(Value::as_u64)
        .ok_or_else(|| unreadable(&"no format_version"))
}

/// Returns one line for each item, without the implementations that every type has, and without the
/// methods of traits that are derived or forwarded by a `Box` or an `Arc`: the `impl` line is enough.
fn list(json: &Path) -> Result<String> {
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .map_err(|error| Error::failed(format!("{} cannot be read: {error}", json.display())))?;
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

/// Returns the removed and the added lines, in the order of the lists.
fn changes(listed: &str, is: &str) -> Vec<String> {
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
    let mut changes = without(listed, is, '-');
    changes.extend(without(is, listed, '+'));
    if changes.is_empty() && listed != is {
        changes.push("the lines have another order".to_owned());
    }
    changes
}

/// Returns the lists of crates that are not published.
fn strays(lists: &[(String, String)]) -> Result<Vec<String>> {
    let folder = workspace::path(LISTS);
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| Error::failed(format!("{LISTS} cannot be read: {error}")))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names
        .filter(|name| !lists.iter().any(|(known, _)| *name == format!("{known}.txt")))
        .map(|name| format!("{LISTS}/{name}: no published crate has this name"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_and_added_lines_are_named() {
        let changes = changes("pub fn a()\npub fn b()\n", "pub fn b()\npub fn c()\n");
        assert_eq!(changes, ["-pub fn a()", "+pub fn c()"]);
    }

    #[test]
    fn repeated_line_counts_twice() {
        assert_eq!(changes("a\na\n", "a\n"), ["-a"]);
        assert_eq!(changes("a\n", "a\n"), [""; 0]);
    }

    #[test]
    fn changed_order_is_a_change() {
        assert_eq!(changes("a\nb\n", "b\na\n"), ["the lines have another order"]);
    }

    #[test]
    fn derived_trait_is_one_line() {
        assert!(is_noise("pub fn acme::Acme::clone(&self) -> acme::Acme"));
        assert!(!is_noise("pub fn acme::Acme::new() -> acme::Acme"));
        assert!(!is_noise("impl core::clone::Clone for acme::Acme"));
    }
}
