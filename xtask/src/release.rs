//! `cargo xtask release`: one command from a clean tree to published crates and files to download.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::Args;
use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{ci, features, mutants, say, workspace};

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
mod packages;
mod plan;
mod registry;
mod sums;
mod version;

use binary::Recipe;
use contents::Contents;
use deb::Control;
use dist::Dist;
use git::{Copy, Identity};
use packages::Packages;
use plan::{Facts, Plan, Stage};
use registry::Registry;
use version::Ask;

const HELP: &str = "\
cargo xtask release <patch|minor|major|VERSION> [--execute] [--registry NAME] [--target TRIPLE]
                    [--skip-ci | --rehearse]

Checks everything, raises the version in a copy of the repository, builds each crate from its own
package and the command twice, and writes what users download into target/release-VERSION. It
writes nowhere else and says what would follow.

  --execute        does what follows: the commit, the annotated tag, and the crates in order.
                   Nothing is pushed. What stops half-way goes on where it was by the same words
  --registry NAME  another registry than crates.io, as cargo's configuration names it
  --target TRIPLE  for whom the command is built: this machine
  --skip-ci        leaves out `cargo xtask ci` and `cargo xtask features`, to try the rest;
                   not with --execute
  --rehearse       leaves out all checks, builds no crate from its package, and the command
                   without optimizing: for a registry of your own, so only with --registry

  cargo xtask release 0.1.0              the first release, dry
  cargo xtask release minor --execute    the next one, in earnest
  cargo xtask release patch --execute --registry local --rehearse";

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    ask: Ask,
    execute: bool,
    registry: Registry,
    target: Option<String>,
    skip_ci: bool,
    rehearse: bool,
}

pub(crate) fn main(words: &[String]) -> Result<()> {
    let args = Args::read(words, &FLAGS, &["--registry", "--target"], HELP)?;
    if args.has("--help") {
        say::line(HELP);
        return Ok(());
    }
    Options::read(&args)?.release()
}

/// The crates that are published, by what `cargo metadata` says: each after those that it needs.
pub(crate) fn published(metadata: &str) -> Result<Vec<String>> {
    Ok(Packages::of(metadata)?.order)
}

impl Options {
    fn read(args: &Args) -> Result<Self> {
        let options = Self {
            ask: Ask::read(args.only_name(HELP)?)?,
            execute: args.has("--execute"),
            registry: Registry::named(args.option("--registry")),
            target: args.option("--target").map(str::to_owned),
            skip_ci: args.has("--skip-ci"),
            rehearse: args.has("--rehearse"),
        };
        if options.skip_ci && options.execute {
            return Err(Failure::usage(
                "what is published has passed ci: not `--skip-ci --execute`",
            ));
        }
        if options.rehearse && options.registry.is_crates_io() {
            return Err(Failure::usage(
                "crates.io is not there for rehearsals: `--rehearse` needs `--registry NAME`",
            ));
        }
        Ok(options)
    }

    fn release(&self) -> Result<()> {
        let place = workspace::path(PLACE);
        let _alone = alone(&place)?;
        let facts = git::facts()?;
        let plan = Plan::make(&self.ask, &facts)?;
        self.registry.check(&workspace::read("Cargo.toml")?)?;
        let version = &plan.version;
        say::note(format_args!("== release {version}{}", self.kind()));

        let copy = self.copy(&plan, &facts)?;
        let commit = copy.commit()?;
        self.check(&plan, &facts, &copy, &commit)?;
        let packages = Packages::read(copy.folder())?;
        let names = self.build(&plan, &copy, &commit)?;
        if self.execute {
            self.execute(&plan, &copy, &commit, &packages)
        } else {
            self.tell(version, &names, &packages);
            Ok(())
        }
    }

