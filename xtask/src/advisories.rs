//! `cargo xtask advisories`: compares Cargo.lock with RustSec's advisories, by cargo-deny, offline.
//!
//! cargo-deny reads the advisories; this task passes it the database. By itself,
//! cargo-deny fails in the same way for an advisory and for a missing database.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::error::{Error, Result};
use crate::{output, tools, workspace};

const HELP: &str = "\
cargo xtask advisories [--db PATH]

Compares Cargo.lock with RustSec's database of advisories on this machine, without the network.
deny.toml lists the ignored advisories with their reasons.

  --db PATH  a clone of the database; by default the one of cargo-deny or cargo-audit

Exit code: 0 no advisory, 1 an advisory applies, 3 not checked because there is no database.";

/// The name of cargo-deny's clone of <https://github.com/RustSec/advisory-db>.
const CLONE: &str = "advisory-db-3157b0e258782691";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &[], &["--db"], HELP)?.no_names(HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    let Some(db) = args.option("--db").map(PathBuf::from).or_else(|| find(&cargo_home()?)) else {
        return Err(Error::not_checked(
            "not checked: this machine has no database of advisories; get it with\n  \
             git clone --depth 1 https://github.com/RustSec/advisory-db target/advisory-db\n\
             and compare with\n  cargo xtask advisories --db target/advisory-db",
        ));
    };
    check(&db, "advisories")
}

/// Returns the database of cargo-deny or of cargo-audit.
fn find(cargo_home: &Path) -> Option<PathBuf> {
    let places = [format!("advisory-dbs/{CLONE}"), "advisory-db".to_owned()];
    places.map(|place| cargo_home.join(place)).into_iter().find(|place| is_database(place))
}

fn is_database(place: &Path) -> bool {
    place.join("crates").is_dir() && place.join(".git").is_dir()
}

/// Links `db` into the folder `scratch` below target/, under the name that cargo-deny expects, and
/// runs cargo-deny.
fn check(db: &Path, scratch: &str) -> Result<()> {
    let db = workspace::root().join(db);
    if !is_database(&db) {
        let message = format!("{} is not a clone of an advisory database", db.display());
        return Err(Error::not_checked(format!("not checked: {message}")));
    }
    let folder = workspace::path(&format!("target/{scratch}"));
    link(&db, &folder).map_err(|error| {
        Error::not_checked(format!("not checked: {} cannot be created: {error}", folder.display()))
    })?;
    let config = format!("target/{scratch}/deny.toml");
    workspace::write(&config, &with_database(&workspace::read("deny.toml")?, &folder)?)?;
    output::note(format_args!("advisories of {}", db.display()));
    tools::DENY.run(&format!("--offline --locked --config {config} check advisories"))?.run()
}

/// Returns `config` with the folder of the databases.
fn with_database(config: &str, folder: &Path) -> Result<String> {
    let table = "\n[advisories]\n";
    if !config.contains(table) {
        return Err(Error::failed("deny.toml has no line `[advisories]`"));
    }
    let path = serde_json::Value::from(folder.to_string_lossy().as_ref());
    Ok(config.replacen(table, &format!("{table}db-path = {path}\n"), 1))
}

#[cfg(unix)]
fn link(db: &Path, folder: &Path) -> std::io::Result<()> {
    let clone = folder.join(CLONE);
    fs::create_dir_all(folder)?;
    if fs::symlink_metadata(&clone).is_ok() {
        fs::remove_file(&clone)?;
    }
    std::os::unix::fs::symlink(db, clone)
}

#[cfg(not(unix))]
fn link(db: &Path, folder: &Path) -> std::io::Result<()> {
    let clone = folder.join(CLONE);
    fs::create_dir_all(folder)?;
    if fs::symlink_metadata(&clone).is_ok() {
        fs::remove_dir(&clone)?;
    }
    std::os::windows::fs::symlink_dir(db, clone)
}

#[expect(clippy::disallowed_methods, reason = "cargo passes its home in this variable")]
fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks against a database with one advisory.
    fn check_with(name: &str, of: &str, patched: &str) -> Result<()> {
        let root = format!("target/made-up-{name}");
        workspace::write(
            &format!("{root}/crates/{of}/RUSTSEC-2026-0001.md"),
            &format!(
                "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"{of}\"\n\
                 date = \"2026-01-01\"\n\n[versions]\npatched = [\"{patched}\"]\n```\n\n\
                 # A defect\n\nDetails.\n"
            ),
        )
        .unwrap();
        workspace::write(&format!("{root}/.git/FETCH_HEAD"), "").unwrap();
        let outcome = check(Path::new(&root), &format!("advisories-{name}"));
        fs::remove_dir_all(workspace::path(&root)).unwrap();
        fs::remove_dir_all(workspace::path(&format!("target/advisories-{name}"))).unwrap();
        outcome
    }

    #[test]
    fn advisory_is_an_error_for_an_unpatched_dependency() {
        check_with("other", "gatepass-uses-no-such-crate", ">= 999").unwrap();
        check_with("patched", "rustls", ">= 0.1").unwrap();
        let error = check_with("hit", "rustls", ">= 999").unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{error}");
    }

    #[test]
    fn missing_database_is_not_checked() {
        let folder = workspace::path("target/no-advisories");
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(find(&folder), None);
        let error = check(&folder, "advisories-none").unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(&error, Error::NotChecked(message) if message.starts_with("not checked")));
    }

    #[test]
    fn database_of_either_tool_is_found() {
        let home = workspace::path("target/advisory-home");
        for place in [format!("advisory-dbs/{CLONE}"), "advisory-db".to_owned()] {
            for folder in ["crates", ".git"] {
                fs::create_dir_all(home.join(&place).join(folder)).unwrap();
            }
            let found = find(&home);
            fs::remove_dir_all(&home).unwrap();
            assert_eq!(found, Some(home.join(place)));
        }
    }
}
