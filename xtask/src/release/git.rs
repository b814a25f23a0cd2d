//! The repository at a release: its state, the copy that is changed, and the update of the branch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;

use super::manifests;
use super::plan::{Facts, message};
use super::version::tag;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::workspace;

/// The folder in which a release is built, below the root.
pub(super) const FOLDER: &str = "target/releasing";

/// Returns the state of the repository.
pub(super) fn facts() -> Result<Facts> {
    let at = |commit: &str| Run::new(&format!("git show {commit}:Cargo.toml")).quiet_output();
    let mut tags = BTreeMap::new();
    // The second object is the commit of an annotated tag; it is empty for a lightweight tag.
    let format =
        "git for-each-ref --format=%(refname:short)=%(objectname)=%(*objectname) refs/tags";
    for line in Run::new(format).output()?.lines() {
        let mut parts = line.splitn(3, '=');
        let (name, own, target) = (parts.next(), parts.next(), parts.next());
        let version = name.and_then(|name| name.strip_prefix('v'));
        let Some(version) = version.and_then(|version| Version::parse(version).ok()) else {
            continue;
        };
        let commit = target.filter(|target| !target.is_empty()).or(own).unwrap_or_default();
        tags.insert(version, commit.to_owned());
    }
    Ok(Facts {
        branch: Run::new("git symbolic-ref --quiet --short HEAD")
            .quiet_output()
            .ok()
            .map(|branch| branch.trim().to_owned()),
        changed: Run::new("git status --porcelain").output()?,
        version: manifests::version(&at("HEAD")?)?,
        before: at("HEAD^").ok().and_then(|manifest| manifests::version(&manifest).ok()),
        head: Run::new("git rev-parse HEAD").output()?.trim().to_owned(),
        subject: Run::new("git log -1 --format=%s").output()?.trim().to_owned(),
        tags,
        changelog: workspace::read("CHANGELOG.md")?,
    })
}

/// A copy of the repository at one commit, in a new folder.
#[derive(Debug)]
pub(super) struct Copy {
    folder: PathBuf,
}

impl Copy {
    /// Copies the repository at `commit`.
    pub(super) fn make(from: &Path, commit: &str, folder: PathBuf) -> Result<Self> {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::failed(format!(
                    "{} cannot be removed: {error}",
                    folder.display()
                )));
            }
            _ => {}
        }
        Run::new("git -c init.defaultBranch=main clone --quiet --no-checkout")
            .arg(from.to_string_lossy())
            .arg(folder.to_string_lossy())
            .run()?;
        let copy = Self { folder };
        copy.git("checkout --quiet --detach").arg(commit).run()?;
        Ok(copy)
    }

    /// Returns the copy that an earlier run has made of this release, if it is still valid.
    pub(super) fn of_release(
        folder: &Path,
        version: &Version,
        parent: &str,
        date: &str,
    ) -> Option<Self> {
        let copy = Self { folder: folder.to_owned() };
        let is_ours = copy.is_clean()
            && copy.git("log -1 --format=%P=%s").quiet_output().ok()?
                == format!("{parent}={}\n", message(version))
            && copy.read("CHANGELOG.md").ok()?.contains(&format!("## [{version}] - {date}\n"));
        is_ours.then_some(copy)
    }

    /// Returns the copy of this commit that an earlier run has made.
    pub(super) fn there(folder: &Path, commit: &str) -> Option<Self> {
        let copy = Self { folder: folder.to_owned() };
        (copy.is_clean() && copy.commit().is_ok_and(|there| there == commit)).then_some(copy)
    }

    /// Returns whether the folder is a repository without changes.
    fn is_clean(&self) -> bool {
        let changed = || self.git("status --porcelain").quiet_output();
        self.folder.join(".git").is_dir() && changed().is_ok_and(|changed| changed.is_empty())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads a file of the copy.
    pub(super) fn read(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        fs::read_to_string(&path)
            .map_err(|error| Error::failed(format!("{} cannot be read: {error}", path.display())))
    }

    /// Returns the names of the committed files that match.
    pub(super) fn files(&self, pattern: &str) -> Result<Vec<String>> {
        let names = self.git("ls-files").arg(pattern).output()?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|error| {
            Error::failed(format!("{} cannot be written: {error}", path.display()))
        })
    }

    /// Returns whether the commit has this file.
    pub(super) fn had(&self, commit: &str, path: &str) -> bool {
        self.git("cat-file -e").arg(format!("{commit}:{path}")).succeeds()
    }

    /// Returns the commit that is checked out.
    pub(super) fn commit(&self) -> Result<String> {
        Ok(self.git("rev-parse HEAD").output()?.trim().to_owned())
    }

    /// Returns the time of the commit, in seconds since 1970.
    pub(super) fn seconds(&self) -> Result<u64> {
        let seconds = self.git("log -1 --format=%ct").output()?;
        seconds.trim().parse().map_err(|_| Error::failed("git prints no time for the commit"))
    }

    /// Commits the changes as `by`.
    pub(super) fn commit_all(&self, version: &Version, by: &Identity) -> Result<()> {
        self.git("commit --quiet --all --no-verify --message")
            .arg(message(version))
            .env("GIT_AUTHOR_NAME", &by.name)
            .env("GIT_AUTHOR_EMAIL", &by.email)
            .env("GIT_COMMITTER_NAME", &by.name)
            .env("GIT_COMMITTER_EMAIL", &by.email)
            .run()
    }

    /// Moves a cargo command into the copy, with a target folder beside it.
    pub(super) fn cargo(&self, run: Run) -> Run {
        let folder = workspace::path(FOLDER).join("build");
        run.in_folder(&self.folder).env("CARGO_TARGET_DIR", folder.to_string_lossy())
    }

    fn git(&self, args: &str) -> Run {
        Run::new(&format!("git {args}")).in_folder(&self.folder)
    }
}

