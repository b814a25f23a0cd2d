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
        let required = workspace().join("tests/python.txt");
        let folder = target().join("tests/python");
        let (python, installed) = (folder.join("bin/python"), folder.join("python.txt"));
        if fs::read(&installed).ok() != Some(fs::read(&required).unwrap()) {
            // The distribution's interpreter, independent of PATH.
            run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&folder));
            // Wheels only, so that no build code runs.
            let options = ["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"];
            run(Command::new(&python).args(options).arg("-r").arg(&required));
            fs::copy(&required, &installed).unwrap();
        }
        python
    })
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{errors}");
}
