//! CHANGELOG.md at a release: the section "Unreleased" becomes the section of the version.
//!
//! cargo-release replaces text by regular expressions from the manifest. It does not refuse an empty
//! section and does not return the section for the release note, which is half of this file.

use semver::Version;

use super::version::tag;
use crate::error::{Error, Result};

/// Returns whether there is a change under "Unreleased".
pub(super) fn has_unreleased(text: &str) -> bool {
    body(text, "Unreleased").is_some_and(|body| body.lines().any(|line| line.starts_with("- ")))
}

/// Returns the section of a version without its heading.
pub(super) fn section<'a>(text: &'a str, version: &Version) -> Option<&'a str> {
    body(text, &version.to_string())
}

/// Turns "Unreleased" into the section of `version`, puts a new "Unreleased" above it, and updates the
/// links at the end. `last` is the previous version, if there is one.
pub(super) fn cut(
    text: &str,
    version: &Version,
    last: Option<&Version>,
    date: &str,
    repository: &str,
) -> Result<String> {
    if section(text, version).is_some() {
        return Err(Error::failed(format!("CHANGELOG.md has a section [{version}] already")));
    }
    if !has_unreleased(text) {
        return Err(Error::failed(format!("CHANGELOG.md has no changes under {UNRELEASED}")));
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
    // A file without a link for "Unreleased" has no links.
    let lines = cut.lines().map(|line| match line.starts_with(UNRELEASED_LINK) {
        true => format!("{UNRELEASED_LINK} {repository}/compare/{tag}...main\n{here}\n"),
        false => format!("{line}\n"),
    });
    Ok(lines.collect())
}

/// Returns the lines between a section's heading and the next one, or the links at the end.
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

/// Returns whether the line has the form `[0.1.0]: https://…`.
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
    fn unreleased_becomes_the_section_of_the_version() {
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
    fn section_ends_at_the_next_heading() {
        let first = cut_at(FIRST, "0.1.0", None).unwrap();
        let version = Version::new(0, 1, 0);
        assert_eq!(section(&first, &version).unwrap(), "### Added\n\n- A thing, see [Keep].");
        assert_eq!(section(&first, &Version::new(0, 1, 1)), None);
        assert!(!has_unreleased(&first));
    }

    #[test]
    fn empty_unreleased_section_is_refused() {
        for text in ["# Changelog\n", "## [Unreleased]\n\n### Added\n\n## [0.0.9]\n\n- Old.\n"] {
            assert!(!has_unreleased(text));
            let error = cut_at(text, "0.1.0", None).unwrap_err().to_string();
            assert!(error.contains("no changes under ## [Unreleased]"), "{error}");
        }
    }

    #[test]
    fn existing_section_is_refused() {
        let first = cut_at(FIRST, "0.1.0", None).unwrap();
        assert!(cut_at(&first, "0.1.0", None).unwrap_err().to_string().contains("already"));
    }

    #[test]
    fn file_without_links_gets_no_link() {
        let text = "## [Unreleased]\n\n- A.\n";
        assert_eq!(
            cut_at(text, "0.1.0", None).unwrap(),
            "## [Unreleased]\n\n## [0.1.0] - 2030-01-02\n\n- A.\n"
        );
    }
}
