//! A Debian package: an `ar` archive of two tar archives, one says what it is, one holds it.

use semver::Version;

use super::archive::Files;
use crate::failure::{Failure, Result};

/// What is said of a package.
#[derive(Debug)]
pub(super) struct Control<'a> {
    pub(super) version: &'a Version,
    /// The target triple.
    pub(super) target: &'a str,
    pub(super) repository: &'a str,
}

impl Control<'_> {
    /// The package's file, or nothing where the target is no Linux that Debian knows. Its name has
    /// the processor alone, so one of a processor's targets makes it.
    pub(super) fn file_name(&self) -> Option<String> {
        Some(format!("gatepass_{}_{}.deb", self.version(), architecture(self.target)?))
    }

    /// The package of `files`, whose paths begin at the root. `seconds` is the time in it.
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

    /// The fields of Debian's policy, chapter 5.
    fn text(&self, files: &Files, binary: &[u8]) -> Result<String> {
        let architecture = architecture(self.target)
            .ok_or_else(|| Failure::failed(format!("Debian has no name for {}", self.target)))?;
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

    /// A pre-release sorts before its release by `~`.
    fn version(&self) -> String {
        self.version.to_string().replacen('-', "~", 1)
    }
}

/// What the loader looks for, as the packages that have it.
fn depends(binary: &[u8]) -> Result<Option<String>> {
    let has = |name: &str| binary.windows(name.len()).any(|window| window == name.as_bytes());
    if !has("libc.so.6") {
        return Ok(None);
    }
    let (major, minor) = glibc(binary)
        .ok_or_else(|| Failure::failed("the binary says no version of the glibc it needs"))?;
    let gcc = if has("libgcc_s.so.1") { ", libgcc-s1" } else { "" };
    Ok(Some(format!("libc6 (>= {major}.{minor}){gcc}")))
}

/// The newest version of glibc that a symbol was linked with: `GLIBC_2.34` stands in its names.
fn glibc(binary: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"\0GLIBC_";
    let number = |bytes: &[u8]| -> Option<(u32, u32)> {
        let text = bytes.split(|&byte| byte == 0).next()?;
        let (major, minor) = str::from_utf8(text).ok()?.split_once('.')?;
        // A third number is of no meaning to Debian: 2.2.5 is long past.
        Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
    };
    let ends = binary.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    ends.filter_map(|(at, _)| number(&binary[at + NAME.len()..])).max()
}

/// Debian's name for a target's processor.
fn architecture(target: &str) -> Option<&'static str> {
    let (processor, rest) = target.split_once('-')?;
    // Debian's C library is GNU's.
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

/// The archive of Unix, as `ar` of deb(5) wants it.
fn ar(members: &[(&str, &[u8])], seconds: u64) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        let size = bytes.len();
        let head = format!("{name:<16}{seconds:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 100_644);
        out.extend(head.bytes());
        out.extend(*bytes);
        // Every member begins at an even place.
        out.extend((size % 2 == 1).then_some(b'\n'));
    }
    out
}

/// A name without a mailbox: whoever has a question finds the repository by `Homepage`.
const MAINTAINER: &str = "gatepass's authors <gatepass@users.noreply.github.com>";

/// As Debian wants it: neither the package's name nor a sentence.
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
    fn a_binary_depends_on_the_newest_glibc_it_names() {
        let dynamic = b"\0libgcc_s.so.1\0libc.so.6\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0";
        assert_eq!(depends(dynamic).unwrap().unwrap(), "libc6 (>= 2.34), libgcc-s1");
        assert_eq!(depends(b"static").unwrap(), None);
        assert!(depends(b"\0libc.so.6\0").is_err());
    }

    #[test]
    fn what_is_said_of_it_is_what_debian_reads() {
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
    fn there_is_no_package_where_debian_is_not() {
        let version = Version::new(1, 0, 0);
        for target in ["x86_64-apple-darwin", "x86_64-unknown-linux-musl"] {
            assert_eq!(Control { target, ..control(&version) }.file_name(), None, "{target}");
        }
    }

    #[test]
    fn the_targets_of_one_release_make_packages_of_different_names() {
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
    fn a_member_of_odd_length_is_followed_by_a_filler() {
        let made = ar(&[("a", b"x"), ("b", b"yz")], 7);
        let head = |name, size| format!("{name:<16}7           0     0     100644  {size:<10}`\n");
        let wanted = format!("!<arch>\n{}x\n{}yz", head("a", 1), head("b", 2));
        assert_eq!(String::from_utf8(made).unwrap(), wanted);
    }
}
