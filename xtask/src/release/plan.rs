//! The plan of a release: its version and its stage, from the state of the repository.
//!
//! A release can be interrupted at any point. The same command reads the repository again and does
//! only what is missing.

use std::collections::BTreeMap;

use semver::Version;

use super::changelog;
use super::version::{VersionRequest, tag};
use crate::error::{Error, Result};

/// The state of the repository.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The checked-out branch; `None` for a detached HEAD.
    pub(super) branch: Option<String>,
    /// The output of `git status`.
    pub(super) changed: String,
    /// The versions in the manifests of `HEAD` and of its parent.
    pub(super) version: Version,
    pub(super) before: Option<Version>,
    /// The commit `HEAD`, and the first line of its message.
    pub(super) head: String,
    pub(super) subject: String,
    /// The tagged versions, with the commit of each.
    pub(super) tags: BTreeMap<Version, String>,
    /// The text of CHANGELOG.md.
    pub(super) changelog: String,
}

/// A release and its stage.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) version: Version,
    /// The version released before it.
    pub(super) last: Option<Version>,
    pub(super) stage: Stage,
}

/// How far a release has come.
#[derive(Debug, PartialEq)]
pub(super) enum Stage {
    /// Not started.
    New,
    /// `HEAD` is its commit; the tag is missing.
    Committed,
    /// The tag exists, at this commit.
    Tagged(String),
}

impl Plan {
    pub(super) fn make(request: &VersionRequest, facts: &Facts) -> Result<Self> {
        let version = wanted(request, facts)?;
        let last = facts.tags.range(..&version).next_back().map(|(version, _)| version.clone());
        let plan = |stage| Self { version: version.clone(), last, stage };
        // Everything can be built from a tag, so the checked-out branch does not matter.
        if let Some(commit) = facts.tags.get(&version) {
            return Ok(plan(Stage::Tagged(commit.clone())));
        }
        if facts.branch.as_deref() != Some(BRANCH) {
            let here = facts.branch.as_deref().unwrap_or("no branch");
            return Err(failed(format!(
                "releases are made on {BRANCH}, and this is {here}: git switch {BRANCH}"
            )));
        }
        if !facts.changed.trim().is_empty() {
            return Err(failed(format!(
                "the tree is not clean: commit the changes, or `git stash -u`\n{}",
                facts.changed.trim_end()
            )));
        }
        if is_release(facts) && facts.version == version {
            return Ok(plan(Stage::Committed));
        }
        if let Some((newer, _)) = facts.tags.range(&version..).next() {
            return Err(failed(format!("{newer} is released, and {version} is older")));
        }
        if version < facts.version {
            return Err(failed(format!(
                "Cargo.toml states {}, and {version} is older",
                facts.version
            )));
        }
        if !changelog::has_unreleased(&facts.changelog) {
            return Err(failed(
                "CHANGELOG.md has no changes under ## [Unreleased]: describe there what users notice",
            ));
        }
        Ok(plan(Stage::New))
    }

    /// Returns an error if the checked-out tree, in which the checks run, is not the released one.
    pub(super) fn is_here(&self, facts: &Facts) -> Result<()> {
        let Stage::Tagged(commit) = &self.stage else { return Ok(()) };
        if facts.head == *commit && facts.changed.trim().is_empty() {
            return Ok(());
        }
        let tag = tag(&self.version);
        Err(failed(format!(
            "the commit of {tag} has not passed the checks, and they would run in another tree: \
             git switch --detach {tag}, with nothing changed"
        )))
    }
}

/// Returns the message of a release's commit.
pub(super) fn message(version: &Version) -> String {
    format!("release: {version}")
}

fn wanted(request: &VersionRequest, facts: &Facts) -> Result<Version> {
    let level = match request {
        VersionRequest::Version(version) => return Ok(version.clone()),
        VersionRequest::Level(level) => *level,
    };
    let here = &facts.version;
    if facts.tags.is_empty() {
        return Err(failed(format!(
            "no version is tagged, so `{level}` has no previous version; \
             for the first release:  cargo xtask release {here}"
        )));
    }
    // An interrupted release is finished before the next one.
    let from = if is_release(facts) { facts.before.as_ref().unwrap_or(here) } else { here };
    let version = level.after(from);
    if is_release(facts) && version != *here {
        return Err(failed(format!(
            "HEAD is the release of {here}, and `{level}` would be {version}; \
             to continue it:  cargo xtask release {here}"
        )));
    }
    Ok(version)
}

fn is_release(facts: &Facts) -> bool {
    facts.subject == message(&facts.version)
}

fn failed(message: impl Into<String>) -> Error {
    Error::failed(message)
}

