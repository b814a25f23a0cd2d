//! `cargo xtask new-provider`: writes the files of a provider crate and every line that names it.

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{copy, output, workspace};

const HELP: &str = "\
cargo xtask new-provider <id>

Writes crates/provider-<id> and the lines that name it: the workspace dependency, the features of
gatepass and gatepass-cli, and in gatepass the `pub use` line and the registry's.

An id consists of lower-case letters, digits and single hyphens, and starts with a letter. It becomes
the feature's name and `provider = \"<id>\"`.";

/// The files of a provider crate and their templates.
const FILES: [(&str, &str); 10] = [
    ("Cargo.toml", include_str!("../provider/Cargo.toml.txt")),
    ("README.md", include_str!("../provider/README.md.txt")),
    ("LICENSE-APACHE", include_str!("../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_str!("../../LICENSE-MIT")),
    ("src/lib.rs", include_str!("../provider/lib.rs.txt")),
    ("src/tests.rs", include_str!("../provider/tests.rs.txt")),
    ("fixtures/token.http", include_str!("../provider/token.http")),
    ("fixtures/denied.http", include_str!("../provider/denied.http")),
    ("fixtures/throttled.http", include_str!("../provider/throttled.http")),
    ("fixtures/garbage.http", include_str!("../provider/garbage.http")),
];

/// Below the root: the copy in which `check` writes a provider.
const COPY: &str = "target/new-provider";

const WORKSPACE: &str = "Cargo.toml";
const FACADE: &str = "crates/gatepass/Cargo.toml";
const FACADE_LIB: &str = "crates/gatepass/src/lib.rs";
const REGISTRY: &str = "crates/gatepass/src/registry.rs";
const COMMAND: &str = "crates/gatepass-cli/Cargo.toml";
const COMMAND_LIB: &str = "crates/gatepass-cli/src/lib.rs";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &[], &[], HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    let id = args.only_name(HELP)?;
    check_id(id)?;
    let folder = format!("crates/provider-{id}");
    if workspace::path(&folder).exists() {
        return Err(Error::failed(format!("{folder} exists")));
    }
    // Prepare all edits before the first write, so that an error leaves no half provider.
    let mut files = vec![
        (WORKSPACE.to_owned(), in_workspace(&workspace::read(WORKSPACE)?, id)?),
        (FACADE.to_owned(), in_facade(&workspace::read(FACADE)?, id)?),
        (
            FACADE_LIB.to_owned(),
            in_facade_lib(&with_row(FACADE_LIB, &workspace::read(FACADE_LIB)?, id)?, id)?,
        ),
        (REGISTRY.to_owned(), in_registry(&workspace::read(REGISTRY)?, id)?),
        (COMMAND.to_owned(), in_command(&workspace::read(COMMAND)?, id)?),
        (COMMAND_LIB.to_owned(), with_row(COMMAND_LIB, &workspace::read(COMMAND_LIB)?, id)?),
    ];
    for (name, text) in FILES {
        files.push((format!("{folder}/{name}"), filled_in(text, id)));
    }
    for (name, text) in &files {
        workspace::write(name, text)?;
        output::line(name);
    }
    output::line(format_args!(
        "the crate builds and its tests pass: cargo test -p provider-{id}\n\
         next: fill in INFO, lib.rs and README.md, and put the vendor's responses into\n\
         {folder}/fixtures; CONTRIBUTING.md has the rest, from the sandbox to `cargo xtask ci`"
    ));
    Ok(())
}

/// Writes a provider into a copy of the workspace and runs its tests, for `cargo xtask ci`: the
/// templates are not built otherwise.
pub(crate) fn check() -> Result<()> {
    copy::update(COPY)?;
    let folder = workspace::path(COPY);
    let xtask = std::env::current_exe()
        .map_err(|error| Error::failed(format!("cannot find the program of xtask: {error}")))?;
    Run::program(&xtask.to_string_lossy(), "new-provider acme")
        .env("CARGO_MANIFEST_DIR", folder.join("xtask").to_string_lossy())
        .output()?;
    // The workspace's target folder has the dependencies already.
    Run::new("cargo test --offline --quiet -p provider-acme")
        .in_folder(&folder)
        .env("CARGO_TARGET_DIR", workspace::path("target").to_string_lossy())
        .run()
}

fn check_id(id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(plain)
        && !id.ends_with('-')
        && !id.contains("--");
    if !good {
        return Err(Error::usage(format!("`{id}` is not an id\n\n{HELP}")));
    }
    if TAKEN.contains(&id) {
        return Err(Error::usage(format!(
            "`{id}` is the name of another feature or a keyword of Rust"
        )));
    }
    Ok(())
}

/// Ids that conflict with a feature of the facade or with Rust.
const TAKEN: &[&str] = &[
    "all-providers",
    "config",
    "crate",
    "default",
    "dyn",
    "file-store",
    "fn",
    "http",
    "impl",
    "keyring",
    "match",
    "metrics",
    "mod",
    "move",
    "pub",
    "reqwest-middleware",
    "self",
    "static",
    "super",
    "tower",
    "trait",
    "type",
    "use",
    "webpki-roots",
    "where",
];

fn in_workspace(text: &str, id: &str) -> Result<String> {
    let version = workspace::package_field("version")?;
    let line =
        format!("provider-{id} = {{ version = \"{version}\", path = \"crates/provider-{id}\" }}");
    insert(text, &line, |line| line.starts_with("provider-") && line.contains("path = "))
        .ok_or_else(|| no_place(WORKSPACE, "a `provider-… = { … path … }` line"))
}

fn in_facade(text: &str, id: &str) -> Result<String> {
    let feature = format!("{id} = [\"dep:provider-{id}\"]");
    let text = insert(text, &feature, |line| line.contains("= [\"dep:provider-"))
        .ok_or_else(|| no_place(FACADE, "a `… = [\"dep:provider-…\"]` feature"))?;
    let dependency = format!("provider-{id} = {{ workspace = true, optional = true }}");
    let text = insert(&text, &dependency, |line| {
        line.starts_with("provider-") && line.contains("optional = true")
    })
    .ok_or_else(|| no_place(FACADE, "an optional `provider-…` dependency"))?;
    extend(&text, "all-providers", id).ok_or_else(|| no_place(FACADE, "`all-providers = […]`"))
}

fn in_command(text: &str, id: &str) -> Result<String> {
    let feature = format!("{id} = [\"gatepass/{id}\"]");
    let is_feature = |line: &str| {
        line.split_once(" = [\"gatepass/")
            .is_some_and(|(name, rest)| rest.trim_end_matches("\"]") == name)
    };
    let text = insert(text, &feature, is_feature)
        .ok_or_else(|| no_place(COMMAND, "a `… = [\"gatepass/…\"]` feature"))?;
    // The features that docs.rs shows, in a crate that lists them.
    let text = extend(&text, "features", id).unwrap_or(text);
    extend(&text, "all-providers", id)
        .or_else(|| extend(&text, "default", id))
        .ok_or_else(|| no_place(COMMAND, "`all-providers = […]`"))
}

fn in_facade_lib(text: &str, id: &str) -> Result<String> {
    let name = id.replace('-', "_");
    let lines =
        [format!("#[cfg(feature = \"{id}\")]"), format!("pub use provider_{name} as {name};")];
    insert_pair(text, &lines)
        .ok_or_else(|| no_place(FACADE_LIB, "a `pub use provider_… as …;` line below its `#[cfg]`"))
}

/// Adds the row of the feature to a crate's documentation.
fn with_row(file: &'static str, text: &str, id: &str) -> Result<String> {
    insert(text, &format!("//! | `{id}` | a vendor: {} |", type_name(id)), |line| {
        line.contains("` | a vendor: ")
    })
    .ok_or_else(|| no_place(file, "a row of a vendor's feature"))
}

/// Adds a line to the table that names the missing feature in the error about an unknown provider.
fn in_registry(text: &str, id: &str) -> Result<String> {
    insert(text, &format!("    (\"{id}\", &[]),"), |line| {
        line.starts_with("    (\"") && line.contains("\", &[") && line.ends_with("]),")
    })
    .ok_or_else(|| no_place(REGISTRY, "a `(\"…\", &[…]),` line of FEATURES"))
}

/// Inserts `line` before the first sibling that sorts after it, or after the last sibling.
fn insert(text: &str, line: &str, is_sibling: impl Fn(&str) -> bool) -> Option<String> {
    let mut all: Vec<&str> = text.lines().collect();
    let siblings: Vec<usize> = (0..all.len()).filter(|&at| is_sibling(all[at])).collect();
    let after = siblings.iter().copied().find(|&at| all[at] > line);
    all.insert(after.or_else(|| siblings.last().map(|last| last + 1))?, line);
    Some(all.join("\n") + "\n")
}

/// Inserts the `#[cfg]` line and the `pub use` line among their siblings, with the same indentation.
fn insert_pair(text: &str, lines: &[String; 2]) -> Option<String> {
    let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_use = |line: &str| line.trim_start().starts_with("pub use provider_");
    let siblings: Vec<usize> = (1..all.len())
        .filter(|&at| is_use(&all[at]) && all[at - 1].trim_start().starts_with("#[cfg(feature"))
        .collect();
    let last = *siblings.last()?;
    let after = siblings.iter().find(|&&at| all[at].trim_start() > lines[1].as_str());
    let at = after.map_or(last + 1, |&at| at - 1);
    let indent = " ".repeat(all[last].len() - all[last].trim_start().len());
    all.insert(at, format!("{indent}{}", lines[1]));
    all.insert(at, format!("{indent}{}", lines[0]));
    Some(all.join("\n") + "\n")
}

/// Adds `id` to the array `key`, in alphabetical order.
fn extend(text: &str, key: &str, id: &str) -> Option<String> {
    let open = format!("{key} = [");
    let start = if text.starts_with(&open) { 0 } else { text.find(&format!("\n{open}"))? + 1 };
    let start = start + open.len();
    let end = start + text[start..].find(']')?;
    let mut items: Vec<&str> =
        text[start..end].split(',').map(|item| item.trim().trim_matches('"')).collect();
    items.retain(|item| !item.is_empty());
    let at = items.iter().position(|item| *item > id).unwrap_or(items.len());
    items.insert(at, id);
    let quoted: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    let line = quoted.join(", ");
    let body = if open.len() + line.len() < 100 && !text[start..end].contains('\n') {
        line
    } else {
        format!("\n    {},\n", quoted.join(",\n    "))
    };
    Some(format!("{}{body}{}", &text[..start], &text[end..]))
}

fn filled_in(text: &str, id: &str) -> String {
    text.replace("@ID@", id)
        .replace("@NAME@", &type_name(id))
        .replace("@MODULE@", &id.replace('-', "_"))
}

/// Returns the type name for an id: `AcmeCloud` for `acme-cloud`.
fn type_name(id: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        })
    };
    id.split('-').map(capital).collect()
}

