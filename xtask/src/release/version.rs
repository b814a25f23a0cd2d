//! Which version is asked for, and which one follows another.

use std::fmt;

use semver::Version;

use crate::failure::{Failure, Result};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// The version that follows the last one.
    Level(Level),
    /// This version.
    Version(Version),
}

/// Which number of a version is raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Level {
    Patch,
    Minor,
    Major,
}

impl Ask {
    /// Reads `patch`, `minor`, `major`, or a version.
    pub(super) fn read(word: &str) -> Result<Self> {
        Ok(match word {
            "patch" => Self::Level(Level::Patch),
            "minor" => Self::Level(Level::Minor),
            "major" => Self::Level(Level::Major),
            _ => Self::Version(read(word).map_err(|_| {
                Failure::usage(format!(
                    "`{word}` is none of patch, minor and major, and no version such as 1.2.3"
                ))
            })?),
        })
    }
}

impl Level {
    /// The version that follows `version`; a pre-release is followed by what it announces.
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

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => level.fmt(f),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// A version as Cargo.toml and a tag have it.
pub(super) fn read(text: &str) -> Result<Version> {
    Version::parse(text).map_err(|_| Failure::failed(format!("`{text}` is no version")))
}

/// The tag of a version.
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
    fn a_level_raises_its_number_and_clears_those_behind_it() {
        assert_eq!(after(Level::Patch, "0.1.9"), "0.1.10");
        assert_eq!(after(Level::Minor, "0.1.9"), "0.2.0");
        assert_eq!(after(Level::Major, "0.1.9"), "1.0.0");
    }

    #[test]
    fn a_pre_release_is_followed_by_what_it_announces() {
        assert_eq!(after(Level::Patch, "1.2.3-rc.1"), "1.2.3");
        assert_eq!(after(Level::Minor, "1.2.0-rc.1"), "1.2.0");
        assert_eq!(after(Level::Minor, "1.2.3-rc.1"), "1.3.0");
        assert_eq!(after(Level::Major, "2.0.0-rc.1"), "2.0.0");
        assert_eq!(after(Level::Major, "2.1.0-rc.1"), "3.0.0");
    }

    #[test]
    fn a_word_that_is_neither_level_nor_version_is_wrong_usage() {
        assert_eq!(Ask::read("minor").unwrap(), Ask::Level(Level::Minor));
        assert_eq!(Ask::read("1.2.3-rc.1").unwrap().to_string(), "1.2.3-rc.1");
        for word in ["v1.2.3", "1.2", "mayor", ""] {
            assert!(matches!(Ask::read(word), Err(Failure::Usage(_))), "{word}");
        }
    }
}