/// The name and address of a committer.
#[derive(Debug)]
pub(super) struct Identity {
    name: String,
    email: String,
}

impl Identity {
    /// Returns git's identity. A dry run does not need one, because its commit is thrown away.
    pub(super) fn find(execute: bool) -> Result<Self> {
        let identity = Run::new("git var GIT_COMMITTER_IDENT").quiet_output().ok();
        let found = identity.as_deref().and_then(|identity| {
            let (name, rest) = identity.split_once(" <")?;
            Some(Self { name: name.to_owned(), email: rest.split_once('>')?.0.to_owned() })
        });
        match found {
            Some(identity) => Ok(identity),
            None if execute => {
                Err(Error::failed("git has no identity: git config user.name and user.email"))
            }
            None => Ok(Self { name: "a dry run".to_owned(), email: "dry@run.invalid".to_owned() }),
        }
    }
}

/// Moves the checked-out branch to the release's commit in the copy.
pub(super) fn take(copy: &Copy, commit: &str) -> Result<()> {
    Run::new("git fetch --quiet").arg(copy.folder().to_string_lossy()).arg(commit).run()?;
    // In its own process group, so that Ctrl-C does not stop it between two files.
    Run::new("git merge --quiet --ff-only").arg(commit).own_group().run().map_err(|error| {
        Error::failed(format!(
            "{error}\nthe branch has moved since the copy was made: run the same command again"
        ))
    })
}

/// Returns an error if `origin` has commits on main that are missing here, because the release could
/// then not be pushed.
pub(super) fn is_not_behind(root: &Path) -> Result<()> {
    let git = |args: &str| Run::new(&format!("git {args}")).in_folder(root);
    if !git("remote get-url origin").succeeds() {
        return Ok(());
    }
    let remote = git("ls-remote origin refs/heads/main").output()?;
    let Some(commit) = remote.split_whitespace().next() else { return Ok(()) };
    if git("merge-base --is-ancestor").arg(commit).arg("HEAD").succeeds() {
        return Ok(());
    }
    Err(Error::failed(
        "origin has commits on main that are not here, so the release could not be pushed: \
         git pull --rebase origin main",
    ))
}

/// Makes the annotated tag.
pub(super) fn make_tag(version: &Version, commit: &str) -> Result<()> {
    let tag = tag(version);
    Run::new("git tag --annotate --message").arg(&tag).arg(&tag).arg(commit).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_behind_origin_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (theirs, ours) = (folder.path().join("theirs"), folder.path().join("ours"));
        let git = |at: &Path, args: &str| {
            let who = "-c user.name=a -c user.email=a@b.example -c init.defaultBranch=main";
            Run::new(&format!("git {who} {args}")).in_folder(at).output().unwrap()
        };
        git(folder.path(), "init --quiet theirs");
        git(&theirs, "commit --quiet --allow-empty --message one");
        assert!(is_not_behind(&theirs).is_ok(), "there is no origin");
        git(folder.path(), "clone --quiet theirs ours");
        git(&ours, "commit --quiet --allow-empty --message ours");
        assert!(is_not_behind(&ours).is_ok(), "ahead is not behind");
        git(&theirs, "commit --quiet --allow-empty --message two");
        let message = is_not_behind(&ours).unwrap_err().to_string();
        assert!(message.contains("git pull --rebase origin main"), "{message}");
    }
}
