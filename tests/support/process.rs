//! Runs the command with a clean environment, captured output and a time limit.

use std::io::{BufRead, BufReader, Read, Write};
use std::marker::PhantomData;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getuid, kill_process, waitpid};
use serde_json::Value;

use crate::home::Home;
use crate::signals;
use crate::terminal::Terminal;
use crate::trace::Trace;

/// A command to run in a home. Its environment contains only the variables that a test sets.
#[derive(Debug)]
#[must_use]
pub struct Gatepass<'home> {
    command: Command,
    home: PhantomData<&'home Home>,
    stdin: Vec<u8>,
    limit: Duration,
}

impl<'home> Gatepass<'home> {
    pub(crate) fn new(program: &Path, home: &'home Home) -> Self {
        signals::restore_default_handling();
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", home.path(""))
            .env("XDG_CONFIG_HOME", home.path("config"))
            .env("GATEPASS_STATE_DIR", home.path("state"))
            .env("TMPDIR", home.path("tmp"))
            .current_dir(home.path("work"));
        Self { command, home: PhantomData, stdin: Vec::new(), limit: Duration::from_secs(60) }
    }

    /// Adds arguments.
    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets the config file.
    pub fn config(mut self, path: &Path) -> Self {
        self.command.arg("--config").arg(path);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets the content of standard input; the default is empty.
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Runs as the unprivileged user `nobody` if the tests run as root. The home must be
    /// [given to that user](Home::give_to_unprivileged_user) before.
    pub fn as_unprivileged_user(mut self) -> Self {
        if getuid().is_root() {
            self.command.uid(UNPRIVILEGED_ID).gid(UNPRIVILEGED_ID);
        }
        self
    }

    /// Runs under strace with these options.
    pub fn traced(mut self, trace: &Trace, options: &[&str]) -> Self {
        self.command = trace.wrap(&self.command, options);
        self
    }

    /// Sets the time limit; the default is a minute.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the command and waits for its end.
    pub fn run(self) -> Run {
        self.spawn().finish()
    }

    /// Starts the command.
    pub fn spawn(mut self) -> Running<'home> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.start()
    }

    /// Starts the command with a terminal of 80 columns as standard input, output and error.
    pub fn at_terminal(self) -> Terminal<'home> {
        self.at_terminal_of(80)
    }

    /// Starts the command with a terminal of this many columns.
    pub fn at_terminal_of(self, columns: u16) -> Terminal<'home> {
        Terminal::new(self.command, columns, self.limit)
    }

    /// Runs the command with a closed stdout.
    pub fn run_with_closed_stdout(mut self) -> Run {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
        self.start().finish()
    }

    fn start(mut self) -> Running<'home> {
        let mut child = self.command.spawn().unwrap();
        feed(child.stdin.take().unwrap(), self.stdin);
        let stdout = child.stdout.take().map_or_else(|| lines(std::io::empty()), lines);
        let stderr = lines(child.stderr.take().unwrap());
        // From here on the child is killed with its owner.
        let (stderr_so_far, deadline) = (String::new(), Instant::now() + self.limit);
        Running { child, home: PhantomData, stdout, stderr, stderr_so_far, deadline }
    }
}

/// A running command. Drop kills it.
#[derive(Debug)]
pub struct Running<'home> {
    child: Child,
    home: PhantomData<&'home Home>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// The stderr output that was read so far.
    stderr_so_far: String,
    deadline: Instant,
}

impl Running<'_> {
    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the next line of stdout, newline included.
    pub fn line(&self) -> String {
        self.stdout
            .recv_timeout(self.remaining())
            .unwrap_or_else(|_| panic!("no line of stdout arrived"))
    }

    /// Waits for a line of stderr that contains `text` and returns it without the newline.
    #[track_caller]
    pub fn wait_for_stderr(&mut self, text: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(self.remaining());
            let line =
                line.unwrap_or_else(|_| panic!("no line with {text:?}: {:?}", self.stderr_so_far));
            self.stderr_so_far += &line;
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
        }
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends SIGTERM, as a supervisor does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Returns the strings in the process's memory, see `memory.rs`. The process is stopped during the
    /// read.
    #[track_caller]
    pub fn memory(&self) -> String {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        self.signal(Signal::STOP);
        let (_, status) = waitpid(id, WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "it has ended: {status:?}");
        let strings = crate::memory::strings(self.child.id());
        self.signal(Signal::CONT);
        strings
    }

    /// Waits for the end of the process and returns its status, with the signal and the core dump flag.
    pub fn ended(mut self) -> ExitStatus {
        all(&self.stdout, self.deadline);
        all(&self.stderr, self.deadline);
        assert!(Instant::now() < self.deadline, "still running, killed");
        self.child.wait().unwrap()
    }

    /// Waits for the end of the process; after the time limit the process is killed and the test fails.
    pub fn finish(mut self) -> Run {
        let stdout = all(&self.stdout, self.deadline);
        let stderr = std::mem::take(&mut self.stderr_so_far) + &all(&self.stderr, self.deadline);
        if Instant::now() >= self.deadline {
            panic!("still running, killed; stdout: {stdout:?}, stderr: {stderr:?}");
        }
        let code = self.child.wait().unwrap().code();
        Run { code, stdout, stderr }
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // No effect on a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of a command and its exit code; `None` if a signal ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code.
    pub code: Option<i32>,
    /// The complete stdout.
    pub stdout: String,
    /// The complete stderr.
    pub stderr: String,
}

impl Run {
    /// Returns the stdout of a successful command.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:#?}");
        &self.stdout
    }

    /// Returns the JSON on the stdout of a successful command.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.ok()).unwrap_or_else(|_| panic!("no JSON: {self:#?}"))
    }

    /// Returns the stderr of a command that failed with this code and an empty stdout.
    #[track_caller]
    pub fn failed(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        &self.stderr
    }

    /// Returns the error object of a command that failed with this code under `--format json`.
    #[track_caller]
    pub fn error(&self, code: i32) -> Value {
        let last = self.failed(code).lines().last().unwrap_or_default();
        let report: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{self:#?}"));
        let names: Vec<&String> = report["error"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["code", "exit", "hint", "hints", "message", "retry_at"], "{self:#?}");
        assert_eq!(report["error"]["exit"], code, "{self:#?}");
        report["error"].clone()
    }

    /// Returns all captured output.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// The unprivileged user.
pub(crate) const UNPRIVILEGED_ID: u32 = 65534;

fn feed(mut stdin: ChildStdin, text: Vec<u8>) {
    // A command that does not read its input closes it early.
    thread::spawn(move || stdin.write_all(&text));
}

pub(crate) fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.read_until(b'\n', &mut line) {
                Ok(1..) => {
                    if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    });
    receiver
}

fn all(stream: &Receiver<String>, deadline: Instant) -> String {
    let mut text = String::new();
    while let Ok(line) = stream.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        text += &line;
    }
    text
}
