//! CHANGELOG.md: what is unreleased becomes a version's section.

use semver::Version;

use super::version::tag;
use crate::failure::{Failure, Result};

/// Is there a change under "Unreleased"?
pub(super) fn has_unreleased(text: &str) -> bool {
    body(text, "Unreleased").is_some_and(|body| body.lines().any(|line| line.starts_with("- ")))
}

/// What the section of a version says, without its heading.
pub(super) fn section<'a>(text: &'a str, version: &Version) -> Option<&'a str> {
    body(text, &version.to_string())
}

/// The text with "Unreleased" turned into the section of `version`, a new "Unreleased" above it,
/// and the links at its end as they are then. `last` is the version before, if there is one.
pub(super) fn cut(
    text: &str,
    version: &Version,
    last: Option<&Version>,
    date: &str,
    repository: &str,
) -> Result<String> {
    if section(text, version).is_some() {
        return Err(Failure::failed(format!("CHANGELOG.md has a section [{version}] already")));
    }
    if !has_unreleased(text) {
        return Err(Failure::failed(format!("CHANGELOG.md has nothing under {UNRELEASED}")));
    }
    let cut = text.replacen(
        &format!("{UNRELEASED}\n"),
        &format!("{UNRELEASED}\n\n## [{version}] - {date}\n"),
        1,
    );
    let tag = tag(version);
    let here = match last {
        Some(last) => format!("[{version}]: {repository}/compare/v{last}...{tag}"),
        None => format!("[{version}]: {repository}/releases/tag/{tag}"),
    };
    // Without a link for "Unreleased" the file has none at all.
    let lines = cut.lines().map(|line| match line.starts_with(UNRELEASED_LINK) {
        true => format!("{UNRELEASED_LINK} {repository}/compare/{tag}...main\n{here}\n"),
        false => format!("{line}\n"),
    });
    Ok(lines.collect())
}

/// The lines between a section's heading and the next one, or the links at the end.
fn body<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let heading = format!("## [{name}]");
    let mut start = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        match start {
            None if line.starts_with(&heading) => start = Some(next),
            Some(start) if line.starts_with("## ") || is_link(line) => {
                return Some(text[start..at].trim());
            }
            _ => {}
        }
        at = next;
    }
    start.map(|start| text[start..].trim())
}

/// `[0.1.0]: https://…`
fn is_link(line: &str) -> bool {
    line.starts_with('[') && line.split_once("]: ").is_some_and(|(_, to)| to.starts_with("http"))
}

const UNRELEASED: &str = "## [Unreleased]";
const UNRELEASED_LINK: &str = "[Unreleased]:";

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing, see [Keep].\n\n\
                         [Unreleased]: https://x.example/commits/main\n";

    fn cut_at(text: &str, version: &str, last: Option<&str>) -> Result<String> {
        let version = Version::parse(version).unwrap();
        let last = last.map(|last| Version::parse(last).unwrap());
        cut(text, &version, last.as_ref(), "2030-01-02", "https://x.example")
    }

    #[test]
    fn unreleased_becomes_the_version_and_a_new_one_stands_above_it() {
        let first = cut_at(FIRST, "0.1.0", None).unwrap();
        assert_eq!(
            first,
            "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2030-01-02\n\n### Added\n\n\
             - A thing, see [Keep].\n\n\
             [Unreleased]: https://x.example/compare/v0.1.0...main\n\
             [0.1.0]: https://x.example/releases/tag/v0.1.0\n"
        );
        let more = first.replacen("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n", 1);
        let second = cut_at(&more, "0.2.0", Some("0.1.0")).unwrap();
        assert!(
            second.contains("## [Unreleased]\n\n## [0.2.0] - 2030-01-02\n\n- More.\n\n## [0.1.0]")
        );
        assert!(second.ends_with(
            "[Unreleased]: https://x.example/compare/v0.2.0...main\n\
             [0.2.0]: https://x.example/compare/v0.1.0...v0.2.0\n\
             [0.1.0]: https://x.example/releases/tag/v0.1.0\n"
        ));
    }

    #[test]
    fn what_a_version_brought_is_found_without_its_neighbours() {
        let first = cut_at(FIRST, "0.1.0", None).unwrap();
        let version = Version::new(0, 1, 0);
        assert_eq!(section(&first, &version).unwrap(), "### Added\n\n- A thing, see [Keep].");
        assert_eq!(section(&first, &Version::new(0, 1, 1)), None);
        assert!(!has_unreleased(&first));
    }

    #[test]
    fn nothing_to_release_is_refused() {
        for text in ["# Changelog\n", "## [Unreleased]\n\n### Added\n\n## [0.0.9]\n\n- Old.\n"] {
            assert!(!has_unreleased(text));
            let failure = cut_at(text, "0.1.0", None).unwrap_err().to_string();
            assert!(failure.contains("nothing under ## [Unreleased]"), "{failure}");
        }
    }

    #[test]
    fn a_version_is_not_cut_twice() {
        let first = cut_at(FIRST, "0.1.0", None).unwrap();
        assert!(cut_at(&first, "0.1.0", None).unwrap_err().to_string().contains("already"));
    }

    #[test]
    fn a_file_without_links_gets_none() {
        let text = "## [Unreleased]\n\n- A.\n";
        assert_eq!(
            cut_at(text, "0.1.0", None).unwrap(),
            "## [Unreleased]\n\n## [0.1.0] - 2030-01-02\n\n- A.\n"
        );
    }
}
