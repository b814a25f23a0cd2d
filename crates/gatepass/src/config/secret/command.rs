//! Runs a command that prints a secret.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use gatepass_core::{Error, Result};
use zeroize::Zeroizing;

use super::super::file::why;
use super::{MAX, read_all, text, within};

/// What it prints, which is a text; `limit` is for printing, and again for its end.
pub(super) fn command(
    key: &str,
    words: &[String],
    folder: &Path,
    limit: Duration,
) -> Result<Zeroizing<String>> {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Error::config(format!("`{key}`: the command is empty")))?;
    let named = |what: &str| {
        Error::config(format!("`{key}`: the command {program} {what}"))
            .with_hint("run it by hand to see why")
    };
    // Only a path is relative to the config file; a bare name is looked up in PATH.
    let path = if program.contains('/') { folder.join(program) } else { PathBuf::from(program) };
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(key, program, &error))?;
    let output = read_output(&mut child, limit);
    let has_ended = matches!(child.try_wait(), Ok(Some(_)));
    let status = match &output {
        // It closed its output, which is not to say that it ends.
        Some(bytes) if bytes.len() as u64 <= MAX => wait(&mut child, limit),
        _ => Ok(None),
    };
    if !matches!(status, Ok(Some(_))) {
        // Nothing happens to one that has ended meanwhile.
        let _ = child.kill().and_then(|()| child.wait());
    }
    match (output, status) {
        (Some(bytes), _) if bytes.len() as u64 > MAX => Err(named("printed more than 64 KiB")),
        (Some(bytes), Ok(Some(status))) if status.success() => {
            text(key, &format!("the output of {program}"), bytes)
        }
        (Some(_), Ok(Some(status))) => {
            let code =
                status.code().map_or_else(|| String::from("a signal"), |code| code.to_string());
            Err(named(&format!("failed ({code})")))
        }
        (None, _) if has_ended => {
            Err(named("ended, but something that it has started keeps its output open")
                .with_hint("redirect the output of what stays behind: > /dev/null"))
        }
        (None, _) | (_, Ok(None)) => {
            Err(named(&format!("did not end within {} s", limit.as_secs())))
        }
        (Some(_), Err(_)) => Err(named("could not be waited for")),
    }
}

/// All that the child prints, or `None` when its time is up.
fn read_output(child: &mut Child, limit: Duration) -> Option<Zeroizing<Vec<u8>>> {
    let stdout = child.stdout.take()?;
    within(limit, move || read_all(stdout).ok()).flatten()
}

/// Why a command did not even begin, and what that most often means.
fn not_started(key: &str, program: &str, error: &io::Error) -> Error {
    // What the kernel says of a file that is no program (ENOEXEC), for which Rust has no name.
    const NO_PROGRAM: i32 = 8;
    let (said, hint) = match (error.raw_os_error(), error.kind()) {
        (Some(NO_PROGRAM), _) => {
            (String::from("it is no program"), "a script begins with a line such as #!/bin/sh")
        }
        (_, io::ErrorKind::NotFound) if program.contains('/') => (
            why(error),
            "a relative path is relative to the config file's folder; of a script, the program of \
             its first line may be what is missing",
        ),
        (_, io::ErrorKind::NotFound) => (why(error), "is it installed, and its folder in PATH?"),
        _ => (why(error), "is it a program, and may you execute it? chmod +x"),
    };
    Error::config(format!("`{key}`: the command {program} cannot be started: {said}"))
        .with_hint(hint)
}

/// Waits for its end, or `None` when the time is up.
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

    fn run(words: &[&str]) -> Result<Zeroizing<String>> {
        let words: Vec<String> = words.iter().map(|word| String::from(*word)).collect();
        command("client_secret", &words, Path::new(""), Duration::from_millis(300))
    }

    #[test]
    fn a_command_that_never_ends_is_ended() {
        let late = "did not end within";
        for (script, says) in [
            // Prints nothing; leaves a process that holds its output; closes its output and stays.
            ("exec sleep 20", late),
            ("sleep 2 & echo unsaid", "keeps its output open"),
            ("echo unsaid; exec >&-; exec sleep 20", late),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("pid");
            let file = file.to_str().unwrap();
            let started = format!("echo $$ > {file}; {script}");
            let error = run(&["sh", "-c", &started]).unwrap_err();
            assert!(error.message().contains("the command sh "), "{error}");
            assert!(error.message().contains(says), "{error}");
            assert!(!format!("{error:?}").contains("unsaid"), "{error:?}");
            assert!(error.hint().is_some());
            let pid = fs::read_to_string(file).unwrap();
            let process = PathBuf::from("/proc").join(pid.trim());
            assert!(!cfg!(target_os = "linux") || !process.exists(), "{script}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_cannot_be_started_says_what_may_be_missing() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        for (name, text, mode, says) in [
            ("plain", "echo secret", 0o700, "#!/bin/sh"),
            ("lost", "#!/no/such/shell", 0o700, "first line"),
            ("closed", "#!/bin/sh", 0o600, "chmod +x"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = run(&[path.to_str().unwrap()]).unwrap_err();
            assert!(error.message().contains("cannot be started"), "{error}");
            assert!(!error.message().contains("uncategorized"), "{error}");
            assert!(error.hint().unwrap().contains(says), "{error:?}");
        }
        let error = run(&["no-such-program-of-these-tests"]).unwrap_err();
        assert!(error.hint().unwrap().contains("PATH"), "{error:?}");
    }

    #[test]
    fn a_command_that_prints_without_end_is_no_secret() {
        let error = run(&["yes", "unsaid"]).unwrap_err();
        assert_eq!(error.message(), "`client_secret`: the command yes printed more than 64 KiB");
    }

    #[test]
    fn a_command_may_take_a_moment_to_end() {
        let text = run(&["sh", "-c", "echo secret; exec >&-; sleep 0.05"]).unwrap();
        assert_eq!(text.as_str(), "secret");
    }
}
