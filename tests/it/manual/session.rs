//! Runs a page's commands in one shell with a sandbox and compares their output.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use gatepass_tests::{Run, Vendors, gatepass_binary, python};

use super::page::Page;

/// Returns the errors of a page: commands that fail or print other output than shown.
///
/// The shell runs in an empty folder of a home that has only `$SANDBOX_CONFIG`, a config for the
/// sandbox at `$SANDBOX`. A page installs that config or starts its own sandbox.
pub(crate) fn failures(page: &Page) -> Vec<String> {
    let vendors = Vendors::start();
    let home = gatepass_tests::Home::new();
    let (bin, config) =
        (home.path("bin"), home.write("sandbox.toml", &vendors.sandbox.config_toml()));
    fs::create_dir(&bin).unwrap();
    symlink(gatepass_binary(), bin.join("gatepass")).unwrap();
    // A page starts like a new user: without a state folder.
    fs::remove_dir_all(home.path("config")).unwrap();
    let script = home.write("script", &script(page));
    let python = python().parent().unwrap().display();
    let path = format!("{}:{python}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = home
        .program(Path::new("/bin/bash"), [script.to_str().unwrap()])
        .env("PATH", path)
        .env("XDG_CONFIG_HOME", home.path(".config"))
        .env("SANDBOX", vendors.sandbox.url())
        .env("SANDBOX_CONFIG", config)
        .limit(LIMIT)
        .run();
    let failures = compare(page, &run);
    vendors.stop();
    failures
}

/// Returns the page's commands as a script that prints a marker line before each command.
fn script(page: &Page) -> String {
    let mut script = String::from(
        "set -euo pipefail\nexec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n",
    );
    for block in page.commands() {
        script += &format!("echo '{MARK}{}'\n{}\n", block.line, block.text);
    }
    script + "echo '" + MARK + "end'\n"
}

fn compare(page: &Page, run: &Run) -> Vec<String> {
    let mut printed = run.stdout.split(MARK).skip(1).map(|part| part.split_once('\n').unwrap());
    let mut failures = Vec::new();
    for block in page.commands() {
        let location = format!("{}:{}", page.path, block.line);
        let Some((line, output)) = printed.next() else {
            failures.push(format!("{location}: not reached"));
            return failures;
        };
        assert_eq!(line, block.line.to_string(), "{location}");
        if let Some(shown) = block.shown.as_deref().filter(|shown| !matches(output, shown)) {
            failures.push(format!("{location}: shown\n{shown}\n{location}: printed\n{output}"));
        }
        if run.code != Some(0) && printed.clone().next().is_none() {
            failures.push(format!("{location}: failed with {:?}:\n{output}", run.code));
            return failures;
        }
    }
    failures
}

/// Returns whether `output` matches `shown`, where `…` matches a part of a line, or lines if alone.
fn matches(output: &str, shown: &str) -> bool {
    let output: Vec<&str> = output.trim_end().lines().collect();
    let shown: Vec<&str> = shown.trim_end().lines().collect();
    lines_match(&output, &shown)
}

fn lines_match(output: &[&str], shown: &[&str]) -> bool {
    match (output, shown) {
        (_, ["…"]) => true,
        (_, ["…", rest @ ..]) => {
            (0..=output.len()).any(|start| lines_match(&output[start..], rest))
        }
        ([line, output @ ..], [pattern, shown @ ..]) => {
            line_matches(line.trim_end(), pattern) && lines_match(output, shown)
        }
        (output, shown) => output.is_empty() && shown.is_empty(),
    }
}

fn line_matches(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = pattern.contains('…').then(|| parts.next_back()).flatten() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(start) = rest.find(part) else { return false };
        rest = &rest[start + part.len()..];
    }
    rest.ends_with(last)
}

/// The time limit of a page, which has many commands and runs in parallel with the others.
const LIMIT: Duration = Duration::from_secs(300);

/// The prefix of a marker line, which separates the output of commands.
const MARK: &str = "\u{1}block ";

#[test]
fn ellipsis_matches_text_or_lines() {
    assert!(matches("a 1 b\nx\ny\nz\n", "a … b\n…\nz\n"));
    assert!(matches("a\n", "a\n…\n") && matches("a 1", "a…") && matches("a", "a"));
    assert!(!matches("a\nb\n", "a\n") && !matches("a", "a\nb") && !matches("ab", "a"));
    assert!(!matches("a 1 c", "a … b") && !matches("", "a") && !matches("x a", "a…"));
    assert!(matches("a-b-c", "a…b…c") && !matches("a-c-b", "a…b…c"));
}
