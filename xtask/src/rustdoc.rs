//! rustdoc with the nightly features that docs.rs uses, on any toolchain.
//!
//! `RUSTDOC` names this program, which calls the real rustdoc with `RUSTC_BOOTSTRAP`. If cargo itself
//! had that variable, it would build every dependency again.

use std::ffi::OsStr;
use std::process::{Command, ExitCode};

use crate::error::{Error, Result};
use crate::output;
use crate::run::Run;

/// The variable that makes this program act as rustdoc.
const CALLED: &str = "GATEPASS_XTASK_IS_RUSTDOC";

/// The command line of `docs`.
pub(crate) const DOCS: &str = "cargo doc --workspace --no-deps --all-features";

/// Builds the documentation of all crates as docs.rs does, and refuses warnings.
pub(crate) fn docs() -> Result<()> {
    run(DOCS, "-D warnings --cfg docsrs")
}

/// Runs cargo with this program as its rustdoc.
pub(crate) fn run(cargo: &str, flags: &'static str) -> Result<()> {
    let this = std::env::current_exe()
        .map_err(|error| Error::failed(format!("cannot find the path of this program: {error}")))?;
    output::note(format_args!("RUSTDOCFLAGS='{flags}' {cargo}"));
    Run::new(cargo)
        .env("RUSTDOC", this.to_string_lossy().into_owned())
        .env("RUSTDOCFLAGS", flags)
        .env(CALLED, "1")
        .run()
}

/// Returns whether cargo has called this program as rustdoc.
#[expect(clippy::disallowed_methods, reason = "cargo passes rustdoc no arguments of ours")]
pub(crate) fn is_called() -> bool {
    std::env::var_os(CALLED).is_some()
}

/// Calls the real rustdoc with these arguments.
pub(crate) fn pass_on(args: impl Iterator<Item = impl AsRef<OsStr>>) -> ExitCode {
    let ran = Command::new("rustdoc").args(args).env("RUSTC_BOOTSTRAP", "1").status();
    match ran {
        Ok(status) => {
            ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
        }
        Err(error) => {
            output::error(Error::failed(format!("`rustdoc` could not be run: {error}")));
            ExitCode::FAILURE
        }
    }
}
