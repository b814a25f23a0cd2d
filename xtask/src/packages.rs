//! `cargo xtask packages`: the programs that the tests run, checked and installed.
//!
//! `xtask/packages.txt` is the only list; `cargo xtask test`, `cargo xtask ci` and `.ci/run` use it.
//! A test that needs a missing program fails, so all of them are checked before the first build.
//! Packages are installed without a question for root, who has a machine or container of its own,
//! and where `CI` is set. Everybody else gets the command to run.

use std::fmt::Write as _;
use std::path::Path;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{output, workspace};

const HELP: &str = "\
cargo xtask packages [--install] [--allow-missing]

Checks that the programs of xtask/packages.txt are there. On Debian and its relatives the missing
ones are installed with apt-get: for root, with CI=true, or with --install, which uses sudo.

  --install        installs missing packages, with sudo if needed
  --allow-missing  goes on without them; tests that need one fail and name it";

/// The options of tasks that check the programs first.
pub(crate) const FLAGS: [&str; 2] = ["--install", "--allow-missing"];

const LIST: &str = "xtask/packages.txt";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &FLAGS, &[], HELP)?.no_names(HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    ensure(&args)?;
    output::line(format_args!("{LIST}: checked"));
    Ok(())
}

/// A package of the list.
#[derive(Clone, Debug, PartialEq)]
struct Package {
    name: String,
    purpose: String,
    check: String,
}

impl Package {
    fn is_installed(&self) -> bool {
        match self.check.contains(' ') {
            true => Run::new(&self.check).succeeds(),
            false => is_in_path(&self.check),
        }
    }
}

/// Checks all programs, and installs the missing ones if `args` or the environment asks for it.
pub(crate) fn ensure(args: &Args) -> Result<()> {
    let missing = missing(&read()?);
    if missing.is_empty() {
        return Ok(());
    }
    if args.has("--allow-missing") {
        output::note(format_args!("{}tests that need one of these fail", describe(&missing)));
        return Ok(());
    }
    if !is_in_path("apt-get") {
        return Err(Error::failed(format!(
            "{}install them with the package manager of this system, under the names that it has; \
             or run what does not need them with --allow-missing",
            describe(&missing)
        )));
    }
    let (is_root, is_ci) = (is_root(), is_set("CI"));
    if !(is_root || is_ci || args.has("--install")) {
        return Err(Error::failed(format!(
            "{}install them:\n\n  {}\n\nor run the same command with --install, or with \
             --allow-missing to let the tests that need them fail",
            describe(&missing),
            commands(&missing, "sudo ")
        )));
    }
    output::note(describe(&missing));
    install(&missing, is_root)
}

fn install(packages: &[Package], is_root: bool) -> Result<()> {
    let prefix = if is_root { "" } else { "sudo " };
    for line in commands(packages, prefix).split(" && ") {
        output::note(line);
        Run::new(line).env("DEBIAN_FRONTEND", "noninteractive").run()?;
    }
    let left = missing(packages);
    if left.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "{}apt-get succeeded, but the programs are not in the PATH",
        describe(&left)
    )))
}

/// The line for a shell that installs the packages.
fn commands(packages: &[Package], prefix: &str) -> String {
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    format!(
        "{prefix}apt-get update && {prefix}apt-get install --yes --no-install-recommends {}",
        names.join(" ")
    )
}

fn describe(packages: &[Package]) -> String {
    let mut text = String::from("programs that the tests run are missing:\n");
    for Package { name, purpose, check } in packages {
        let program = check.rsplit('/').next().unwrap_or(check);
        let _ = writeln!(text, "  {name:<16} {purpose} (`{program}`)");
    }
    text
}

fn missing(packages: &[Package]) -> Vec<Package> {
    packages.iter().filter(|package| !package.is_installed()).cloned().collect()
}

fn read() -> Result<Vec<Package>> {
    parse(&workspace::read(LIST)?)
}

fn parse(text: &str) -> Result<Vec<Package>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split('|').map(str::trim).collect();
            let &[name, purpose, check] = parts.as_slice() else {
                return Err(Error::failed(format!(
                    "{LIST}: expected `package | purpose | program`, found `{line}`"
                )));
            };
            Ok(Package { name: name.into(), purpose: purpose.into(), check: check.into() })
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "programs are found as a shell finds them")]
fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}

#[expect(clippy::disallowed_methods, reason = "CI services set this variable")]
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false")
}

fn is_root() -> bool {
    Run::new("id -u").quiet_output().is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_names_package_purpose_and_program() {
        let packages = read().unwrap();
        let jq = packages.iter().find(|package| package.name == "jq").unwrap();
        assert_eq!(jq.check, "jq");
        assert!(parse("jq | the manual\n").is_err());
    }

    #[test]
    fn missing_package_is_described_with_its_command() {
        let packages =
            parse("# head\nsh-x | shells | sh\nnone | tests | no-such-program\n").unwrap();
        let missing = missing(&packages);
        assert_eq!(missing, packages[1..]);
        assert!(describe(&missing).contains("none             tests (`no-such-program`)"));
        assert_eq!(
            commands(&missing, "sudo "),
            "sudo apt-get update && sudo apt-get install --yes --no-install-recommends none"
        );
    }

    #[test]
    fn command_that_fails_means_missing() {
        let package =
            |check: &str| Package { name: "a".into(), purpose: "b".into(), check: check.into() };
        assert!(!package("false 1").is_installed());
        assert!(package("true 1").is_installed());
    }
}
