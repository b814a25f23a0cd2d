//! The project's tasks, one file for each; `cargo xtask --help` lists them.

use std::process::ExitCode;

mod advisories;
mod api;
mod args;
mod ci;
mod clock;
mod code;
mod copy;
mod dependencies;
mod error;
mod features;
mod fuzz;
mod generated;
mod licences;
mod mutants;
mod new_provider;
mod output;
mod packages;
mod parts;
mod readme;
mod release;
mod run;
mod rustdoc;
mod sbom;
mod steps;
mod test;
mod tidy;
mod tools;
mod workspace;

use crate::error::{Error, Result};

fn main() -> ExitCode {
    if rustdoc::is_called() {
        return rustdoc::pass_on(std::env::args_os().skip(1));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            error.exit_code()
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err(Error::usage(format!("no command given\n\n{HELP}")));
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
            output::line(HELP);
            Ok(())
        }
        other => Err(Error::usage(format!("no command `{other}`\n\n{HELP}"))),
    }
}

const HELP: &str = "\
cargo xtask <command>

  ci                 every check of CI, in its order; stops at the first failure
  test               all tests: unit, integration, documentation, features, examples
  packages           the programs that the tests run; --install installs the missing ones
  tidy               rules about files and manifests that no other tool checks
  api                the public API of every published crate, against xtask/api
  features           lints each feature alone and every two together
  fuzz               fuzzes every reader of external input
  mutants            seeded defects, each of which must make its tests fail
  readme             rewrites the generated parts of the documents; --check only compares
  new-provider <id>  writes the files of a provider crate and every line that names it
  advisories         compares the dependencies with RustSec's advisories
  sizes              measures how large each feature makes the command; takes minutes
  licences           collects the licences of everything that is linked into the command
  sbom               writes the command's bill of materials, as CycloneDX
  release <version>  checks and builds a release; with --execute tags and publishes it

cargo xtask <command> --help shows the options.
Exit code: 0 success, 1 a check failed, 2 wrong usage, 3 not checked (advisories).";
