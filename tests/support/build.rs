//! Builds the real command and other packages that a test needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the target folder of these tests: `target`, unless configured otherwise.
pub fn target() -> PathBuf {
    // target/<profile>/deps/<this test>
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

/// Returns the cargo that runs these tests, for another build into the same [`target`].
pub fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(command).env("CARGO_TARGET_DIR", target()).env("CARGO_TERM_COLOR", "never");
    // Cargo's variables about this package: build scripts that read them would run again each time.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Returns the `gatepass` command, built once for all tests in the profile of these tests.
pub fn gatepass_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = cargo("build");
        build.current_dir(workspace()).args(["--package", "gatepass-cli", "--bin", "gatepass"]);
        let built = executable(build.args(["--profile", &profile()]), "gatepass");
        // A separate name, because another build may replace the original while tests run.
        let (folder, id) = (target().join("tests"), std::process::id());
        let (linked, temporary) = (folder.join("gatepass"), folder.join(format!("gatepass.{id}")));
        fs::create_dir_all(&folder).unwrap();
        fs::hard_link(built, &temporary).unwrap();
        fs::rename(&temporary, &linked).unwrap();
        // If both names are links to the same file, rename keeps both.
        let _ = fs::remove_file(&temporary);
        linked
    })
}

/// Builds another package of this workspace and returns its only executable.
pub fn built(package: &str) -> PathBuf {
    executable(cargo("build").current_dir(workspace()).args(["--package", package]), package)
}

/// Runs `cargo build` and returns the path of the executable.
pub(crate) fn executable(build: &mut Command, name: &str) -> PathBuf {
    let built = build.args(["--message-format", "json-render-diagnostics"]).output().unwrap();
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{build:?} failed:\n{errors}");
    let messages = String::from_utf8(built.stdout).unwrap();
    let path = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_named = message.pointer("/target/name")?.as_str()? == name;
        message.get("executable")?.as_str().filter(|_| is_named).map(PathBuf::from)
    });
    path.unwrap_or_else(|| panic!("{build:?} made no executable {name}"))
}

/// Returns the cargo profile of these tests.
fn profile() -> String {
    let folder = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => String::from("dev"),
        other => other.to_owned(),
    }
}
