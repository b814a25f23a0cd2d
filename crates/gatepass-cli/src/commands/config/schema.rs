//! `config schema`: the JSON Schema of the config file, made from the facts of the providers.
//!
//! A profile's schema depends on its provider, which is the value of `provider` or else the profile's
//! name. `if` and `then` choose it, rather than `oneOf`, because an error then names the wrong key and
//! not every provider.

use std::process::ExitCode;

use gatepass::cli_support::{COMMON_FIELDS, REFERENCE_OPTIONS, REFERENCES, STORE_KEYS, TABLES};
use gatepass::provider::{Field, FieldKind, ProviderInfo, Registry};
use serde_json::{Map, Value, json};

use crate::error::CommandError;
use crate::output::Output;

pub(super) fn run(output: &Output) -> Result<ExitCode, CommandError> {
    let schema = schema(&Registry::linked()?);
    // Indented in a file as well, because a repository may contain it.
    output.result(&format!("{schema:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the schema of a config for these providers.
fn schema(registry: &Registry) -> Value {
    let mut definitions = Map::new();
    definitions.insert(String::from("reference"), reference());
    definitions.insert(String::from("profile"), profile(registry));
    for info in registry.iter() {
        definitions.insert(definition_name(info), provider(info));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gatepass config",
        "description": "Profiles of gatepass: vendors, credentials and settings",
        "type": "object",
        "additionalProperties": false,
        "properties": object(TABLES.map(|table| (table.to_owned(), match table {
            "store" => store(),
            _ => profiles(registry),
        }))),
        "$defs": definitions,
    })
}

/// Returns the schema of `[profiles]`. A profile with a provider's name needs no `provider`.
fn profiles(registry: &Registry) -> Value {
    let named = registry.iter().map(|info| {
        let own = json!({ "$ref": format!("#/$defs/{}", definition_name(info)) });
        let schema = json!({
            "if": { "required": ["provider"] },
            "then": { "$ref": "#/$defs/profile" },
            "else": own,
        });
        (info.id.to_string(), schema)
    });
    json!({
        "description": "The profiles, by name",
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
        "properties": object(named),
        "additionalProperties": { "$ref": "#/$defs/profile" },
    })
}

/// Returns the schema of a profile with a `provider`.
fn profile(registry: &Registry) -> Value {
    let mut branches: Vec<Value> = registry
        .iter()
        .map(|info| {
            json!({
                "if": { "properties": { "provider": { "const": info.id } } },
                "then": { "$ref": format!("#/$defs/{}", definition_name(info)) },
            })
        })
        .collect();
    // The provider is known only when the reference is followed.
    let all = registry.iter().flat_map(|info| &*info.fields).chain(COMMON_FIELDS);
    let mut names: Vec<&str> = all.map(|field| &*field.name).collect();
    names.sort_unstable();
    names.dedup();
    branches.push(json!({
        "if": { "properties": { "provider": { "type": "object" } } },
        "then": { "propertyNames": { "enum": names } },
    }));
    json!({
        "type": "object",
        "required": ["provider"],
        "properties": {
            "provider": {
                "description": "The vendor: an id that `gatepass providers` lists",
                "anyOf": [{ "enum": registry.ids() }, { "$ref": "#/$defs/reference" }],
            },
        },
        "allOf": branches,
    })
}

/// Returns the schema of a profile of this provider.
fn provider(info: &ProviderInfo) -> Value {
    let fields: Vec<&Field> = COMMON_FIELDS.iter().chain(&*info.fields).collect();
    let mut properties = object(fields.iter().map(|field| (field.name.to_string(), value(field))));
    properties.insert(String::from("provider"), json!({ "const": info.id }));
    if let Some(environment) = properties.get_mut("environment") {
        *environment = self::environment(info);
    }
    let mut rules: Vec<Value> = info.fields.iter().filter_map(|field| rule(info, field)).collect();
    if info.is_environment_required {
        rules.push(json!({ "required": ["environment"] }));
    }
    let mut schema = json!({
        "title": info.title,
        "description": format!("{} ({})", info.title, info.docs),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !rules.is_empty() {
        schema["allOf"] = rules.into();
    }
    schema
}

fn definition_name(info: &ProviderInfo) -> String {
    format!("provider.{}", info.id)
}

/// Returns the schema of the provider's environments, each with its label.
fn environment(info: &ProviderInfo) -> Value {
    let known =
        info.environments.iter().map(|one| json!({ "const": one.name, "description": one.label }));
    let known: Vec<Value> = known.chain([json!({ "$ref": "#/$defs/reference" })]).collect();
    match info.environments.is_empty() {
        true => json!(false),
        false => json!({ "description": "one of the provider's named addresses", "anyOf": known }),
    }
}

/// Returns the rule that requires a field; `None` for an optional one.
fn rule(info: &ProviderInfo, field: &Field) -> Option<Value> {
    let required = json!({ "required": [field.name] });
    let rule = match field.unless.as_ref().filter(|_| !field.is_secret()) {
        _ if !field.required => return None,
        Some(other) => json!({ "anyOf": [required, { "required": [other] }] }),
        None => required,
    };
    let Some((choice, wanted)) = &field.only_with else { return Some(rule) };
    // A profile without the choice has its default.
    let mut condition = json!({ "properties": { &**choice: { "const": wanted } } });
    let default = info.field(choice).and_then(|choice| choice.default.as_deref());
    if default != Some(wanted) {
        condition["required"] = json!([choice]);
    }
    Some(json!({ "if": condition, "then": rule }))
}

/// Returns the schema of a field's value.
fn value(field: &Field) -> Value {
    let reference = json!({ "$ref": "#/$defs/reference" });
    let string = match field.required {
        true => json!({ "type": "string", "minLength": 1 }),
        false => json!({ "type": "string" }),
    };
    let strings = json!({ "type": "array", "items": { "type": "string" } });
    let mut schema = match &field.kind {
        FieldKind::Secret | FieldKind::Key => {
            json!({ "anyOf": [reference, { "type": "string", "minLength": 1 }] })
        }
        FieldKind::Choice(choices) => {
            json!({ "anyOf": [{ "enum": choices.iter().collect::<Vec<_>>() }, reference] })
        }
        FieldKind::Flag => json!({ "type": "boolean" }),
        FieldKind::Duration => json!({
            "anyOf": [{ "type": "string", "minLength": 1 }, reference],
            "examples": ["90s", "10m", "1h30m"],
        }),
        FieldKind::Addresses | FieldKind::List => json!({ "anyOf": [strings, string] }),
        FieldKind::Table => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        _ => json!({ "anyOf": [string, reference] }),
    };
    let secret = if field.is_secret() {
        " (a secret: a reference, or a literal in a file that only its owner can read)"
    } else {
        ""
    };
    schema["description"] = format!("{}{secret}", field.help).into();
    match (field.default.as_deref(), &field.kind) {
        (Some(default), FieldKind::Flag) => schema["default"] = (default == "true").into(),
        (Some(default), _) => schema["default"] = default.into(),
        (None, _) => {}
    }
    schema
}

/// Returns the schema of a reference: a table with exactly one key that names the place.
fn reference() -> Value {
    let text =
        |description: &str| json!({ "type": "string", "minLength": 1, "description": description });
    let properties = REFERENCES.into_iter().chain(REFERENCE_OPTIONS).map(|key| {
        let schema = match key {
            "env" => text("the name of a variable"),
            "file" => text("the path of a file; relative to the config file"),
            "keyring" => {
                text("an entry of the keyring: service/account, or an account of gatepass")
            }
            "systemd" => text("the name of a systemd credential"),
            "stdin" => json!({ "const": true, "description": "standard input" }),
            "command" => json!({
                "description": "a program and its arguments, run without a shell",
                "type": "array",
                "prefixItems": [{ "type": "string", "minLength": 1 }],
                "items": { "type": "string" },
                "minItems": 1,
            }),
            "raw" => json!({
                "description": "use the value byte for byte, its last newline included",
                "type": "boolean",
                "default": false,
            }),
            "line" => json!({
                "description": "the number of the line to use of a command's output",
                "type": "integer",
                "minimum": 1,
            }),
            _ => json!({
                "description": "a further user, by number or name, who may own the file",
                "anyOf": [
                    { "type": "integer", "minimum": 0 },
                    { "type": "string", "minLength": 1 },
                ],
            }),
        };
        (key.to_owned(), schema)
    });
    let one_place: Vec<Value> = REFERENCES.map(|key| json!({ "required": [key] })).into();
    json!({
        "description": "a reference to a value that is stored elsewhere",
        "type": "object",
        "properties": object(properties),
        "additionalProperties": false,
        "oneOf": one_place,
        "dependentRequired": { "owner": ["file"], "line": ["command"] },
        "not": { "properties": { "raw": { "const": true } }, "required": ["raw", "line"] },
    })
}

/// Returns the schema of `[store]`.
fn store() -> Value {
    let properties = STORE_KEYS.map(|key| {
        let schema = json!({
            "description": "the directory of the command's tokens; $GATEPASS_STATE_DIR precedes it",
            "type": "string",
            "pattern": "^/",
        });
        (key.to_owned(), schema)
    });
    json!({
        "description": "Where the command stores tokens",
        "type": "object",
        "properties": object(properties),
        "additionalProperties": false,
    })
}

fn object(members: impl IntoIterator<Item = (String, Value)>) -> Map<String, Value> {
    members.into_iter().collect()
}
