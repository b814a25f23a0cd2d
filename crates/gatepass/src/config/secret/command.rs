//! Runs a command that prints a secret.
//!
//! The output ends when the command exits. The command may have started a process that keeps the
//! output open, such as an agent, and that process must not delay the secret.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use gatepass_core::{Clock, Error, Result};
use gatepass_engine::SystemClock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::super::file::describe_io;
use super::MAX;

/// Runs a command and returns what it prints. `limit` applies to its output, and again to its exit.
pub(super) fn run(words: &[String], folder: &Path, limit: Duration) -> Result<Zeroizing<Vec<u8>>> {
    let (program, arguments) =
        words.split_first().ok_or_else(|| Error::config("the command is empty"))?;
    let named = |what: &str| {
        Error::config(format!("the command {program} {what}")).hint("run it by hand to see why")
    };
    // Only a path is relative to the config file; a bare name is looked up in PATH.
    let path = if program.contains('/') { folder.join(program) } else { PathBuf::from(program) };
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(program, &error))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX as usize + 1));
    let ending = match read_output(&mut child, &mut bytes, limit) {
        // It has closed its output, but may still run.
        Ok(Ending::Closed) => wait(&mut child, limit).map(|status| match status {
            Some(status) => Ending::Exited(status),
            None => Ending::Late,
        }),
        ending => ending,
    };
    if !matches!(ending, Ok(Ending::Exited(_))) {
        // Fails if the command has exited in the meantime, which is fine.
        let _ = child.kill().and_then(|()| child.wait());
    }
    match ending {
        Ok(Ending::TooLong) => Err(named("printed more than 64 KiB")),
        Ok(Ending::Exited(status)) if status.success() => Ok(bytes),
        Ok(Ending::Exited(status)) => {
            let code =
                status.code().map_or_else(|| String::from("a signal"), |code| code.to_string());
            Err(named(&format!("failed ({code})")))
        }
        Ok(Ending::Late | Ending::Closed) => {
            Err(named(&format!("did not exit within {} s", limit.as_secs())))
        }
        Err(error) => Err(Error::machine_limit("the command's output cannot be read", &error)
            .unwrap_or_else(|| named("could not be waited for"))),
    }
}

/// Why reading a command's output has ended.
enum Ending {
    Exited(ExitStatus),
    /// The output was closed before the command exited.
    Closed,
    TooLong,
    Late,
}

