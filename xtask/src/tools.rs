//! The cargo tools that tasks need, each in one version: found, or installed below target/.

use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{say, workspace};

pub(crate) const DENY: Tool = Tool::new("cargo-deny", "0.20.2");
pub(crate) const FUZZ: Tool = Tool::new("cargo-fuzz", "0.13.2");
pub(crate) const HTTP_REGISTRY: Tool = Tool::new("cargo-http-registry", "0.1.8");
pub(crate) const SEMVER_CHECKS: Tool = Tool::new("cargo-semver-checks", "0.51.0");

/// A program of crates.io, named as its crate is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Tool {
    const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version }
    }

    /// The program with these arguments, installed before if need be.
    pub(crate) fn run(&self, args: &str) -> Result<Run> {
        Ok(Run::program(&self.path()?.to_string_lossy(), args))
    }

    /// Where the program is: in the `PATH` if its version is ours, else below target/, where it is
    /// put if need be.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        // Some tell it as an error.
        if let Ok((_, says)) = Run::program(self.name, "--version").said()
            && self.is_said_by(&says)
        {
            return Ok(self.name.into());
        }
        let installed = self.installed();
        if !installed.is_file() {
            self.install(&installed)?;
        }
        Ok(installed)
    }

    /// Does this answer to `--version` name the wanted version?
    fn is_said_by(&self, answer: &str) -> bool {
        answer.lines().next().is_some_and(|line| {
            line.split_whitespace()
                .any(|word| word.strip_prefix('v').unwrap_or(word) == self.version)
        })
    }

    /// Where it is put: a folder for each version, so that an old one is never taken for it.
    fn installed(&self) -> PathBuf {
        workspace::path(&self.root()).join("bin").join(format!(
            "{}{}",
            self.name,
            std::env::consts::EXE_SUFFIX
        ))
    }

    fn root(&self) -> String {
        format!("{FOLDER}/{}-{}", self.name, self.version)
    }

    fn install(&self, installed: &std::path::Path) -> Result<()> {
        let Self { name, version } = self;
        say::note(format_args!("{name} {version} is not here: it is built once, into {FOLDER}"));
        let mut run = Run::new(&format!(
            "cargo install --locked --root {} --target-dir {FOLDER}/build {name}@{version}",
            self.root()
        ));
        for (name, value) in QUICK {
            run = run.env(name, value);
        }
        run.run().map_err(|failure| {
            Failure::failed(format!(
                "{failure}\nwithout a network, install it where there is one, by \
                 `cargo install --locked {name}@{version}`, and put it into the PATH"
            ))
        })?;
        if installed.is_file() {
            return Ok(());
        }
        Err(Failure::failed(format!("{name} {version} has no program `{name}`")))
    }
}

/// Below the root; shared by all tools, so that what they have in common is built once.
const FOLDER: &str = "target/tools";

/// A tool runs for seconds: what counts is how soon it is built.
const QUICK: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_version_will_do() {
        assert!(DENY.is_said_by("cargo-deny 0.20.2\n"));
        assert!(DENY.is_said_by("0.20.2"));
        assert!(DENY.is_said_by("cargo-deny v0.20.2 (abc 2026-01-01)"));
        assert!(!DENY.is_said_by("cargo-deny 0.20.1"));
        assert!(!DENY.is_said_by("cargo-deny 0.20.21"));
        assert!(!DENY.is_said_by("usage\ncargo-deny 0.20.2"));
        assert!(!DENY.is_said_by(""));
    }

    #[test]
    fn another_version_lives_in_another_folder() {
        let newer = Tool::new("cargo-deny", "0.21.0");
        assert_ne!(newer.installed(), DENY.installed());
        assert!(DENY.installed().starts_with(workspace::path("target")));
    }

    #[test]
    fn a_tool_that_is_there_is_not_built_again() {
        let folder = workspace::path(FOLDER);
        let tool = Tool::new("gatepass-made-up-tool", "0.0.0");
        let program = tool.installed();
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, "").unwrap();
        let found = tool.path();
        std::fs::remove_dir_all(folder.join("gatepass-made-up-tool-0.0.0")).unwrap();
        assert_eq!(found.unwrap(), program);
    }
}
