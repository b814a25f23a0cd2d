//! The figures of docs/dependencies.md: crates per feature, and the size of the command.

use std::fs;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::generated;
use crate::parts::TARGET;
use crate::run::Run;
use crate::{output, workspace};

pub(crate) const FILE: &str = "docs/dependencies.md";

const SIZES: &str = "\
cargo xtask sizes [FEATURES…]

Builds the command once for each set of its features with the release profile, which takes minutes
for each, and writes the sizes into docs/dependencies.md. With names, it builds only these and prints
their sizes.";

/// Runs `cargo xtask sizes`.
pub(crate) fn sizes(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &[], &[], SIZES)?;
    if args.has("--help") {
        output::line(SIZES);
        return Ok(());
    }
    if !args.names().is_empty() {
        for features in args.names() {
            output::line(format_args!("{features}: {} bytes", size(features)?));
        }
        return Ok(());
    }
    let mut rows = String::from("| features | bytes |\n|-|-:|\n");
    for features in sets("gatepass-cli", "")? {
        rows.push_str(&format!("| {} | {} |\n", in_table(&features), size(&features)?));
    }
    let compiler = Run::new("rustc --version").output()?;
    let compiler = compiler.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let text = format!("Built by rustc {compiler} for {TARGET}:\n\n{rows}");
    let file = generated::replace(FILE, &workspace::read(FILE)?, "sizes", &text)?;
    workspace::write(FILE, &file)?;
    output::line(format_args!("{FILE} is up to date"));
    Ok(())
}

/// Returns the file with its counts up to date.
pub(crate) fn with_counts(file: &str) -> Result<String> {
    let mut rows = String::from("| package | features | crates |\n|-|-|-:|\n");
    let mut row = |package: &str, features: &str| {
        let count = count(package, features)?;
        rows.push_str(&format!("| `{package}` | {} | {count} |\n", in_table(features)));
        Ok::<(), Error>(())
    };
    row("gatepass-core", "")?;
    for id in workspace::provider_ids()? {
        row(&format!("provider-{id}"), "")?;
    }
    for features in sets("gatepass", "default,")? {
        row("gatepass", &features)?;
    }
    for features in sets("gatepass-cli", "")? {
        row("gatepass-cli", &features)?;
    }
    generated::replace(FILE, file, "counts", &rows)
}

/// Counts the different crates of a package with exactly these features, itself included.
pub(crate) fn count(package: &str, features: &str) -> Result<usize> {
    let chosen = if features.is_empty() { String::new() } else { format!("--features {features}") };
    let tree = format!(
        "cargo tree --locked -p {package} --no-default-features {chosen} -e normal \
         --target {TARGET} --prefix none --format {{p}}"
    );
    Ok(crates(&Run::new(&tree).output()?))
}

/// Returns no feature, each feature alone (providers together with `base`), and all.
fn sets(package: &str, base: &str) -> Result<Vec<String>> {
    let manifest = workspace::manifest(&format!("crates/{package}/Cargo.toml"))?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let names = features.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    Ok(arranged(names, &workspace::provider_ids()?, base))
}

fn arranged(names: Vec<&str>, providers: &[String], base: &str) -> Vec<String> {
    let is_provider = |name: &str| providers.iter().any(|id| id == name);
    let (of_providers, others): (Vec<&str>, Vec<&str>) = names
        .into_iter()
        // These are not for users.
        .filter(|name| *name != "all-providers" && !name.starts_with("__"))
        .partition(|name| is_provider(name));
    let mut sets = vec![String::new()];
    sets.extend(others.iter().map(|&name| name.to_owned()));
    sets.extend(of_providers.iter().map(|name| format!("{base}{name}")));
    sets.push(format!("{base}all-providers"));
    let all: Vec<&str> = others.into_iter().chain(["all-providers"]).collect();
    sets.push(all.join(","));
    sets
}

fn in_table(features: &str) -> String {
    if features.is_empty() { "none".to_owned() } else { format!("`{features}`") }
}

/// Returns the size of the released command with these features, in bytes.
fn size(features: &str) -> Result<u64> {
    let folder = "target/sizes";
    let chosen = if features.is_empty() { String::new() } else { format!("--features {features}") };
    let build = format!(
        "cargo build --locked --release -p gatepass-cli --no-default-features {chosen} \
         --target {TARGET} --target-dir {folder}"
    );
    output::note(format_args!("$ {build}"));
    Run::new(&build).run()?;
    let path = workspace::path(&format!("{folder}/{TARGET}/release/gatepass"));
    let found = fs::metadata(&path).map(|file| file.len());
    found.map_err(|error| Error::failed(format!("{}: {error}", path.display())))
}

/// Counts the different crates in the output of `cargo tree --prefix none`.
fn crates(tree: &str) -> usize {
    let mut lines: Vec<&str> =
        tree.lines().map(|line| line.trim_end_matches(" (*)").trim()).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort_unstable();
    lines.dedup();
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_counts_once() {
        assert_eq!(crates("a v1\nb v2\nb v2 (*)\nb v3\n"), 3);
    }

    #[test]
    fn every_feature_has_a_row() {
        let names = vec!["__fuzzing", "acme", "all-providers", "default", "http"];
        let sets = arranged(names, &["acme".to_owned()], "default,");
        let wanted = [
            "",
            "default",
            "http",
            "default,acme",
            "default,all-providers",
            "default,http,all-providers",
        ];
        assert_eq!(sets, wanted);
    }

    #[test]
    fn provider_adds_crates_but_fewer_than_the_facade() {
        let [core, provider, library] = [
            count("gatepass-core", ""),
            count("provider-cisco", ""),
            count("gatepass", "default,cisco"),
        ]
        .map(|count| count.unwrap());
        assert!(1 < core && core < provider && provider < library, "{core} {provider} {library}");
    }
}
