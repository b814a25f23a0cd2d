//! Runs the targets of `fuzz/` on this toolchain with earlier findings and recorded responses.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a failed assumption fails the test, and the targets are a library's elsewhere"
)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use targets::TARGETS;

/// Runs a target and names the input that makes it fail.
fn survives(name: &str, run: fn(&[u8]), input: &[u8], from: &str) {
    let ran = catch_unwind(AssertUnwindSafe(|| run(input)));
    assert!(ran.is_ok(), "the target `{name}` fails for {from}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn fixtures() -> Vec<PathBuf> {
    let crates = files(&gatepass_tests::workspace().join("crates"));
    let fixtures: Vec<PathBuf> =
        crates.iter().flat_map(|folder| files(&folder.join("fixtures"))).collect();
    assert!(fixtures.len() >= 5 * 4, "{} fixtures", fixtures.len());
    fixtures
}

#[test]
fn fixed_fuzz_findings_stay_fixed() {
    let folder = gatepass_tests::workspace().join("fuzz/regressions");
    let mut known = BTreeSet::new();
    for (name, run) in TARGETS {
        known.insert(folder.join(name));
        for file in files(&folder.join(name)) {
            survives(name, *run, &fs::read(&file).unwrap(), &file.display().to_string());
        }
    }
    let unknown: Vec<PathBuf> =
        files(&folder).into_iter().filter(|file| !known.contains(file)).collect();
    assert!(unknown.is_empty(), "no target has these names: {unknown:?}");
}

#[test]
fn readers_survive_damaged_recorded_responses() {
    for file in fixtures() {
        let whole = fs::read(&file).unwrap();
        let from = file.display().to_string();
        for (name, run) in TARGETS {
            survives(name, *run, &whole, &from);
            let cut = whole.get(..whole.len() / 2).unwrap();
            survives(name, *run, cut, &format!("the half of {from}"));
        }
        let responses =
            TARGETS.iter().filter(|(name, _)| ["token_response", "token_verdict"].contains(name));
        for (name, run) in responses {
            for at in (0..whole.len()).step_by(7) {
                let mut flipped = whole.clone();
                if let Some(byte) = flipped.get_mut(at) {
                    *byte ^= 1 << (at % 8);
                }
                survives(name, *run, &flipped, &format!("{from} with another byte {at}"));
            }
        }
    }
}

#[test]
fn each_target_has_a_fuzz_entry() {
    let manifest = fs::read_to_string(gatepass_tests::workspace().join("fuzz/Cargo.toml")).unwrap();
    let entries: BTreeSet<&str> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|bin| bin.split("name = \"").nth(1)?.split('"').next())
        .collect();
    let targets: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(entries, targets);
    for name in targets {
        let entry = gatepass_tests::workspace().join(format!("fuzz/targets/{name}.rs"));
        let text = fs::read_to_string(entry).unwrap();
        assert!(text.contains(&format!("gatepass_fuzz::{name}::run(bytes)")), "{name}");
    }
}
