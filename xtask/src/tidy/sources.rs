//! Rules about source files: names, length, first line, attributes.

use super::finding::Finding;
use super::tree::{File, Tree};
use crate::code::{attributes, before_tests, line_of};

/// Length of a file in lines from which on it is noted, and its maximum.
const BUDGET: usize = 450;
const LIMIT: usize = 500;

/// Maximum width of the line that describes a file; rustfmt does not wrap comments.
const WIDTH: usize = 100;

/// Files with a longer first line.
const WIDE: [&str; 7] = [
    "crates/gatepass-engine/src/cache.rs",
    "crates/gatepass-sandbox/src/celerdata.rs",
    "crates/gatepass-sandbox/src/cisco.rs",
    "crates/gatepass-sandbox/src/faults/body.rs",
    "crates/gatepass-sandbox/src/faults/wire.rs",
    "crates/gatepass/src/config/origins.rs",
    "tests/it/profile/leftovers.rs",
];

/// Files that may be longer than the limit, each with its reason.
const LONG: &[(&str, &str)] = &[];

/// Files that may call the methods that clippy.toml forbids, each with its reason; besides these, every
/// `clock.rs`, examples and benchmarks.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("crates/gatepass/src/config.rs", "reads the environment"),
    ("crates/gatepass/src/config/", "reads the environment"),
    ("crates/gatepass-cli/src/browser.rs", "passes a browser the environment it needs"),
    ("crates/gatepass-http/src/client.rs", "builds the client"),
    ("crates/gatepass-http/src/environment.rs", "reads the proxies and roots of the process"),
    ("tests/", "acts for a user"),
    ("xtask/", "acts for a user"),
];

pub(super) fn file_name(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| {
            ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "misc.rs"]
                .contains(&file.name())
        })
        .map(|file| Finding::new(&file.path, "name the file by its one subject"))
        .collect()
}

pub(super) fn file_length(tree: &Tree) -> Vec<Finding> {
    let listed = |file: &File| LONG.iter().any(|(path, _)| *path == file.path);
    tree.rust()
        .filter(|file| lines(file) > LIMIT && !listed(file))
        .map(|file| {
            Finding::new(&file.path, format!("{} lines: split off the second subject", lines(file)))
        })
        .collect()
}

/// Returns a note for each file between the budget and the limit.
pub(super) fn near_the_limit(tree: &Tree) -> Vec<String> {
    tree.rust()
        .filter(|file| (BUDGET + 1..=LIMIT).contains(&lines(file)))
        .map(|file| format!("{} has {} lines of {BUDGET}", file.path, lines(file)))
        .collect()
}

pub(super) fn first_line(tree: &Tree) -> Vec<Finding> {
    let is_short = |file: &File| {
        let line = file.text.lines().next().unwrap_or_default();
        let is_long = line.chars().count() > WIDTH && !WIDE.contains(&file.path.as_str());
        line.starts_with("//! ") && !is_long
    };
    tree.rust()
        .filter(|file| !is_short(file))
        .map(|file| {
            let text = format!("begin with a `//!` line of at most {WIDTH} characters");
            Finding::at(&file.path, 1, text)
        })
        .collect()
}

pub(super) fn bare_allow(tree: &Tree) -> Vec<Finding> {
    in_attributes(tree, "allow", |text| !text.contains("reason"), "give `#[expect(…)]` a reason")
}

pub(super) fn instrument(tree: &Tree) -> Vec<Finding> {
    let shows = |text: &str| !text.contains("skip_all");
    in_attributes(tree, "instrument", shows, "arguments may be secrets: add `skip_all`")
}

pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.rust() {
        let code = before_tests(&file.code);
        for name in ["todo!", "unimplemented!", "dbg!"] {
            let is_word =
                |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            for (at, _) in code.match_indices(name).filter(|(at, _)| is_word(*at)) {
                let message = format!("`{name}` is for work in progress");
                found.push(Finding::at(&file.path, line_of(code, at), message));
            }
        }
    }
    found
}