    /// A copy of the repository in which the release is committed.
    fn copy(&self, plan: &Plan, facts: &Facts) -> Result<Copy> {
        let (root, folder) = (workspace::root(), workspace::path(PLACE).join("source"));
        let at = match &plan.stage {
            Stage::Tagged(commit) => commit,
            Stage::Committed | Stage::New => &facts.head,
        };
        if plan.stage != Stage::New {
            say::note(format_args!("== copy: its commit is there already, {at}"));
            let copy = match Copy::there(&folder, at) {
                Some(copy) => copy,
                None => Copy::make(root, at, folder)?,
            };
            let states = manifests::version(&copy.read("Cargo.toml")?)?;
            if states != plan.version {
                return Err(Failure::failed(format!(
                    "the tag v{} is at {at}, which states {states}: git tag --delete v{0}",
                    plan.version
                )));
            }
            return Ok(copy);
        }
        let date = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date().to_string();
        if let Some(copy) = Copy::of_release(&folder, &plan.version, at, &date) {
            say::note("== copy: the commit of the run before is as good");
            return Ok(copy);
        }
        say::note(format_args!("== copy: version, changelog and lock files of {}", plan.version));
        let copy = Copy::make(root, at, folder)?;
        raise(&copy, plan, &facts.version, &date)?;
        copy.commit_all(&plan.version, &Identity::find(self.execute)?)?;
        Ok(copy)
    }

    /// All checks, unless this very commit has passed them before.
    fn check(&self, plan: &Plan, facts: &Facts, copy: &Copy, commit: &str) -> Result<()> {
        if self.rehearse {
            say::note("== checks: none, this is a rehearsal");
            return Ok(());
        }
        if is_marked(CHECKED, commit) {
            say::note("== checks: this commit has passed them");
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
        say::note("== packages: each crate is built from its own package");
        in_copy(packages.package(), copy).run()?;
        if self.skip_ci { Ok(()) } else { mark(CHECKED, commit) }
    }

    /// Builds the command and writes all that users download.
    fn build(&self, plan: &Plan, copy: &Copy, commit: &str) -> Result<Vec<String>> {
        let (version, place) = (&plan.version, workspace::path(PLACE));
        let seconds = copy.seconds()?;
        let elsewhere = place.join("somewhere/else/again");
        let sources = [copy.folder().to_owned(), elsewhere.clone()];
        let recipe = Recipe::new(self.target.as_deref(), seconds, self.rehearse, sources)?;
        let target = recipe.target.as_str();
        let made =
            format!("{commit} for {target}{}", if self.rehearse { ", rehearsed" } else { "" });
        if let Some(names) = dist::whole(version).filter(|_| is_marked(BUILT, &made)) {
            say::note("== command and files: made by the run before");
            return Ok(names);
        }
        say::note(format_args!("== command: built for {target}, twice"));
        let (once, again) = (place.join("build"), place.join("rebuild"));
        let again = if self.rehearse { &once } else { &again };
        let binary = binary::reproducible(&recipe, [&once, again], || {
            Copy::make(copy.folder(), commit, elsewhere).map(|_| ())
        })?;

        say::note("== files: archive, packages, sums and note");
        let repository = workspace::package_field("repository")?;
        let program = recipe.program(again);
        let licences = ourselves(copy, "licences", target, THIRD_PARTY)?;
        let bill = ourselves(copy, "sbom", target, "gatepass.cdx.json")?;
        let mut contents =
            Contents::gather(copy, (&program, binary.clone()), recipe.name(), &place, &repository)?;

        contents.add_paper(THIRD_PARTY, licences);
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
            None => say::note(format_args!("   no Debian package: {target} is not Debian's")),
        }
        let changelog = copy.read("CHANGELOG.md")?;
        let changes = changelog::section(&changelog, version).ok_or_else(|| {
            Failure::failed(format!("CHANGELOG.md has no section `## [{version}]`"))
        })?;
        let names = dist.write(changes, &recipe.script(version, &sums::sha256(&binary)))?;
        mark(BUILT, &made)?;
        Ok(names)
    }

