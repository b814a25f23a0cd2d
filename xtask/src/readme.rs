//! `cargo xtask readme`: the parts of README.md that are written from the built command.

use serde_json::Value;

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{say, workspace};

const HELP: &str = "\
cargo xtask readme [--check]

Rewrites what stands between `<!-- generated: NAME -->` and `<!-- /generated -->` in README.md:
  providers     the table of providers, from `gatepass providers --format json`
  dependencies  the count of crates that `gatepass` with one provider is

  --check  changes nothing, and fails if the file is not what it would write";

/// The count is one platform's, wherever it is made.
const TARGET: &str = "x86_64-unknown-linux-gnu";

const README: &str = "README.md";

pub(crate) fn main(words: &[String]) -> Result<()> {
    let args = Args::read(words, &["--check"], &[], HELP)?.no_names(HELP)?;
    if args.has("--help") {
        say::line(HELP);
        return Ok(());
    }
    if args.has("--check") {
        return check();
    }
    workspace::write(README, &generate(&workspace::read(README)?)?)?;
    say::line("README.md is up to date");
    Ok(())
}

/// Fails if README.md is not what would be written.
pub(crate) fn check() -> Result<()> {
    let is = workspace::read(README)?;
    let wanted = generate(&is)?;
    let Some((number, (has, wants))) =
        is.lines().zip(wanted.lines()).enumerate().find(|(_, (has, wants))| has != wants)
    else {
        if is.lines().count() == wanted.lines().count() {
            say::line("README.md is up to date");
            return Ok(());
        }
        return Err(stale("the table has another length"));
    };
    Err(stale(&format!("line {}\n  has    {has}\n  wants  {wants}", number + 1)))
}

fn stale(says: &str) -> Failure {
    Failure::failed(format!(
        "README.md is out of date, repair it with `cargo xtask readme`: {says}"
    ))
}

fn generate(readme: &str) -> Result<String> {
    let providers = Run::new("cargo run -q -p gatepass-cli -- providers --format json").output()?;
    let readme = replace(readme, "providers", &table(&providers)?)?;
    let ids = workspace::provider_ids()?;
    let id = ids.first().ok_or_else(|| Failure::failed("there is no folder crates/provider-*"))?;
    let tree = format!("--no-default-features --features {id},http,config");
    let tree = format!(
        "cargo tree -p gatepass {tree} -e normal --target {TARGET} --prefix none --format {{p}}"
    );
    let count = crates(&Run::new(&tree).output()?);
    let text = format!(
        "With one provider and the default features it pulls in {count} crates in all, as\n\
         `cargo tree -e normal` counts them: no server, no command line, no other provider.\n"
    );
    replace(&readme, "dependencies", &text)
}

/// The table of providers, from the command's JSON.
fn table(json: &str) -> Result<String> {
    let bad = |says: &str| Failure::failed(format!("`gatepass providers --format json`: {says}"));
    let providers: Value = serde_json::from_str(json).map_err(|error| bad(&error.to_string()))?;
    let providers = providers.as_array().ok_or_else(|| bad("is not an array"))?;
    let mut lines = String::from("| provider | vendor | environments | documentation |\n");
    lines.push_str("|-|-|-|-|\n");
    for provider in providers {
        let text = |name: &str| {
            let value = provider.get(name).and_then(Value::as_str);
            value.ok_or_else(|| bad(&format!("a provider has no `{name}`")))
        };
        let (id, title, docs) = (text("id")?, text("title")?, text("docs")?);
        let environments = names(provider.get("environments"));
        lines.push_str(&format!(
            "| [`{id}`](crates/provider-{id}/README.md) | {title} | {environments} | <{docs}> |\n"
        ));
    }
    Ok(lines)
}

/// The names of an array of texts, or of objects that have a `name`.
fn names(value: Option<&Value>) -> String {
    let names =
        value.and_then(Value::as_array).into_iter().flatten().filter_map(|value| {
            value.as_str().or_else(|| value.get("name").and_then(Value::as_str))
        });
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How many different crates a `cargo tree --prefix none` names.
fn crates(tree: &str) -> usize {
    let mut lines: Vec<&str> =
        tree.lines().map(|line| line.trim_end_matches(" (*)").trim()).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort_unstable();
    lines.dedup();
    lines.len()
}

/// Puts `body` between the markers called `name`.
fn replace(text: &str, name: &str, body: &str) -> Result<String> {
    let (open, close) = (format!("<!-- generated: {name} -->"), "<!-- /generated -->");
    let missing = |marker: &str| Failure::failed(format!("README.md has no `{marker}` for {name}"));
    let start = text.find(&open).ok_or_else(|| missing(&open))? + open.len();
    let end = start + text[start..].find(close).ok_or_else(|| missing(close))?;
    if text[start..end].contains("<!-- generated:") {
        return Err(missing(close));
    }
    Ok(format!("{}\n{}\n{}", &text[..start], body.trim_end(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_between_the_markers_is_replaced_and_nothing_else() {
        let text = "a\n<!-- generated: x -->\nold\n<!-- /generated -->\nb\n";
        let wanted = "a\n<!-- generated: x -->\nnew\n<!-- /generated -->\nb\n";
        assert_eq!(replace(text, "x", "new\n").unwrap(), wanted);
        assert_eq!(replace(wanted, "x", "new\n").unwrap(), wanted);
    }

    #[test]
    fn a_missing_marker_is_named() {
        let says = replace("a", "providers", "").unwrap_err().to_string();
        assert!(says.contains("<!-- generated: providers -->"), "{says}");
    }

    #[test]
    fn a_part_that_is_not_closed_does_not_swallow_the_next() {
        let text = "<!-- generated: x -->\n<!-- generated: y -->\n<!-- /generated -->";
        assert!(replace(text, "x", "").is_err());
    }

    #[test]
    fn the_table_has_a_line_for_every_provider() {
        let json = r#"[{"id":"acme","title":"Acme Cloud","vendor":"Acme","docs":"https://acme.example",
            "environments":["prod",{"name":"trial"}],"fields":[]}]"#;
        let table = table(json).unwrap();
        let line = "| [`acme`](crates/provider-acme/README.md) | Acme Cloud | `prod`, `trial` | <https://acme.example> |";
        assert_eq!(table.lines().last(), Some(line));
    }

    #[test]
    fn crates_are_counted_once() {
        assert_eq!(crates("a v1\nb v2\nb v2 (*)\nb v3\n"), 3);
    }
}
