//! Cargo tools that tasks run, each in one version, found in the `PATH` or installed below target/.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::run::Run;
use crate::{output, workspace};

pub(crate) const DENY: Tool = Tool::new("cargo-deny", "0.20.2");
pub(crate) const FUZZ: Tool = Tool::new("cargo-fuzz", "0.13.2");
pub(crate) const HTTP_REGISTRY: Tool = Tool::new("cargo-http-registry", "0.1.8");
pub(crate) const SEMVER_CHECKS: Tool = Tool::new("cargo-semver-checks", "0.51.0");

/// A program of crates.io with the name of its crate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Tool {
    const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version }
    }

    /// Returns the program with these arguments, after installing it if needed.
    pub(crate) fn run(&self, args: &str) -> Result<Run> {
        Ok(Run::program(&self.path()?.to_string_lossy(), args))
    }

    /// Returns the program of the `PATH` if its version is the wanted one, otherwise the one below
    /// target/, after installing it if needed.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        // Some tools print their version to stderr and fail.
        if let Ok((_, message)) = Run::program(self.name, "--version").run_captured()
            && self.is_version_in(&message)
        {
            return Ok(self.name.into());
        }
        let installed = self.installed();
        if !installed.is_file() {
            self.install(&installed)?;
        }
        Ok(installed)
    }

    /// Returns whether the output of `--version` names the wanted version.
    fn is_version_in(&self, printed: &str) -> bool {
        printed.lines().next().is_some_and(|line| {
            line.split_whitespace()
                .any(|word| word.strip_prefix('v').unwrap_or(word) == self.version)
        })
    }

    /// Returns the path below target/, whose folder names the version.
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
        output::note(format_args!(
            "{name} {version} is not installed: building it once, into {FOLDER}"
        ));
        let mut run = Run::new(&format!(
            "cargo install --locked --root {} --target-dir {FOLDER}/build {name}@{version}",
            self.root()
        ));
        for (name, value) in QUICK {
            run = run.env(name, value);
        }
        run.run().map_err(|error| {
            Error::failed(format!(
                "{error}\nwithout a network, install it on a machine that has one, with \
                 `cargo install --locked {name}@{version}`, and copy it into the PATH"
            ))
        })?;
        if installed.is_file() {
            return Ok(());
        }
        Err(Error::failed(format!("{name} {version} has no program `{name}`")))
    }
}

/// Below the root; all tools share it, so that their common dependencies are built once.
const FOLDER: &str = "target/tools";

/// Settings for a short build, because a tool runs only for seconds.
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
    fn only_the_wanted_version_is_accepted() {
        assert!(DENY.is_version_in("cargo-deny 0.20.2\n"));
        assert!(DENY.is_version_in("0.20.2"));
        assert!(DENY.is_version_in("cargo-deny v0.20.2 (abc 2026-01-01)"));
        assert!(!DENY.is_version_in("cargo-deny 0.20.1"));
        assert!(!DENY.is_version_in("cargo-deny 0.20.21"));
        assert!(!DENY.is_version_in("usage\ncargo-deny 0.20.2"));
        assert!(!DENY.is_version_in(""));
    }

    #[test]
    fn each_version_has_its_own_folder() {
        let newer = Tool::new("cargo-deny", "0.21.0");
        assert_ne!(newer.installed(), DENY.installed());
        assert!(DENY.installed().starts_with(workspace::path("target")));
    }

    #[test]
    fn installed_tool_is_not_built_again() {
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
