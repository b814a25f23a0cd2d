//! Tests of the units for systemd: their syntax, their restrictions and their command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatepass_tests::{Home, gatepass_binary, workspace};

const MANAGERS: [&str; 2] = ["system", "user"];

fn unit(manager: &str) -> String {
    let folder = workspace().join("crates/gatepass-cli/systemd").join(manager);
    fs::read_to_string(folder.join("gatepass-keep@.service")).unwrap()
}

/// Returns the values of a key, in their order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

/// Writes an instance of a unit with the tested command, and returns its path.
fn instance(home: &Home, manager: &str) -> PathBuf {
    let text = unit(manager).replace("/usr/bin/gatepass", gatepass_binary().to_str().unwrap());
    home.write(&format!("{manager}/gatepass-keep@.service"), &text);
    home.write(&format!("{manager}/gatepass-keep@iam-test.service"), &text)
}

/// Runs systemd's checker. `None` if this machine has none.
fn analyze(args: &[&str], unit: &Path) -> Option<(bool, String)> {
    let mut command = Command::new("systemd-analyze");
    // A user's manager has a runtime folder.
    command.args(args).arg(unit).env("XDG_RUNTIME_DIR", unit.parent().unwrap());
    let output = command.output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn units_are_valid() {
    let home = Home::new();
    for manager in MANAGERS {
        let unit = instance(&home, manager);
        let option = format!("--{manager}");
        if let Some((is_ok, text)) = analyze(&["verify", "--man=no", &option], &unit) {
            assert!(is_ok && text.is_empty(), "{manager}: {text}");
        }
    }
}

#[test]
fn system_unit_is_restricted() {
    let home = Home::new();
    let unit = instance(&home, "system");
    // Tenths of a point; a unit without restrictions has 96.
    let args = ["security", "--offline=true", "--threshold=20"];
    if let Some((is_ok, text)) = analyze(&args, &unit) {
        assert!(is_ok, "{text}");
    }
}

#[test]
fn units_retry_no_error_that_lasts() {
    for manager in MANAGERS {
        let unit = unit(manager);
        assert_eq!(values(&unit, "RestartPreventExitStatus"), ["2 3 4"]);
        assert_eq!(
            (values(&unit, "Type"), values(&unit, "Restart")),
            (vec!["notify"], vec!["on-failure"])
        );
    }
}
