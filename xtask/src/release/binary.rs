//! The command, built so that anybody who builds it again gets the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;

use super::sums::sha256;
use super::version::tag;
use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{say, workspace};

/// How a binary is built.
#[derive(Debug)]
pub(super) struct Recipe {
    /// The target triple.
    pub(super) target: String,
    /// When its source was committed, in seconds since 1970.
    seconds: u64,
    /// In the profile of tests, and with nothing of others built twice?
    quick: bool,
    /// The two folders that the source is built in.
    sources: [PathBuf; 2],
    /// Where rustc comes from, for paths that it writes down.
    toolchain: Toolchain,
}

/// What rustc says of itself.
#[derive(Debug, PartialEq)]
struct Toolchain {
    release: String,
    host: String,
    commit: String,
    sysroot: String,
    cargo_home: String,
}

impl Recipe {
    /// For `target`, or for this machine.
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

    /// Builds one of the sources, with what it is built of in `folder`.
    fn build(&self, source: usize, folder: &Path) -> Result<Vec<u8>> {
        Run::new("cargo build --locked --quiet --package gatepass-cli --bin gatepass")
            .arg("--profile")
            .arg(if self.quick { "dev" } else { "release" })
            // Also for this machine, or the flags would be those of build scripts too.
            .arg("--target")
            .arg(&self.target)
            .arg("--target-dir")
            .arg(folder.to_string_lossy())
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(source).join("\u{1f}"))
            .env("SOURCE_DATE_EPOCH", self.seconds.to_string())
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_PROFILE_DEV_STRIP", "symbols")
            .inside(&self.sources[source])
            .run()?;
        let path = self.program(folder);
        fs::read(&path)
            .map_err(|error| Failure::failed(format!("{} cannot be read: {error}", path.display())))
    }

    /// Where a build puts the command.
    pub(super) fn program(&self, folder: &Path) -> PathBuf {
        let profile = if self.quick { "debug" } else { "release" };
        folder.join(&self.target).join(profile).join(self.name())
    }

    /// What the command's file is called.
    pub(super) fn name(&self) -> &'static str {
        if self.target.contains("windows") { "gatepass.exe" } else { "gatepass" }
    }

    /// How anybody makes the same bytes again, at a shell; `sum` is theirs.
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

    /// What makes the paths of this machine those of nobody.
    fn flags(&self, source: usize) -> Vec<String> {
        let Toolchain { commit, sysroot, cargo_home, .. } = &self.toolchain;
        // What is built with other flags is built anew: to be quick, they are those of both.
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
        // The folder of `cargo metadata`'s sources would do too, but takes a whole resolution.
        let home = cargo_home()
            .ok_or_else(|| Failure::failed("neither CARGO_HOME nor HOME says where cargo is"))?;
        Self::read(&Run::new("rustc -vV").output()?, sysroot, home)
    }

    fn read(says: &str, sysroot: String, cargo_home: String) -> Result<Self> {
        let field = |name: &str| {
            let line = says.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(str::to_owned)
                .ok_or_else(|| Failure::failed(format!("`rustc -vV` tells no {name}")))
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

/// Builds the command twice, in folders whose paths have little in common, and gives it if both are
/// the same. The second copy of the source is made by `again`, when the first is built: what is
/// newer than a build is built anew.
pub(super) fn reproducible(
    recipe: &Recipe,
    folders: [&Path; 2],
    again: impl FnOnce() -> Result<()>,
) -> Result<Vec<u8>> {
    let binary = recipe.build(0, folders[0])?;
    let sum = sha256(&binary);
    say::note(format_args!("   built once:  {sum}"));
    again()?;
    let twin = recipe.build(1, folders[1])?;
    if twin != binary {
        let (left, right) =
            (workspace::path("target/differs-1"), workspace::path("target/differs-2"));
        fs::write(&left, &binary).and_then(|()| fs::write(&right, &twin)).map_err(|error| {
            Failure::failed(format!("{} cannot be written: {error}", left.display()))
        })?;
        return Err(Failure::failed(format!(
            "two builds of one commit differ ({sum} and {}); look for a path or a time in\n  \
             diff <(strings {}) <(strings {})",
            sha256(&twin),
            left.display(),
            right.display(),
        )));
    }
    say::note(format_args!("   built again: {sum}"));
    if is_unstripped(&binary) {
        return Err(Failure::failed("the binary has its symbols; the profile has to strip them"));
    }
    Ok(binary)
}

/// The symbol table that `strip` takes away has this name; the one that linking needs has not.
fn is_unstripped(binary: &[u8]) -> bool {
    let name = b"\0.symtab\0";
    binary.windows(name.len()).any(|window| window == name)
}

#[expect(clippy::disallowed_methods, reason = "cargo tells it in no other way")]
fn cargo_home() -> Option<String> {
    let home = std::env::var("CARGO_HOME").ok();
    home.or_else(|| Some(format!("{}/.cargo", std::env::home_dir()?.to_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_machine_becomes_nobodys() {
        let says =
            "rustc 1.95.0\nrelease: 1.95.0\nhost: x86_64-unknown-linux-gnu\ncommit-hash: abc\n";
        let toolchain = Toolchain::read(says, "/r".to_owned(), "/c".to_owned());
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
    fn a_symbol_table_is_seen() {
        assert!(is_unstripped(b"\x7fELF\0.text\0.symtab\0.strtab\0"));
        assert!(!is_unstripped(b"\x7fELF\0.text\0.dynsym\0"));
    }
}
