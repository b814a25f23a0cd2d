//! `gatepass providers`: lists the providers in this build and their fields.

use std::process::ExitCode;

use gatepass::cli_support::COMMON_FIELDS;
use gatepass::provider::{Field, FieldKind, ProviderInfo, Registry};
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::options::{Format, unused};
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(args = unused(&["config", "set"]), after_help = "\
Examples:
  gatepass providers
  gatepass providers --format json | jq -r '.[].id'")]
pub(crate) struct ProvidersArgs {}

pub(crate) fn run(output: &Output) -> Result<ExitCode, CommandError> {
    let registry = Registry::linked()?;
    match output.format(&[Format::Text, Format::Json])? {
        Format::Json => output.json(&registry.iter().map(|info| to_json(info)).collect())?,
        _ => output.text(&to_text(&registry))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(info: &ProviderInfo) -> Value {
    let fields = info.fields.iter().map(|field| {
        let choices = match &field.kind {
            FieldKind::Choice(choices) => json!(choices.iter().collect::<Vec<_>>()),
            _ => Value::Null,
        };
        json!({
            "name": field.name,
            "kind": field.kind.name(),
            "secret": field.is_secret(),
            "required": field.required,
            "unless": field.unless,
            "only_with": field.only_with.as_ref().map(|(other, value)| json!({ &**other: value })),
            "default": field.default,
            "choices": choices,
            "help": field.help,
        })
    });
    json!({
        "id": info.id,
        "title": info.title,
        "vendor": info.vendor,
        "docs": info.docs,
        "environments": info.environments.iter().map(|one| {
            json!({ "name": one.name, "label": one.label, "base_url": one.base_url() })
        }).collect::<Vec<_>>(),
        "environment_required": info.is_environment_required,
        "fields": fields.collect::<Vec<_>>(),
    })
}

fn to_text(registry: &Registry) -> String {
    let mut text = String::new();
    for info in registry.iter() {
        text += &format!("{}  {}\n  {}\n", info.id, info.title, info.docs);
        if !info.environments.is_empty() {
            let is_required = info.is_environment_required;
            let need = if is_required { "required" } else { "the first is the default" };
            text += &format!("  environments ({need}):\n");
            for one in &*info.environments {
                text += &format!("    {:<22} {}\n", one.name, one.summary());
            }
        }
        text.extend(info.fields.iter().map(line));
        text.push('\n');
    }
    text += "every profile also accepts\n";
    text.extend(COMMON_FIELDS.iter().map(line));
    text
}

fn line(field: &Field) -> String {
    let kind = match &field.kind {
        FieldKind::Choice(choices) => choices.iter().collect::<Vec<_>>().join("|"),
        kind => kind.name().to_owned(),
    };
    let need = match (field.required, &field.unless, field.default.as_deref()) {
        (true, Some(other), _) => format!("required unless {other}"),
        (true, None, _) => String::from("required"),
        (false, _, Some("")) => String::from("default \"\""),
        (false, _, Some(default)) => format!("default {default}"),
        (false, _, None) => String::from("optional"),
    };
    let only = field.only_with.as_ref().map(|(other, value)| format!(" with {other} = {value}"));
    let only = only.unwrap_or_default();
    format!("  {:<24} {kind} ({need}{only}): {}\n", field.name, field.help)
}
