//! Exit codes. Scripts depend on them: a code never changes its meaning.

use gatepass::ErrorKind;

/// A defect in gatepass, or a limit of this machine.
pub(crate) const INTERNAL: u8 = 1;
/// A mistake on the command line or in the config.
pub(crate) const USAGE: u8 = 2;
/// The vendor or the API refused.
pub(crate) const DENIED: u8 = 3;
/// The user has to log in first.
pub(crate) const LOGIN_REQUIRED: u8 = 4;
/// The vendor asked to wait.
pub(crate) const THROTTLED: u8 = 5;
/// The vendor or the network is down, or the response cannot be used.
pub(crate) const UNAVAILABLE: u8 = 6;
/// The vendor issues only tokens with a shorter lifetime than `--min-ttl`.
pub(crate) const LIFETIME_TOO_SHORT: u8 = 8;
/// `call --fail`: the API rejected the request, and a repetition would not change that.
pub(crate) const API_REJECTED: u8 = 9;
/// `exec` failed before it looked for the program.
pub(crate) const EXEC_FAILED: u8 = 125;
/// `exec` found the program and could not run it.
pub(crate) const EXEC_CANNOT_RUN: u8 = 126;
/// `exec` did not find the program.
pub(crate) const EXEC_NOT_FOUND: u8 = 127;
/// A signal stopped the command: the code that a shell reports after SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Returns the exit code for an error of the library.
pub(crate) fn of_kind(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Config => USAGE,
        ErrorKind::Denied => DENIED,
        ErrorKind::LoginRequired => LOGIN_REQUIRED,
        ErrorKind::Throttled => THROTTLED,
        ErrorKind::Unavailable | ErrorKind::Protocol | ErrorKind::UnsafeToken => UNAVAILABLE,
        _ => INTERNAL,
    }
}
