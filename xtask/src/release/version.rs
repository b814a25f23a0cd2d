//! The requested version: stated, or the next patch, minor or major version.
//!
//! The crate `semver` reads and orders versions. It does not have the next one, and cargo-release does
//! not start from an interrupted release.

use std::fmt;

use semver::Version;

use crate::error::{Error, Result};

/// The version in the arguments of the command line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum VersionRequest {
    /// The next version after the last one.
    Level(Level),
    /// This version.
    Version(Version),
}

/// The number of a version that is raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Level {
    Patch,
    Minor,
    Major,
}

impl VersionRequest {
    /// Reads `patch`, `minor`, `major`, or a version.
    pub(super) fn read(word: &str) -> Result<Self> {
        Ok(match word {
            "patch" => Self::Level(Level::Patch),
            "minor" => Self::Level(Level::Minor),
            "major" => Self::Level(Level::Major),
            _ => Self::Version(read(word).map_err(|_| {
                Error::usage(format!(
                    "`{word}` is neither patch, minor or major nor a version such as 1.2.3"
                ))
            })?),
        })
    }
}

impl Level {
    /// Returns the version after `version`; the one after a pre-release is its release.
    pub(super) fn after(self, version: &Version) -> Version {
        let Version { major, minor, patch, .. } = *version;
        let announced = !version.pre.is_empty();
        match self {
            Self::Patch if announced => Version::new(major, minor, patch),
            Self::Patch => Version::new(major, minor, patch + 1),
            Self::Minor if announced && patch == 0 => Version::new(major, minor, 0),
            Self::Minor => Version::new(major, minor + 1, 0),
            Self::Major if announced && minor == 0 && patch == 0 => Version::new(major, 0, 0),
            Self::Major => Version::new(major + 1, 0, 0),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

impl fmt::Display for VersionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => level.fmt(f),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// Reads a version in the form of Cargo.toml and tags.
pub(super) fn read(text: &str) -> Result<Version> {
    Version::parse(text).map_err(|_| Error::failed(format!("`{text}` is not a version")))
}

/// Returns the tag of a version.
pub(super) fn tag(version: &Version) -> String {
    format!("v{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(level: Level, version: &str) -> String {
        level.after(&read(version).unwrap()).to_string()
    }

    #[test]
    fn level_raises_its_number_and_clears_the_lower_ones() {
        assert_eq!(after(Level::Patch, "0.1.9"), "0.1.10");
        assert_eq!(after(Level::Minor, "0.1.9"), "0.2.0");
        assert_eq!(after(Level::Major, "0.1.9"), "1.0.0");
    }

    #[test]
    fn release_comes_after_its_pre_release() {
        assert_eq!(after(Level::Patch, "1.2.3-rc.1"), "1.2.3");
        assert_eq!(after(Level::Minor, "1.2.0-rc.1"), "1.2.0");
        assert_eq!(after(Level::Minor, "1.2.3-rc.1"), "1.3.0");
        assert_eq!(after(Level::Major, "2.0.0-rc.1"), "2.0.0");
        assert_eq!(after(Level::Major, "2.1.0-rc.1"), "3.0.0");
    }

    #[test]
    fn other_words_are_wrong_usage() {
        assert_eq!(VersionRequest::read("minor").unwrap(), VersionRequest::Level(Level::Minor));
        assert_eq!(VersionRequest::read("1.2.3-rc.1").unwrap().to_string(), "1.2.3-rc.1");
        for word in ["v1.2.3", "1.2", "mayor", ""] {
            assert!(matches!(VersionRequest::read(word), Err(Error::Usage(_))), "{word}");
        }
    }
}
