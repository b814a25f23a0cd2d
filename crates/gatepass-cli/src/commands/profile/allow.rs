//! `gatepass profile allow`: binds a profile's stored secrets to its current addresses as well.

use std::process::ExitCode;

use gatepass::cli_support;
use gatepass::cli_support::BoundSecret;
use gatepass::{Error, Hint};
use serde_json::{Value, json};

use super::config_file;
use crate::error::{CommandError, usage};
use crate::options::{Common, Format};
use crate::output::Output;
use crate::prompt;
use crate::session::{open_gate, open_profile};

pub(super) async fn run(
    name: &str,
    yes: bool,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let gate = open_gate(common)?;
    let profile = open_profile(&gate, name, common, output)?;
    let mut bound = cli_support::bound_secrets(&profile).await?;
    bound.retain(|secret| !secret.missing().is_empty());
    if !bound.is_empty() {
        bound.iter().for_each(|secret| show(secret, output));
        confirm(name, yes, output).await?;
        let secrets = bound.clone();
        let written = cli_support::run_blocking(move || secrets.iter().try_for_each(bind));
        written.await.unwrap_or_else(|| Err(Error::internal("writing failed").into()))?;
    }
    match format {
        Format::Json => {
            let secrets: Vec<Value> = bound.iter().map(report).collect();
            output.json(&json!({"profile": name, "allowed": secrets}))?;
        }
        _ if bound.is_empty() => output.status(&format!(
            "gatepass: {name}: every stored secret may already be sent to the profile's addresses"
        )),
        _ => output.status(&format!("gatepass: {name}: allowed")),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(secret: &BoundSecret, output: &Output) {
    output.ask(&format!("{}: {}\n", secret.field(), secret.source()));
    for origin in secret.origins() {
        output.ask(&format!("  bound to: {origin}\n"));
    }
    for origin in secret.missing() {
        output.ask(&format!("  will add: {origin}\n"));
    }
}

async fn confirm(name: &str, yes: bool, output: &Output) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !prompt::is_available() {
        return Err(usage(
            "cannot ask without a terminal, so no address was allowed",
            Hint::gatepass("if these addresses are right", ["profile", "allow", name, "--yes"]),
        ));
    }
    match prompt::confirm(output, "Allow it?").await? {
        true => Ok(()),
        false => Err(usage(
            "no address was allowed",
            "if the profile was changed by mistake, restore its addresses",
        )),
    }
}

/// Stores the secret's origins with the missing ones added.
fn bind(secret: &BoundSecret) -> Result<(), CommandError> {
    let text = [secret.origins(), secret.missing()].concat().join("\n");
    if let Some(path) = secret.file() {
        return config_file::replace(&path, &format!("{text}\n"));
    }
    #[cfg(feature = "keyring")]
    if let Some(entry) = secret.entry() {
        gatepass::keyring::store(&entry, &gatepass::Secret::from(text.as_str()))?;
    }
    Ok(())
}

fn report(secret: &BoundSecret) -> Value {
    json!({
        "field": secret.field(),
        "secret": secret.source(),
        "kept_for": secret.origins(),
        "allowed": secret.missing(),
    })
}
