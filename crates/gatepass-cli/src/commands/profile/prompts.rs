//! The values of a new profile: from options and standard input, or asked for on the terminal.

use std::collections::{BTreeMap, BTreeSet};

use gatepass::Endpoint;
use gatepass::cli_support::COMMON_FIELDS;
use gatepass::login::RedirectUri;
use gatepass::provider::{EnvironmentInfo, Field, FieldKind, ProviderInfo, Settings};
use zeroize::Zeroizing;

use super::edit::{concat, toml_key, toml_string};
use crate::error::{CommandError, usage};
use crate::output::Output;
use crate::prompt;

/// The values from the command line and standard input, and which others may be asked for.
pub(super) struct ProfileInput {
    pub(super) fields: Vec<(String, String)>,
    pub(super) secrets: BTreeMap<String, Zeroizing<String>>,
    /// Whether the user can be asked.
    pub(super) at_terminal: bool,
    /// Whether to ask for optional fields as well.
    pub(super) all: bool,
    /// Whether secrets may be missing, because the profile is not written.
    pub(super) dry_run: bool,
}

/// The values of a profile, in the order of its lines.
pub(super) struct ProfileValues {
    settings: Vec<(Field, String)>,
    pub(super) secrets: Vec<(Field, Zeroizing<String>)>,
}

impl ProfileValues {
    /// Collects a value for every field that the profile needs. Without a terminal, missing fields
    /// are an error of the kind `Config` that names an option for each.
    pub(super) async fn collect(
        info: &ProviderInfo,
        input: &ProfileInput,
        output: &Output,
    ) -> Result<Self, CommandError> {
        check_names(info, input)?;
        let mut values = Self { settings: Vec::new(), secrets: Vec::new() };
        let mut missing = Vec::new();
        for field in fields(info) {
            let settings = values.settings();
            if !applies(info, field, &settings) {
                if input.field(&field.name).is_some() || input.secrets.contains_key(&*field.name) {
                    return Err(unused_field(field));
                }
                continue;
            }
            let is_needed = (info.requires(field, &settings) && !values.makes_unnecessary(field))
                || values.needs_environment(info, field);
            let is_asked = is_needed
                || values.decides_others(info, field)
                || (input.all && is_of_provider(info, field));
            let is_asked = input.at_terminal && is_asked;
            if field.is_secret() {
                match input.secrets.get(&*field.name) {
                    Some(secret) => values.secrets.push((field.clone(), secret.clone())),
                    None if input.dry_run => {
                        values.secrets.push((field.clone(), Zeroizing::default()));
                    }
                    None if is_asked => {
                        let secret = ask_secret(field, output).await?;
                        values.secrets.push((field.clone(), secret));
                    }
                    None if is_needed => missing.push(field),
                    None => {}
                }
            } else if let Some(text) = input.field(&field.name) {
                check(info, field, text).map_err(|reason| {
                    usage(
                        format!("--field {}: {reason}", field.name),
                        format!("{}: {}", field.name, field.help),
                    )
                })?;
                values.settings.push((field.clone(), text.to_owned()));
            } else if is_asked {
                let text = ask(info, field, is_needed, output).await?;
                values.settings.extend(text.map(|text| (field.clone(), text)));
            } else if is_needed {
                missing.push(field);
            }
        }
        match missing.as_slice() {
            [] => Ok(values),
            missing => Err(missing_fields(info, missing)),
        }
    }

    fn settings(&self) -> Settings {
        self.settings.iter().fold(Settings::new(), |all, (field, text)| {
            all.with(field.name.to_string(), text.as_str())
        })
    }

    fn has(&self, name: &str) -> bool {
        self.settings.iter().any(|(field, _)| field.name == name)
    }

    /// Returns whether the value of another field makes this field unnecessary.
    fn makes_unnecessary(&self, field: &Field) -> bool {
        field.unless.as_deref().is_some_and(|other| self.has(other))
    }

    /// Returns whether this field is an environment that must be chosen.
    fn needs_environment(&self, info: &ProviderInfo, field: &Field) -> bool {
        field.name == "environment" && info.is_environment_required
    }

    /// Returns whether other fields depend on this one, or the choice of the vendor's service.
    fn decides_others(&self, info: &ProviderInfo, field: &Field) -> bool {
        match &*field.name {
            // With `base_url`, a default environment has no effect.
            "environment" => info.environments.len() > 1 && !self.has("base_url"),
            name => info
                .fields
                .iter()
                .any(|other| other.only_with.as_ref().is_some_and(|(choice, _)| choice == name)),
        }
    }

