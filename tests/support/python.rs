//! A Python interpreter with the client packages that the tests need, from PyPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::build::{target, workspace};

/// Returns the interpreter. The first run downloads the packages to `target/tests`; later runs reuse
/// them until `tests/python.txt` changes.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let wanted = workspace().join("tests/python.txt");
        let folder = target().join("tests/python");
        let (python, has) = (folder.join("bin/python"), folder.join("python.txt"));
        if fs::read(&has).ok() != Some(fs::read(&wanted).unwrap()) {
            // The distribution's interpreter, independent of PATH.
            run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&folder));
            // Wheels only, so that no build code runs.
            let options = ["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"];
            run(Command::new(&python).args(options).arg("-r").arg(&wanted));
            fs::copy(&wanted, &has).unwrap();
        }
        python
    })
}

fn run(command: &mut Command) {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let shown = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?} failed:\n{shown}");
}
