//! `gatepass list`: the profiles.

use std::process::ExitCode;

use comfy_table::{Table, presets};
use serde_json::json;

use super::gate;
use crate::args::{Common, Format};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(common: &Common, output: &Output) -> Result<ExitCode, Failure> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let gate = gate(common)?;
    let names = gate.names();
    let profiles = names.iter().map(|name| (name, gate.profile(name, &common.set)));
    if format == Format::Json {
        let rows = profiles.map(|(name, profile)| match profile {
            Ok(profile) => json!({
                "profile": name,
                "provider": profile.info.id,
                "origin": profile.origin.to_string(),
                "state": "ready",
                "error": null,
            }),
            Err(error) => json!({
                "profile": name,
                "provider": error.provider(),
                "origin": null,
                "state": "config error",
                "error": error.to_string(),
            }),
        });
        output.json(&rows.collect())?;
        return Ok(ExitCode::SUCCESS);
    }
    if names.is_empty() {
        output.say(
            "no profiles yet: write [profiles.NAME] into the config file, or set GATEPASS_NAME_…",
        );
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["PROFILE", "PROVIDER", "STATE", "DEFINED IN"]);
    for (name, profile) in profiles {
        match profile {
            Ok(profile) => {
                table.add_row([name, profile.info.id, "ready", &profile.origin.to_string()])
            }
            Err(error) => {
                let provider = error.provider().unwrap_or("-").to_owned();
                table.add_row([name, &provider, "config error", &error.to_string()])
            }
        };
    }
    output.result(&format!("{}\n", table.trim_fmt()))?;
    Ok(ExitCode::SUCCESS)
}
