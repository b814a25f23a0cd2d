//! `cargo xtask ci`: every check of CI, in the same order.

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::steps::{self, Step};
use crate::{
    api, mutants, new_provider, output, packages, readme, rustdoc, test, tidy, tools, workspace,
};

const HELP: &str = "\
cargo xtask ci [--list] [--only STEP] [--from STEP] [--install] [--allow-missing]

  --list           shows every step and its command
  --only STEP      runs one step, and its parts: `clippy` runs `clippy:gatepass:cisco` too
  --from STEP      starts at a step
  --install        installs missing Debian packages of xtask/packages.txt, with sudo if needed
  --allow-missing  runs without them; tests that need one fail and name it";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    steps::main("ci", arguments, HELP, all, Some(packages::ensure))
}

/// Runs all steps, for a release.
pub(crate) fn run() -> Result<()> {
    packages::ensure(&Args::default())?;
    steps::run_all("ci", &all()?)
}

fn all() -> Result<Vec<Step>> {
    Ok(steps(&workspace::provider_ids()?))
}

fn steps(providers: &[String]) -> Vec<Step> {
    let mut steps = vec![
        Step::run("fmt", "cargo fmt --all --check"),
        Step::run("commits", "bash .ci/commit-msg --unpublished"),
        Step::run("fetch", "cargo fetch --locked"),
        // Not a member of the workspace, so no other step would notice an outdated lock file.
        Step::run("fetch:fuzz", "cargo fetch --locked --manifest-path fuzz/Cargo.toml"),
        Step::run(
            "clippy",
            &format!("cargo clippy --workspace --all-targets --all-features {DENY}"),
        ),
    ];
    for id in providers {
        let facade = "cargo clippy -p gatepass --no-default-features --features";
        let command = "cargo clippy -p gatepass-cli --no-default-features --features";
        steps.push(Step::run(
            format!("clippy:gatepass:{id}"),
            &format!("{facade} {id},http,config {DENY}"),
        ));
        steps.push(Step::run(
            format!("clippy:gatepass-cli:{id}"),
            &format!("{command} {id} {DENY}"),
        ));
    }
    steps.extend(test::steps(providers));
    steps.push(Step::task("docs", rustdoc::DOCS, rustdoc::docs));
    steps.push(Step::task("api", "cargo xtask api --check", api::check));
    steps.push(Step::task("rust-version", "cargo xtask ci --only rust-version", rust_version));
    steps.push(Step::task("deny", "cargo xtask ci --only deny", deny));
    steps.push(Step::task("mutants", "cargo xtask mutants --check", mutants::check));
    let command = "cargo xtask ci --only new-provider";
    steps.push(Step::task("new-provider", command, new_provider::check));
    steps.push(Step::task("tidy", "cargo xtask tidy", tidy::run));
    steps.push(Step::task("readme", "cargo xtask readme --check", readme::check));
    steps.push(Step::task("release", "cargo xtask ci --only release", release));
    steps
}

/// Checks that the stated `rust-version` is not newer than this toolchain.
fn rust_version() -> Result<()> {
    let stated = workspace::package_field("rust-version")?;
    let printed = Run::new("rustc --version").output()?;
    let toolchain = printed.split_whitespace().nth(1).unwrap_or_default();
    let (Some(wanted), Some(has)) = (version(&stated), version(toolchain)) else {
        return Err(Error::failed(format!("cannot compare {stated} with {toolchain}")));
    };
    if wanted > has {
        return Err(Error::failed(format!(
            "Cargo.toml states rust-version {stated}, but this toolchain is {toolchain}"
        )));
    }
    output::line(format_args!("rust-version {stated} is not newer than toolchain {toolchain}"));
    Ok(())
}

fn deny() -> Result<()> {
    tools::DENY.run(DENY_CHECK)?.run()
}

/// Rehearses a whole release of a copy of this repository, to a registry on this machine.
fn release() -> Result<()> {
    let registry = tools::HTTP_REGISTRY.path()?;
    Run::new("cargo test -p gatepass-tests --test release")
        .env("CARGO_HTTP_REGISTRY", registry.to_string_lossy().into_owned())
        .run()
}

/// Returns the first three numbers of a version: `1.95` and `1.95.0-nightly` are equal.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = [0; 3];
    let release = text.split('-').next()?;
    for (at, part) in release.split('.').enumerate() {
        *numbers.get_mut(at)? = part.parse().ok()?;
    }
    Some(numbers)
}

const DENY: &str = "-- -D warnings";
const DENY_CHECK: &str = "--offline check -D warnings bans licenses sources";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(version("1.95"), version("1.95.0-nightly"));
        assert!(version("1.100") > version("1.95.2"));
        assert_eq!(version("stable"), None);
    }

    #[test]
    fn every_provider_is_linted_alone() {
        let steps: Vec<String> =
            steps(&["acme".to_owned()]).iter().map(ToString::to_string).collect();
        assert!(steps.iter().any(|step| {
            step.starts_with("cargo clippy -p gatepass --no-default-features --features acme,")
        }));
        assert!(steps.iter().any(|step| {
            step.starts_with("cargo clippy -p gatepass-cli --no-default-features --features acme ")
        }));
    }
}
