//! rustdoc as docs.rs runs it: with the parts that are a nightly's alone, by whatever toolchain.
//!
//! Cargo is told that this very program is rustdoc. So only rustdoc is asked for them: with
//! `RUSTC_BOOTSTRAP` in cargo's own environment every dependency would be built anew.

use std::ffi::OsStr;
use std::process::{Command, ExitCode};

use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::say;

/// Tells this program that cargo calls it for rustdoc.
const CALLED: &str = "GATEPASS_XTASK_IS_RUSTDOC";

/// The documentation that docs.rs would show, free of warnings.
pub(crate) const DOCS: &str = "cargo doc --workspace --no-deps --all-features";

/// Makes the documentation of all crates, features labelled.
pub(crate) fn docs() -> Result<()> {
    run(DOCS, "-D warnings --cfg docsrs")
}

/// Runs cargo with this program as its rustdoc.
pub(crate) fn run(cargo: &str, flags: &'static str) -> Result<()> {
    let this = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("this program's path is not known: {error}")))?;
    say::note(format_args!("RUSTDOCFLAGS='{flags}' {cargo}"));
    Run::new(cargo)
        .env("RUSTDOC", this.to_string_lossy().into_owned())
        .env("RUSTDOCFLAGS", flags)
        .env(CALLED, "1")
        .run()
}

/// Does cargo call this program for rustdoc?
#[expect(clippy::disallowed_methods, reason = "cargo gives a rustdoc no words of ours")]
pub(crate) fn is_called() -> bool {
    std::env::var_os(CALLED).is_some()
}

/// Is rustdoc.
pub(crate) fn pass_on(args: impl Iterator<Item = impl AsRef<OsStr>>) -> ExitCode {
    let ran = Command::new("rustdoc").args(args).env("RUSTC_BOOTSTRAP", "1").status();
    match ran {
        Ok(status) => {
            ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
        }
        Err(error) => {
            say::error(Failure::failed(format!("`rustdoc` could not be run: {error}")));
            ExitCode::FAILURE
        }
    }
}
