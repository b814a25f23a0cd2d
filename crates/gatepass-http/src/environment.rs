//! The environment variables that the client obeys: the only reader of them in this crate.

use std::ffi::OsString;

use gatepass_core::Error;
use zeroize::Zeroize;

/// A variable that is set and not empty. Its value may hold a proxy's password.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) value: OsString,
}

impl Variable {
    /// Returns the first of these variables that is set and not empty.
    ///
    /// An empty variable counts as unset, as for curl and Go: scripts switch a proxy off so.
    pub(crate) fn first(
        names: &[&'static str],
        get: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        let found = names.iter().find_map(|name| Some((*name, get(name)?)).filter(is_not_empty));
        found.map(|(name, value)| Self { name, value })
    }
}

fn is_not_empty((_, value): &(&'static str, OsString)) -> bool {
    !value.is_empty()
}

impl Drop for Variable {
    fn drop(&mut self) {
        std::mem::take(&mut self.value).into_encoded_bytes().zeroize();
    }
}

/// Returns the error of a variable with this problem. The value itself is not shown: it may hold a password.
pub(crate) fn not_understood(variable: &str, problem: &str) -> Error {
    Error::config(format!("{variable} {problem}"))
}

/// Returns the value of a variable of this process.
#[expect(clippy::disallowed_methods, reason = "the proxy and the roots are the process's own")]
pub(crate) fn of_process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
