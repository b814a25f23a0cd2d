//! `gatepass forget`: removes a profile's cached tokens and its history of token requests.

use std::process::ExitCode;

use gatepass::Gate;
use gatepass::store::{ProfileKey, TokenStore};
use serde_json::json;

use crate::error::CommandError;
use crate::options::{Common, Format, unused};
use crate::output::Output;
use crate::session::{open_gate, open_store};

#[derive(Debug, clap::Args)]
#[command(args = unused(&["set"]), after_help = "\
Examples:
  gatepass forget cisco              remove the cached tokens and the history
  gatepass token cisco --fresh       request a new token instead")]
pub(crate) struct ForgetArgs {
    /// The profile
    profile: String,
}

pub(crate) async fn run(
    args: &ForgetArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let name = &args.profile;
    let format = output.format(&[Format::Text, Format::Json])?;
    let gate = open_gate(common)?;
    // A profile that was removed may still have records. A misspelled name has none.
    let profile = gate.profile(name).read();
    let (records, requests) = clear_store(&gate, name, output).await?;
    if let (Err(error), 0) = (profile, records + requests) {
        return Err(error.into());
    }
    match format {
        Format::Json => {
            output.json(&json!({"profile": name, "forgotten": records, "exchanges": requests}))?
        }
        _ => output.status(&format!(
            "gatepass: {name}: {}{}",
            match (records, requests) {
                (0, 0) => String::from("no cached tokens and no history"),
                (0, _) => String::from("no cached tokens"),
                (1, _) => String::from("removed 1 cached record"),
                (n, _) => format!("removed {n} cached records"),
            },
            match requests {
                0 => String::new(),
                1 => String::from("; removed 1 history entry"),
                n => format!("; removed {n} history entries"),
            }
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes a profile's records and history from the store. Returns how many of each it removed.
pub(super) async fn clear_store(
    gate: &Gate,
    name: &str,
    output: &Output,
) -> Result<(usize, usize), CommandError> {
    let Some(store) = open_store(gate, output) else { return Ok((0, 0)) };
    let key = ProfileKey::new(name);
    Ok((store.forget(&key).await?, store.clear_history(&key).await?))
}
