//! Functions with one caller, the `gatepass` command. They are not part of the public API.

use std::path::PathBuf;
use std::sync::Arc;

pub use gatepass_core::percent_encode;
use gatepass_core::{Error, Hint, Result};
use gatepass_http::HttpClient;

use crate::Gate;
use crate::config::Env;
use crate::config::env::variable_part as variable_part_of;
pub use crate::config::file::{REFERENCE_OPTIONS, REFERENCES, STORE_KEYS, SYSTEM_CONFIG, TABLES};
use crate::config::form::Wrapping;
pub use crate::config::profile::{BoundSecret, COMMON_FIELDS};
use crate::config::{Config, Profile};

/// Returns the secrets of a profile that gatepass has stored, with their origins. The secrets
/// themselves are not read. The keyring may ask the user for its password.
///
/// `Config` if the origins beside a secret cannot be read, and for a mistake in the profile.
pub async fn bound_secrets(profile: &Profile) -> Result<Vec<BoundSecret>> {
    profile.bound_secrets().await
}

/// Reads one secret of a profile and drops it, to find out which one is missing. Returns remarks on
/// its form and its file, each with a hint.
///
/// `Config` if it cannot be read, is empty, exceeds the time limit, or is bound to other origins
/// than the profile's.
pub async fn check_secret(profile: &Profile, field: &str) -> Result<Vec<(String, Hint)>> {
    profile.check_secret(field).await
}

/// Returns whether the secrets of a profile are read without running a program, asking the keyring
/// or reading standard input.
pub fn reads_without_prompt(profile: &Profile) -> bool {
    profile.reads_without_prompt()
}

/// Returns the fields of a profile's secrets, each with a description of its source.
pub fn secret_sources(profile: &Profile) -> Vec<(&str, String)> {
    profile.secret_sources()
}

/// Returns the variables that a profile's secrets are read from: those that references name, and
/// those that define a secret's field. `gatepass exec` removes them from its program's environment.
pub fn secret_variables(profile: &Profile) -> Vec<String> {
    profile.secret_variables()
}

/// Returns whether a file or variables define the profile, even with a mistake in it.
pub fn is_defined(gate: &Gate, name: &str) -> bool {
    gate.config().is_defined(name, gate.registry())
}

/// Returns a profile's name as variables contain it: `MY_LAKE` for `my-lake`.
pub fn variable_part(profile: &str) -> String {
    variable_part_of(profile)
}

/// Returns the origins that a profile's secrets and tokens are sent to: scheme, host and port of its
/// token endpoint and of each API that may receive the token.
///
/// `Config` for a setting that the provider refuses.
pub fn origins(profile: &Profile) -> Result<Vec<String>> {
    profile.origins()
}

/// Checks a profile's form and its CA, and follows no reference: no secret is read and no program runs.
/// Returns its provider's id, unless the profile refers to it.
///
/// `Config` for the first mistake, with its place.
pub fn check_profile(gate: &Gate, name: &str) -> Result<Option<String>> {
    let profile = gate.config().check(name, gate.registry())?;
    let Some(profile) = profile else { return Ok(None) };
    let id = &profile.info().id;
    if let Some(pem) = &profile.options.ca_pem {
        let checked = HttpClient::builder().ca_pem(pem);
        drop(checked.map_err(|error| profile.locate(error, "ca_file"))?);
    }
    Ok(Some(id.to_string()))
}

/// Returns the HTTP client for a profile.
///
/// `Config` if its CA is not PEM.
pub fn http_client(gate: &Gate, profile: &Profile) -> Result<Arc<HttpClient>> {
    gate.http(profile)
}

/// Returns the directory of the command's token store: `$GATEPASS_STATE_DIR`, or else `path` of
/// `[store]`, or else `gatepass` in `$XDG_STATE_HOME`, in `~/.local/state`, or on macOS in
/// `~/Library/Application Support`.
pub fn state_dir(config: &Config) -> Option<PathBuf> {
    config.state_dir()
}

/// Returns the variables that are ignored because the config file defines the profile.
pub fn ignored_variables(gate: &Gate, profile: &str) -> Vec<String> {
    gate.config().ignored_variables(profile, gate.registry())
}

/// Returns the variables that look like a profile's and belong to none, each with the reason.
pub fn unused_variables(gate: &Gate) -> Vec<(String, String)> {
    gate.config().unused_variables(gate.registry())
}

/// Returns the variables of directories that are ignored, each with the reason.
pub fn ignored_directories(env: &Env) -> Vec<String> {
    env.ignored_directories()
}

/// Runs work that blocks on a thread of its own, or here if this machine starts no thread. `None` if
/// the work panics.
pub async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    crate::blocking::run_blocking(work).await
}

/// `Config` if a secret is in a wrapping that reading it from its place would refuse.
pub fn check_form(secret: &str) -> Result<()> {
    match Wrapping::of(secret) {
        None => Ok(()),
        Some(wrapping) => Err(Error::config(format!("the secret {}", wrapping.describe()))
            .with_hints([wrapping.hint()])),
    }
}
