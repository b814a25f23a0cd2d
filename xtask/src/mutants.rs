//! `cargo xtask mutants`: applies each seeded defect to a copy and expects its tests to fail.
//!
//! A mutant is a patch of the engine. It proves that the suites notice the defect that it makes,
//! without any code for it in the engine itself. All mutants share one copy and one target folder,
//! so each one rebuilds the changed crate only. cargo-mutants would make its mutants from the
//! syntax, but these are chosen by hand: each breaks one promise of `ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{clock, copy, output, workspace};

const HELP: &str = "\
cargo xtask mutants [NAME]... [--check]

Applies each patch of crates/gatepass-engine/tests/mutants to a copy below target/mutants, and
expects the tests that it names to fail. The text before the patch describes the mutant and has a
line `test: ARGUMENTS` with the arguments of `cargo test`. The same tests pass without the patch.

  NAME     only these mutants: a file's name without `.patch`
  --check  only checks that every patch applies";

const FOLDER: &str = "crates/gatepass-engine/tests/mutants";

/// Below the root: the copy and what is built from it.
const COPY: &str = "target/mutants/copy";
const TARGET: &str = "target/mutants/target";

/// How long the tests of a mutant may take; one that never ends is noticed as well.
const TIMEOUT: Duration = Duration::from_secs(900);

/// A patch and the tests that fail with it.
#[derive(Debug, PartialEq)]
struct Mutant {
    name: String,
    test: String,
}

/// What the tests of a mutant did.
#[derive(Debug, PartialEq)]
enum Outcome {
    Caught,
    Survived,
}

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &["--check"], &[], HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    let mutants = select(read()?, args.names())?;
    if args.has("--check") { apply_all(&mutants) } else { run_all(&mutants) }
}

/// Checks that every patch applies, for `cargo xtask ci`.
pub(crate) fn check() -> Result<()> {
    apply_all(&read()?)
}

/// Runs all mutants, for a release.
pub(crate) fn run() -> Result<()> {
    run_all(&read()?)
}

/// All mutants, sorted by name.
fn read() -> Result<Vec<Mutant>> {
    let folder = workspace::path(FOLDER);
    let unreadable = |error| Error::failed(format!("{FOLDER} cannot be read: {error}"));
    let mut mutants = Vec::new();
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if let Some(name) = file.strip_suffix(".patch") {
            mutants.push(Mutant::parse(name, &workspace::read(&format!("{FOLDER}/{file}"))?)?);
        }
    }
    mutants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutants)
}

fn select(mut mutants: Vec<Mutant>, names: &[String]) -> Result<Vec<Mutant>> {
    if let Some(name) = names.iter().find(|name| !mutants.iter().any(|one| one.name == **name)) {
        return Err(Error::usage(format!("no mutant `{name}` in {FOLDER}")));
    }
    mutants.retain(|mutant| names.is_empty() || names.contains(&mutant.name));
    Ok(mutants)
}

impl Mutant {
    fn parse(name: &str, text: &str) -> Result<Self> {
        let description = text.split("diff --git ").next().unwrap_or_default();
        let test = description.lines().find_map(|line| line.strip_prefix("test: "));
        let test = test.ok_or_else(|| {
            Error::failed(format!("{FOLDER}/{name}.patch has no line `test: ARGUMENTS`"))
        })?;
        Ok(Self { name: name.to_owned(), test: test.trim().to_owned() })
    }

    fn patch(&self) -> PathBuf {
        workspace::path(&format!("{FOLDER}/{}.patch", self.name))
    }

    /// `git apply` in `folder`, which may be within a repository or none.
    fn apply(&self, folder: &Path, options: &str) -> Run {
        // Within a repository, git would look for the files at its root.
        let above = folder.parent().unwrap_or(folder).to_string_lossy().into_owned();
        Run::new(&format!("git apply {options}"))
            .arg(self.patch().to_string_lossy())
            .env("GIT_CEILING_DIRECTORIES", above)
            .in_folder(folder)
    }

    /// `cargo test` in the copy; `options` before the names of the tests.
    fn tests(&self, options: &str) -> Run {
        let (arguments, names) = match self.test.split_once(" -- ") {
            Some((arguments, names)) => (arguments, format!("-- {names}")),
            None => (self.test.as_str(), String::new()),
        };
        Run::new(&format!("cargo test {arguments} {options} {names}"))
            .env("CARGO_TARGET_DIR", workspace::path(TARGET).to_string_lossy())
            .in_folder(&workspace::path(COPY))
    }

