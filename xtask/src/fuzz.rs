//! `cargo xtask fuzz`: every reader, given whatever libFuzzer thinks of.

use std::fs;

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{say, tools, workspace};

mod seeds;
mod session;
mod texts;

use session::Session;

const HELP: &str = "\
cargo xtask fuzz [--seconds N] [--list] [TARGET…]

  --seconds N  how long each target runs: 60
  --list       names every target

Needs a nightly toolchain; cargo-fuzz is installed where it is missing. What is found is shortened,
and shown with the command that repeats it.";

pub(crate) fn main(words: &[String]) -> Result<()> {
    let args = Args::read(words, &["--list"], &["--seconds"], HELP)?;
    if args.has("--help") {
        say::line(HELP);
        return Ok(());
    }
    let targets = targets()?;
    if args.has("--list") {
        targets.iter().for_each(say::line);
        return Ok(());
    }
    let seconds = args.option("--seconds").unwrap_or("60");
    let seconds: u32 = seconds
        .parse()
        .map_err(|_| Failure::usage(format!("`{seconds}` is no number of seconds\n\n{HELP}")))?;
    let chosen = chosen(targets, args.names())?;
    let program = program()?;
    for target in &chosen {
        seeds::write(target)?;
    }
    Run::new(&format!("{program} build --fuzz-dir fuzz")).run()?;
    let (mut executions, mut finds) = (0, 0);
    for target in &chosen {
        let session = Session::run(&program, target, seconds)?;
        say::line(&session);
        executions += session.executions;
        finds += usize::from(session.find.is_some());
    }
    let number = chosen.len();
    if finds == 0 {
        say::line(format_args!("xtask fuzz: ok. {number} targets; {executions} executions"));
        return Ok(());
    }
    say::line("\nmend it, and keep the input as fuzz/regressions/TARGET/what-was-wrong");
    Err(Failure::failed(format!("{finds} of {number} targets found something")))
}

/// The entries of `fuzz/Cargo.toml`.
fn targets() -> Result<Vec<String>> {
    let manifest = workspace::manifest("fuzz/Cargo.toml")?;
    let entries = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
    Ok(entries.filter_map(|bin| Some(bin.get("name")?.as_str()?.to_owned())).collect())
}

fn chosen(targets: Vec<String>, names: &[String]) -> Result<Vec<String>> {
    if let Some(name) = names.iter().find(|name| !targets.contains(name)) {
        let all = targets.join(", ");
        return Err(Failure::usage(format!("no target `{name}`, only: {all}")));
    }
    Ok(if names.is_empty() { targets } else { names.to_vec() })
}

/// What calls cargo-fuzz, as words without blanks.
fn program() -> Result<String> {
    if !Run::new("rustup run nightly rustc --version").succeeds() {
        return Err(Failure::failed(
            "fuzzing needs a nightly toolchain: rustup toolchain install nightly --profile minimal",
        ));
    }
    let path = tools::FUZZ.path()?;
    let path = path.strip_prefix(workspace::root()).unwrap_or(&path);
    Ok(format!("rustup run nightly {}", path.display()))
}

/// Makes a folder below the root.
fn folder(name: &str) -> Result<()> {
    fs::create_dir_all(workspace::path(name))
        .map_err(|error| Failure::failed(format!("{name} cannot be made: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_the_entries_of_the_manifest() {
        let targets = targets().unwrap();
        assert!(targets.contains(&"answer".to_owned()) && targets.len() >= 10, "{targets:?}");
    }

    #[test]
    fn a_target_that_is_none_is_wrong_usage() {
        let targets = || vec!["answer".to_owned(), "config".to_owned()];
        assert_eq!(chosen(targets(), &[]).unwrap(), targets());
        assert_eq!(chosen(targets(), &["config".to_owned()]).unwrap(), ["config"]);
        let failure = chosen(targets(), &["confgi".to_owned()]).unwrap_err();
        assert!(matches!(&failure, Failure::Usage(says) if says.contains("answer, config")));
    }

    #[test]
    fn every_target_has_something_to_begin_with() {
        for target in targets().unwrap() {
            assert!(!seeds::of(&target).unwrap().is_empty(), "{target}");
        }
    }
}
