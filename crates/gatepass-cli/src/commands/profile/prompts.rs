//! What a profile says: given by options and standard input, or asked for on the terminal.

use std::collections::{BTreeMap, BTreeSet};

use gatepass::{COMMON_FIELDS, Endpoint, Field, FieldKind, ProviderInfo, RedirectUri, Settings};
use zeroize::Zeroizing;

use super::edit::{joined, key, quoted};
use crate::error::{CommandError, usage};
use crate::output::Output;
use crate::prompt;

/// What is known before anybody is asked.
pub(super) struct Given {
    pub(super) fields: Vec<(String, String)>,
    pub(super) secrets: BTreeMap<String, Zeroizing<String>>,
    /// Whether somebody can be asked.
    pub(super) at_terminal: bool,
    /// Whether to ask for what a profile may do without.
    pub(super) all: bool,
    /// Whether it goes without secrets: nothing is written.
    pub(super) dry_run: bool,
}

/// What the profile says, in the order of its lines.
pub(super) struct Answers {
    texts: Vec<(&'static Field, String)>,
    pub(super) secrets: Vec<(&'static Field, Zeroizing<String>)>,
}

impl Answers {
    /// `Config` that names every option that is missing, where nobody can be asked.
    pub(super) async fn collect(
        info: &'static ProviderInfo,
        given: &Given,
        output: &Output,
    ) -> Result<Self, CommandError> {
        check_names(info, given)?;
        let mut answers = Self { texts: Vec::new(), secrets: Vec::new() };
        let mut missing = Vec::new();
        for field in fields(info) {
            let settings = answers.settings();
            if !applies(info, field, &settings) {
                if given.text(field.name).is_some() || given.secrets.contains_key(field.name) {
                    return Err(means_nothing(field));
                }
                continue;
            }
            let is_needed = info.requires(field, &settings) && !answers.replaces(field);
            let is_asked = given.at_terminal && (is_needed || answers.turns_on(info, field));
            let is_asked = is_asked || (given.at_terminal && given.all && is_of(info, field));
            if field.is_secret() {
                match given.secrets.get(field.name) {
                    Some(secret) => answers.secrets.push((field, secret.clone())),
                    None if given.dry_run => answers.secrets.push((field, Zeroizing::default())),
                    None if is_asked => {
                        let secret = ask_hidden(field, output).await?;
                        answers.secrets.push((field, secret));
                    }
                    None if is_needed => missing.push(field),
                    None => {}
                }
            } else if let Some(text) = given.text(field.name) {
                check(info, field, text).map_err(|why| {
                    usage(
                        format!("--field {}: {why}", field.name),
                        format!("{}: {}", field.name, field.help),
                    )
                })?;
                answers.texts.push((field, text.to_owned()));
            } else if is_asked {
                let text = ask(info, field, is_needed, output).await?;
                answers.texts.extend(text.map(|text| (field, text)));
            } else if is_needed {
                missing.push(field);
            }
        }
        match missing.as_slice() {
            [] => Ok(answers),
            missing => Err(not_given(info, missing)),
        }
    }

    fn settings(&self) -> Settings {
        self.texts
            .iter()
            .fold(Settings::new(), |all, (field, text)| all.with(field.name, text.as_str()))
    }

    fn has(&self, name: &str) -> bool {
        self.texts.iter().any(|(field, _)| field.name == name)
    }

    /// Whether another answer makes this one unnecessary.
    fn replaces(&self, field: &Field) -> bool {
        field.unless.is_some_and(|other| self.has(other))
    }

    /// Whether the rest depends on it: which other fields there are, or which of a vendor's services.
    fn turns_on(&self, info: &ProviderInfo, field: &Field) -> bool {
        match field.name {
            "environment" => info.environments.len() > 1 && !self.has("base_url"),
            name => info
                .fields
                .iter()
                .any(|other| other.only_with.is_some_and(|(choice, _)| choice == name)),
        }
    }

    /// The profile as a section of the config, each key under its line of help. `secret` writes
    /// where a secret is to be found.
    pub(super) fn section(
        &self,
        name: &str,
        info: &'static ProviderInfo,
        secret: impl Fn(&Field, &str) -> Zeroizing<String>,
    ) -> Zeroizing<String> {
        let header =
            format!("[profiles.{}]\n# {}\nprovider = \"{}\"\n", key(name), info.title, info.id);
        let mut pieces = vec![Zeroizing::new(header)];
        let mut line = |field: &Field, value: Zeroizing<String>| {
            pieces.push(Zeroizing::new(format!("# {}\n{} = ", field.help, field.name)));
            pieces.extend([value, Zeroizing::new(String::from("\n"))]);
        };
        for field in fields(info) {
            let text = self.texts.iter().find(|(it, _)| it.name == field.name);
            if let Some((_, text)) = text {
                line(field, value(field, text));
            }
            let found = self.secrets.iter().find(|(it, _)| it.name == field.name);
            if let Some((_, text)) = found {
                line(field, secret(field, text));
            }
        }
        joined(&pieces.iter().map(|piece| piece.as_str()).collect::<Vec<_>>())
    }
}

impl Given {
    fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
    }
}

/// Every field in the order of a profile's lines: what decides over others comes first.
fn fields(info: &'static ProviderInfo) -> impl Iterator<Item = &'static Field> {
    const FIRST: [&str; 2] = ["base_url", "environment"];
    let first = FIRST.iter().filter_map(|name| COMMON_FIELDS.iter().find(|it| it.name == *name));
    let rest = COMMON_FIELDS
        .iter()
        .filter(|field| field.name != "provider" && !FIRST.contains(&field.name));
    first.chain(info.fields).chain(rest)
}

/// Whether the provider itself has this field: the rest is for those who look for it.
fn is_of(info: &ProviderInfo, field: &Field) -> bool {
    match field.name {
        "environment" => !info.environments.is_empty(),
        "base_url" => true,
        name => info.field(name).is_some(),
    }
}

fn applies(info: &ProviderInfo, field: &Field, settings: &Settings) -> bool {
    let chosen = |other| {
        let default = || info.field(other).and_then(|other| other.default);
        settings.optional_text(other).or_else(default)
    };
    field.only_with.is_none_or(|(other, value)| chosen(other) == Some(value))
        && (field.name != "environment" || !info.environments.is_empty())
}

fn choices(info: &ProviderInfo, field: &Field) -> Option<Vec<&'static str>> {
    match field.kind {
        FieldKind::Choice(choices) => Some(choices.to_vec()),
        FieldKind::Flag => Some(vec!["true", "false"]),
        _ if field.name == "environment" => {
            Some(info.environments.iter().map(|one| one.name).collect())
        }
        _ => None,
    }
}

/// What is wrong with an answer, as far as one alone can tell. The value is not repeated.
fn check(info: &ProviderInfo, field: &Field, text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err(String::from("it has a control character in it"));
    }
    if text.is_empty() && field.required {
        return Err(String::from("it is empty"));
    }
    if let Some(choices) = choices(info, field) {
        return match choices.contains(&text) {
            true => Ok(()),
            false => Err(format!("it is one of: {}", choices.join(", "))),
        };
    }
    let checked = match field.kind {
        FieldKind::RedirectUri => RedirectUri::parse(text).map(drop),
        // Whether plain http is allowed is for the whole profile to say.
        FieldKind::Address if text.starts_with("http://") => Ok(()),
        FieldKind::Address if text.contains("://") || info.field(field.name).is_none() => {
            Endpoint::parse(text).map(drop)
        }
        FieldKind::Address => Endpoint::host(text).map(drop),
        _ => Ok(()),
    };
    checked.map_err(|error| error.message().to_owned())
}

