//! Trace: what a command asks of the system, call by call, as strace sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls of a command and of all that it started, in a folder of their own.
#[derive(Debug)]
pub struct Trace {
    folder: PathBuf,
}

impl Trace {
    /// A trace to be written into this folder, which is made.
    pub fn at(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// The same command under strace, with these options of strace's.
    pub(crate) fn of(&self, command: &Command, options: &[&str]) -> Command {
        let mut traced = Command::new("strace");
        // A file for each process and thread, so that no call is told in two pieces; descriptors
        // with their paths; texts whole.
        traced.args(["-ff", "-y", "-qq", "-s", "1000000"]).args(options);
        traced.arg("-o").arg(self.folder.join("calls")).arg("--");
        traced.arg(command.get_program()).args(command.get_args()).env_clear();
        traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            traced.current_dir(folder);
        }
        traced
    }

    /// The calls, each process's and thread's in order.
    pub fn calls(&self) -> Vec<String> {
        let mut calls = Vec::new();
        for entry in fs::read_dir(&self.folder).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            calls.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        }
        assert!(!calls.is_empty(), "strace saw nothing: may it trace here?");
        calls
    }

    /// The calls of one kind.
    pub fn calls_of(&self, name: &str) -> Vec<String> {
        let begins = format!("{name}(");
        self.calls().into_iter().filter(|call| call.starts_with(&begins)).collect()
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