/// Reads the output of the child until it exits, closes the output, or the time is over.
fn read_output(child: &mut Child, bytes: &mut Vec<u8>, limit: Duration) -> io::Result<Ending> {
    let Some(mut stdout) = child.stdout.take() else { return Ok(Ending::Closed) };
    rustix::io::ioctl_fionbio(&stdout, true)?;
    let clock = SystemClock::new();
    let (start, mut pause) = (clock.boot(), Duration::from_micros(100));
    loop {
        // In this order: everything that it wrote before it exited is in the pipe then.
        let exited = child.try_wait()?;
        let is_closed = drain(&mut stdout, bytes)?;
        if bytes.len() as u64 > MAX {
            return Ok(Ending::TooLong);
        }
        match exited {
            Some(status) => return Ok(Ending::Exited(status)),
            None if is_closed => return Ok(Ending::Closed),
            None if clock.boot().saturating_sub(start) >= limit => return Ok(Ending::Late),
            None => {}
        }
        let timeout = Timespec::try_from(pause).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reads the available bytes of the pipe, at most one byte more than the limit. Returns whether it is closed.
fn drain(stdout: &mut ChildStdout, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = Zeroizing::new([0; 4096]);
    while bytes.len() as u64 <= MAX {
        match stdout.read(&mut *buffer) {
            Ok(0) => return Ok(true),
            Ok(length) => {
                // Within the capacity: a vector that grows leaves copies that are not cleared.
                let room = MAX as usize + 1 - bytes.len();
                bytes.extend_from_slice(buffer.get(..length.min(room)).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// How long an exit may go unnoticed while another process keeps the output open.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Makes the error for a command that could not be started, with the most likely reason.
fn not_started(program: &str, error: &io::Error) -> Error {
    // ENOEXEC, for which Rust has no `ErrorKind`.
    const NOT_A_PROGRAM: i32 = 8;
    let action = format!("the command {program} cannot be started");
    if let Some(error) = Error::process_limit(&action, error) {
        return error;
    }
    let (reason, hint) = match (error.raw_os_error(), error.kind()) {
        (Some(NOT_A_PROGRAM), _) => {
            (String::from("it is not a program"), "a script begins with a line such as #!/bin/sh")
        }
        (_, io::ErrorKind::NotFound) if program.contains('/') => (
            describe_io(error),
            "a relative path begins at the config file's directory; for a script, check that the \
             interpreter of its first line exists",
        ),
        (_, io::ErrorKind::NotFound) => {
            (describe_io(error), "check that it is installed and that its directory is in PATH")
        }
        _ => (describe_io(error), "check that it is a program and executable (chmod +x)"),
    };
    Error::config(format!("{action}: {reason}")).hint(hint)
}

/// Waits for the child to exit; `None` after the time limit.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_micros(100);
    loop {
        match child.try_wait()? {
            None if waited < limit => thread::sleep(pause),
            ended => return Ok(ended),
        }
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run_words(words: &[&str]) -> Result<Zeroizing<Vec<u8>>> {
        let words: Vec<String> = words.iter().map(|word| String::from(*word)).collect();
        run(&words, Path::new(""), Duration::from_millis(300))
    }

    #[test]
    fn command_that_never_exits_is_killed() {
        // Prints nothing; prints and stays; closes its output only.
        for script in
            ["exec sleep 20", "echo unsaid; exec sleep 20", "echo unsaid; exec >&-; exec sleep 20"]
        {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("pid");
            let file = file.to_str().unwrap();
            let started = format!("echo $$ > {file}; {script}");
            let error = run_words(&["sh", "-c", &started]).unwrap_err();
            assert!(error.message().contains("the command sh "), "{error}");
            assert!(error.message().contains("did not exit within"), "{error}");
            assert!(!format!("{error:?}").contains("unsaid"), "{error:?}");
            assert!(!error.hints().is_empty());
            let pid = fs::read_to_string(file).unwrap();
            let process = PathBuf::from("/proc").join(pid.trim());
            assert!(!cfg!(target_os = "linux") || !process.exists(), "{script}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn error_of_unstartable_command_names_likely_reason() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        for (name, text, mode, expected) in [
            ("plain", "echo secret", 0o700, "#!/bin/sh"),
            ("lost", "#!/no/such/shell", 0o700, "first line"),
            ("closed", "#!/bin/sh", 0o600, "chmod +x"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = run_words(&[path.to_str().unwrap()]).unwrap_err();
            assert!(error.message().contains("cannot be started"), "{error}");
            assert!(!error.message().contains("uncategorized"), "{error}");
            assert!(error.hints()[0].text().contains(expected), "{error:?}");
        }
        let error = run_words(&["no-such-program-of-these-tests"]).unwrap_err();
        assert!(error.hints()[0].text().contains("PATH"), "{error:?}");
    }

    #[test]
    fn command_with_endless_output_is_rejected() {
        let error = run_words(&["yes", "unsaid"]).unwrap_err();
        assert_eq!(error.message(), "the command yes printed more than 64 KiB");
    }

    #[test]
    fn command_may_exit_after_closing_its_output() {
        let text = run_words(&["sh", "-c", "echo secret; exec >&-; sleep 0.05"]).unwrap();
        assert_eq!(text.as_slice(), b"secret\n");
    }

    #[test]
    fn process_that_keeps_the_output_open_delays_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; echo secret", pid.display());
        // The time limit of these tests is far below the lifetime of the process.
        let text = run_words(&["sh", "-c", &script]).unwrap();
        assert_eq!(text.as_slice(), b"secret\n");
        let pid = fs::read_to_string(pid).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        // It still runs.
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn output_before_the_exit_is_complete() {
        for size in [1, 4096, 60_000] {
            let script = format!("sleep 60 >&2 & head -c {size} /dev/zero; kill $!");
            assert_eq!(run_words(&["sh", "-c", &script]).unwrap().len(), size);
        }
    }
}
