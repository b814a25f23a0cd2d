//! `cargo xtask tidy`: rules about files and manifests that no other tool checks.

use crate::args::Args;
use crate::error::{Error, Result};
use crate::output;

mod counts;
mod cycles;
mod finding;
mod links;
mod manifests;
mod prose;
mod providers;
mod published;
mod secrets;
mod sources;
mod text_data;
mod tree;
mod type_names;
mod words;
mod workflows;

use finding::Finding;
use tree::Tree;

const HELP: &str = "\
cargo xtask tidy [--bless] [--list] [--words [PATH]...]

  --bless  writes the reviewed counts: xtask/expose_secret.txt (calls that open secrets) and
           xtask/words.txt (forms of speech to replace; their sum never rises)
  --list   lists every rule
  --words  lists the forms of speech to replace, with what to write instead; in files whose
           path contains PATH, if given";

/// A rule: its name, its summary, and its check.
struct Rule {
    name: &'static str,
    summary: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &["--bless", "--list", "--words"], &[], HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    if args.has("--list") {
        for rule in RULES {
            output::line(format_args!("{:<22} {}", rule.name, rule.summary));
        }
        return Ok(());
    }
    let tree = Tree::read()?;
    if args.has("--words") {
        words::show(&tree, args.names());
        return Ok(());
    }
    let args = args.no_names(HELP)?;
    if args.has("--bless") {
        counts::bless(&tree)?;
        words::bless(&tree)?;
        return check(&Tree::read()?);
    }
    check(&tree)
}

/// Checks all rules, for `cargo xtask ci`.
pub(crate) fn run() -> Result<()> {
    check(&Tree::read()?)
}

fn check(tree: &Tree) -> Result<()> {
    for note in sources::near_the_limit(tree).into_iter().chain(type_names::outdated(tree)) {
        output::note(format_args!("note: {note}"));
    }
    let mut count = 0;
    for rule in RULES {
        for finding in (rule.check)(tree) {
            output::line(format_args!("{finding} [{}]", rule.name));
            count += 1;
        }
    }
    output::line(words::summary(tree));
    match count {
        0 => {
            output::line(format_args!(
                "tidy: {} files keep {} rules",
                tree.files().len(),
                RULES.len()
            ));
            Ok(())
        }
        _ => Err(Error::failed(format!("tidy found {count} places; `--list` explains the rules"))),
    }
}

const RULES: &[Rule] = &[
    Rule {
        name: "provider-dependencies",
        summary: "a provider depends on core and on formats: no runtime, HTTP client or sibling",
        check: providers::dependencies,
    },
    Rule {
        name: "provider-pure",
        summary: "a provider does no I/O, reads no clock and keeps no state",
        check: providers::pure,
    },
    Rule {
        name: "provider-files",
        summary: "every provider crate has the same files and fixtures",
        check: providers::files,
    },
    Rule {
        name: "provider-order",
        summary: "INFO, register!, the type and impl Provider have this order; INFO's id is the folder's",
        check: providers::order,
    },
    Rule {
        name: "provider-readme",
        summary: "a provider's README has the fixed headings in order",
        check: providers::readme,
    },
    Rule {
        name: "provider-features",
        summary: "the facade and the command have one feature per provider folder",
        check: providers::features,
    },
    Rule {
        name: "package-name",
        summary: "a package is named as its folder",
        check: manifests::package_name,
    },
    Rule {
        name: "inheritance",
        summary: "every member inherits version, edition, rust-version, license, repository and lints",
        check: manifests::inheritance,
    },
    Rule {
        name: "workspace-dependency",
        summary: "every dependency is `.workspace = true`",
        check: manifests::workspace_dependencies,
    },
    Rule {
        name: "published-files",
        summary: "every published crate has a README and the licences",
        check: published::files,
    },
    Rule {
        name: "features",
        summary: "every feature is a row of the crate's documentation, and docs.rs shows it",
        check: published::features,
    },
    Rule {
        name: "registry",
        summary: "every dependency comes from crates.io or from this workspace",
        check: manifests::registry,
    },
    Rule {
        name: "file-name",
        summary: "a file is named by its one subject; no mod.rs",
        check: sources::file_name,
    },
    Rule {
        name: "file-length",
        summary: "no source file is longer than 500 lines; the budget is 450",
        check: sources::file_length,
    },
    Rule {
        name: "first-line",
        summary: "the first line of every source file describes it, in at most 100 characters",
        check: sources::first_line,
    },
    Rule {
        name: "bare-allow",
        summary: "no #[allow] without a reason; #[expect] where it fits",
        check: sources::bare_allow,
    },
    Rule {
        name: "unfinished",
        summary: "no todo!, unimplemented! or dbg!",
        check: sources::unfinished,
    },
    Rule {
        name: "instrument",
        summary: "#[instrument] skips all arguments",
        check: sources::instrument,
    },
    Rule {
        name: "exceptions",
        summary: "only a clock.rs and the facade's config call the methods that clippy.toml forbids",
        check: sources::exceptions,
    },
    Rule {
        name: "workflows",
        summary: "a workflow pins its actions by commit, reads only, and needs no secret",
        check: workflows::workflows,
    },
    Rule {
        name: "expose-secret",
        summary: "every call that opens a secret is counted in xtask/expose_secret.txt",
        check: counts::expose_secret,
    },
    Rule {
        name: "secret-shaped",
        summary: "only fixtures contain text that looks like a key or a token",
        check: secrets::secret_shaped,
    },
    Rule {
        name: "words",
        summary: "no file has more forms of speech to replace than xtask/words.txt allows",
        check: words::words,
    },
    Rule {
        name: "type-names",
        summary: "a type name that several files use means one type, except in xtask/type_names.txt",
        check: type_names::type_names,
    },
    Rule {
        name: "cycles",
        summary: "files of a crate import one way; xtask/cycles.txt lists the exceptions",
        check: cycles::cycles,
    },
    Rule {
        name: "test-features",
        summary: "no `cfg(feature = \"__…\")` outside a fuzzing.rs",
        check: text_data::test_features,
    },
    Rule {
        name: "debug-as-data",
        summary: "no `{:?}` in the store and in cache keys",
        check: text_data::debug_as_data,
    },
    Rule {
        name: "message-read-back",
        summary: "no code splits or matches an error's message",
        check: text_data::message_read_back,
    },
    Rule {
        name: "links",
        summary: "every relative link of a Markdown file leads to a file, and its #anchor to a heading",
        check: links::links,
    },
    Rule {
        name: "host-path",
        summary: "no file names a folder of a developer's machine",
        check: secrets::host_path,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_names_are_unique() {
        let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }
}
