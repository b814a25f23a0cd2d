//! Tests of the downloads: checksums, the archive, the Debian package and the bill of materials.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatepass_tests::{Home, workspace};
use serde_json::Value;

use crate::story::Story;

pub(crate) fn check_checksums(story: &Story) {
    let folder = story.files();
    output_of(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&folder));
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let note = fs::read_to_string(folder.join("RELEASE-NOTE.md")).unwrap();
    assert!(note.contains(&sums) && note.contains("- A change to be released."), "{note}");
    let unsummed: Vec<String> = story.repository.released();
    let unsummed: Vec<&String> =
        unsummed.iter().filter(|name| !sums.contains(&format!("  {name}\n"))).collect();
    assert_eq!(unsummed, ["RELEASE-NOTE.md", "SHA256SUMS"]);

    let bill = fs::read(folder.join(format!("{}.cdx.json", name(story)))).unwrap();
    let bill: Value = serde_json::from_slice(&bill).unwrap();
    assert_eq!(bill["metadata"]["component"]["version"], story.version.as_str());
}

pub(crate) fn check_archive(story: &Story) {
    let root = unpacked(story, "archive");
    for file in [
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "THIRD-PARTY.txt",
        "completions/_gatepass",
        "completions/_gatepass.ps1",
        "completions/gatepass.bash",
        "completions/gatepass.elv",
        "completions/gatepass.fish",
        "man/man1/gatepass-token.1",
        "man/man1/gatepass.1",
    ] {
        assert!(fs::metadata(root.join(file)).unwrap().len() > 100, "{file}");
    }
    assert_runs(&root.join("gatepass"), &story.version);
    let licenses = fs::read_to_string(root.join("THIRD-PARTY.txt")).unwrap();
    assert!(licenses.contains("\nserde_json 1.") && licenses.contains(&story.target), "{licenses}");
    let page = fs::read_to_string(root.join("man/man1/gatepass.1")).unwrap();
    assert!(page.contains(&format!("gatepass {}", story.version)), "{page}");
    let bash = format!(
        "source {}; complete -p gatepass",
        root.join("completions/gatepass.bash").display()
    );
    assert!(
        output_of(Command::new("bash").args(["--norc", "-c", &bash])).contains("-F _clap_complete")
    );
}

pub(crate) fn check_debian_package(story: &Story) {
    let package = package(story);
    let field =
        |name: &str| output_of(Command::new("dpkg-deb").arg("--field").arg(&package).arg(name));
    assert_eq!(field("Package"), "gatepass\n");
    assert_eq!(field("Version"), format!("{}\n", story.version));
    assert_eq!(field("Architecture"), output_of(Command::new("dpkg").arg("--print-architecture")));
    assert!(field("Depends").starts_with("libc6 (>= 2."), "{}", field("Depends"));
    let contents = output_of(Command::new("dpkg-deb").arg("--contents").arg(&package));
    assert!(contents.lines().all(|line| line.contains(" root/root ")), "{contents}");

    // Into a separate root, with the package database of this machine.
    let root = story.folder("debian");
    let database = root.join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(database.join(folder)).unwrap();
    }
    fs::copy("/var/lib/dpkg/status", database.join("status")).unwrap();
    let dpkg = || {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("--force-not-root").arg("--root").arg(&root);
        dpkg.arg("--log").arg(root.join("log"));
        dpkg
    };
    output_of(dpkg().arg("--install").arg(&package));
    assert_runs(&root.join("usr/bin/gatepass"), &story.version);
    let exists = |path: &str| root.join(path).is_file();
    let files = [
        "usr/lib/systemd/system/gatepass-keep@.service",
        "usr/lib/systemd/user/gatepass-keep@.service",
        "usr/share/bash-completion/completions/gatepass",
        "usr/share/doc/gatepass/THIRD-PARTY.txt",
        "usr/share/doc/gatepass/changelog.gz",
        "usr/share/doc/gatepass/copyright",
        "usr/share/fish/vendor_completions.d/gatepass.fish",
        "usr/share/gatepass/config.schema.json",
        "usr/share/man/man1/gatepass-token.1.gz",
        "usr/share/zsh/vendor-completions/_gatepass",
    ];
    assert_eq!(files.into_iter().filter(|path| !exists(path)).count(), 0, "{contents}");
    output_of(dpkg().args(["--verify", "gatepass"]));
    output_of(dpkg().args(["--remove", "gatepass"]));
    assert!(!exists("usr/bin/gatepass") && !files.into_iter().any(exists));
}

pub(crate) fn check_no_build_paths(story: &Story) {
    let home = std::env::home_dir().unwrap();
    let folders =
        [workspace(), &story.repository.folder, &home.join(".cargo"), &home.join(".rustup")];
    let root = unpacked(story, "paths");
    let bill = story.files().join(format!("{}.cdx.json", name(story)));
    let note = story.files().join("RELEASE-NOTE.md");
    for file in [root.join("gatepass"), root.join("THIRD-PARTY.txt"), bill, note] {
        let bytes = fs::read(&file).unwrap();
        for folder in folders {
            let name = folder.to_str().unwrap().as_bytes();
            let position = bytes.windows(name.len()).position(|window| window == name);
            assert!(position.is_none(), "{folder:?} at {position:?} of {}", file.display());
        }
    }
    // Recorded paths are not those of a user.
    let binary = fs::read(root.join("gatepass")).unwrap();
    assert!(binary.windows(16).any(|window| window == b"/cargo/registry/"));
}

/// Extracts the archive to a folder with this name and returns its only folder.
fn unpacked(story: &Story, into: &str) -> PathBuf {
    let folder = story.folder(into);
    let archive = story.files().join(format!("{}.tar.gz", name(story)));
    output_of(Command::new("tar").arg("--extract").arg("--file").arg(archive).current_dir(&folder));
    folder.join(name(story))
}

fn package(story: &Story) -> PathBuf {
    let names = story.repository.released();
    let name = names.iter().find(|name| name.ends_with(".deb")).unwrap();
    story.files().join(name)
}

fn name(story: &Story) -> String {
    format!("gatepass-{}-{}", story.version, story.target)
}

#[track_caller]
fn assert_runs(program: &Path, version: &str) {
    let home = Home::new();
    let run = home.program(program, ["--version"]).run();
    assert_eq!(run.stdout, format!("gatepass {version}\n"), "{run:#?}");
    assert!(home.program(program, ["demo"]).run().stdout.contains("huawei"));
}

/// Returns the output of a successful program.
#[track_caller]
fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
