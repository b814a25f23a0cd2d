//! Tests of the manual: its commands run and print the shown output.

mod page;
mod session;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use gatepass::cli_support::COMMON_FIELDS;
use gatepass::config::Config;
use gatepass::provider::Registry;

use self::page::Page;

/// Returns every Markdown page of the repository by its path.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    for folder in ["", "docs", "crates", "fuzz", "tests", "xtask"] {
        find_pages(&gatepass_tests::workspace().join(folder), !folder.is_empty(), &mut paths);
    }
    paths.sort();
    let name = |path: &Path| {
        let path = path.strip_prefix(gatepass_tests::workspace()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    paths.iter().map(|path| Page::new(name(path), &fs::read_to_string(path).unwrap())).collect()
}

fn find_pages(folder: &Path, deep: bool, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && deep && !path.ends_with("target") {
            find_pages(&path, deep, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

#[test]
fn manual_commands_print_the_shown_output() {
    let pages: Vec<Page> = pages().into_iter().filter(Page::has_commands).collect();
    assert!(pages.iter().any(|page| page.path == "docs/start/shell.md"));
    let failures = thread::scope(|scope| {
        let running: Vec<_> =
            pages.iter().map(|page| scope.spawn(|| session::failures(page))).collect();
        running.into_iter().flat_map(|page| page.join().unwrap()).collect::<Vec<String>>()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn skipped_manual_commands_have_a_reason() {
    let mut counts = BTreeMap::<(String, String), u32>::new();
    for page in pages() {
        for reason in page.blocks.iter().filter_map(|block| block.not_run()) {
            *counts.entry((page.path.clone(), reason.to_owned())).or_default() += 1;
        }
    }
    let mut shown = String::new();
    for ((page, reason), count) in counts {
        writeln!(shown, "{page}: {count}, {reason}").unwrap();
    }
    insta::assert_snapshot!("not_run", shown);
}

#[test]
fn manual_profiles_are_valid() {
    let registry = Registry::linked().unwrap();
    let mut count = 0;
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.is_config()) {
            let location = format!("{}:{}", page.path, block.line);
            let config =
                Config::from_toml(&block.text).unwrap_or_else(|e| panic!("{location}: {e}"));
            for name in config.names(&registry) {
                count += 1;
                if let Err(error) = config.profile(&name, &registry, &[]) {
                    panic!("{location}: {name}: {error} ({:?})", error.hints());
                }
            }
        }
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn config_reference_lists_all_keys() {
    let path = gatepass_tests::workspace().join("docs/config.md");
    let text = fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    let is_row_of = |row: &&str, name: &str| row.split('`').next() == Some(name);
    for field in COMMON_FIELDS {
        let row = rows.iter().find(|row| is_row_of(row, &field.name));
        let row = row.unwrap_or_else(|| panic!("docs/config.md has no row for `{}`", field.name));
        let default =
            field.default.as_ref().map(|value| format!("| `{value}` |")).unwrap_or_default();
        assert!(row.contains(&default), "the default of {} is {default}: {row}", field.name);
    }
}

#[test]
fn manual_index_links_all_pages() {
    let pages = pages();
    let index = fs::read_to_string(gatepass_tests::workspace().join("docs/README.md")).unwrap();
    for page in pages.iter().filter_map(|page| page.path.strip_prefix("docs/")) {
        let is_linked = page == "README.md" || index.contains(&format!("]({page})"));
        assert!(is_linked, "docs/README.md does not lead to docs/{page}");
    }
}

/// The provider that `it/outside.rs` builds and tests.
#[test]
fn pages_show_the_outside_crates() {
    let pages = pages();
    let outside = gatepass_tests::workspace().join("tests/outside");
    let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
    let shown: [(&str, &[&str], usize); 2] = [
        ("docs/start/provider.md", &["provider-acme", "sandbox-acme", "acme-gatepass"], 10),
        ("docs/start/store.md", &["store-acme"], 2),
    ];
    for (path, folders, count) in shown {
        let page = pages.iter().find(|page| page.path == path).unwrap();
        let mut files = Vec::new();
        for folder in folders {
            for below in ["", "src", "fixtures"] {
                let Ok(entries) = fs::read_dir(outside.join(folder).join(below)) else { continue };
                let paths = entries.map(|entry| entry.unwrap().path());
                files.extend(paths.filter(|path| path.is_file()));
            }
        }
        assert_eq!(files.len(), count, "{files:?}");
        for file in files {
            let mut text = String::new();
            for line in fs::read_to_string(&file).unwrap().trim().lines() {
                // The manual uses crates.io, the test this workspace.
                match line.split_once("{ path = \"GATEPASS/") {
                    Some((name, rest)) => match rest.split_once("\", ") {
                        Some((_, more)) => {
                            writeln!(text, "{name}{{ version = \"{version}\", {more}")
                        }
                        None => writeln!(text, "{name}\"{version}\""),
                    },
                    None => writeln!(text, "{line}"),
                }
                .unwrap();
            }
            let is_included = page.blocks.iter().any(|block| block.text == text);
            assert!(is_included, "{} is not in {path}", file.display());
        }
    }
}

#[test]
fn rust_pages_are_documentation_tests() {
    const OWN: &str = "include_str!(\"../README.md\")";
    for page in pages().iter().filter(|page| page.blocks.iter().any(|block| block.is_rust())) {
        // A crate's README is tested by the crate.
        let (location, text_name) = match page.path.strip_suffix("README.md") {
            Some(folder) if folder.starts_with("crates/") => (format!("{folder}src/lib.rs"), OWN),
            _ => (String::from("tests/support/manual.rs"), page.path.as_str()),
        };
        let text = fs::read_to_string(gatepass_tests::workspace().join(&location)).unwrap();
        assert!(text.contains(text_name), "{location} does not name {}", page.path);
    }
}
