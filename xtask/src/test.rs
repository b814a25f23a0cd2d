//! `cargo xtask test`: all tests, after a check that the programs they run are installed.

use crate::error::Result;
use crate::steps::{self, Step};
use crate::{packages, workspace};

const HELP: &str = "\
cargo xtask test [--list] [--only STEP] [--from STEP] [--install] [--allow-missing]

Before the first step it checks the programs that the tests run (xtask/packages.txt), and installs
the missing ones for root or with CI=true.

  --list           shows every step and its command
  --only STEP      runs one step, and its parts: `test:registry` runs all feature sets
  --from STEP      starts at a step
  --install        installs missing Debian packages, with sudo if needed
  --allow-missing  runs without them; tests that need one fail and name it

The last line adds up the results of all steps.";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    steps::main("test", arguments, HELP, all, Some(packages::ensure))
}

fn all() -> Result<Vec<Step>> {
    Ok(steps(&workspace::provider_ids()?))
}

/// Returns the steps; `cargo xtask ci` has them too.
pub(crate) fn steps(providers: &[String]) -> Vec<Step> {
    // The end-to-end tests start the real command, which `cargo test` does not build by itself.
    let mut steps = vec![
        Step::run("test:build", "cargo build --workspace --exclude xtask --all-features --bins"),
        // Unit, integration and documentation tests. Examples are only built.
        Step::tests("test:all", "cargo test --workspace --all-features --no-fail-fast"),
    ];
    // A provider that is not linked is not registered, so each feature set has its own test.
    let registry = |name: String, flags: &str| {
        let line = format!("cargo test -p gatepass --no-default-features {flags} --test registry");
        Step::tests(format!("test:registry:{name}"), &line)
    };
    steps.push(registry("none".to_owned(), "--features http,config"));
    for id in providers {
        steps.push(registry(id.clone(), &format!("--features {id},http,config")));
    }
    // A linker that optimizes across crates is the most likely one to drop a registration.
    let all = "--features all-providers,http,config --release";
    steps.push(registry("release".to_owned(), all).env("CARGO_PROFILE_RELEASE_LTO", "fat"));
    // The commands of the README run unchanged.
    steps.push(Step::run("test:demo", "cargo run --quiet -- demo"));
    for example in ["token", "service", "middleware"] {
        let line = format!("cargo run --quiet -p gatepass --all-features --example {example}");
        steps.push(Step::run(format!("test:example:{example}"), &line));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_its_registry_test() {
        let steps = steps(&["acme".to_owned()]);
        assert!(steps.iter().any(|step| step.to_string().contains("--features acme,http,config")));
    }
}
