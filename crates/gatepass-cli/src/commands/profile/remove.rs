//! `gatepass profile remove`: a profile goes, and with it what gatepass keeps for it alone.

use std::process::ExitCode;

use gatepass::{Error, Gate};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::config_file::Place;
use super::config_path;
use super::edit::Document;
use super::secret_refs::{Referred, files_of_variables};
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
    let place = Place::at(config_path(common)?)?;
    let document = place.document()?;
    if !document.names()?.iter().any(|it| it == name) {
        return Err(not_in_file(&gate, name));
    }
    let variables = gate.config().variables(gate.registry());
    let variables = files_of_variables(gate.config().env(), variables);
    let found = |document: &Document| -> Result<(Zeroizing<String>, Vec<Referred>), CommandError> {
        let secrets = Referred::all(document, &place, name, &variables)?;
        Ok((document.written(name)?, secrets))
    };
    let shown = found(&document)?;
    // What cannot be taken out is told before anybody is asked.
    document.without_profile(name)?;
    let secrets = shown.1.clone();
    let asked = tokio::task::spawn_blocking(move || {
        secrets.into_iter().map(Referred::ask_keyring).collect::<Vec<_>>()
    });
    let secrets = asked.await.map_err(|_| Error::internal("looking for secrets failed"))?;

    let removal = Removal { name, place: &place, secrets };
    removal.confirm(yes, output).await?;
    let written = place.write(&[], false, |document| match found(document) {
        Ok(now) if now == shown => document.without_profile(name),
        _ => Err(usage(
            format!("profile {name} was changed meanwhile, and nothing is removed"),
            format!("look at what goes now: gatepass profile remove {name}"),
        )),
    })?;
    if written.was_open {
        let path = written.path().display();
        output.warn(&format!("others could read {path}: now you alone can"));
    }
    let forgotten = forget::all_of(&gate, name, output).await;
    let going: Vec<_> = removal.going().cloned().collect();
    let deleted = tokio::task::spawn_blocking(move || going.iter().try_for_each(Referred::delete));
    deleted.await.map_err(|_| Error::internal("deleting secrets failed"))??;
    let (tokens, exchanges) = forgotten.map_err(|failure| {
        failure.and_hint(&format!("the profile is removed; its tokens: `gatepass forget {name}`"))
    })?;
    match format {
        Format::Json => output.json(&removal.report(tokens, exchanges))?,
        _ => output.status(&format!("gatepass: {name}: removed")),
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to go, as far as a person sees it.
struct Removal<'a> {
    name: &'a str,
    place: &'a Place,
    secrets: Vec<Referred>,
}

impl Removal<'_> {
    fn going(&self) -> impl Iterator<Item = &Referred> {
        self.secrets.iter().filter(|secret| secret.stays.is_none())
    }

    async fn confirm(&self, yes: bool, output: &Output) -> Result<(), CommandError> {
        let name = self.name;
        if yes || !prompt::is_available() {
            output.status(self.shown().trim_end());
        } else {
            output.ask(&self.shown());
        }
        if yes {
            return Ok(());
        }
        if !prompt::is_available() {
            return Err(usage(
                "there is no terminal to ask on, and nothing is removed",
                format!("if all of this may go: gatepass profile remove {name} --yes"),
            ));
        }
        match prompt::confirm(output, "Remove it?").await? {
            true => Ok(()),
            false => Err(usage(
                "nothing is removed",
                format!("its token alone is forgotten with: gatepass forget {name}"),
            )),
        }
    }

    fn shown(&self) -> String {
        let (name, path) = (self.name, self.place.path().display());
        let mut text =
            format!("goes:   profile {name} of {path}, its tokens and what is noted of them\n");
        for secret in self.going() {
            text += &format!("goes:   {}: {}\n", secret.field, secret.shown());
        }
        for secret in &self.secrets {
            if let Some(why) = &secret.stays {
                text += &format!("stays:  {}: {}: {why}\n", secret.field, secret.shown());
            }
        }
        text
    }

    fn report(&self, tokens: usize, exchanges: usize) -> Value {
        let secrets = self.secrets.iter().map(|secret| {
            json!({
                "field": secret.field,
                "secret": secret.shown(),
                "removed": secret.stays.is_none(),
                "why": secret.stays,
            })
        });
        json!({
            "profile": self.name,
            "config": self.place.path().display().to_string(),
            "secrets": secrets.collect::<Vec<_>>(),
            "forgotten": tokens,
            "exchanges": exchanges,
        })
    }
}

/// Why a profile that the config file does not have cannot be taken out of it.
fn not_in_file(gate: &Gate, name: &str) -> CommandError {
    let is_listed = || gate.config().names(gate.registry()).iter().any(|it| it == name);
    match gate.profile(name, &[]) {
        Err(error) if !is_listed() => match error.hint() {
            // Nobody who removes one is told to write it.
            Some(hint) if hint.starts_with("write ") => {
                error.with_hint("`gatepass list` lists the profiles").into()
            }
            _ => error.into(),
        },
        _ => usage(
            format!("profile {name} comes from the environment, not from the config file"),
            "unset its variables: GATEPASS_…",
        ),
    }
}