fn no_place(file: &str, sibling: &str) -> Error {
    Error::failed(format!("{file} has no {sibling}, beside which the new line belongs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_has_letters_digits_and_single_hyphens() {
        for good in ["acme", "acme-cloud", "s3"] {
            assert!(check_id(good).is_ok(), "{good}");
        }
        for bad in ["", "Acme", "3s", "acme_cloud", "acme-", "a--b", "../a", "http", "type"] {
            assert!(matches!(check_id(bad), Err(Error::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn type_is_named_after_the_id() {
        assert_eq!(type_name("acme-cloud"), "AcmeCloud");
    }

    #[test]
    fn facade_gets_feature_dependency_and_list() {
        let text = "[features]\nall-providers = [\"cisco\"]\ncisco = [\"dep:provider-cisco\"]\n\
            [dependencies]\nprovider-cisco = { workspace = true, optional = true }\n";
        let wanted = "[features]\nall-providers = [\"acme\", \"cisco\"]\n\
            acme = [\"dep:provider-acme\"]\ncisco = [\"dep:provider-cisco\"]\n[dependencies]\n\
            provider-acme = { workspace = true, optional = true }\n\
            provider-cisco = { workspace = true, optional = true }\n";
        assert_eq!(in_facade(text, "acme").unwrap(), wanted);
    }

    #[test]
    fn command_gets_feature_and_list() {
        let text = "[package.metadata.docs.rs]\nfeatures = [\"cisco\"]\n\n\
            [features]\nall-providers = [\n    \"cisco\",\n]\ncisco = [\"gatepass/cisco\"]\n";
        let wanted = "[package.metadata.docs.rs]\nfeatures = [\"cisco\", \"zoom\"]\n\n\
            [features]\nall-providers = [\n    \"cisco\",\n    \"zoom\",\n]\n\
            cisco = [\"gatepass/cisco\"]\nzoom = [\"gatepass/zoom\"]\n";
        assert_eq!(in_command(text, "zoom").unwrap(), wanted);
    }

    #[test]
    fn linking_line_is_inserted_in_order() {
        let text =
            "mod a {\n    #[cfg(feature = \"cisco\")]\n    pub use provider_cisco as cisco;\n}\n";
        let wanted = "mod a {\n    #[cfg(feature = \"acme-cloud\")]\n    \
            pub use provider_acme_cloud as acme_cloud;\n    #[cfg(feature = \"cisco\")]\n    \
            pub use provider_cisco as cisco;\n}\n";
        assert_eq!(in_facade_lib(text, "acme-cloud").unwrap(), wanted);
    }

    #[test]
    fn documentation_gets_a_row_for_the_feature() {
        let text = "//! | `cisco` | a vendor: Cisco |\n//! | `tower` | more |\n";
        let wanted = "//! | `acme` | a vendor: Acme |\n//! | `cisco` | a vendor: Cisco |\n\
            //! | `tower` | more |\n";
        assert_eq!(with_row(FACADE_LIB, text, "acme").unwrap(), wanted);
    }

    #[test]
    fn registry_gets_the_feature() {
        let text = "const FEATURES: &[A] = &[\n    (\"cisco\", &[\"cloudsso\"]),\n];\n";
        let wanted = "const FEATURES: &[A] = &[\n    (\"acme\", &[]),\n    (\"cisco\", &[\"cloudsso\"]),\n];\n";
        assert_eq!(in_registry(text, "acme").unwrap(), wanted);
    }

    #[test]
    fn file_without_sibling_is_named() {
        let message = in_facade("[features]\n", "acme").unwrap_err().to_string();
        assert!(message.contains(FACADE), "{message}");
    }

    #[test]
    fn templates_are_filled_in_completely() {
        for (name, text) in FILES {
            for id in ["acme", "acme-cloud"] {
                assert!(!filled_in(text, id).contains('@'), "{name}");
            }
        }
    }
}
