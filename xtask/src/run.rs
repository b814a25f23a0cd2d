//! Runs other programs at the root of the workspace.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};
use crate::{say, workspace};

/// A program to run: its words, and what it finds in its environment besides.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    words: Vec<String>,
    env: Vec<(&'static str, Cow<'static, str>)>,
}

impl Run {
    /// A command line whose words hold no blanks.
    pub(crate) fn new(line: &str) -> Self {
        Self { words: line.split_whitespace().map(str::to_owned).collect(), env: Vec::new() }
    }

    /// A program whose path may hold blanks, and arguments that hold none.
    pub(crate) fn program(program: &str, args: &str) -> Self {
        let words = std::iter::once(program).chain(args.split_whitespace());
        Self { words: words.map(str::to_owned).collect(), env: Vec::new() }
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Runs it on this terminal and asks that it succeeds.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.command().status().map_err(|error| self.not_started(&error))?;
        if status.success() { Ok(()) } else { Err(self.ended(&status.to_string())) }
    }

    /// Runs it, asks that it succeeds, and returns what it wrote to its standard output.
    pub(crate) fn output(&self) -> Result<String> {
        self.text(Stdio::inherit())
    }

    /// As `output`, but shows nothing of what it says beside.
    pub(crate) fn quiet_output(&self) -> Result<String> {
        self.text(Stdio::null())
    }

    fn text(&self, stderr: Stdio) -> Result<String> {
        let output =
            self.command().stderr(stderr).output().map_err(|error| self.not_started(&error))?;
        if !output.status.success() {
            return Err(self.ended(&output.status.to_string()));
        }
        String::from_utf8(output.stdout)
            .map_err(|_| Failure::failed(format!("`{self}` did not write text")))
    }

    /// Does it start and succeed? Shows nothing.
    pub(crate) fn succeeds(&self) -> bool {
        let status = self.command().stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Runs it, passing on every line of its standard output, which `see` reads too.
    pub(crate) fn run_seen(&self, mut see: impl FnMut(&str)) -> Result<()> {
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line);
                say::line(&line);
                see(&line);
            }
        }
        let status = child.wait().map_err(|error| self.not_started(&error))?;
        if status.success() { Ok(()) } else { Err(self.ended(&status.to_string())) }
    }

    fn command(&self) -> Command {
        let (program, args) = self.words.split_first().map_or(("", &[][..]), |(p, a)| (p, a));
        let mut command = Command::new(program);
        command
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value.as_ref())))
            .current_dir(workspace::root());
        command
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        Failure::failed(format!("`{self}` could not be run: {error}"))
    }

    fn ended(&self, status: &str) -> Failure {
        Failure::failed(format!("`{self}` failed ({status})"))
    }
}

/// The line to type at a shell.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        let words: Vec<String> = self.words.iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let run = Run::new("cargo doc --no-deps").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(run.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn a_program_that_fails_is_named() {
        assert!(Run::new("false").run().unwrap_err().to_string().contains("`false` failed"));
        assert!(Run::new("no-such-program").run().is_err());
    }
}
