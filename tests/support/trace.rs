//! System call traces of a command, recorded by strace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The system calls of a command and its children.
#[derive(Debug)]
pub struct Trace {
    folder: PathBuf,
}

impl Trace {
    /// Creates a trace in this folder, which is created.
    pub fn in_folder(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// Returns the same command under strace with these options.
    pub(crate) fn wrap(&self, command: &Command, options: &[&str]) -> Command {
        let mut traced = Command::new("strace");
        // One file per process and thread, so that no call is split; descriptors with paths; complete
        // strings.
        traced.args(["-ff", "-y", "-qq", "-s", "1000000"]).args(options);
        traced.arg("-o").arg(self.folder.join("calls")).arg("--");
        traced.arg(command.get_program()).args(command.get_args()).env_clear();
        traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            traced.current_dir(folder);
        }
        traced
    }

    /// Returns the calls, in order per process and thread.
    pub fn calls(&self) -> Vec<String> {
        let mut calls = Vec::new();
        for entry in fs::read_dir(&self.folder).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            calls.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        }
        assert!(!calls.is_empty(), "strace recorded no calls: is tracing permitted here?");
        calls
    }

    /// Returns the calls with this name.
    pub fn calls_of(&self, name: &str) -> Vec<String> {
        let begins = format!("{name}(");
        self.calls().into_iter().filter(|call| call.starts_with(&begins)).collect()
    }

    /// Returns the trace's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
