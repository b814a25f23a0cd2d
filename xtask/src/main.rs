//! The project's tasks: `cargo xtask --help` lists them.

use std::process::ExitCode;

mod advisories;
mod api;
mod args;
mod ci;
mod code;
mod dependencies;
mod failure;
mod features;
mod fuzz;
mod generated;
mod licences;
mod mutants;
mod new_provider;
mod packages;
mod parts;
mod readme;
mod release;
mod run;
mod rustdoc;
mod say;
mod sbom;
mod steps;
mod test;
mod tidy;
mod tools;
mod workspace;

use crate::failure::{Failure, Result};

fn main() -> ExitCode {
    if rustdoc::is_called() {
        return rustdoc::pass_on(std::env::args_os().skip(1));
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::error(&failure);
            failure.exit_code()
        }
    }
}

fn dispatch(words: &[String]) -> Result<()> {
    let Some((command, rest)) = words.split_first() else {
        return Err(Failure::usage(format!("no command given\n\n{HELP}")));
    };
    match command.as_str() {
        "ci" => ci::main(rest),
        "test" => test::main(rest),
        "packages" => packages::main(rest),
        "tidy" => tidy::main(rest),
        "api" => api::main(rest),
        "features" => features::main(rest),
        "fuzz" => fuzz::main(rest),
        "mutants" => mutants::main(rest),
        "readme" => readme::main(rest),
        "new-provider" => new_provider::main(rest),
        "release" => release::main(rest),
        "advisories" => advisories::main(rest),
        "sizes" => dependencies::sizes(rest),
        "licences" => licences::main(rest),
        "sbom" => sbom::main(rest),
        "help" | "--help" | "-h" => {
            say::line(HELP);
            Ok(())
        }
        other => Err(Failure::usage(format!("no command `{other}`\n\n{HELP}"))),
    }
}

const HELP: &str = "\
cargo xtask <command>

  ci                 everything CI runs, in its order; stops at the first failure
  test               all tests: unit, integration, documentation, features, examples
  packages           the programs that the tests run; --install installs the missing ones
  tidy               the rules about files and manifests that no other tool checks
  api                the public API of every published crate, against xtask/api
  features           each feature alone and every two together, in both crates that have some
  fuzz               every reader of what comes from outside, given any bytes
  mutants            seeded defects, each of which must make its tests fail; --check only applies
  readme             rewrites the generated parts of README.md; --check only compares
  new-provider <id>  the files of another provider, and every line that names it
  advisories         what is known to be wrong with what we depend on
  sizes              how large each feature makes the command; takes minutes
  licences           the licences of all that is linked into it, as one text
  sbom               what the shipped command is made of, as CycloneDX
  release <version>  checks and builds all of a release; with --execute tags and publishes it

cargo xtask <command> --help says more.
Exit code: 0 good, 1 a check failed, 2 wrong usage, 3 not checked (advisories).";
