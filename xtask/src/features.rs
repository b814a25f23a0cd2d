//! `cargo xtask features`: lints each feature alone and every two of them together.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::run::Run;
use crate::steps::{self, Step};

const HELP: &str = "\
cargo xtask features [--list] [--only STEP] [--from STEP]

Lints gatepass and gatepass-cli without features, with each alone, and with every two together:
code of one feature must neither need another feature nor break it.

  --list       shows every step and its command
  --only STEP  runs one step, and its parts: `features:gatepass` runs all of that crate
  --from STEP  starts at a step";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    steps::main("features", arguments, HELP, steps, None)
}

/// Runs all steps, for a release.
pub(crate) fn run() -> Result<()> {
    steps::run_all("features", &steps()?)
}

fn steps() -> Result<Vec<Step>> {
    let metadata = Run::new("cargo metadata --locked --no-deps --format-version 1").output()?;
    let mut steps = Vec::new();
    for package in PACKAGES {
        for set in sets(&features(&metadata, package)?) {
            let name = if set.is_empty() { "none".to_owned() } else { set.join("+") };
            let with = if set.is_empty() {
                String::new()
            } else {
                format!("--features {}", set.join(","))
            };
            steps.push(Step::run(
                format!("features:{package}:{name}"),
                &format!(
                    "cargo clippy --quiet -p {package} --no-default-features {with} -- -D warnings"
                ),
            ));
        }
    }
    Ok(steps)
}

/// Returns the features of a package, except the ones that only list others.
fn features(metadata: &str, package: &str) -> Result<Vec<String>> {
    let bad = || Error::failed(format!("cargo metadata has no features of {package}"));
    let metadata: Value = serde_json::from_str(metadata).map_err(|_| bad())?;
    let packages = metadata.get("packages").and_then(Value::as_array).ok_or_else(bad)?;
    let found = packages.iter().find(|one| one.get("name").is_some_and(|name| name == package));
    let features = found.and_then(|one| one.get("features")?.as_object()).ok_or_else(bad)?;
    Ok(features.keys().filter(|name| !LISTS.contains(&name.as_str())).cloned().collect())
}

/// Returns the empty set, each feature alone, and every two.
fn sets(features: &[String]) -> Vec<Vec<&str>> {
    let mut sets = vec![Vec::new()];
    sets.extend(features.iter().map(|one| vec![one.as_str()]));
    for (at, one) in features.iter().enumerate() {
        sets.extend(features[at + 1..].iter().map(|other| vec![one.as_str(), other]));
    }
    sets
}

/// The crates whose features a user chooses.
const PACKAGES: [&str; 2] = ["gatepass", "gatepass-cli"];
/// Features that only list other features.
const LISTS: [&str; 2] = ["default", "all-providers"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_each_feature_alone_and_every_pair() {
        let features = ["a", "b", "c"].map(str::to_owned);
        let sets: Vec<String> = sets(&features).iter().map(|set| set.join("+")).collect();
        assert_eq!(sets, ["", "a", "b", "c", "a+b", "a+c", "b+c"]);
    }

    #[test]
    fn the_features_of_both_crates_are_found() {
        let steps: Vec<String> = steps().unwrap().iter().map(ToString::to_string).collect();
        for wanted in [
            "-p gatepass --no-default-features -- -D",
            "-p gatepass --no-default-features --features cisco -- -D",
            "-p gatepass --no-default-features --features huawei,keyring -- -D",
            "-p gatepass-cli --no-default-features --features celerdata,cisco -- -D",
        ] {
            assert!(steps.iter().any(|step| step.contains(wanted)), "{wanted}: {steps:#?}");
        }
        assert!(!steps.iter().any(|step| step.contains("all-providers")));
    }
}
