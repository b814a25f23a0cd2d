//! `cargo xtask readme`: the generated parts of README files, written from the built command.

use serde_json::Value;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{dependencies, generated, output, workspace};

const HELP: &str = "\
cargo xtask readme [--check]

Rewrites the text between `<!-- generated: NAME -->` and `<!-- /generated -->`, in README.md:
  providers     the table of providers, from `gatepass providers --format json`
  dependencies  the number of crates of `gatepass` with one provider
and in the README.md of each provider:
  settings      the table of its fields, from the same
and in docs/dependencies.md:
  counts        the number of crates for every feature

  --check  changes nothing and fails if a file is out of date";

const README: &str = "README.md";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &["--check"], &[], HELP)?.no_names(HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    for (path, wanted) in generate()? {
        match args.has("--check") {
            true => {
                generated::compare(&path, &workspace::read(&path)?, &wanted, "cargo xtask readme")?;
            }
            false => workspace::write(&path, &wanted)?,
        }
    }
    output::line("the README files and docs/dependencies.md are up to date");
    Ok(())
}

/// Returns an error if a file is out of date.
pub(crate) fn check() -> Result<()> {
    main(&[String::from("--check")])
}

/// Returns every file with a generated part, up to date.
fn generate() -> Result<Vec<(String, String)>> {
    let json = Run::new("cargo run -q -p gatepass-cli -- providers --format json").output()?;
    let providers: Value = serde_json::from_str(&json).map_err(|error| bad(&error.to_string()))?;
    let providers = providers.as_array().ok_or_else(|| bad("is not an array"))?;
    let ids = workspace::provider_ids()?;
    let mut files = vec![(README.to_owned(), front(&workspace::read(README)?, providers, &ids)?)];
    for provider in providers {
        let path = format!("crates/provider-{}/README.md", text(provider, "id")?);
        let readme =
            generated::replace(&path, &workspace::read(&path)?, "settings", &settings(provider)?)?;
        files.push((path, readme));
    }
    let counts = dependencies::with_counts(&workspace::read(dependencies::FILE)?)?;
    files.push((dependencies::FILE.to_owned(), counts));
    Ok(files)
}

fn front(readme: &str, providers: &[Value], ids: &[String]) -> Result<String> {
    let readme = generated::replace(README, readme, "providers", &table(providers)?)?;
    let mut most = 0;
    for id in ids {
        most = most.max(dependencies::count("gatepass", &format!("default,{id}"))?);
    }
    let text = format!(
        "With one provider and the default features, gatepass compiles {most} crates, counted with\n\
         `cargo tree -e normal`: no server, no command line, no other provider.\n\
         [docs/dependencies.md](docs/dependencies.md) has the count of every feature.\n"
    );
    generated::replace(README, &readme, "dependencies", &text)
}

fn bad(message: &str) -> Error {
    Error::failed(format!("`gatepass providers --format json`: {message}"))
}

fn text<'a>(object: &'a Value, name: &str) -> Result<&'a str> {
    let value = object.get(name).and_then(Value::as_str);
    value.ok_or_else(|| bad(&format!("there is no `{name}`")))
}

/// Returns the table of providers.
fn table(providers: &[Value]) -> Result<String> {
    let mut lines = String::from("| provider | vendor | environments | documentation |\n");
    lines.push_str("|-|-|-|-|\n");
    for provider in providers {
        let text = |name| text(provider, name);
        let (id, title, docs) = (text("id")?, text("title")?, text("docs")?);
        let environments = names(provider.get("environments"));
        lines.push_str(&format!(
            "| [`{id}`](crates/provider-{id}/README.md) | {title} | {environments} | <{docs}> |\n"
        ));
    }
    Ok(lines)
}

