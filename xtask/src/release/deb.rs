//! The Debian package: an `ar` archive of the control file and of the data, both as tar archives.
//!
//! cargo-deb would replace the control file and the `ar` format, about a hundred lines. It reads the
//! files from a list in the manifest, so a release would first have to write out the completions, man
//! pages and licences that it has collected for the archive, and repeat their paths in the manifest.

use semver::Version;

use super::archive::Files;
use crate::error::{Error, Result};

/// The fields of a package's control file that differ between builds.
#[derive(Debug)]
pub(super) struct Control<'a> {
    pub(super) version: &'a Version,
    /// The target triple.
    pub(super) target: &'a str,
    pub(super) repository: &'a str,
}

impl Control<'_> {
    /// Returns the file name of the package; `None` if the target is not one of Debian. The name has
    /// only the architecture, so one target for each architecture makes a package.
    pub(super) fn file_name(&self) -> Option<String> {
        Some(format!("gatepass_{}_{}.deb", self.version(), architecture(self.target)?))
    }

    /// Returns the package of `files`, whose paths start at the root. `seconds` is the time of all
    /// entries.
    pub(super) fn package(&self, files: &Files, binary: &[u8], seconds: u64) -> Result<Vec<u8>> {
        let mut control = Files::default();
        control.add("control", self.text(files, binary)?);
        Ok(ar(
            &[
                ("debian-binary", b"2.0\n"),
                ("control.tar.gz", &control.tar_gz(seconds)?),
                ("data.tar.gz", &files.tar_gz(seconds)?),
            ],
            seconds,
        ))
    }

    /// Returns the control file by chapter 5 of Debian's policy.
    fn text(&self, files: &Files, binary: &[u8]) -> Result<String> {
        let architecture = architecture(self.target)
            .ok_or_else(|| Error::failed(format!("Debian has no name for {}", self.target)))?;
        let version = self.version();
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut text = format!(
            "Package: gatepass\nVersion: {version}\nArchitecture: {architecture}\n\
             Section: utils\nPriority: optional\nInstalled-Size: {}\nHomepage: {}\n\
             Maintainer: {MAINTAINER}\n",
            bytes.div_ceil(1024),
            self.repository,
        );
        if let Some(depends) = depends(binary)? {
            text += &format!("Depends: {depends}\n");
        }
        text += &format!("Recommends: ca-certificates\nDescription: {SYNOPSIS}\n");
        for line in LONGER.lines() {
            text += &format!(" {}\n", if line.is_empty() { "." } else { line });
        }
        Ok(text)
    }

    /// Returns the version with `~`, by which Debian sorts a pre-release before its release.
    fn version(&self) -> String {
        self.version.to_string().replacen('-', "~", 1)
    }
}

/// Returns the packages with the shared libraries that the binary loads.
fn depends(binary: &[u8]) -> Result<Option<String>> {
    let has = |name: &str| binary.windows(name.len()).any(|window| window == name.as_bytes());
    if !has("libc.so.6") {
        return Ok(None);
    }
    let (major, minor) = glibc(binary)
        .ok_or_else(|| Error::failed("the binary has no version of the glibc that it needs"))?;
    let gcc = if has("libgcc_s.so.1") { ", libgcc-s1" } else { "" };
    Ok(Some(format!("libc6 (>= {major}.{minor}){gcc}")))
}

/// Returns the newest version of glibc among the binary's symbol versions, such as `GLIBC_2.34`.
fn glibc(binary: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"\0GLIBC_";
    let number = |bytes: &[u8]| -> Option<(u32, u32)> {
        let text = bytes.split(|&byte| byte == 0).next()?;
        let (major, minor) = str::from_utf8(text).ok()?.split_once('.')?;
        // Debian's versions have two numbers; symbols with three, such as 2.2.5, are old.
        Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
    };
    let ends = binary.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    ends.filter_map(|(at, _)| number(&binary[at + NAME.len()..])).max()
}

