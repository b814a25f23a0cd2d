//! `gatepass init` and `gatepass profile add`: collects a profile's values, writes and tests it.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use gatepass::Hint;
use gatepass::cli_support;
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Config;
use gatepass::provider::{ProviderInfo, Registry};
use zeroize::Zeroizing;

use super::config_file::{ConfigFile, WrittenChange};
use super::edit::toml_string;
use super::plan::{ProfilePlan, without_place};
use super::prompts::{ProfileInput, ProfileValues, input_ended};
use super::secrets::{self, SecretStorage, SecretTargets};
use crate::commands::forget;
use crate::error::{CommandError, usage};
use crate::options::{Common, Format, WaitArgs, key_value};
use crate::output::{Output, format_duration};
use crate::quote::command_line;
use crate::session::{open_gate, open_gate_with_store, open_profile};
use crate::wait::with_retries;
use crate::{prompt, signal};

#[derive(Debug, clap::Args)]
pub(super) struct AddOptions {
    /// The profile's name [default: the vendor's id, or that with -2, -3, …]
    #[arg(long)]
    name: Option<String>,
    /// Set a key of the profile instead of asking for it (not secrets)
    #[arg(long = "field", value_name = "KEY=VALUE", value_parser = key_value)]
    fields: Vec<(String, String)>,
    /// Read this secret from standard input
    #[arg(long, value_name = "FIELD", conflicts_with = "secrets_stdin")]
    secret_stdin: Option<String>,
    /// Read secrets from standard input, one line FIELD=VALUE for each
    #[arg(long)]
    secrets_stdin: bool,
    /// Where to store secrets [default: keyring, or file if there is no usable keyring]
    #[arg(long, value_name = "WHERE")]
    secrets: Option<SecretStorage>,
    /// Ask for optional keys as well
    #[arg(long)]
    all: bool,
    /// Replace an existing profile without asking
    #[arg(long)]
    force: bool,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not request a token to test the profile
    #[arg(long)]
    no_test: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

/// One run of `init` or `profile add`.
pub(super) struct AddCommand<'a> {
    pub(super) options: &'a AddOptions,
    pub(super) common: &'a Common,
    pub(super) output: &'a Output,
}

