//! Checks that the version number is high enough for the changes of the public API.

use semver::Version;

use super::git::Copy;
use super::version::tag;
use crate::error::{Error, Result};
use crate::{output, tools};

/// Compares the crates of `copy` with the version `last` by cargo-semver-checks, except for new crates.
pub(super) fn check(
    copy: &Copy,
    names: &[String],
    version: &Version,
    last: Option<&Version>,
) -> Result<()> {
    let Some(last) = last else {
        output::note("== API: not compared, because no version is tagged");
        return Ok(());
    };
    output::note(format_args!("== API: changes since {last}"));
    let mut run = tools::SEMVER_CHECKS.run("semver-checks --baseline-rev")?.arg(tag(last));
    for name in names {
        if copy.had(&tag(last), &format!("crates/{name}/src/lib.rs")) {
            run = run.arg("--package").arg(name);
        }
    }
    copy.cargo(run).run().map_err(|error| {
        Error::failed(format!(
            "{error}\nthe changes shown above break users' code, so {version} is too low after {last}: \
             raise a higher number, or keep the old API"
        ))
    })
}
