//! `cargo xtask advisories`: is anything known to be wrong with what we depend on?

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::{say, tools, workspace};

const HELP: &str = "\
cargo xtask advisories [--db PATH]

Compares Cargo.lock with RustSec's database of advisories as it lies on this machine; nothing is
fetched. deny.toml says what is passed over, and why.

  --db PATH  a clone of the database: where cargo-deny or cargo-audit keep theirs

Exit code: 0 nothing is known, 1 something is, 3 not checked, since there is no database.";

/// What cargo-deny calls its clone of <https://github.com/RustSec/advisory-db>.
const CLONE: &str = "advisory-db-3157b0e258782691";

pub(crate) fn main(words: &[String]) -> Result<()> {
    let args = Args::read(words, &[], &["--db"], HELP)?.no_names(HELP)?;
    if args.has("--help") {
        say::line(HELP);
        return Ok(());
    }
    let Some(db) = args.option("--db").map(PathBuf::from).or_else(|| find(&cargo_home()?)) else {
        return Err(Failure::not_checked(
            "not checked: this machine has no database of advisories; get it with\n  \
             git clone --depth 1 https://github.com/RustSec/advisory-db target/advisory-db\n\
             and compare with\n  cargo xtask advisories --db target/advisory-db",
        ));
    };
    check(&db, "advisories")
}

/// The database of cargo-deny or of cargo-audit.
fn find(cargo_home: &Path) -> Option<PathBuf> {
    let places = [format!("advisory-dbs/{CLONE}"), "advisory-db".to_owned()];
    places.map(|place| cargo_home.join(place)).into_iter().find(|place| is_database(place))
}

fn is_database(place: &Path) -> bool {
    place.join("crates").is_dir() && place.join(".git").is_dir()
}

/// Lays `db` where cargo-deny wants it, in a folder of that name below target/, and asks it.
fn check(db: &Path, scratch: &str) -> Result<()> {
    let db = workspace::root().join(db);
    if !is_database(&db) {
        let says = format!("{} is no clone of a database of advisories", db.display());
        return Err(Failure::not_checked(format!("not checked: {says}")));
    }
    let folder = workspace::path(&format!("target/{scratch}"));
    lay(&db, &folder).map_err(|error| {
        Failure::not_checked(format!("not checked: {} cannot be made: {error}", folder.display()))
    })?;
    let config = format!("target/{scratch}/deny.toml");
    workspace::write(&config, &with_database(&workspace::read("deny.toml")?, &folder)?)?;
    say::note(format_args!("advisories of {}", db.display()));
    tools::DENY.run(&format!("--offline --locked --config {config} check advisories"))?.run()
}

/// `config` with the folder of the databases named in it.
fn with_database(config: &str, folder: &Path) -> Result<String> {
    let table = "\n[advisories]\n";
    if !config.contains(table) {
        return Err(Failure::failed("deny.toml has no line `[advisories]`"));
    }
    let path = serde_json::Value::from(folder.to_string_lossy().as_ref());
    Ok(config.replacen(table, &format!("{table}db-path = {path}\n"), 1))
}

#[cfg(unix)]
fn lay(db: &Path, folder: &Path) -> std::io::Result<()> {
    let clone = folder.join(CLONE);
    fs::create_dir_all(folder)?;
    if fs::symlink_metadata(&clone).is_ok() {
        fs::remove_file(&clone)?;
    }
    std::os::unix::fs::symlink(db, clone)
}

#[cfg(not(unix))]
fn lay(db: &Path, folder: &Path) -> std::io::Result<()> {
    let clone = folder.join(CLONE);
    fs::create_dir_all(folder)?;
    if fs::symlink_metadata(&clone).is_ok() {
        fs::remove_dir(&clone)?;
    }
    std::os::windows::fs::symlink_dir(db, clone)
}

#[expect(clippy::disallowed_methods, reason = "cargo tells it in no other way")]
fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with one advisory, and what comes of asking it.
    fn asked(name: &str, of: &str, patched: &str) -> Result<()> {
        let root = format!("target/made-up-{name}");
        workspace::write(
            &format!("{root}/crates/{of}/RUSTSEC-2026-0001.md"),
            &format!(
                "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"{of}\"\n\
                 date = \"2026-01-01\"\n\n[versions]\npatched = [\"{patched}\"]\n```\n\n\
                 # A fault\n\nNothing holds.\n"
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
    fn an_advisory_is_an_error_where_its_crate_is_used_and_not_mended() {
        asked("other", "gatepass-uses-no-such-crate", ">= 999").unwrap();
        asked("mended", "rustls", ">= 0.1").unwrap();
        let failure = asked("hit", "rustls", ">= 999").unwrap_err();
        assert!(matches!(failure, Failure::Failed(_)), "{failure}");
    }

    #[test]
    fn without_a_database_nothing_is_called_good() {
        let folder = workspace::path("target/no-advisories");
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(find(&folder), None);
        let failure = check(&folder, "advisories-none").unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(&failure, Failure::NotChecked(says) if says.starts_with("not checked")));
    }

    #[test]
    fn the_database_of_either_tool_is_found() {
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