/// The branch of releases.
const BRANCH: &str = "main";

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    /// 0.1.0 is released, and there are changes since.
    fn facts() -> Facts {
        Facts {
            branch: Some("main".to_owned()),
            changed: String::new(),
            version: version("0.1.0"),
            before: Some(version("0.1.0")),
            head: "c9".to_owned(),
            subject: "core: something new".to_owned(),
            tags: BTreeMap::from([(version("0.1.0"), "c1".to_owned())]),
            changelog: "## [Unreleased]\n\n- New.\n".to_owned(),
        }
    }

    fn first() -> Facts {
        Facts { tags: BTreeMap::new(), ..facts() }
    }

    /// 0.1.1 is committed but not tagged.
    fn half_way() -> Facts {
        Facts {
            version: version("0.1.1"),
            subject: "release: 0.1.1".to_owned(),
            changelog: "## [Unreleased]\n\n## [0.1.1] - 2030-01-01\n\n- New.\n".to_owned(),
            ..facts()
        }
    }

    fn tagged() -> Facts {
        let mut facts = half_way();
        facts.tags.insert(version("0.1.1"), "c2".to_owned());
        facts
    }

    fn made(request: &str, facts: &Facts) -> Plan {
        Plan::make(&VersionRequest::read(request).unwrap(), facts).unwrap()
    }

    fn refused(request: &str, facts: &Facts) -> String {
        Plan::make(&VersionRequest::read(request).unwrap(), facts).unwrap_err().to_string()
    }

    fn plan(of: &str, last: Option<&str>, stage: Stage) -> Plan {
        Plan { version: version(of), last: last.map(version), stage }
    }

    #[test]
    fn first_release_needs_a_version() {
        assert_eq!(made("0.1.0", &first()), plan("0.1.0", None, Stage::New));
        assert!(refused("patch", &first()).contains("cargo xtask release 0.1.0"));
    }

    #[test]
    fn level_counts_from_the_current_version() {
        assert_eq!(made("patch", &facts()), plan("0.1.1", Some("0.1.0"), Stage::New));
        assert_eq!(made("major", &facts()), plan("1.0.0", Some("0.1.0"), Stage::New));
        assert_eq!(made("0.3.0", &facts()), plan("0.3.0", Some("0.1.0"), Stage::New));
    }

    #[test]
    fn repeated_command_continues_the_release() {
        for request in ["patch", "0.1.1"] {
            let committed = plan("0.1.1", Some("0.1.0"), Stage::Committed);
            assert_eq!(made(request, &half_way()), committed);
            let tagged_plan = plan("0.1.1", Some("0.1.0"), Stage::Tagged("c2".to_owned()));
            assert_eq!(made(request, &tagged()), tagged_plan);
        }
        assert!(refused("minor", &half_way()).contains("cargo xtask release 0.1.1"));
    }

    #[test]
    fn tagged_release_ignores_the_checked_out_branch() {
        let elsewhere = Facts { branch: None, changed: " M a\n".to_owned(), ..facts() };
        assert_eq!(made("0.1.0", &elsewhere).stage, Stage::Tagged("c1".to_owned()));
    }

    #[test]
    fn checks_of_a_tag_need_its_tree() {
        let at = |head: &str, changed: &str| {
            let (head, changed) = (head.to_owned(), changed.to_owned());
            let facts = Facts { head, changed, ..facts() };
            made("0.1.0", &facts).is_here(&facts)
        };
        assert!(at("c1", "").is_ok());
        for (head, changed) in [("c9", ""), ("c1", " M a\n"), ("c1", "?? a\n")] {
            let message = at(head, changed).unwrap_err().to_string();
            assert!(message.contains("git switch --detach v0.1.0"), "{message}");
        }
        // The other stages start from a clean tree, which is this one.
        for facts in [facts(), half_way()] {
            assert!(made("0.1.1", &facts).is_here(&facts).is_ok());
        }
    }

    #[test]
    fn new_release_needs_clean_main_and_changes() {
        for facts in [facts(), half_way()] {
            let branch = Some("idea".to_owned());
            let message = refused("0.1.1", &Facts { branch, ..facts.clone() });
            assert!(message.contains("git switch main"), "{message}");
            assert!(
                refused("0.1.1", &Facts { branch: None, ..facts.clone() }).contains("no branch")
            );
            let message = refused("0.1.1", &Facts { changed: "?? a\n".to_owned(), ..facts });
            assert!(message.contains("not clean") && message.contains("?? a"), "{message}");
        }
        let changelog = "## [Unreleased]\n".to_owned();
        assert!(refused("0.1.1", &Facts { changelog, ..facts() }).contains("no changes under"));
    }

    #[test]
    fn lower_version_is_refused() {
        let ahead = Facts { version: version("0.3.0"), ..facts() };
        assert!(refused("0.2.0", &ahead).contains("states 0.3.0"));
        assert_eq!(made("0.3.0", &ahead).stage, Stage::New);
        assert!(refused("0.0.9", &facts()).contains("0.1.0 is released"));
    }
}
