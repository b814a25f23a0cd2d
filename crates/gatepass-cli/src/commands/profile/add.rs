//! `gatepass init` and `gatepass profile add`: a profile is asked for, written and tried.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use gatepass::{Clock, Config, Error, ProviderInfo, Registry, SystemClock};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::config_file::{Place, Written};
use super::edit::quoted;
use super::prompts::{Answers, Given, ended};
use super::secrets::{self, Homes};
use super::{How, config_path};
use crate::commands::forget;
use crate::error::{CommandError, usage};
use crate::next::naming;
use crate::options::{Common, Format};
use crate::output::{Output, format_duration};
use crate::session::{open_gate, open_gate_with_store, open_profile};
use crate::wait::with_retries;
use crate::{prompt, signal};

/// Ends at once when it is told to: what was typed so far is dropped, and the terminal is as before.
pub(super) async fn interruptible(
    task: Task<'_>,
    provider: Option<&str>,
) -> Result<ExitCode, CommandError> {
    let stop = signal::stop()?;
    tokio::select! {
        biased;
        done = task.run(provider) => done,
        () = stop => {
            task.output.ask("\n");
            Err(CommandError::Interrupted)
        }
    }
}

/// What is asked for on the command line.
pub(super) struct Task<'a> {
    pub(super) how: &'a How,
    pub(super) common: &'a Common,
    pub(super) output: &'a Output,
}

/// What a new profile is and where it goes.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) info: &'static ProviderInfo,
    pub(super) place: Place,
    pub(super) replaces: bool,
    pub(super) answers: Answers,
    pub(super) homes: Homes,
    /// The origins that its secrets may go to, one in each line.
    pub(super) origins: String,
}