    /// The commit, the tag and the crates: each unless it is there.
    fn execute(&self, plan: &Plan, copy: &Copy, commit: &str, packages: &Packages) -> Result<()> {
        let version = &plan.version;
        let tag = version::tag(version);
        if !self.rehearse {
            git::is_not_behind(workspace::root())?;
        }
        if plan.stage == Stage::New {
            git::take(copy, commit)?;
            say::note(format_args!("== commit: release: {version}"));
        }
        if !matches!(plan.stage, Stage::Tagged(_)) {
            git::make_tag(version, commit)?;
            say::note(format_args!("== tag: {tag}"));
        }
        say::note(format_args!("== publish: {} crates, in order", packages.order.len()));
        self.registry.publish(&packages.order, version, |run| in_copy(run, copy))?;
        say::line(format_args!("{version} is released; its files are in target/release-{version}"));
        say::line(format_args!("push it by:  git push origin main {tag}"));
        Ok(())
    }

    /// What a dry run has made, and what would follow.
    fn tell(&self, version: &semver::Version, names: &[String], packages: &Packages) {
        say::line(format_args!("target/release-{version} holds:"));
        names.iter().for_each(|name| say::line(format_args!("  {name}")));
        say::line("with --execute these would follow, unless they are there already:");
        say::line(format_args!("  the commit `{}` on main", plan::message(version)));
        say::line(format_args!("  git tag --annotate {}", version::tag(version)));
        for name in &packages.order {
            say::line(format_args!("  {}", self.registry.publish_line(name)));
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

/// Writes the new version wherever a file of the copy states the old one.
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

/// What another of our tasks writes into a file, done in the copy.
fn ourselves(copy: &Copy, task: &str, target: &str, name: &str) -> Result<String> {
    let xtask = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find our own program: {error}")))?;
    let file = workspace::path(PLACE).join(name);
    Run::program(&xtask.to_string_lossy(), task)
        .arg("--target")
        .arg(target)
        .arg(file.to_string_lossy())
        .env("CARGO_MANIFEST_DIR", copy.folder().join("xtask").to_string_lossy())
        .env("SOURCE_DATE_EPOCH", copy.seconds()?.to_string())
        .output()?;
    workspace::read(&format!("{PLACE}/{name}"))
}

/// A command of cargo's in the copy, with what it builds beside it.
fn in_copy(run: Run, copy: &Copy) -> Run {
    let folder = workspace::path(PLACE).join("build");
    run.inside(copy.folder()).env("CARGO_TARGET_DIR", folder.to_string_lossy())
}

/// Remembers what has been done, for the same words again.
fn mark(name: &str, what: &str) -> Result<()> {
    workspace::write(&format!("{PLACE}/{name}"), what)
}

fn is_marked(name: &str, what: &str) -> bool {
    workspace::read(&format!("{PLACE}/{name}")).is_ok_and(|marked| marked == what)
}

/// Two releases at a time would write into the same folders.
fn alone(place: &PathBuf) -> Result<File> {
    let path = place.join("lock");
    let file = fs::create_dir_all(place).and_then(|()| File::create(&path)).map_err(|error| {
        Failure::failed(format!("{} cannot be written: {error}", path.display()))
    })?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Failure::failed("another release is running here")),
        // A file system without locks has one user.
        _ => Ok(file),
    }
}

const FLAGS: [&str; 3] = ["--execute", "--rehearse", "--skip-ci"];
/// Where a release is made, below the root.
const PLACE: &str = "target/releasing";
/// The commit that has passed all checks, and what was built last.
const CHECKED: &str = "checked";
const BUILT: &str = "built";
const THIRD_PARTY: &str = "THIRD-PARTY.txt";

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&Args::read(&words, &FLAGS, &["--registry", "--target"], HELP)?)
    }

    #[test]
    fn nothing_unchecked_reaches_crates_io() {
        for line in [
            "patch --execute --skip-ci",
            "patch --execute --rehearse",
            "patch --execute --rehearse --registry crates-io",
            "patch --rehearse",
        ] {
            assert!(matches!(options(line), Err(Failure::Usage(_))), "{line}");
        }
        assert!(options("patch --execute").is_ok_and(|options| !options.rehearse));
        assert!(options("patch --execute --rehearse --registry local").is_ok());
    }

    #[test]
    fn one_version_is_asked_for() {
        for line in ["", "patch minor", "--execute"] {
            assert!(matches!(options(line), Err(Failure::Usage(_))), "{line}");
        }
    }
}
