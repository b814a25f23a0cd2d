//! `cargo xtask release`: one command from a clean tree to published crates and files to download.
//!
//! cargo-release raises versions, tags and publishes. It has no resumable run, no dry run that builds
//! the files, no comparison of two builds, and it works in the tree itself; here a copy is changed, and
//! the branch moves in one step.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{ci, features, mutants, output, workspace};

mod archive;
mod binary;
mod changelog;
mod compatible;
mod contents;
mod deb;
mod dist;
mod documents;
mod git;
mod manifests;
pub(crate) mod packages;
mod plan;
mod registry;
mod sums;
mod version;

use binary::Recipe;
use contents::Contents;
use deb::Control;
use dist::Dist;
use git::{Copy, FOLDER, Identity};
use packages::Packages;
use plan::{Facts, Plan, Stage};
use registry::Registry;
use version::VersionRequest;

const HELP: &str = "\
cargo xtask release <patch|minor|major|VERSION> [--execute] [--registry NAME] [--target TRIPLE]
                    [--skip-ci | --rehearse]

Runs all checks, raises the version in a copy of the repository, builds each crate from its own
package and the command twice, and writes the files for users into target/release-VERSION. It
writes nowhere else and prints the steps that --execute would add.

  --execute        commits, makes the annotated tag, and publishes the crates in order. It does not
                   push. Repeat the command to continue an interrupted release
  --registry NAME  another registry than crates.io, by its name in cargo's configuration
  --target TRIPLE  target of the command, this machine by default
  --skip-ci        skips `cargo xtask ci`, `features` and `mutants`; not with --execute
  --rehearse       skips all checks, does not build the crates from their packages, and builds the
                   command without optimization; only with a --registry of your own

  cargo xtask release 0.1.0              the first release, as a dry run
  cargo xtask release minor --execute    the next release
  cargo xtask release patch --execute --registry local --rehearse";

/// The options of the command line.
#[derive(Debug)]
struct Options {
    request: VersionRequest,
    execute: bool,
    registry: Registry,
    target: Option<String>,
    skip_ci: bool,
    rehearse: bool,
}

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    let args = Args::read(arguments, &FLAGS, &["--registry", "--target"], HELP)?;
    if args.has("--help") {
        output::line(HELP);
        return Ok(());
    }
    Options::read(&args)?.release()
}

impl Options {
    fn read(args: &Args) -> Result<Self> {
        let options = Self {
            request: VersionRequest::read(args.only_name(HELP)?)?,
            execute: args.has("--execute"),
            registry: Registry::named(args.option("--registry")),
            target: args.option("--target").map(str::to_owned),
            skip_ci: args.has("--skip-ci"),
            rehearse: args.has("--rehearse"),
        };
        if options.skip_ci && options.execute {
            return Err(Error::usage(
                "--execute publishes only what has passed ci: remove --skip-ci",
            ));
        }
        if options.rehearse && options.registry.is_crates_io() {
            return Err(Error::usage(
                "crates.io is not for rehearsals: `--rehearse` needs `--registry NAME`",
            ));
        }
        Ok(options)
    }

    fn release(&self) -> Result<()> {
        let place = workspace::path(FOLDER);
        let _lock = lock(&place)?;
        let facts = git::facts()?;
        let plan = Plan::make(&self.request, &facts)?;
        self.registry.check(&workspace::read("Cargo.toml")?)?;
        let version = &plan.version;
        output::note(format_args!("== release {version}{}", self.kind()));

        let copy = self.copy(&plan, &facts)?;
        let commit = copy.commit()?;
        self.check(&plan, &facts, &copy, &commit)?;
        let packages = Packages::read(copy.folder())?;
        let names = self.build(&plan, &copy, &commit)?;
        if self.execute {
            self.execute(&plan, &copy, &commit, &packages)
        } else {
            self.report(version, &names, &packages);
            Ok(())
        }
    }

    /// Returns a copy of the repository with the commit of the release.
    fn copy(&self, plan: &Plan, facts: &Facts) -> Result<Copy> {
        let (root, folder) = (workspace::root(), workspace::path(FOLDER).join("source"));
        let at = match &plan.stage {
            Stage::Tagged(commit) => commit,
            Stage::Committed | Stage::New => &facts.head,
        };
        if plan.stage != Stage::New {
            output::note(format_args!("== copy: the release is already committed as {at}"));
            let copy = match Copy::there(&folder, at) {
                Some(copy) => copy,
                None => Copy::make(root, at, folder)?,
            };
            let states = manifests::version(&copy.read("Cargo.toml")?)?;
            if states != plan.version {
                return Err(Error::failed(format!(
                    "the tag v{} is at {at}, which states {states}: git tag --delete v{0}",
                    plan.version
                )));
            }
            return Ok(copy);
        }
        let date = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date().to_string();
        if let Some(copy) = Copy::of_release(&folder, &plan.version, at, &date) {
            output::note("== copy: reused from the previous run");
            return Ok(copy);
        }
        output::note(format_args!(
            "== copy: version, changelog and lock files of {}",
            plan.version
        ));
        let copy = Copy::make(root, at, folder)?;
        raise(&copy, plan, &facts.version, &date)?;
        copy.commit_all(&plan.version, &Identity::find(self.execute)?)?;
        Ok(copy)
    }