impl AddCommand<'_> {
    /// Runs the command. A signal stops it at once: values typed so far are dropped, and the
    /// terminal is restored.
    pub(super) async fn run(&self, provider: Option<&str>) -> Result<ExitCode, CommandError> {
        let stop = signal::stop()?;
        tokio::select! {
            biased;
            done = self.add(provider) => done,
            () = stop => {
                self.output.ask("\n");
                Err(CommandError::Interrupted)
            }
        }
    }

    async fn add(&self, provider: Option<&str>) -> Result<ExitCode, CommandError> {
        let format = self.output.format(&[Format::Text, Format::Json])?;
        let registry = Registry::linked()?;
        let file = ConfigFile::find(self.common)?;
        let hides_system_config = file.hides_system_config();
        let info = match provider {
            Some(id) => registry.get(id)?,
            None => self.ask_provider(&registry).await?,
        };
        let mut plan = self.plan(info, file).await?;
        plan.origins = plan.check(&registry)?;
        if self.options.dry_run {
            let section = plan.redacted_section();
            match format {
                Format::Json => self.output.json(&plan.report(Some(&section), None))?,
                _ => self.output.result(&section)?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        plan.targets = plan.targets.store_or_use_files(
            self.options.secrets,
            &plan.name,
            &plan.values.secrets,
            &plan.origins,
            self.output,
        )?;
        let written = plan.write()?;
        if written.was_readable_by_others {
            let path = written.path().display();
            self.output.warn(&format!("other users could read {path}: now only you can"));
        }
        if hides_system_config {
            let (path, system) = (written.path().display(), cli_support::SYSTEM_CONFIG);
            self.output
                .warn(&format!("you no longer have the profiles of {system}: {path} is read"));
        }
        self.print_written(&plan);
        let expires_in = match self.options.no_test {
            true => None,
            false => self.test(&plan, written).await?,
        };
        if format == Format::Json {
            self.output.json(&plan.report(None, expires_in))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask_provider(&self, registry: &Registry) -> Result<Arc<ProviderInfo>, CommandError> {
        if !prompt::is_available() {
            return Err(usage(
                "no vendor given, and there is no terminal to ask on",
                format!("name it: gatepass init VENDOR, one of: {}", registry.ids().join(", ")),
            ));
        }
        let output = self.output;
        output.ask("Which vendor?\n");
        for info in registry.iter() {
            output.ask(&format!("  {:<12} {}\n", info.id, info.title));
        }
        loop {
            let id =
                prompt::visible(output, "vendor: ").await?.ok_or_else(|| input_ended("vendor"))?;
            match registry.get(&id) {
                Ok(info) => return Ok(info),
                Err(error) => {
                    let hint = error.hints().first().map(|hint| format!("; {hint}"));
                    output.ask(&format!("  {}{}\n", error.message(), hint.unwrap_or_default()));
                }
            }
        }
    }

    async fn plan(
        &self,
        info: Arc<ProviderInfo>,
        file: ConfigFile,
    ) -> Result<ProfilePlan, CommandError> {
        let options = self.options;
        let config = file.read()?;
        let (name, replaces) = self.choose_name(&info, &config.profile_names()?).await?;
        let input = ProfileInput {
            fields: options.fields.clone(),
            secrets: self.read_secrets()?,
            at_terminal: prompt::is_available(),
            all: options.all,
            dry_run: options.dry_run,
        };
        let values = ProfileValues::collect(&info, &input, self.output).await?;
        let fields: Vec<_> = values.secrets.iter().map(|(field, _)| field.clone()).collect();
        let targets =
            SecretTargets::choose(options.secrets, &name, &fields, &config, self.output).await?;
        Ok(ProfilePlan { name, info, file, replaces, values, targets, origins: String::new() })
    }

    /// Chooses the profile's name, and returns whether it replaces an existing profile.
    async fn choose_name(
        &self,
        info: &ProviderInfo,
        taken: &[String],
    ) -> Result<(String, bool), CommandError> {
        let is_taken = |name: &str| taken.iter().any(|existing| existing == name);
        let Some(name) = &self.options.name else {
            if self.options.force && is_taken(&info.id) {
                return Ok((info.id.to_string(), true));
            }
            let mut names = (2..).map(|n| format!("{}-{n}", info.id));
            let free = match is_taken(&info.id) {
                true => names.find(|name| !is_taken(name)),
                false => None,
            };
            return Ok((free.unwrap_or_else(|| info.id.to_string()), false));
        };
        let section = format!("[profiles.{}]", toml_string(name).as_str());
        Config::from_toml(&section).map_err(|error| without_place(&error))?;
        if !is_taken(name) || self.options.force {
            return Ok((name.clone(), is_taken(name)));
        }
        let exists = || {
            usage(
                "a profile with this name already exists",
                "choose another --name, or replace it: --force",
            )
        };
        if !prompt::is_available() || self.options.dry_run {
            return Err(exists());
        }
        let question = format!("The profile {name} already exists. Replace it?");
        match prompt::confirm(self.output, &question).await? {
            true => Ok((name.clone(), true)),
            false => Err(exists()),
        }
    }

    /// Reads secrets from standard input, unless it is a terminal: then the user is asked.
    fn read_secrets(&self) -> Result<BTreeMap<String, Zeroizing<String>>, CommandError> {
        if io::stdin().is_terminal() {
            return Ok(BTreeMap::new());
        }
        match (&self.options.secret_stdin, self.options.secrets_stdin) {
            (Some(field), _) => secrets::read_one(field),
            (None, true) => secrets::read_many(),
            (None, false) => Ok(BTreeMap::new()),
        }
    }

    fn print_written(&self, plan: &ProfilePlan) {
        let path = plan.file.path().display();
        self.output.status(&format!("gatepass: wrote profile {} to {path}", plan.name));
        for (field, _) in &plan.values.secrets {
            let place = plan.targets.describe(field, &plan.file);
            self.output.status(&format!("gatepass: stored {} in {place}", field.name));
        }
        if let Some(origins) = plan.bound_to() {
            let origins = origins.join(", ");
            self.output.status(&format!("gatepass: the secret will only be sent to {origins}"));
        }
    }

    /// Tests the profile with a token request. Returns the token's remaining lifetime in seconds,
    /// or `None` for a profile that needs a login.
    async fn test(
        &self,
        plan: &ProfilePlan,
        written: WrittenChange,
    ) -> Result<Option<u64>, CommandError> {
        let (name, output) = (&plan.name, self.output);
        let config = self.common.config.as_deref();
        match self.request_token(name).await {
            Ok(Some(seconds)) => {
                let valid_for = format_duration(Duration::from_secs(seconds));
                let print = command_line(&["token", name], config);
                output.status(&format!(
                    "gatepass: {name}: the vendor issued a token, valid for {valid_for}; print it \
                     with: {print}"
                ));
                Ok(Some(seconds))
            }
            Ok(None) => {
                let login = command_line(&["login", name], config);
                output.status(&format!("gatepass: {name}: log in with: {login}"));
                Ok(None)
            }
            Err(error) => Err(self.keep_or_undo(plan, written, error).await?),
        }
    }

    async fn request_token(&self, name: &str) -> Result<Option<u64>, CommandError> {
        let gate = open_gate_with_store(self.common, self.output)?;
        let profile = open_profile(&gate, name, self.common, self.output)?;
        if profile.provider()?.interactive().is_some() {
            return Ok(None);
        }
        let source = gate.open(&profile)?;
        let deadline = self.options.wait.deadline();
        let token = with_retries(deadline, &source, self.output, || source.refresh_now()).await?;
        self.output.warn_token(name, &token);
        Ok(Some(token.remaining(SystemClock::new().wall()).as_secs()))
    }

    /// Asks whether to keep a profile whose test failed. Returns the error to report.
    async fn keep_or_undo(
        &self,
        plan: &ProfilePlan,
        written: WrittenChange,
        error: CommandError,
    ) -> Result<CommandError, CommandError> {
        let name = &plan.name;
        let again = Hint::gatepass("the profile is kept; try again", ["token", name, "--fresh"]);
        let replace = ["profile", "add", &plan.info.id, "--name", name, "--force"];
        let replace = Hint::gatepass("or replace the profile", replace);
        if !prompt::is_available() || plan.replaces {
            return Ok(error.hint(again).hint(replace));
        }
        self.output.ask(&format!("\nThe test failed: {}\n", error.message()));
        let stop = signal::stop()?;
        let (keep, interrupted) = tokio::select! {
            biased;
            reply = prompt::visible(self.output, "Keep the profile? [Y/n] ") => {
                (!matches!(reply?.as_deref(), Some("n" | "N" | "no")), false)
            }
            () = stop => (false, true),
        };
        if keep {
            return Ok(error.hint(again).hint(replace));
        }
        if interrupted {
            self.output.ask("\n");
        }
        written.undo()?;
        plan.targets.undo();
        let gate = open_gate(self.common)?;
        forget::clear_store(&gate, name, self.output).await?;
        self.output.status("gatepass: removed the profile again");
        Ok(if interrupted { CommandError::Interrupted } else { error })
    }
}
