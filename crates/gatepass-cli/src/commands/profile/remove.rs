//! `gatepass profile remove`: removes a profile and what gatepass stores for it alone.
//!
//! The user sees what will be removed and confirms it. Between the question and the reply another
//! process may change the config, so the references are read again under the lock, and the command
//! stops if they differ. The config is written first and the secrets are deleted last: if the
//! command is killed in between, a secret without a profile is left, not a profile without its
//! secret.

use std::process::ExitCode;

use gatepass::cli_support;
use gatepass::{Error, Gate, Hint};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::config_file::ConfigFile;
use super::edit::ConfigText;
use super::secret_refs::{SecretRef, files_of_variables};
use crate::commands::forget;
use crate::error::{CommandError, usage};
use crate::options::{Common, Format};
use crate::output::Output;
use crate::prompt;
use crate::session::open_gate;

pub(super) async fn run(
    name: &str,
    yes: bool,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let gate = open_gate(common)?;
    let file = ConfigFile::find(common)?;
    let config = file.read()?;
    if !config.profile_names()?.iter().any(|profile| profile == name) {
        return Err(not_in_file(&gate, name));
    }
    let variables = gate.config().variables(gate.registry());
    let variables = files_of_variables(gate.config().env(), variables);
    let read = |config: &ConfigText| -> Result<(Zeroizing<String>, Vec<SecretRef>), CommandError> {
        let secrets = SecretRef::all(config, &file, name, &variables)?;
        Ok((config.profile_lines(name)?, secrets))
    };
    let before = read(&config)?;
    // If the profile cannot be cut out of the file, fail before asking.
    config.without_profile(name)?;
    let secrets = before.1.clone();
    let checked = cli_support::run_blocking(move || {
        secrets.into_iter().map(SecretRef::check_keyring).collect::<Vec<_>>()
    });
    let secrets = checked.await.ok_or_else(|| Error::internal("looking for secrets failed"))?;

    let removal = Removal { name, file: &file, secrets };
    removal.confirm(yes, output).await?;
    let written = file.write(&[], false, |config| match read(config) {
        Ok(now) if now == before => config.without_profile(name),
        _ => Err(usage(
            format!("another process has changed profile {name}, so it was not removed"),
            Hint::gatepass("see what would be removed now", ["profile", "remove", name]),
        )),
    })?;
    if written.was_readable_by_others {
        let path = written.path().display();
        output.warn(&format!("other users could read {path}: now only you can"));
    }
    let forgotten = forget::clear_store(&gate, name, output).await;
    let removed: Vec<_> = removal.removed_secrets().cloned().collect();
    let deleted = cli_support::run_blocking(move || removed.iter().try_for_each(SecretRef::delete));
    deleted.await.ok_or_else(|| Error::internal("deleting secrets failed"))??;
    let (tokens, exchanges) = forgotten.map_err(|error| {
        error.hint(Hint::gatepass("the profile is removed; remove its tokens", ["forget", name]))
    })?;
    match format {
        Format::Json => output.json(&removal.report(tokens, exchanges))?,
        _ => output.status(&format!("gatepass: {name}: removed")),
    }
    Ok(ExitCode::SUCCESS)
}

/// A removal as the user confirms it.
struct Removal<'a> {
    name: &'a str,
    file: &'a ConfigFile,
    secrets: Vec<SecretRef>,
}

impl Removal<'_> {
    fn removed_secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.secrets.iter().filter(|secret| secret.keep_reason.is_none())
    }

    async fn confirm(&self, yes: bool, output: &Output) -> Result<(), CommandError> {
        let name = self.name;
        if yes || !prompt::is_available() {
            output.status(self.describe().trim_end());
        } else {
            output.ask(&self.describe());
        }
        if yes {
            return Ok(());
        }
        if !prompt::is_available() {
            return Err(usage(
                "cannot ask without a terminal, so the profile was not removed",
                Hint::gatepass("to remove all of this", ["profile", "remove", name, "--yes"]),
            ));
        }
        match prompt::confirm(output, "Remove it?").await? {
            true => Ok(()),
            false => Err(usage(
                "the profile was not removed",
                Hint::gatepass("to remove only its cached tokens", ["forget", name]),
            )),
        }
    }

    fn describe(&self) -> String {
        let (name, path) = (self.name, self.file.path().display());
        let mut text =
            format!("will remove: profile {name} ({path}), its cached tokens and history\n");
        for secret in self.removed_secrets() {
            text += &format!("will remove: {}: {}\n", secret.field, secret.describe());
        }
        for secret in &self.secrets {
            if let Some(reason) = &secret.keep_reason {
                text += &format!("will keep: {}: {}: {reason}\n", secret.field, secret.describe());
            }
        }
        text
    }

    fn report(&self, tokens: usize, exchanges: usize) -> Value {
        let secrets = self.secrets.iter().map(|secret| {
            json!({
                "field": secret.field,
                "secret": secret.describe(),
                "removed": secret.keep_reason.is_none(),
                "why": secret.keep_reason,
            })
        });
        json!({
            "profile": self.name,
            "config": self.file.path().display().to_string(),
            "secrets": secrets.collect::<Vec<_>>(),
            "forgotten": tokens,
            "exchanges": exchanges,
        })
    }
}

/// Returns the reason why a profile that is not in the config file cannot be removed from it.
fn not_in_file(gate: &Gate, name: &str) -> CommandError {
    let is_listed = || gate.config().names(gate.registry()).iter().any(|profile| profile == name);
    match gate.profile(name).read() {
        Err(error) if !is_listed() => {
            // A hint with a command advises to add the profile.
            match error.hints().iter().any(|hint| hint.command().is_some()) {
                true => error.with_hints([Hint::gatepass("list the profiles", ["list"])]).into(),
                false => error.into(),
            }
        }
        _ => usage(
            format!("profile {name} comes from the environment, not from the config file"),
            "unset its variables: GATEPASS_…",
        ),
    }
}
