//! What is to be done for a release, from what is there already: nothing is done twice.

use std::collections::BTreeMap;

use semver::Version;

use super::changelog;
use super::version::{Ask, tag};
use crate::failure::{Failure, Result};

/// What the repository says.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The branch that is checked out, if one is.
    pub(super) branch: Option<String>,
    /// What `git status` shows.
    pub(super) changed: String,
    /// The version that `HEAD` states, and the one that the commit before it states.
    pub(super) version: Version,
    pub(super) before: Option<Version>,
    /// The commit `HEAD`, and the first line of its message.
    pub(super) head: String,
    pub(super) subject: String,
    /// The tagged versions, with the commit of each.
    pub(super) tags: BTreeMap<Version, String>,
    /// CHANGELOG.md
    pub(super) changelog: String,
}

/// A release, and how far it has come.
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
    /// Nothing of it is there.
    New,
    /// `HEAD` is its commit; the tag is missing.
    Committed,
    /// The tag is there, at this commit.
    Tagged(String),
}

impl Plan {
    pub(super) fn make(ask: &Ask, facts: &Facts) -> Result<Self> {
        let version = wanted(ask, facts)?;
        let last = facts.tags.range(..&version).next_back().map(|(version, _)| version.clone());
        let plan = |stage| Self { version: version.clone(), last, stage };
        // From a tag everything can be made, whatever is checked out.
        if let Some(commit) = facts.tags.get(&version) {
            return Ok(plan(Stage::Tagged(commit.clone())));
        }
        if facts.branch.as_deref() != Some(BRANCH) {
            let here = facts.branch.as_deref().unwrap_or("no branch");
            return Err(failed(format!(
                "a release is made on {BRANCH}, and this is {here}: git switch {BRANCH}"
            )));
        }
        if !facts.changed.trim().is_empty() {
            return Err(failed(format!(
                "the tree is not clean: commit, or put away with `git stash -u`\n{}",
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
                "CHANGELOG.md has nothing under ## [Unreleased]: say there what users notice",
            ));
        }
        Ok(plan(Stage::New))
    }

    /// Is what is checked out what is released? The checks run there.
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

/// The message of a release's commit.
pub(super) fn message(version: &Version) -> String {
    format!("release: {version}")
}

fn wanted(ask: &Ask, facts: &Facts) -> Result<Version> {
    let level = match ask {
        Ask::Version(version) => return Ok(version.clone()),
        Ask::Level(level) => *level,
    };
    let here = &facts.version;
    if facts.tags.is_empty() {
        return Err(failed(format!(
            "no version is tagged, so there is none for `{level}` to follow; \
             for the first one say:  cargo xtask release {here}"
        )));
    }
    // A release that stopped half-way is not followed by the next one, but finished.
    let from = if is_release(facts) { facts.before.as_ref().unwrap_or(here) } else { here };
    let version = level.after(from);
    if is_release(facts) && version != *here {
        return Err(failed(format!(
            "HEAD is the release of {here}, and `{level}` would be {version}; \
             to go on with it say:  cargo xtask release {here}"
        )));
    }
    Ok(version)
}

fn is_release(facts: &Facts) -> bool {
    facts.subject == message(&facts.version)
}

fn failed(says: impl Into<String>) -> Failure {
    Failure::failed(says)
}

/// Where releases are made.
const BRANCH: &str = "main";

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    /// 0.1.0 is out, and something has changed since.
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

    /// The commit of 0.1.1 is made, its tag is not.
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

    fn made(ask: &str, facts: &Facts) -> Plan {
        Plan::make(&Ask::read(ask).unwrap(), facts).unwrap()
    }

    fn refused(ask: &str, facts: &Facts) -> String {
        Plan::make(&Ask::read(ask).unwrap(), facts).unwrap_err().to_string()
    }

    fn plan(of: &str, last: Option<&str>, stage: Stage) -> Plan {
        Plan { version: version(of), last: last.map(version), stage }
    }

    #[test]
    fn the_first_release_is_the_version_that_stands_there() {
        assert_eq!(made("0.1.0", &first()), plan("0.1.0", None, Stage::New));
        assert!(refused("patch", &first()).contains("cargo xtask release 0.1.0"));
    }

    #[test]
    fn a_level_counts_from_the_version_that_stands_there() {
        assert_eq!(made("patch", &facts()), plan("0.1.1", Some("0.1.0"), Stage::New));
        assert_eq!(made("major", &facts()), plan("1.0.0", Some("0.1.0"), Stage::New));
        assert_eq!(made("0.3.0", &facts()), plan("0.3.0", Some("0.1.0"), Stage::New));
    }

    #[test]
    fn the_same_words_again_go_on_with_what_was_begun() {
        for ask in ["patch", "0.1.1"] {
            let committed = plan("0.1.1", Some("0.1.0"), Stage::Committed);
            assert_eq!(made(ask, &half_way()), committed);
            let there = plan("0.1.1", Some("0.1.0"), Stage::Tagged("c2".to_owned()));
            assert_eq!(made(ask, &tagged()), there);
        }
        assert!(refused("minor", &half_way()).contains("cargo xtask release 0.1.1"));
    }

    #[test]
    fn a_tag_is_enough_whatever_is_checked_out() {
        let elsewhere = Facts { branch: None, changed: " M a\n".to_owned(), ..facts() };
        assert_eq!(made("0.1.0", &elsewhere).stage, Stage::Tagged("c1".to_owned()));
    }

    #[test]
    fn the_checks_of_a_tag_run_in_its_own_tree_alone() {
        let at = |head: &str, changed: &str| {
            let (head, changed) = (head.to_owned(), changed.to_owned());
            let facts = Facts { head, changed, ..facts() };
            made("0.1.0", &facts).is_here(&facts)
        };
        assert!(at("c1", "").is_ok());
        for (head, changed) in [("c9", ""), ("c1", " M a\n"), ("c1", "?? a\n")] {
            let says = at(head, changed).unwrap_err().to_string();
            assert!(says.contains("git switch --detach v0.1.0"), "{says}");
        }
        // What is new or half-way has been made from a clean tree, which is this one.
        for facts in [facts(), half_way()] {
            assert!(made("0.1.1", &facts).is_here(&facts).is_ok());
        }
    }

    #[test]
    fn a_new_release_needs_a_clean_tree_on_main_and_something_to_tell() {
        for facts in [facts(), half_way()] {
            let branch = Some("idea".to_owned());
            let says = refused("0.1.1", &Facts { branch, ..facts.clone() });
            assert!(says.contains("git switch main"), "{says}");
            assert!(
                refused("0.1.1", &Facts { branch: None, ..facts.clone() }).contains("no branch")
            );
            let says = refused("0.1.1", &Facts { changed: "?? a\n".to_owned(), ..facts });
            assert!(says.contains("not clean") && says.contains("?? a"), "{says}");
        }
        let changelog = "## [Unreleased]\n".to_owned();
        assert!(refused("0.1.1", &Facts { changelog, ..facts() }).contains("nothing under"));
    }

    #[test]
    fn versions_go_up_only() {
        let ahead = Facts { version: version("0.3.0"), ..facts() };
        assert!(refused("0.2.0", &ahead).contains("states 0.3.0"));
        assert_eq!(made("0.3.0", &ahead).stage, Stage::New);
        assert!(refused("0.0.9", &facts()).contains("0.1.0 is released"));
    }
}
