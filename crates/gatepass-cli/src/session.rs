//! Opens what a command works with: the config's profiles, the token store, one profile.

use bytes::Bytes;
use gatepass::cli_support;
use gatepass::config::{Config, Profile};
use gatepass::provider::{ApiRequest, Registry};
use gatepass::store::FileStore;
use gatepass::{Error, Gate, Token, TokenSource};

use crate::error::CommandError;
use crate::options::Common;
use crate::output::Output;

/// Opens the profiles of the config file that `--config` names, or of the user's own.
pub(crate) fn open_gate(common: &Common) -> Result<Gate, CommandError> {
    let config = match &common.config {
        Some(path) => Config::load(path)?,
        None => Config::find()?,
    };
    Ok(Gate::new(config, Registry::linked()?)?)
}

/// Opens the profiles with the store that shares their tokens between commands.
pub(crate) fn open_gate_with_store(common: &Common, output: &Output) -> Result<Gate, CommandError> {
    let gate = open_gate(common)?;
    Ok(match open_store(&gate, output) {
        Some(store) => gate.with_store(store),
        None => gate,
    })
}

/// Opens the store. Without one, warns and returns `None`: tokens are then lost when the command
/// ends.
pub(crate) fn open_store(gate: &Gate, output: &Output) -> Option<FileStore> {
    let Some(dir) = cli_support::state_dir(gate.config()) else {
        output.warn_once("no state directory, so tokens are not cached: set GATEPASS_STATE_DIR");
        return None;
    };
    FileStore::open(dir)
        .map(|store| store.with_process_name(output.command_name()))
        .inspect_err(|error| {
            let hint = error.hints().first().map(|hint| format!(" ({hint})")).unwrap_or_default();
            output.warn_once(&format!("tokens are not cached: {}{hint}", error.message()));
        })
        .ok()
}

/// Reads one profile with the keys of `--set`.
pub(crate) fn read_profile(
    gate: &Gate,
    name: &str,
    set: &[(String, String)],
) -> Result<Profile, Error> {
    set.iter().fold(gate.profile(name), |profile, (key, value)| profile.set(key, value)).read()
}

/// Reads one profile, and warns if its secret would cross a network unencrypted.
pub(crate) fn open_profile(
    gate: &Gate,
    name: &str,
    common: &Common,
    output: &Output,
) -> Result<Profile, CommandError> {
    let profile = read_profile(gate, name, &common.set)?;
    warn_of_variables(gate, name, output);
    let base = profile.settings.base_url();
    let host =
        profile.settings.optional_text("host").is_some_and(|host| host.starts_with("http://"));
    let is_unencrypted = base.map_or(host, |base| base.is_plain_http() && !base.is_loopback());
    if profile.options.allow_plain_http && is_unencrypted {
        output
            .warn(&format!("{name}: allow_plain_http sends the secret and the token unencrypted"));
    }
    Ok(profile)
}

/// Warns of the variables that look like settings of this profile and do not count.
pub(crate) fn warn_of_variables(gate: &Gate, name: &str, output: &Output) {
    if let (variables @ [_, ..], Some(path)) =
        (cli_support::ignored_variables(gate, name).as_slice(), gate.config().path())
    {
        let (names, path) = (variables.join(", "), path.display());
        output.warn(&format!("ignored, because {path} defines the profile {name}: {names}"));
    }
}

/// Warns of the variables that look like settings and belong to no profile.
pub(crate) fn warn_of_unused_variables(gate: &Gate, output: &Output) {
    for reason in cli_support::ignored_directories(gate.config().env()) {
        output.warn(&reason);
    }
    for (variable, reason) in cli_support::unused_variables(gate) {
        output.warn(&format!("the variable {variable} is not used: {reason}"));
    }
}

/// Puts a token on an API request, with everything else that the vendor's API requires.
pub(crate) async fn authorize(
    source: &TokenSource,
    token: &Token,
    request: &mut http::Request<Bytes>,
) -> gatepass::Result<()> {
    let mut uri = std::mem::take(request.uri_mut());
    let mut authorized = ApiRequest::new(&mut uri, request.headers_mut());
    let outcome = match source.authorize(token, &mut authorized).await {
        Ok(()) => authorized.check_no_client_certificate(),
        Err(error) => Err(error),
    };
    *request.uri_mut() = uri;
    outcome
}