    /// Runs all checks, unless this commit has already passed them.
    fn check(&self, plan: &Plan, facts: &Facts, copy: &Copy, commit: &str) -> Result<()> {
        if self.rehearse {
            output::note("== checks: skipped, this is a rehearsal");
            return Ok(());
        }
        if is_marked(CHECKED, commit) {
            output::note("== checks: this commit has passed them before");
            return Ok(());
        }
        if !self.skip_ci {
            plan.is_here(facts)?;
        }
        let packages = Packages::read(copy.folder())?;
        compatible::check(copy, &packages.order, &plan.version, plan.last.as_ref())?;
        if !self.skip_ci {
            ci::run()?;
            features::run()?;
            mutants::run()?;
        }
        output::note("== packages: each crate is built from its own package");
        copy.cargo(packages.package()).run()?;
        if self.skip_ci { Ok(()) } else { mark(CHECKED, commit) }
    }

    /// Builds the command and writes the files for users.
    fn build(&self, plan: &Plan, copy: &Copy, commit: &str) -> Result<Vec<String>> {
        let (version, place) = (&plan.version, workspace::path(FOLDER));
        let seconds = copy.seconds()?;
        let elsewhere = place.join("somewhere/else/again");
        let sources = [copy.folder().to_owned(), elsewhere.clone()];
        let recipe = Recipe::new(self.target.as_deref(), seconds, self.rehearse, sources)?;
        let target = recipe.target.as_str();
        let made =
            format!("{commit} for {target}{}", if self.rehearse { ", rehearsed" } else { "" });
        if let Some(names) = dist::whole(version).filter(|_| is_marked(BUILT, &made)) {
            output::note("== command and files: reused from the previous run");
            return Ok(names);
        }
        output::note(format_args!("== command: built for {target}, twice"));
        let (once, again) = (place.join("build"), place.join("rebuild"));
        let again = if self.rehearse { &once } else { &again };
        let binary = binary::reproducible(&recipe, [&once, again], || {
            Copy::make(copy.folder(), commit, elsewhere).map(|_| ())
        })?;

        output::note("== files: archive, packages, sums and note");
        let repository = workspace::package_field("repository")?;
        let program = recipe.program(again);
        let licences = run_own_task(copy, "licences", target, THIRD_PARTY)?;
        let bill = run_own_task(copy, "sbom", target, "gatepass.cdx.json")?;
        let mut contents = Contents::collect(
            copy,
            (&program, binary.clone()),
            recipe.name(),
            &place,
            &repository,
        )?;

        contents.add_document(THIRD_PARTY, licences);
        let mut dist = Dist::new(version);
        let name = format!("gatepass-{version}-{target}");
        dist.add(format!("{name}.tar.gz"), contents.archive(&name).tar_gz(seconds)?);
        dist.add(format!("{name}.cdx.json"), bill);
        let control = Control { version, target, repository: &repository };
        match control.file_name() {
            Some(name) => {
                let files = contents.debian()?;
                dist.add(name, control.package(&files, &binary, seconds)?);
            }
            None => output::note(format_args!(
                "   no Debian package: {target} is not a target of Debian"
            )),
        }
        let changelog = copy.read("CHANGELOG.md")?;
        let changes = changelog::section(&changelog, version).ok_or_else(|| {
            Error::failed(format!("CHANGELOG.md has no section `## [{version}]`"))
        })?;
        let names = dist.write(changes, &recipe.script(version, &sums::sha256(&binary)))?;
        mark(BUILT, &made)?;
        Ok(names)
    }

    /// Commits, tags and publishes, except for the parts that exist already.
    fn execute(&self, plan: &Plan, copy: &Copy, commit: &str, packages: &Packages) -> Result<()> {
        let version = &plan.version;
        let tag = version::tag(version);
        if !self.rehearse {
            git::is_not_behind(workspace::root())?;
        }
        if plan.stage == Stage::New {
            git::take(copy, commit)?;
            output::note(format_args!("== commit: release: {version}"));
        }
        if !matches!(plan.stage, Stage::Tagged(_)) {
            git::make_tag(version, commit)?;
            output::note(format_args!("== tag: {tag}"));
        }
        output::note(format_args!("== publish: {} crates, in order", packages.order.len()));
        self.registry.publish(&packages.order, version, |run| copy.cargo(run))?;
        output::line(format_args!(
            "{version} is released; its files are in target/release-{version}"
        ));
        output::line(format_args!("push it with:  git push origin main {tag}"));
        Ok(())
    }