    /// Applies the patch, builds and runs the tests, and takes the patch back.
    fn try_out(&self) -> Result<Outcome> {
        let copy = workspace::path(COPY);
        self.apply(&copy, "").run()?;
        let outcome = self.outcome();
        self.apply(&copy, "--reverse").run()?;
        outcome
    }

    fn outcome(&self) -> Result<Outcome> {
        let (builds, output) = self.tests("--no-run").run_captured()?;
        if !builds {
            output::note(output);
            return Err(Error::failed(format!("mutant {} does not compile", self.name)));
        }
        match self.tests("").succeeds_within(TIMEOUT)? {
            true => Ok(Outcome::Survived),
            false => Ok(Outcome::Caught),
        }
    }
}

fn apply_all(mutants: &[Mutant]) -> Result<()> {
    let root = workspace::root();
    for mutant in mutants {
        let (applies, output) = mutant.apply(root, "--check").run_captured()?;
        if !applies {
            return Err(Error::failed(format!(
                "{output}mutant {} does not apply: make its patch again from the current code",
                mutant.name
            )));
        }
    }
    output::line(format_args!("mutants: {} patches apply", mutants.len()));
    Ok(())
}

fn run_all(mutants: &[Mutant]) -> Result<()> {
    let start = clock::now();
    copy::update(COPY)?;
    let commands: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.test.as_str()).collect();
    for mutant in mutants {
        // One of the mutants that share a command stands for all.
        if mutants.iter().find(|other| other.test == mutant.test) != Some(mutant) {
            continue;
        }
        output::note(format_args!("== without a mutant: cargo test {}", mutant.test));
        let (passes, output) = mutant.tests("").run_captured()?;
        if !passes || !output.lines().any(is_run) {
            output::note(output);
            return Err(Error::failed(format!(
                "`cargo test {}` does not pass without the mutant {}, or runs no test",
                mutant.test, mutant.name
            )));
        }
    }
    let mut survivors = Vec::new();
    for mutant in mutants {
        let began = clock::now();
        let outcome = mutant.try_out()?;
        let seconds = began.elapsed().as_secs();
        output::line(format_args!("mutant {}: {} in {seconds} s", mutant.name, outcome.describe()));
        if outcome == Outcome::Survived {
            survivors.push(format!("{} (cargo test {})", mutant.name, mutant.test));
        }
    }
    let seconds = start.elapsed().as_secs();
    if survivors.is_empty() {
        let count = mutants.len();
        output::line(format_args!(
            "mutants: {count} caught by {} test commands in {seconds} s",
            commands.len()
        ));
        return Ok(());
    }
    Err(Error::failed(format!("the tests do not notice: {}", survivors.join(", "))))
}

impl Outcome {
    fn describe(&self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Survived => "NOT caught",
        }
    }
}

/// Is it the last line of a test program that ran a test?
fn is_run(line: &str) -> bool {
    let Some(counts) = line.trim_start().strip_prefix("test result: ok. ") else { return false };
    !counts.starts_with("0 passed")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Serves an expired token.\n\ntest: -p gatepass-engine --test model -- expiry\n\
                         \ndiff --git a/a.rs b/a.rs\n";

    #[test]
    fn description_names_the_tests() {
        let mutant = Mutant::parse("expired", PATCH).unwrap();
        assert_eq!(mutant.test, "-p gatepass-engine --test model -- expiry");
        let run = mutant.tests("--no-run").to_string();
        assert!(run.ends_with("cargo test -p gatepass-engine --test model --no-run -- expiry"));
        assert!(Mutant::parse("expired", "test: in the diff\n").is_ok());
        assert!(Mutant::parse("expired", "diff --git a b\ntest: later\n").is_err());
    }

    #[test]
    fn unknown_name_is_wrong_usage() {
        let mutants = vec![Mutant::parse("expired", PATCH).unwrap()];
        assert!(matches!(select(mutants, &["other".into()]), Err(Error::Usage(_))));
    }

    #[test]
    fn passing_run_has_a_test() {
        assert!(is_run("test result: ok. 1 passed; 0 failed; 0 ignored"));
        assert!(!is_run("test result: ok. 0 passed; 0 failed; 0 ignored"));
    }
}