    /// Writes the profile as a section of the config, with each field's help above its key.
    /// `secret` returns the value to write for a secret.
    pub(super) fn section(
        &self,
        name: &str,
        info: &ProviderInfo,
        secret: impl Fn(&Field, &str) -> Zeroizing<String>,
    ) -> Zeroizing<String> {
        let header = format!(
            "[profiles.{}]\n# {}\nprovider = \"{}\"\n",
            toml_key(name),
            info.title,
            info.id
        );
        let mut pieces = vec![Zeroizing::new(header)];
        let mut push_line = |field: &Field, help: &str, value: Zeroizing<String>| {
            pieces.push(Zeroizing::new(format!("# {help}\n{} = ", field.name)));
            pieces.extend([value, Zeroizing::new(String::from("\n"))]);
        };
        for field in fields(info) {
            if let Some((_, text)) = self.settings.iter().find(|(set, _)| set.name == field.name) {
                let environment = match &*field.name {
                    "environment" => info.environment(text).map(EnvironmentInfo::summary),
                    _ => None,
                };
                let help = environment.as_deref().unwrap_or(&field.help);
                push_line(field, help, toml_value(field, text));
            }
            if let Some((_, text)) = self.secrets.iter().find(|(set, _)| set.name == field.name) {
                push_line(field, &field.help, secret(field, text));
            }
        }
        concat(&pieces.iter().map(|piece| piece.as_str()).collect::<Vec<_>>())
    }
}

impl ProfileInput {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
    }
}

/// Returns all fields in the order of a profile's lines. Fields that decide others come first.
fn fields(info: &ProviderInfo) -> impl Iterator<Item = &Field> {
    const FIRST: [&str; 2] = ["base_url", "environment"];
    let common = |name: &&str| COMMON_FIELDS.iter().find(|field| field.name == *name);
    let first = FIRST.iter().filter_map(common);
    let rest = COMMON_FIELDS
        .iter()
        .filter(|field| field.name != "provider" && !FIRST.contains(&&*field.name));
    first.chain(&*info.fields).chain(rest)
}

/// Returns whether a field is the provider's own. The common fields are not asked for, apart from
/// the address.
fn is_of_provider(info: &ProviderInfo, field: &Field) -> bool {
    match &*field.name {
        "environment" => !info.environments.is_empty(),
        "base_url" => true,
        name => info.field(name).is_some(),
    }
}

fn applies(info: &ProviderInfo, field: &Field, settings: &Settings) -> bool {
    let value_of = |other: &str| settings.text_or_default(other, info);
    field.only_with.as_ref().is_none_or(|(other, value)| value_of(other) == Some(value))
        && (field.name != "environment" || !info.environments.is_empty())
}

fn choices<'a>(info: &'a ProviderInfo, field: &'a Field) -> Option<Vec<&'a str>> {
    match &field.kind {
        FieldKind::Choice(choices) => Some(choices.iter().collect()),
        FieldKind::Flag => Some(vec!["true", "false"]),
        _ if field.name == "environment" => {
            Some(info.environments.iter().map(|environment| &*environment.name).collect())
        }
        _ => None,
    }
}

/// Checks a value on its own. The error does not repeat the value.
fn check(info: &ProviderInfo, field: &Field, text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err(String::from("it contains a control character"));
    }
    if text.is_empty() && field.required {
        return Err(String::from("it is empty"));
    }
    if let Some(choices) = choices(info, field) {
        return match choices.contains(&text) {
            true => Ok(()),
            false => Err(format!("use one of: {}", choices.join(", "))),
        };
    }
    let checked = match field.kind {
        FieldKind::RedirectUri => RedirectUri::parse(text).map(drop),
        // Whether plain http is allowed depends on other fields.
        FieldKind::Address if text.starts_with("http://") => Ok(()),
        FieldKind::Address if text.contains("://") || info.field(&field.name).is_none() => {
            Endpoint::parse(text).map(drop)
        }
        FieldKind::Address => Endpoint::host(text).map(drop),
        _ => Ok(()),
    };
    checked.map_err(|error| error.message().to_owned())
}

/// Asks for a value until it is valid. An empty reply selects the default.
async fn ask(
    info: &ProviderInfo,
    field: &Field,
    is_needed: bool,
    output: &Output,
) -> Result<Option<String>, CommandError> {
    let choices = choices(info, field);
    let is_environment = field.name == "environment";
    let default = match (field.default.as_deref(), &choices) {
        (Some(default), _) => Some(default),
        (None, Some(choices)) if is_environment && !info.is_environment_required => {
            choices.first().copied()
        }
        _ => None,
    };
    output.ask(&format!("\n{}: {}\n", field.name, field.help));
    if is_environment {
        for environment in &*info.environments {
            output.ask(&format!("  {:<12} {}\n", environment.name, environment.summary()));
        }
    } else if let Some(choices) = &choices {
        output.ask(&format!("  one of: {}\n", choices.join(", ")));
    }
    let question = match default {
        Some("") => format!("{} [empty]: ", field.name),
        Some(default) => format!("{} [{default}]: ", field.name),
        None if is_needed => format!("{}: ", field.name),
        None => format!("{} [none]: ", field.name),
    };
    loop {
        let reply =
            prompt::visible(output, &question).await?.ok_or_else(|| input_ended(&field.name))?;
        match (reply.as_str(), default) {
            ("", Some(default)) => return Ok(Some(default.to_owned())),
            ("", None) if !is_needed => return Ok(None),
            (text, _) => match check(info, field, text) {
                Ok(()) => return Ok(Some(reply)),
                Err(reason) => output.ask(&format!("  invalid value: {reason}\n")),
            },
        }
    }
}

