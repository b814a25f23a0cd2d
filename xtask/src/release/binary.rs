//! The reproducible build of the command: two builds in different folders must be identical.

use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;

use super::sums::sha256;
use super::version::tag;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{output, workspace};

/// The parameters of a build.
#[derive(Debug)]
pub(super) struct Recipe {
    /// The target triple.
    pub(super) target: String,
    /// The time of the commit, in seconds since 1970.
    seconds: u64,
    /// Uses the dev profile and builds the dependencies once, for a rehearsal.
    quick: bool,
    /// The two folders with the source.
    sources: [PathBuf; 2],
    /// The toolchain, whose paths the binary must not contain.
    toolchain: Toolchain,
}

/// Facts about rustc.
#[derive(Debug, PartialEq)]
struct Toolchain {
    release: String,
    host: String,
    commit: String,
    sysroot: String,
    cargo_home: String,
}

impl Recipe {
    /// Returns the recipe for `target`, by default this machine.
    pub(super) fn new(
        target: Option<&str>,
        seconds: u64,
        quick: bool,
        sources: [PathBuf; 2],
    ) -> Result<Self> {
        let toolchain = Toolchain::find()?;
        let target = target.unwrap_or(&toolchain.host).to_owned();
        Ok(Self { target, seconds, quick, sources, toolchain })
    }

    /// Builds one of the sources with `folder` as its target folder.
    fn build(&self, source: usize, folder: &Path) -> Result<Vec<u8>> {
        Run::new("cargo build --locked --quiet --package gatepass-cli --bin gatepass")
            .arg("--profile")
            .arg(if self.quick { "dev" } else { "release" })
            // Always with a target, so that the flags do not apply to build scripts.
            .arg("--target")
            .arg(&self.target)
            .arg("--target-dir")
            .arg(folder.to_string_lossy())
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(source).join("\u{1f}"))
            .env("SOURCE_DATE_EPOCH", self.seconds.to_string())
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_PROFILE_DEV_STRIP", "symbols")
            .in_folder(&self.sources[source])
            .run()?;
        let path = self.program(folder);
        fs::read(&path)
            .map_err(|error| Error::failed(format!("{} cannot be read: {error}", path.display())))
    }

    /// Returns the path of the built command.
    pub(super) fn program(&self, folder: &Path) -> PathBuf {
        let profile = if self.quick { "debug" } else { "release" };
        folder.join(&self.target).join(profile).join(self.name())
    }

    /// Returns the file name of the command.
    pub(super) fn name(&self) -> &'static str {
        if self.target.contains("windows") { "gatepass.exe" } else { "gatepass" }
    }

    /// Returns the shell commands that reproduce the binary, whose checksum is `sum`.
    pub(super) fn script(&self, version: &Version, sum: &str) -> String {
        format!(
            "git checkout {tag}\n\
             export SOURCE_DATE_EPOCH={seconds}\n\
             export RUSTFLAGS=\"--remap-path-prefix=$PWD=/gatepass \\\n  \
             --remap-path-prefix=${{CARGO_HOME:-$HOME/.cargo}}=/cargo \\\n  \
             --remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/{commit}\"\n\
             cargo +{release} build --locked --release --package gatepass-cli --target {target}\n\
             sha256sum target/{target}/release/{name} # {sum}\n",
            tag = tag(version),
            seconds = self.seconds,
            commit = self.toolchain.commit,
            release = self.toolchain.release,
            target = self.target,
            name = self.name(),
        )
    }

    /// Returns the flags that replace this machine's paths.
    fn flags(&self, source: usize) -> Vec<String> {
        let Toolchain { commit, sysroot, cargo_home, .. } = &self.toolchain;
        // Other flags would build the dependencies again, so a rehearsal uses the same flags twice.
        let sources = if self.quick { &self.sources[..] } else { &self.sources[source..=source] };
        let sources = sources.iter().map(|source| (source.to_string_lossy(), "/gatepass"));
        let library = (format!("{sysroot}/lib/rustlib/src/rust"), format!("/rustc/{commit}"));
        sources
            .chain([(cargo_home.into(), "/cargo"), (library.0.into(), &library.1)])
            .map(|(from, to)| format!("--remap-path-prefix={from}={to}"))
            .collect()
    }
}

