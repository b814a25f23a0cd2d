//! Is the number high enough for what has changed in the public API?

use semver::Version;

use super::git::Copy;
use super::version::tag;
use crate::failure::{Failure, Result};
use crate::{say, tools};

/// Compares the crates of `copy` with what they were in the version `last`; a crate that is new has
/// nothing to keep.
pub(super) fn check(
    copy: &Copy,
    names: &[String],
    version: &Version,
    last: Option<&Version>,
) -> Result<()> {
    let Some(last) = last else {
        say::note("== API: no version is tagged, so there is none to compare with");
        return Ok(());
    };
    say::note(format_args!("== API: what has changed since {last}"));
    let mut run = tools::SEMVER_CHECKS.run("semver-checks --baseline-rev")?.arg(tag(last));
    for name in names {
        if copy.had(&tag(last), &format!("crates/{name}/src/lib.rs")) {
            run = run.arg("--package").arg(name);
        }
    }
    super::in_copy(run, copy).run().map_err(|failure| {
        Failure::failed(format!(
            "{failure}\nwhere something that users call is gone or other, as shown above, {version} \
             is too low a number after {last}: raise a higher one, or keep what was there"
        ))
    })
}