/// Returns the table of a provider's fields.
fn settings(provider: &Value) -> Result<String> {
    let mut lines = String::from("| key | value | meaning |\n|-|-|-|\n");
    let environments = names(provider.get("environments"));
    if let Some((first, _)) = environments.split_once(", ") {
        let is_required = provider.get("environment_required").and_then(Value::as_bool);
        let need = match is_required {
            Some(true) => String::from("required"),
            _ => format!("default {first}"),
        };
        let labels = labels(provider.get("environments"))?;
        lines.push_str(&format!("| `environment` | {environments}; {need} | {labels} |\n"));
    }
    let fields = provider.get("fields").and_then(Value::as_array);
    for field in fields.ok_or_else(|| bad("there is no `fields`"))? {
        let (name, help) = (text(field, "name")?, text(field, "help")?);
        lines.push_str(&format!("| `{name}` | {} | {help} |\n", value(field)?));
    }
    Ok(lines)
}

/// Describes the values of a field, its default, and whether it is required.
fn value(field: &Value) -> Result<String> {
    let default = field.get("default").and_then(Value::as_str);
    let choices = names(field.get("choices"));
    let kind = if choices.is_empty() { text(field, "kind")?.replace('_', " ") } else { choices };
    let is_required = field.get("required").and_then(Value::as_bool).unwrap_or_default();
    let only = field.get("only_with").and_then(Value::as_object).and_then(|map| map.iter().next());
    let only =
        only.and_then(|(key, value)| Some(format!(" with `{key} = \"{}\"`", value.as_str()?)));
    let need = match (default, field.get("unless").and_then(Value::as_str)) {
        (Some(default), _) => {
            format!("default `{}`", if default.is_empty() { "\"\"" } else { default })
        }
        (None, Some(other)) => format!("required without `{other}`"),
        (None, None) if is_required => String::from("required"),
        (None, None) => String::from("optional"),
    };
    Ok(format!("{kind}; {need}{}", only.unwrap_or_default()))
}

/// Returns the names in an array of strings or of objects with a `name`.
fn names(value: Option<&Value>) -> String {
    let names =
        value.and_then(Value::as_array).into_iter().flatten().filter_map(|value| {
            value.as_str().or_else(|| value.get("name").and_then(Value::as_str))
        });
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the labels of environments, each after its name.
fn labels(environments: Option<&Value>) -> Result<String> {
    let environments = environments.and_then(Value::as_array).into_iter().flatten();
    let labels =
        environments.map(|one| Ok(format!("`{}`: {}", text(one, "name")?, text(one, "label")?)));
    Ok(labels.collect::<Result<Vec<_>>>()?.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_a_line_for_every_provider() {
        let provider = serde_json::json!({"id": "acme", "title": "Acme Cloud", "vendor": "Acme",
            "docs": "https://acme.example", "environments": [{"name": "prod"}, {"name": "trial"}]});
        let table = table(&[provider]).unwrap();
        let line = "| [`acme`](crates/provider-acme/README.md) | Acme Cloud | `prod`, `trial` | <https://acme.example> |";
        assert_eq!(table.lines().last(), Some(line));
    }

    #[test]
    fn environments_and_fields_have_a_line_each() {
        let field = |name: &str, more: Value| {
            let mut field = serde_json::json!({"name": name, "kind": "text", "help": "it", "required": true,
                "unless": null, "only_with": null, "default": null, "choices": null});
            field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            field
        };
        let fields = [
            field("host", serde_json::json!({"kind": "redirect_uri", "unless": "base_url"})),
            field("secret", serde_json::json!({"only_with": {"grant": "implicit"}})),
            field("grant", serde_json::json!({"choices": ["a", "b"], "default": "a"})),
            field("scope", serde_json::json!({"required": false})),
        ];
        let environments = [("prod", "the first"), ("trial", "the second")]
            .map(|(name, label)| serde_json::json!({"name": name, "label": label}));
        let mut provider = serde_json::json!({"environments": environments, "fields": fields});
        let table = settings(&provider).unwrap();
        let wanted = [
            "| `environment` | `prod`, `trial`; default `prod` | `prod`: the first; `trial`: the second |",
            "| `host` | redirect uri; required without `base_url` | it |",
            "| `secret` | text; required with `grant = \"implicit\"` | it |",
            "| `grant` | `a`, `b`; default `a` | it |",
            "| `scope` | text; optional | it |",
        ];
        assert_eq!(table.lines().skip(2).collect::<Vec<_>>(), wanted);
        provider["environment_required"] = true.into();
        assert!(settings(&provider).unwrap().contains("| `prod`, `trial`; required |"));
    }
}
