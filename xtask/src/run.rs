//! Child processes of the tasks, started at the root of the workspace by default.
//!
//! xshell would replace the starting of a program, about half of this file. The other half it does
//! not have: the line to repeat a step with its variables, output that is shown and read at the
//! same time, process groups, a time limit, and the removal of cargo's variables about this task.

use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::{clock, output, workspace};

/// A program to run: its arguments, its folder, and the variables that it gets.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    arguments: Vec<String>,
    env: Vec<(&'static str, String)>,
    folder: PathBuf,
    own_group: bool,
}

impl Run {
    /// Splits a command line at its blanks.
    pub(crate) fn new(line: &str) -> Self {
        Self::of(line.split_whitespace())
    }

    /// Takes the path of a program unchanged, and splits the arguments at their blanks.
    pub(crate) fn program(program: &str, args: &str) -> Self {
        Self::of(std::iter::once(program).chain(args.split_whitespace()))
    }

    /// Adds one argument, which may contain blanks.
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.arguments.push(arg.into());
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Sets the folder that the program runs in.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// Starts the program in a process group of its own, so that Ctrl-C does not stop it.
    pub(crate) fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    fn of<'a>(arguments: impl Iterator<Item = &'a str>) -> Self {
        let arguments = arguments.map(str::to_owned).collect();
        Self { arguments, env: Vec::new(), folder: workspace::root().to_owned(), own_group: false }
    }

    /// Runs the program on this terminal; an exit code other than 0 is an error.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.command().status().map_err(|error| self.not_started(&error))?;
        if status.success() { Ok(()) } else { Err(self.ended(&status.to_string())) }
    }

    /// Runs the program and returns its standard output; an exit code other than 0 is an error.
    pub(crate) fn output(&self) -> Result<String> {
        self.text(Stdio::inherit())
    }

    /// Returns the standard output like `output`, and hides the standard error.
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
            .map_err(|_| Error::failed(format!("`{self}` did not write UTF-8")))
    }

    /// Runs the program and returns whether it succeeded, with everything that it printed.
    pub(crate) fn run_captured(&self) -> Result<(bool, String)> {
        let output = self.command().output().map_err(|error| self.not_started(&error))?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    /// Returns whether the program starts and succeeds; hides its output.
    pub(crate) fn succeeds(&self) -> bool {
        let status = self.command().stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Returns whether the program succeeds within `limit`; hides its output. A program that takes
    /// longer is killed with its whole process group and counts as failed.
    pub(crate) fn succeeds_within(&self, limit: Duration) -> Result<bool> {
        let mut command = self.clone().own_group().command();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let start = clock::now();
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

    /// Runs the program, prints every line of its standard output, and gives each to `see`.
    pub(crate) fn run_with_lines(&self, mut see: impl FnMut(&str)) -> Result<()> {
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line);
                output::line(&line);
                see(&line);
            }
        }
        let status = child.wait().map_err(|error| self.not_started(&error))?;
        if status.success() { Ok(()) } else { Err(self.ended(&status.to_string())) }
    }

    /// Starts the program; the caller reads its standard error.
    pub(crate) fn start_with_stderr(&self) -> Result<Child> {
        self.command().stderr(Stdio::piped()).spawn().map_err(|error| self.not_started(&error))
    }

    fn command(&self) -> Command {
        let (program, args) = self.arguments.split_first().map_or(("", &[][..]), |(p, a)| (p, a));
        let mut command = Command::new(program);
        // Cargo's variables about this task: build scripts that watch them would run every time.
        for name in own_variables() {
            command.env_remove(name);
        }
        let env = self.env.iter().map(|(name, value)| (name, value));
        command.args(args).envs(env).current_dir(&self.folder);
        #[cfg(unix)]
        if self.own_group {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        command
    }

    fn not_started(&self, error: &std::io::Error) -> Error {
        Error::failed(format!("`{self}` could not be run: {error}"))
    }

    fn ended(&self, status: &str) -> Error {
        Error::failed(format!("`{self}` failed ({status})"))
    }
}

/// The line that repeats the program at a shell.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        let arguments: Vec<String> = self.arguments.iter().map(|one| quoted(one)).collect();
        f.write_str(&arguments.join(" "))
    }
}

#[expect(clippy::disallowed_methods, reason = "cargo passes these variables")]
fn own_variables() -> impl Iterator<Item = OsString> {
    let ours = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    };
    std::env::vars_os().map(|(name, _)| name).filter(move |name| ours(name))
}

fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{argument}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_displayed_as_a_shell_line() {
        let run = Run::new("cargo doc --no-deps").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(run.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn program_gets_no_cargo_variables_of_xtask() {
        assert!(own_variables().any(|name| name == "CARGO_MANIFEST_DIR"));
        let printed = Run::new("env").env("CARGO_PKG_AUTHORS", "me").output().unwrap();
        let ours = |line: &&str| line.starts_with("CARGO_PKG_") || line.starts_with("CARGO_MAN");
        assert_eq!(printed.lines().filter(ours).collect::<Vec<_>>(), ["CARGO_PKG_AUTHORS=me"]);
    }

    #[test]
    fn program_that_takes_too_long_is_stopped() {
        let moment = Duration::from_millis(300);
        assert!(Run::new("true").succeeds_within(moment).unwrap());
        assert!(!Run::new("sleep 30").succeeds_within(moment).unwrap());
    }

    #[test]
    fn failed_program_is_named() {
        assert!(Run::new("false").run().unwrap_err().to_string().contains("`false` failed"));
        assert!(Run::new("no-such-program").run().is_err());
    }
}