async fn ask_secret(field: &Field, output: &Output) -> Result<Zeroizing<String>, CommandError> {
    output.ask(&format!("\n{}: {} (the input is hidden)\n", field.name, field.help));
    prompt::hidden(output, &format!("{}: ", field.name)).await
}

/// Returns the error for an input that ends where a reply is expected.
pub(super) fn input_ended(name: &str) -> CommandError {
    usage(format!("{name}: the input ended"), "no profile was written; run the command again")
}

fn check_names(info: &ProviderInfo, input: &ProfileInput) -> Result<(), CommandError> {
    let names = |is_secret: bool| {
        let fields = info.fields.iter().filter(move |field| field.is_secret() == is_secret);
        fields.map(|field| &*field.name).collect::<Vec<_>>()
    };
    let mut seen = BTreeSet::new();
    for (name, _) in &input.fields {
        let field = fields(info).find(|field| field.name == *name).ok_or_else(|| {
            usage(
                format!("--field: {} has no such key", info.id),
                format!(
                    "it has {}, and the common keys that `gatepass providers` lists",
                    names(false).join(", ")
                ),
            )
        })?;
        if field.is_secret() {
            return Err(usage(
                format!("--field {}: a secret is not accepted on the command line", field.name),
                format!(
                    "every user of this machine can read arguments: --secret-stdin {}",
                    field.name
                ),
            ));
        }
        if !seen.insert(&*field.name) {
            return Err(usage(format!("--field {} is given twice", field.name), "give it once"));
        }
    }
    let secrets = names(true);
    match input.secrets.keys().all(|name| secrets.contains(&name.as_str())) {
        true => Ok(()),
        // Do not repeat the name: the user may have typed the secret there.
        false => Err(usage(
            format!("{} has no secret with this name", info.id),
            format!("it has: {}", secrets.join(", ")),
        )),
    }
}

fn unused_field(field: &Field) -> CommandError {
    let tie = field.only_with.as_ref();
    let (other, value) = tie.map_or((&*field.name, "…"), |(other, value)| (&**other, &**value));
    let hint = match &*field.name {
        "environment" => String::from("this vendor has one address: leave it out"),
        _ => format!("set --field {other}={value}, or leave it out"),
    };
    usage(format!("{} has no effect in this profile", field.name), hint)
}

fn missing_fields(info: &ProviderInfo, missing: &[&Field]) -> CommandError {
    let names: Vec<_> = missing.iter().map(|field| &*field.name).collect();
    let secrets: Vec<_> = missing.iter().filter(|field| field.is_secret()).collect();
    let settings = missing.iter().filter(|field| !field.is_secret());
    let mut options: Vec<_> = settings.map(|field| format!("--field {}=…", field.name)).collect();
    options.extend(match secrets.as_slice() {
        [] => None,
        [one] => Some(format!("--secret-stdin {}", one.name)),
        many => {
            let lines: Vec<_> = many.iter().map(|field| format!("{}=…", field.name)).collect();
            Some(format!("--secrets-stdin with the lines {}", lines.join(" and ")))
        }
    });
    let mut hint = format!("give {}", options.join(" "));
    if names.contains(&"environment") {
        hint += &format!("; environment is {}", info.environment_choices());
    }
    usage(
        format!("{} needs {}, and there is no terminal to ask on", info.id, names.join(", ")),
        hint,
    )
}

/// Returns a value as TOML writes it.
fn toml_value(field: &Field, text: &str) -> Zeroizing<String> {
    match field.kind {
        FieldKind::Flag => Zeroizing::new(text.to_owned()),
        FieldKind::Addresses => {
            let all = text.split([' ', ',']).filter(|address| !address.is_empty());
            let all: Vec<_> = all.map(|address| toml_string(address).to_string()).collect();
            Zeroizing::new(format!("[{}]", all.join(", ")))
        }
        FieldKind::Path => {
            // The config reads a path relative to its own directory, the user gave one relative to
            // the current directory.
            let path = std::path::absolute(text).map(|path| path.display().to_string());
            toml_string(path.as_deref().unwrap_or(text))
        }
        _ => toml_string(text),
    }
}