async fn ask(
    info: &ProviderInfo,
    field: &Field,
    is_needed: bool,
    output: &Output,
) -> Result<Option<String>, CommandError> {
    let choices = choices(info, field);
    let default = match (field.default, &choices) {
        (Some(default), _) => Some(default),
        (None, Some(choices)) if field.name == "environment" => choices.first().copied(),
        _ => None,
    };
    output.ask(&format!("\n{}: {}\n", field.name, field.help));
    if let Some(choices) = &choices {
        output.ask(&format!("  one of: {}\n", choices.join(", ")));
    }
    let question = match default {
        Some("") => format!("{} [empty]: ", field.name),
        Some(default) => format!("{} [{default}]: ", field.name),
        None if is_needed => format!("{}: ", field.name),
        None => format!("{} [none]: ", field.name),
    };
    loop {
        let answer = prompt::visible(output, &question).await?.ok_or_else(|| ended(field.name))?;
        match (answer.as_str(), default) {
            ("", Some(default)) => return Ok(Some(default.to_owned())),
            ("", None) if !is_needed => return Ok(None),
            (text, _) => match check(info, field, text) {
                Ok(()) => return Ok(Some(answer)),
                Err(why) => output.ask(&format!("  not taken: {why}\n")),
            },
        }
    }
}