    /// Prints the files of a dry run, and the steps that would follow.
    fn report(&self, version: &semver::Version, names: &[String], packages: &Packages) {
        output::line(format_args!("target/release-{version} holds:"));
        names.iter().for_each(|name| output::line(format_args!("  {name}")));
        output::line("with --execute these steps would follow, unless they are done already:");
        output::line(format_args!("  the commit `{}` on main", plan::message(version)));
        output::line(format_args!("  git tag --annotate {}", version::tag(version)));
        for name in &packages.order {
            output::line(format_args!("  {}", self.registry.publish_line(name)));
        }
    }

    fn kind(&self) -> &'static str {
        match (self.execute, self.rehearse) {
            (true, true) => ", rehearsed",
            (true, false) => "",
            (false, true) => ", rehearsed; a dry run",
            (false, false) => "; a dry run",
        }
    }
}

/// Writes the new version into all files of the copy that state the old one.
fn raise(copy: &Copy, plan: &Plan, from: &semver::Version, date: &str) -> Result<()> {
    let to = &plan.version;
    copy.write("Cargo.toml", &manifests::raised(&copy.read("Cargo.toml")?, to)?)?;
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        copy.write(lock, &manifests::raised_lock(&copy.read(lock)?, from, to)?)?;
    }
    for document in copy.files("*.md")? {
        let text = copy.read(&document)?;
        let raised = documents::raised(&text, from, to);
        if raised != text {
            copy.write(&document, &raised)?;
        }
    }
    let repository = workspace::package_field("repository")?;
    let changelog = copy.read("CHANGELOG.md")?;
    let cut = changelog::cut(&changelog, to, plan.last.as_ref(), date, &repository)?;
    copy.write("CHANGELOG.md", &cut)
}

/// Runs another task in the copy, and returns the text of the file that it writes.
fn run_own_task(copy: &Copy, task: &str, target: &str, name: &str) -> Result<String> {
    let xtask = std::env::current_exe()
        .map_err(|error| Error::failed(format!("cannot find the program of xtask: {error}")))?;
    let file = workspace::path(FOLDER).join(name);
    Run::program(&xtask.to_string_lossy(), task)
        .arg("--target")
        .arg(target)
        .arg(file.to_string_lossy())
        .env("CARGO_MANIFEST_DIR", copy.folder().join("xtask").to_string_lossy())
        .env("SOURCE_DATE_EPOCH", copy.seconds()?.to_string())
        .output()?;
    workspace::read(&format!("{FOLDER}/{name}"))
}

/// Remembers a finished part for a repeated run.
fn mark(name: &str, what: &str) -> Result<()> {
    workspace::write(&format!("{FOLDER}/{name}"), what)
}

fn is_marked(name: &str, what: &str) -> bool {
    workspace::read(&format!("{FOLDER}/{name}")).is_ok_and(|marked| marked == what)
}

/// Locks the folder: two releases at a time would write into the same files.
fn lock(place: &PathBuf) -> Result<File> {
    let path = place.join("lock");
    let file = fs::create_dir_all(place)
        .and_then(|()| File::create(&path))
        .map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::failed("another release is running here")),
        // On a file system without locks, assume a single user.
        _ => Ok(file),
    }
}

const FLAGS: [&str; 3] = ["--execute", "--rehearse", "--skip-ci"];
/// Names of the files with the checked commit, and with the last build.
const CHECKED: &str = "checked";
const BUILT: &str = "built";
const THIRD_PARTY: &str = "THIRD-PARTY.txt";

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&Args::read(&arguments, &FLAGS, &["--registry", "--target"], HELP)?)
    }

    #[test]
    fn only_checked_releases_reach_crates_io() {
        for line in [
            "patch --execute --skip-ci",
            "patch --execute --rehearse",
            "patch --execute --rehearse --registry crates-io",
            "patch --rehearse",
        ] {
            assert!(matches!(options(line), Err(Error::Usage(_))), "{line}");
        }
        assert!(options("patch --execute").is_ok_and(|options| !options.rehearse));
        assert!(options("patch --execute --rehearse --registry local").is_ok());
    }

    #[test]
    fn exactly_one_version_is_required() {
        for line in ["", "patch minor", "--execute"] {
            assert!(matches!(options(line), Err(Error::Usage(_))), "{line}");
        }
    }
}