/// Reports exceptions from clippy.toml's bans in files that may not have them.
pub(super) fn exceptions(tree: &Tree) -> Vec<Finding> {
    let may = |file: &File| {
        file.name() == "clock.rs"
            // Measurements read the clock.
            || file.path.contains("/benches/")
            || file.path.contains("/examples/")
            || EXCEPTIONS.iter().any(|(path, _)| file.path.starts_with(path))
    };
    let mut found = Vec::new();
    for file in tree.rust().filter(|file| !may(file)) {
        let [expect, allow] = ["expect", "allow"].map(|name| attributes(&file.code, name));
        for (line, text) in expect.into_iter().chain(allow) {
            if text.contains("clippy::disallowed_methods") {
                let message = "only a clock.rs reads the time, only the facade's config reads the \
                            environment, only gatepass-http builds a client";
                found.push(Finding::at(&file.path, line, message));
            }
        }
    }
    found
}

fn in_attributes(
    tree: &Tree,
    name: &str,
    is_wrong: impl Fn(&str) -> bool,
    message: &str,
) -> Vec<Finding> {
    tree.rust()
        .flat_map(|file| attributes(&file.code, name).into_iter().map(move |found| (file, found)))
        .filter(|(_, (_, text))| is_wrong(text))
        .map(|(file, (line, _))| Finding::at(&file.path, line, message))
        .collect()
}

fn lines(file: &File) -> usize {
    file.text.lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, text: &str) -> Tree {
        Tree::of(&[(path, text)])
    }

    #[test]
    fn file_name_without_a_subject_is_found() {
        assert_eq!(file_name(&one("crates/a/src/utils.rs", "")).len(), 1);
        assert_eq!(file_name(&one("crates/a/src/config/mod.rs", "")).len(), 1);
        assert_eq!(file_name(&one("crates/a/src/redact.rs", "")), []);
    }

    #[test]
    fn file_over_the_limit_is_found() {
        let long = |lines| one("crates/a/src/b.rs", &"\n".repeat(lines));
        assert!(file_length(&long(450)).is_empty() && near_the_limit(&long(450)).is_empty());
        assert!(file_length(&long(500)).is_empty() && near_the_limit(&long(500)).len() == 1);
        assert_eq!(file_length(&long(501)).len(), 1);
    }

    #[test]
    fn missing_or_long_first_line_is_found() {
        assert_eq!(first_line(&one("crates/a/src/b.rs", "use std::fmt;\n")).len(), 1);
        assert_eq!(
            first_line(&one("crates/a/src/b.rs", &format!("//! {}\n", "a".repeat(97)))).len(),
            1
        );
        assert_eq!(first_line(&one("crates/a/src/b.rs", "//! The parts of a file.\n")), []);
    }

    #[test]
    fn allow_without_reason_is_found() {
        let bare = one("crates/a/src/b.rs", "\n#[allow(dead_code)]\nfn f() {}");
        assert_eq!(bare_allow(&bare)[0].line, Some(2));
        let reasoned = "#[allow(\n    dead_code,\n    reason = \"a macro\"\n)]\nfn f() {}";
        assert_eq!(bare_allow(&one("crates/a/src/b.rs", reasoned)), []);
    }

    #[test]
    fn instrument_with_arguments_is_found() {
        let bare = one("crates/a/src/b.rs", "#[tracing::instrument(level = \"debug\")]\nfn f() {}");
        assert_eq!(instrument(&bare).len(), 1);
        let skips = one("crates/a/src/b.rs", "#[instrument(skip_all)]\nfn f() {}");
        assert_eq!(instrument(&skips), []);
    }

    #[test]
    fn unfinished_code_is_found_in_code_only() {
        let code = "// todo!(\nfn f() { todo!() }\nconst A: &str = \"dbg!(\";";
        let found = unfinished(&one("crates/a/src/b.rs", code));
        assert_eq!(found, [Finding::at("crates/a/src/b.rs", 2, "`todo!` is for work in progress")]);
    }

    #[test]
    fn exception_outside_clock_and_config_is_found() {
        let code = "//! A.\n#[expect(clippy::disallowed_methods, reason = \"b\")]\nfn f() {}";
        let at = |path| exceptions(&one(path, code)).len();
        assert_eq!(at("crates/gatepass-engine/src/source.rs"), 1);
        assert_eq!(at("crates/gatepass-engine/src/clock.rs"), 0);
        assert_eq!(at("crates/gatepass/src/config/env.rs"), 0);
    }
}
