//! Runs a command that prints a secret.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use gatepass_core::{Error, Result};
use zeroize::Zeroizing;

use super::super::file::describe_io;
use super::{MAX, read_all, to_text, within};

/// Runs a command and returns what it prints. `limit` applies to its output, and again to its exit.
pub(super) fn run(words: &[String], folder: &Path, limit: Duration) -> Result<Zeroizing<String>> {
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
    let output = read_output(&mut child, limit);
    let has_ended = matches!(child.try_wait(), Ok(Some(_)));
    let status = match &output {
        // It has closed its output, but may still run.
        Some(bytes) if bytes.len() as u64 <= MAX => wait(&mut child, limit),
        _ => Ok(None),
    };
    if !matches!(status, Ok(Some(_))) {
        // Fails if the command has exited in the meantime, which is fine.
        let _ = child.kill().and_then(|()| child.wait());
    }
    match (output, status) {
        (Some(bytes), _) if bytes.len() as u64 > MAX => Err(named("printed more than 64 KiB")),
        (Some(bytes), Ok(Some(status))) if status.success() => {
            to_text(&format!("the output of {program}"), bytes)
        }
        (Some(_), Ok(Some(status))) => {
            let code =
                status.code().map_or_else(|| String::from("a signal"), |code| code.to_string());
            Err(named(&format!("failed ({code})")))
        }
        (None, _) if has_ended => {
            Err(named("exited, but a process that it started keeps its output open")
                .hint("redirect the output of that process: > /dev/null"))
        }
        (None, _) | (_, Ok(None)) => {
            Err(named(&format!("did not exit within {} s", limit.as_secs())))
        }
        (Some(_), Err(_)) => Err(named("could not be waited for")),
    }
}

/// Reads the output of the child; `None` after the time limit.
fn read_output(child: &mut Child, limit: Duration) -> Option<Zeroizing<Vec<u8>>> {
    let stdout = child.stdout.take()?;
    within(limit, move || read_all(stdout).ok()).flatten()
}

/// Makes the error for a command that could not be started, with the most likely reason.
fn not_started(program: &str, error: &io::Error) -> Error {
    // ENOEXEC, for which Rust has no `ErrorKind`.
    const NOT_A_PROGRAM: i32 = 8;
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
    Error::config(format!("the command {program} cannot be started: {reason}")).hint(hint)
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
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run_words(words: &[&str]) -> Result<Zeroizing<String>> {
        let words: Vec<String> = words.iter().map(|word| String::from(*word)).collect();
        run(&words, Path::new(""), Duration::from_millis(300))
    }

    #[test]
    fn command_that_never_exits_is_killed() {
        let late = "did not exit within";
        for (script, expected) in [
            // Prints nothing; leaves a process that keeps its output open; closes its output only.
            ("exec sleep 20", late),
            ("sleep 2 & echo unsaid", "keeps its output open"),
            ("echo unsaid; exec >&-; exec sleep 20", late),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("pid");
            let file = file.to_str().unwrap();
            let started = format!("echo $$ > {file}; {script}");
            let error = run_words(&["sh", "-c", &started]).unwrap_err();
            assert!(error.message().contains("the command sh "), "{error}");
            assert!(error.message().contains(expected), "{error}");
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
        assert_eq!(text.as_str(), "secret");
    }
}
