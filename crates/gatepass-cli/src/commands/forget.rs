//! `gatepass forget`: a profile's token goes, whatever its secret was, and what is noted of it.

use std::process::ExitCode;

use gatepass::{Gate, ProfileKey, TokenStore};
use serde_json::json;

use crate::error::CommandError;
use crate::options::{Common, Format};
use crate::output::Output;
use crate::session::{open_gate, open_store};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass forget cisco
  gatepass token cisco --fresh       asks for another one instead")]
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
    // A profile that is gone from the config may still have a token; a typing error has none.
    let known = gate.profile(name, &[]);
    let (forgotten, exchanges) = all_of(&gate, name, output).await?;
    if let (Err(error), 0) = (known, forgotten + exchanges) {
        return Err(error.into());
    }
    match format {
        Format::Json => output
            .json(&json!({"profile": name, "forgotten": forgotten, "exchanges": exchanges}))?,
        _ => output.status(&format!(
            "gatepass: {name}: {}{}",
            match (forgotten, exchanges) {
                (0, 0) => String::from("there was nothing to forget"),
                (0, _) => String::from("there was no token to forget"),
                (1, _) => String::from("forgotten"),
                (n, _) => format!("{n} records forgotten"),
            },
            match exchanges {
                0 => String::new(),
                1 => String::from("; so is what was noted of 1 exchange"),
                n => format!("; so is what was noted of {n} exchanges"),
            }
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// Empties the store of a profile; how many records and notes there were.
pub(super) async fn all_of(
    gate: &Gate,
    name: &str,
    output: &Output,
) -> Result<(usize, usize), CommandError> {
    let Some(store) = open_store(gate, output) else { return Ok((0, 0)) };
    let key = ProfileKey::new(name);
    Ok((store.forget(&key).await?, store.clear_history(&key).await?))
}
