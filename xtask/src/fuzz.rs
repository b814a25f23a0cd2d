//! `cargo xtask fuzz`: builds and runs the fuzz targets, and reports their findings.

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{output, tools, workspace};

mod seeds;
mod session;
mod texts;

use session::Session;

const HELP: &str = "\
cargo xtask fuzz [--seconds N] [--list] [TARGET…]

  --seconds N  time for each target, 60 by default
  --list       lists the targets

Needs a nightly toolchain; a missing cargo-fuzz is installed. An input that fails is minimized and
shown with the command that repeats the failure.";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &["--list"], &["--seconds"], HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    let targets = targets()?;
    if args.has("--list") {
        targets.iter().for_each(output::line);
        return Ok(());
    }
    let seconds = args.option("--seconds").unwrap_or("60");
    let seconds: u32 = seconds.parse().map_err(|_| {
        Error::usage(format!(
            "invalid value `{seconds}` for --seconds: expected a number\n\n{HELP}"
        ))
    })?;
    let chosen = chosen(targets, args.names())?;
    let program = program()?;
    for target in &chosen {
        seeds::write(target)?;
    }
    Run::new(&format!("{program} build --fuzz-dir fuzz")).run()?;
    let (mut executions, mut finds) = (0, 0);
    for target in &chosen {
        let session = Session::run(&program, target, seconds)?;
        output::line(&session);
        executions += session.executions;
        finds += usize::from(session.find.is_some());
    }
    let number = chosen.len();
    if finds == 0 {
        output::line(format_args!("xtask fuzz: ok. {number} targets; {executions} executions"));
        return Ok(());
    }
    output::line("\nfix it, and keep the input as fuzz/regressions/TARGET/DESCRIPTION");
    Err(Error::failed(format!("{finds} of {number} targets found something")))
}

/// Returns the entries of `fuzz/Cargo.toml`.
fn targets() -> Result<Vec<String>> {
    let manifest = workspace::manifest("fuzz/Cargo.toml")?;
    let entries = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
    Ok(entries.filter_map(|bin| Some(bin.get("name")?.as_str()?.to_owned())).collect())
}

fn chosen(targets: Vec<String>, names: &[String]) -> Result<Vec<String>> {
    if let Some(name) = names.iter().find(|name| !targets.contains(name)) {
        let all = targets.join(", ");
        return Err(Error::usage(format!("no target `{name}`, only: {all}")));
    }
    Ok(if names.is_empty() { targets } else { names.to_vec() })
}

/// Returns the start of a command line that runs cargo-fuzz with the nightly toolchain.
fn program() -> Result<String> {
    if !Run::new("rustup run nightly rustc --version").succeeds() {
        return Err(Error::failed(
            "fuzzing needs a nightly toolchain: rustup toolchain install nightly --profile minimal",
        ));
    }
    let path = tools::FUZZ.path()?;
    let path = path.strip_prefix(workspace::root()).unwrap_or(&path);
    Ok(format!("rustup run nightly {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_entries_of_the_manifest() {
        let targets = targets().unwrap();
        assert!(targets.contains(&"config".to_owned()) && targets.len() >= 10, "{targets:?}");
    }

    #[test]
    fn unknown_target_is_wrong_usage() {
        let targets = || vec!["config".to_owned(), "record".to_owned()];
        assert_eq!(chosen(targets(), &[]).unwrap(), targets());
        assert_eq!(chosen(targets(), &["config".to_owned()]).unwrap(), ["config"]);
        let error = chosen(targets(), &["confgi".to_owned()]).unwrap_err();
        assert!(matches!(&error, Error::Usage(message) if message.contains("config, record")));
    }

    #[test]
    fn every_target_has_a_seed() {
        for target in targets().unwrap() {
            assert!(!seeds::of(&target).unwrap().is_empty(), "{target}");
        }
    }
}