impl Toolchain {
    fn find() -> Result<Self> {
        let sysroot = Run::new("rustc --print sysroot").output()?.trim().to_owned();
        // `cargo metadata` also has the folder of the sources, but resolves all dependencies for it.
        let home =
            cargo_home().ok_or_else(|| Error::failed("neither CARGO_HOME nor HOME is set"))?;
        Self::read(&Run::new("rustc -vV").output()?, sysroot, home)
    }

    fn read(printed: &str, sysroot: String, cargo_home: String) -> Result<Self> {
        let field = |name: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(str::to_owned)
                .ok_or_else(|| Error::failed(format!("`rustc -vV` has no {name}")))
        };
        Ok(Self {
            release: field("release")?,
            host: field("host")?,
            commit: field("commit-hash")?,
            sysroot,
            cargo_home,
        })
    }
}

/// Builds the command twice, in folders with different paths, and returns it if both are identical.
/// `again` makes the second copy of the source after the first build, because cargo builds
/// every file again that is newer than its last build.
pub(super) fn reproducible(
    recipe: &Recipe,
    folders: [&Path; 2],
    again: impl FnOnce() -> Result<()>,
) -> Result<Vec<u8>> {
    let binary = recipe.build(0, folders[0])?;
    let sum = sha256(&binary);
    output::note(format_args!("   built once:  {sum}"));
    again()?;
    let twin = recipe.build(1, folders[1])?;
    if twin != binary {
        let (left, right) =
            (workspace::path("target/differs-1"), workspace::path("target/differs-2"));
        fs::write(&left, &binary).and_then(|()| fs::write(&right, &twin)).map_err(|error| {
            Error::failed(format!("{} cannot be written: {error}", left.display()))
        })?;
        return Err(Error::failed(format!(
            "two builds of one commit differ ({sum} and {}); look for a path or a time in\n  \
             diff <(strings {}) <(strings {})",
            sha256(&twin),
            left.display(),
            right.display(),
        )));
    }
    output::note(format_args!("   built again: {sum}"));
    if is_unstripped(&binary) {
        return Err(Error::failed("the binary has symbols: the profile has to strip them"));
    }
    Ok(binary)
}

/// Returns whether the binary has the symbol table that `strip` removes.
fn is_unstripped(binary: &[u8]) -> bool {
    let name = b"\0.symtab\0";
    binary.windows(name.len()).any(|window| window == name)
}

#[expect(clippy::disallowed_methods, reason = "cargo passes its home in this variable")]
fn cargo_home() -> Option<String> {
    let home = std::env::var("CARGO_HOME").ok();
    home.or_else(|| Some(format!("{}/.cargo", std::env::home_dir()?.to_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_machine_are_replaced() {
        let message =
            "rustc 1.95.0\nrelease: 1.95.0\nhost: x86_64-unknown-linux-gnu\ncommit-hash: abc\n";
        let toolchain = Toolchain::read(message, "/r".to_owned(), "/c".to_owned());
        let toolchain = toolchain.unwrap();
        let target = toolchain.host.clone();
        let sources = ["/here", "/there"].map(PathBuf::from);
        let mut recipe = Recipe { target, seconds: 0, quick: false, sources, toolchain };
        let wanted = ["/there=/gatepass", "/c=/cargo", "/r/lib/rustlib/src/rust=/rustc/abc"];
        assert_eq!(recipe.flags(1), wanted.map(|map| format!("--remap-path-prefix={map}")));
        recipe.quick = true;
        assert_eq!(recipe.flags(0), recipe.flags(1));
        assert!(Toolchain::read("host: x", String::new(), String::new()).is_err());
    }

    #[test]
    fn symbol_table_is_detected() {
        assert!(is_unstripped(b"\x7fELF\0.text\0.symtab\0.strtab\0"));
        assert!(!is_unstripped(b"\x7fELF\0.text\0.dynsym\0"));
    }
}
