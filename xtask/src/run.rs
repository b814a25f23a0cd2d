//! Runs other programs, at the root of the workspace if nothing else is said.

use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::{say, steps, workspace};

/// A program to run: its words, and what it finds in its environment besides.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    words: Vec<String>,
    env: Vec<(&'static str, String)>,
    folder: PathBuf,
    apart: bool,
}

impl Run {
    /// A command line whose words hold no blanks.
    pub(crate) fn new(line: &str) -> Self {
        Self::of(line.split_whitespace())
    }

    /// A program whose path may hold blanks, and arguments that hold none.
    pub(crate) fn program(program: &str, args: &str) -> Self {
        Self::of(std::iter::once(program).chain(args.split_whitespace()))
    }

    /// Adds one argument, whatever it holds.
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.words.push(arg.into());
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Runs it in this folder.
    pub(crate) fn inside(mut self, folder: &Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// Lets it finish where somebody presses Ctrl-C.
    pub(crate) fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    fn of<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let words = words.map(str::to_owned).collect();
        Self { words, env: Vec::new(), folder: workspace::root().to_owned(), apart: false }
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

    /// Runs it and shows nothing: did it succeed, and what did it write, wherever to?
    pub(crate) fn said(&self) -> Result<(bool, String)> {
        let output = self.command().output().map_err(|error| self.not_started(&error))?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    /// Does it start and succeed? Shows nothing.
    pub(crate) fn succeeds(&self) -> bool {
        let status = self.command().stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Runs it and shows nothing: does it succeed? One that takes longer than `limit` is stopped,
    /// with every process it has started, and counts as failed.
    pub(crate) fn succeeds_within(&self, limit: Duration) -> Result<bool> {
        let mut command = self.clone().apart().command();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let start = steps::now();
        while start.elapsed() < limit {
            if let Some(status) = child.try_wait().map_err(|error| self.not_started(&error))? {
                return Ok(status.success());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Self::new(&format!("kill -KILL -- -{}", child.id())).succeeds();
        let _ = child.wait();
        Ok(false)
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

    /// Starts it; what it says on its standard error is the caller's to read.
    pub(crate) fn start_heard(&self) -> Result<Child> {
        self.command().stderr(Stdio::piped()).spawn().map_err(|error| self.not_started(&error))
    }

    fn command(&self) -> Command {
        let (program, args) = self.words.split_first().map_or(("", &[][..]), |(p, a)| (p, a));
        let mut command = Command::new(program);
        // What cargo says of this task: build scripts that look at it would run anew each time.
        for name in about_us() {
            command.env_remove(name);
        }
        let env = self.env.iter().map(|(name, value)| (name, value));
        command.args(args).envs(env).current_dir(&self.folder);
        #[cfg(unix)]
        if self.apart {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
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

#[expect(clippy::disallowed_methods, reason = "cargo says it so")]
fn about_us() -> impl Iterator<Item = OsString> {
    let ours = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    };
    std::env::vars_os().map(|(name, _)| name).filter(move |name| ours(name))
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
    fn a_program_is_not_told_what_cargo_says_of_us() {
        assert!(about_us().any(|name| name == "CARGO_MANIFEST_DIR"));
        let told = Run::new("env").env("CARGO_PKG_AUTHORS", "somebody").output().unwrap();
        let ours = |line: &&str| line.starts_with("CARGO_PKG_") || line.starts_with("CARGO_MAN");
        assert_eq!(told.lines().filter(ours).collect::<Vec<_>>(), ["CARGO_PKG_AUTHORS=somebody"]);
    }

    #[test]
    fn program_that_takes_too_long_is_stopped() {
        let moment = Duration::from_millis(300);
        assert!(Run::new("true").succeeds_within(moment).unwrap());
        assert!(!Run::new("sleep 30").succeeds_within(moment).unwrap());
    }

    #[test]
    fn a_program_that_fails_is_named() {
        assert!(Run::new("false").run().unwrap_err().to_string().contains("`false` failed"));
        assert!(Run::new("no-such-program").run().is_err());
    }
}