impl Task<'_> {
    async fn run(&self, provider: Option<&str>) -> Result<ExitCode, CommandError> {
        let format = self.output.format(&[Format::Text, Format::Json])?;
        let registry = Registry::linked()?;
        let place = Place::at(config_path(self.common)?)?;
        let info = match provider {
            Some(id) => registry.get(id)?,
            None => self.ask_provider(&registry).await?,
        };
        let mut plan = self.plan(info, place).await?;
        plan.origins = plan.check(&registry)?;
        if self.how.dry_run {
            let shown = plan.without_secrets();
            match format {
                Format::Json => self.output.json(&plan.report(Some(&shown), None))?,
                _ => self.output.result(&shown)?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        let (homes, secrets) = (plan.homes, &plan.answers.secrets);
        let (keep, name) = (self.how.secrets, &plan.name);
        plan.homes = homes.store_or_files(keep, name, secrets, &plan.origins, self.output)?;
        let written = plan.write()?;
        if written.was_open {
            let path = written.path().display();
            self.output.warn(&format!("others could read {path}: now you alone can"));
        }
        self.say_written(&plan);
        let tested = match self.how.no_test {
            true => None,
            false => self.test(&plan, written).await?,
        };
        if format == Format::Json {
            self.output.json(&plan.report(None, tested))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask_provider(
        &self,
        registry: &Registry,
    ) -> Result<&'static ProviderInfo, CommandError> {
        if !prompt::is_available() {
            return Err(usage(
                "which vendor? there is no terminal to ask on",
                format!("gatepass init VENDOR, one of: {}", registry.ids().join(", ")),
            ));
        }
        let output = self.output;
        output.ask("Which vendor?\n");
        for info in registry.iter() {
            output.ask(&format!("  {:<12} {}\n", info.id, info.title));
        }
        loop {
            let answer =
                prompt::visible(output, "vendor: ").await?.ok_or_else(|| ended("vendor"))?;
            match registry.get(&answer) {
                Ok(info) => return Ok(info),
                Err(error) => {
                    let hint = error.hint().unwrap_or_default();
                    output.ask(&format!("  {}; {hint}\n", error.message()));
                }
            }
        }
    }

    async fn plan(&self, info: &'static ProviderInfo, place: Place) -> Result<Plan, CommandError> {
        let how = self.how;
        let document = place.document()?;
        let (name, replaces) = self.name(info, &document.names()?).await?;
        let given = Given {
            fields: how.fields.clone(),
            secrets: self.secrets()?,
            at_terminal: prompt::is_available(),
            all: how.all,
            dry_run: how.dry_run,
        };
        let answers = Answers::collect(info, &given, self.output).await?;
        let secret: Vec<_> = answers.secrets.iter().map(|(field, _)| *field).collect();
        let homes = Homes::choose(how.secrets, &name, &secret, &document, self.output).await?;
        Ok(Plan { name, info, place, replaces, answers, homes, origins: String::new() })
    }

    /// The profile's name, and whether there is such a profile to be replaced.
    async fn name(
        &self,
        info: &ProviderInfo,
        taken: &[String],
    ) -> Result<(String, bool), CommandError> {
        let is_taken = |name: &str| taken.iter().any(|it| it == name);
        let Some(name) = &self.how.name else {
            if self.how.force && is_taken(info.id) {
                return Ok((info.id.to_owned(), true));
            }
            let mut names = (2..).map(|n| format!("{}-{n}", info.id));
            let free = match is_taken(info.id) {
                true => names.find(|name| !is_taken(name)),
                false => None,
            };
            return Ok((free.unwrap_or_else(|| info.id.to_owned()), false));
        };
        let section = format!("[profiles.{}]", quoted(name).as_str());
        Config::from_toml(&section).map_err(|error| without_line(&error))?;
        if !is_taken(name) || self.how.force {
            return Ok((name.clone(), is_taken(name)));
        }
        let exists = || {
            usage(
                "there is a profile of that name already",
                "choose another --name, or replace it: --force",
            )
        };
        if !prompt::is_available() || self.how.dry_run {
            return Err(exists());
        }
        let question = format!("There is a profile {name} already. Replace it?");
        match prompt::confirm(self.output, &question).await? {
            true => Ok((name.clone(), true)),
            false => Err(exists()),
        }
    }

    /// The secrets that standard input has, unless a person sits there: they are asked.
    fn secrets(&self) -> Result<BTreeMap<String, Zeroizing<String>>, CommandError> {
        if io::stdin().is_terminal() {
            return Ok(BTreeMap::new());
        }
        match (&self.how.secret_stdin, self.how.secrets_stdin) {
            (Some(field), _) => secrets::one(field),
            (None, true) => secrets::many(),
            (None, false) => Ok(BTreeMap::new()),
        }
    }

    fn say_written(&self, plan: &Plan) {
        let path = plan.place.path().display();
        self.output.status(&format!("gatepass: profile {} is in {path}", plan.name));
        for (field, _) in &plan.answers.secrets {
            let shown = plan.homes.shown(field, &plan.place);
            self.output.status(&format!("gatepass: {} is in {shown}", field.name));
        }
        if let Some(origins) = plan.bound_to() {
            let origins = origins.join(", ");
            self.output.status(&format!("gatepass: it is sent to nobody else than {origins}"));
        }
    }

    /// Asks the vendor for a token; the seconds it lives, or nothing for a profile that a person
    /// must log in with.
    async fn test(&self, plan: &Plan, written: Written) -> Result<Option<u64>, CommandError> {
        let (name, output) = (&plan.name, self.output);
        let config = self.common.config.as_deref();
        match self.token(name).await {
            Ok(Some(seconds)) => {
                let print = naming(&format!("gatepass token {name}"), config);
                output.status(&format!(
                    "gatepass: {name}: the vendor gave a token for {}; {print} prints it",
                    format_duration(Duration::from_secs(seconds))
                ));
                Ok(Some(seconds))
            }
            Ok(None) => {
                output.status(&naming(
                    &format!("gatepass: log in with: gatepass login {name}"),
                    config,
                ));
                Ok(None)
            }
            Err(failure) => Err(self.keep_or_not(plan, written, failure).await?),
        }
    }

    async fn token(&self, name: &str) -> Result<Option<u64>, CommandError> {
        let gate = open_gate_with_store(self.common, self.output)?;
        let profile = open_profile(&gate, name, self.common, self.output)?;
        if profile.provider()?.interactive().is_some() {
            return Ok(None);
        }
        let source = gate.open(&profile)?;
        let token =
            with_retries(self.how.wait.wait, &source, self.output, || source.refresh_now()).await?;
        self.output.warn_token(name, &token);
        Ok(Some(token.remaining(SystemClock::new().wall()).as_secs()))
    }

    /// The failure of the test, with what becomes of the profile.
    async fn keep_or_not(
        &self,
        plan: &Plan,
        written: Written,
        failure: CommandError,
    ) -> Result<CommandError, CommandError> {
        let name = &plan.name;
        let kept = format!(
            "the profile is kept: try again with `gatepass token {name} --fresh`, or write it anew \
             with `gatepass profile add {} --name {name} --force`",
            plan.info.id
        );
        if !prompt::is_available() || plan.replaces {
            return Ok(failure.and_hint(&kept));
        }
        let why = failure.message();
        self.output.ask(&format!("\nThe test failed: {why}\n"));
        let stop = signal::stop()?;
        let (keep, interrupted) = tokio::select! {
            biased;
            answer = prompt::visible(self.output, "Keep the profile? [Y/n] ") => {
                (!matches!(answer?.as_deref(), Some("n" | "N" | "no")), false)
            }
            () = stop => (false, true),
        };
        if keep {
            return Ok(failure.and_hint(&kept));
        }
        if interrupted {
            self.output.ask("\n");
        }
        written.undo()?;
        plan.homes.take_back();
        let gate = open_gate(self.common)?;
        forget::all_of(&gate, name, self.output).await?;
        self.output.status("gatepass: nothing of it is kept");
        Ok(if interrupted { CommandError::Interrupted } else { failure })
    }
}

/// A mistake in a section whose lines nobody has seen.
fn without_line(error: &Error) -> CommandError {
    let message = error.message();
    let plain = message.strip_prefix("config:").and_then(|rest| rest.split_once(": "));
    let plain = plain.map_or(message, |(_, plain)| plain);
    let hint = error.hint().unwrap_or("`gatepass providers` lists every key");
    usage(plain.to_owned(), hint.to_owned())
}

impl Plan {
    /// The section as it is written.
    pub(super) fn section(&self) -> Zeroizing<String> {
        let secret = |field: &_, text: &str| self.homes.reference(field, text);
        self.answers.section(&self.name, self.info, secret)
    }

    /// The section as it may be shown.
    fn without_secrets(&self) -> Zeroizing<String> {
        self.answers.section(&self.name, self.info, |field, _| self.homes.reference(field, "…"))
    }

    /// Whether its section alone makes a profile; the origins it goes to.
    pub(super) fn check(&self, registry: &Registry) -> Result<String, CommandError> {
        // No secret is read for it; one that is not known yet is not missing.
        let text = match self.answers.secrets.iter().any(|(_, secret)| secret.is_empty()) {
            true => self.without_secrets(),
            false => self.section(),
        };
        let config = Config::from_toml(&text).map_err(|error| without_line(&error))?;
        let profile = config.profile(&self.name, registry, &[]);
        let origins = profile.and_then(|profile| profile.origins());
        origins.map(|all| all.join("\n")).map_err(|error| without_line(&error))
    }

    fn write(&self) -> Result<Written, CommandError> {
        let section = self.section();
        let files = self.homes.files(&self.answers.secrets, &self.origins);
        let written = self.place.write(&files, self.replaces, |document| {
            document.with_profile(&self.name, &section, self.replaces)
        });
        written.inspect_err(|_| self.homes.take_back())
    }

    /// The origins that its stored secrets may go to, if there are any.
    fn bound_to(&self) -> Option<Vec<&str>> {
        let is_bound = self.homes.are_bound() && !self.answers.secrets.is_empty();
        is_bound.then(|| self.origins.lines().collect())
    }

    fn report(&self, toml: Option<&str>, expires_in: Option<u64>) -> Value {
        let secrets = self.answers.secrets.iter();
        let secrets: BTreeMap<_, _> =
            secrets.map(|(field, _)| (field.name, self.homes.shown(field, &self.place))).collect();
        json!({
            "profile": self.name,
            "provider": self.info.id,
            "config": self.place.path().display().to_string(),
            "secrets": secrets,
            "origins": self.bound_to(),
            "replaced": self.replaces,
            "toml": toml,
            "expires_in": expires_in,
        })
    }
}