/// Returns Debian's name for a target's architecture.
fn architecture(target: &str) -> Option<&'static str> {
    let (processor, rest) = target.split_once('-')?;
    // Debian uses glibc.
    if !rest.contains("linux-gnu") {
        return None;
    }
    Some(match processor {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i686" => "i386",
        "armv7" => "armhf",
        "riscv64gc" => "riscv64",
        "powerpc64le" => "ppc64el",
        "s390x" => "s390x",
        _ => return None,
    })
}

/// Returns an `ar` archive in the format of deb(5).
fn ar(members: &[(&str, &[u8])], seconds: u64) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        let size = bytes.len();
        let head = format!("{name:<16}{seconds:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 100_644);
        out.extend(head.bytes());
        out.extend(*bytes);
        // Every member starts at an even offset.
        out.extend((size % 2 == 1).then_some(b'\n'));
    }
    out
}

/// An address without a mailbox; `Homepage` leads to the repository.
const MAINTAINER: &str = "gatepass's authors <gatepass@users.noreply.github.com>";

/// By Debian's policy, without the package's name and not a sentence.
const SYNOPSIS: &str = "access tokens of vendors' APIs at a shell";
const LONGER: &str = "\
Acquires, caches and refreshes the access tokens of vendors' APIs: Bright
Pattern's Configuration API, CelerData, Cisco, Cloudneeti and Huawei
OneAccess.

It prints a token for a script, sends a request with it, or runs a program
that finds it in its environment. A sandbox of all vendors is built in.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    fn control(version: &Version) -> Control<'_> {
        Control { version, target: "x86_64-unknown-linux-gnu", repository: "https://x.example" }
    }

    #[test]
    fn binary_depends_on_its_newest_glibc_symbol() {
        let dynamic = b"\0libgcc_s.so.1\0libc.so.6\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0";
        assert_eq!(depends(dynamic).unwrap().unwrap(), "libc6 (>= 2.34), libgcc-s1");
        assert_eq!(depends(b"static").unwrap(), None);
        assert!(depends(b"\0libc.so.6\0").is_err());
    }

    #[test]
    fn control_file_has_debians_fields() {
        let version = Version::parse("1.0.0-rc.1").unwrap();
        let mut files = Files::default();
        files.add("usr/share/doc/x", vec![0; 1025]);
        let text = control(&version).text(&files, b"static").unwrap();
        for line in ["Package: gatepass", "Version: 1.0.0~rc.1", "Architecture: amd64"] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(text.contains("Installed-Size: 2\n") && !text.contains("Depends"), "{text}");
        assert!(
            text.contains("\nDescription: access tokens of vendors' APIs at a shell\n Acquires")
                && text.ends_with(".\n")
        );
        assert!(text.contains("\n .\n") && !text.contains("\n\n"), "{text}");
        assert_eq!(control(&version).file_name().unwrap(), "gatepass_1.0.0~rc.1_amd64.deb");
    }

    #[test]
    fn other_targets_have_no_package() {
        let version = Version::new(1, 0, 0);
        for target in ["x86_64-apple-darwin", "x86_64-unknown-linux-musl"] {
            assert_eq!(Control { target, ..control(&version) }.file_name(), None, "{target}");
        }
    }

    #[test]
    fn targets_of_a_release_have_different_package_names() {
        let workflow = workspace::read(".github/workflows/release.yml").unwrap();
        let targets =
            workflow.split("{ target: ").skip(1).filter_map(|rest| rest.split(',').next());
        let version = Version::new(1, 0, 0);
        let names = targets.map(|target| Control { target, ..control(&version) }.file_name());
        let mut names: Vec<String> = names.flatten().collect();
        names.sort();
        assert_eq!(names, ["gatepass_1.0.0_amd64.deb", "gatepass_1.0.0_arm64.deb"]);
    }

    #[test]
    fn member_of_odd_length_is_padded() {
        let made = ar(&[("a", b"x"), ("b", b"yz")], 7);
        let head = |name, size| format!("{name:<16}7           0     0     100644  {size:<10}`\n");
        let wanted = format!("!<arch>\n{}x\n{}yz", head("a", 1), head("b", 2));
        assert_eq!(String::from_utf8(made).unwrap(), wanted);
    }
}