async fn ask_hidden(field: &Field, output: &Output) -> Result<Zeroizing<String>, CommandError> {
    output.ask(&format!("\n{}: {} (what you type is not shown)\n", field.name, field.help));
    prompt::hidden(output, &format!("{}: ", field.name)).await
}

/// The input ended where an answer was awaited.
pub(super) fn ended(name: &str) -> CommandError {
    usage(format!("{name}: nothing was entered"), "nothing was written; begin again")
}

fn check_names(info: &'static ProviderInfo, given: &Given) -> Result<(), CommandError> {
    let mut seen = BTreeSet::new();
    for (name, _) in &given.fields {
        let field = fields(info).find(|field| field.name == name).ok_or_else(|| {
            let known: Vec<_> =
                info.fields.iter().filter(|it| !it.is_secret()).map(|it| it.name).collect();
            usage(
                format!("--field: {} has no such key", info.id),
                format!(
                    "it has {}, and what `gatepass providers` lists for every profile",
                    known.join(", ")
                ),
            )
        })?;
        if field.is_secret() {
            return Err(usage(
                format!("--field {}: a secret cannot be given on the command line", field.name),
                format!(
                    "arguments are visible to every user of this machine: --secret-stdin {}",
                    field.name
                ),
            ));
        }
        if !seen.insert(field.name) {
            return Err(usage(format!("--field {} is given twice", field.name), "give it once"));
        }
    }
    let secrets: Vec<_> =
        info.fields.iter().filter(|it| it.is_secret()).map(|it| it.name).collect();
    match given.secrets.keys().all(|name| secrets.contains(&name.as_str())) {
        true => Ok(()),
        // What stands there instead of a name may be the secret itself.
        false => Err(usage(
            format!("{} has no secret of that name", info.id),
            format!("it has: {}", secrets.join(", ")),
        )),
    }
}

fn means_nothing(field: &Field) -> CommandError {
    let (other, value) = field.only_with.unwrap_or((field.name, "…"));
    let hint = match field.name {
        "environment" => String::from("this vendor has one address: leave it out"),
        _ => format!("--field {other}={value}, or leave it out"),
    };
    usage(format!("{} means nothing in this profile", field.name), hint)
}

fn not_given(info: &ProviderInfo, missing: &[&Field]) -> CommandError {
    let names: Vec<_> = missing.iter().map(|field| field.name).collect();
    let secrets: Vec<_> = missing.iter().filter(|field| field.is_secret()).collect();
    let texts = missing.iter().filter(|field| !field.is_secret());
    let mut options: Vec<_> = texts.map(|field| format!("--field {}=…", field.name)).collect();
    options.extend(match secrets.as_slice() {
        [] => None,
        [one] => Some(format!("--secret-stdin {}", one.name)),
        many => {
            let lines: Vec<_> = many.iter().map(|field| format!("{}=…", field.name)).collect();
            Some(format!("--secrets-stdin with the lines {}", lines.join(" and ")))
        }
    });
    usage(
        format!("{} needs {}, and there is no terminal to ask on", info.id, names.join(", ")),
        format!("give {}", options.join(" ")),
    )
}

/// A value as TOML writes it.
fn value(field: &Field, text: &str) -> Zeroizing<String> {
    match field.kind {
        FieldKind::Flag => Zeroizing::new(text.to_owned()),
        FieldKind::Addresses => {
            let all = text.split([' ', ',']).filter(|one| !one.is_empty());
            let all: Vec<_> = all.map(|one| quoted(one).to_string()).collect();
            Zeroizing::new(format!("[{}]", all.join(", ")))
        }
        FieldKind::Path => {
            // Relative to where the command runs, not to where the config will be.
            let path = std::path::absolute(text).map(|path| path.display().to_string());
            quoted(path.as_deref().unwrap_or(text))
        }
        _ => quoted(text),
    }
}
