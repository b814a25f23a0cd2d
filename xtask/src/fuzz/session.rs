//! One run of a fuzz target: libFuzzer's progress, and the input that fails.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::run::Run;
use crate::{clock, output, workspace};

/// The result of one run.
#[derive(Debug, Default)]
pub(crate) struct Session {
    program: String,
    target: String,
    /// Edges covered by the first corpus, and at the end.
    covered: Option<(u64, u64)>,
    pub(crate) executions: u64,
    pub(crate) find: Option<Find>,
    /// The place and message of the panic.
    reason: Option<String>,
}

/// An input that makes a target fail.
#[derive(Debug)]
pub(crate) struct Find {
    program: String,
    target: String,
    path: String,
}

impl Find {
    /// Returns the command that repeats the failure.
    fn command(&self) -> String {
        format!("{} run --fuzz-dir fuzz {} {}", self.program, self.target, self.path)
    }
}

impl Session {
    /// Runs a target for `seconds`, or until an input fails, which is then minimized.
    pub(crate) fn run(program: &str, target: &str, seconds: u32) -> Result<Self> {
        let [corpus, regressions] =
            ["corpus", "regressions"].map(|name| format!("fuzz/{name}/{target}"));
        workspace::create_folder(&corpus)?;
        let known = workspace::path(&regressions).is_dir().then_some(regressions.as_str());
        let line = format!(
            "{program} run --fuzz-dir fuzz {target} {corpus} {} -- \
             -max_total_time={seconds} -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
             -print_final_stats=1",
            known.unwrap_or_default()
        );
        output::note(format_args!("$ {line}"));
        let mut child = Run::new(&line).env("RUST_BACKTRACE", "0").start_with_stderr()?;
        let mut session =
            Self { program: program.to_owned(), target: target.to_owned(), ..Self::default() };
        let (mut last, mut reported) = (Vec::new(), clock::now());
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).split(b'\n').map_while(std::io::Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                session.read_line(&line);
                session.report_progress(&line, &mut reported);
                last.push(line);
                last.drain(..last.len().saturating_sub(SHOWN));
            }
        }
        let status = child.wait().map_err(|error| Error::failed(error.to_string()))?;
        if !status.success() {
            if session.find.is_none() {
                last.iter().for_each(output::note);
                return Err(Error::failed(format!("`{line}` failed ({status})")));
            }
            session.minimize();
        }
        Ok(session)
    }

    /// Reads a line of libFuzzer's output.
    fn read_line(&mut self, line: &str) {
        let after = |mark: &str| line.split_once(mark).map(|(_, rest)| rest.trim());
        if let Some(edges) = after(" cov: ").and_then(|rest| rest.split(' ').next()?.parse().ok()) {
            let first = self.covered.map_or(edges, |(first, _)| first);
            self.covered = Some((first, edges));
        }
        if let Some(number) = after("stat::number_of_executed_units:") {
            self.executions = number.parse().unwrap_or_default();
        }
        // The message of a panic is on the line after its place.
        match &self.reason {
            Some(place) if place.ends_with(':') && !line.is_empty() => {
                self.reason = Some(format!("{place} {line}"));
            }
            None => self.reason = after("panicked at ").map(str::to_owned),
            _ => {}
        }
        if let Some(reason) = after("ERROR: libFuzzer: ").filter(|_| self.reason.is_none()) {
            self.reason = Some(reason.to_owned());
        }
        if let Some(path) = after("Test unit written to ") {
            let root = format!("{}/", workspace::root().display());
            let path = path.strip_prefix(&root).unwrap_or(path).to_owned();
            self.find =
                Some(Find { program: self.program.clone(), target: self.target.clone(), path });
        }
    }

    /// Prints the progress, but not more often than every `REPORT_INTERVAL`.
    fn report_progress(&self, line: &str, reported: &mut Instant) {
        let Some((number, _)) = line.strip_prefix('#').and_then(|rest| rest.split_once('\t'))
        else {
            return;
        };
        if reported.elapsed() >= REPORT_INTERVAL {
            *reported = clock::now();
            let (_, edges) = self.covered.unwrap_or_default();
            output::note(format_args!("{}: {number} executions, {edges} edges …", self.target));
        }
    }

    /// Looks for a shorter input with the same failure.
    fn minimize(&mut self) {
        let Some(find) = &mut self.find else { return };
        let line = format!(
            "{} tmin --fuzz-dir fuzz --runs 5000 {} {} -- -max_total_time=10",
            find.program, find.target, find.path
        );
        let folder = format!("fuzz/artifacts/{}", find.target);
        let before = files(&folder);
        output::note(format_args!("$ {line}"));
        // The command fails when it finds no shorter input.
        Run::new(&line).succeeds();
        let mut shorter: Vec<_> = files(&folder);
        shorter.retain(|file| file.1.contains("minimized-from") && !before.contains(file));
        shorter.sort();
        for (at, (_, name)) in shorter.into_iter().enumerate() {
            let path = format!("{folder}/{name}");
            match at {
                0 => find.path = path,
                // Intermediate results; one that cannot be removed does no harm.
                _ => drop(fs::remove_file(workspace::path(&path))),
            }
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.covered.unwrap_or_default();
        let found = if self.find.is_some() { "FAILED" } else { "no failure" };
        write!(
            f,
            "{:<12} {:>10} executions, {first} to {last} edges, {found}",
            self.target, self.executions
        )?;
        let Some(find) = &self.find else { return Ok(()) };
        let reason = self.reason.as_deref().unwrap_or("the target ended without a message");
        write!(f, "\n  {reason}\n  input:  {}\n  repeat: {}", find.path, find.command())
    }
}

/// Returns the sizes and names of the files of a folder below the root.
fn files(folder: &str) -> Vec<(u64, String)> {
    let entries = fs::read_dir(workspace::path(folder)).into_iter().flatten();
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.len(), entry.file_name().into_string().ok()?))
        })
        .collect()
}

/// How many lines are shown of a run that could not start.
const SHOWN: usize = 40;
/// The time between two lines of progress.
const REPORT_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn session(lines: &[&str]) -> Session {
        let mut session = Session { target: "config".to_owned(), ..Session::default() };
        lines.iter().for_each(|line| session.read_line(line));
        session
    }

    #[test]
    fn summary_has_executions_and_edges() {
        let session = session(&[
            "#33\tINITED cov: 1200 ft: 3000 corp: 31/9Kb exec/s: 0 rss: 90Mb",
            "#99\tNEW    cov: 1301 ft: 3100 corp: 32/9Kb lim: 4 exec/s: 9 rss: 90Mb",
            "stat::number_of_executed_units: 4711",
        ]);
        let shown = session.to_string();
        assert!(shown.contains("4711 executions, 1200 to 1301 edges, no failure"), "{shown}");
    }

    #[test]
    fn failure_has_its_panic_and_the_command_to_repeat() {
        let root = workspace::root().display();
        let written = format!(
            "artifact_prefix='{root}/a/'; Test unit written to {root}/fuzz/artifacts/config/crash-1"
        );
        let session = session(&[
            "thread '<unnamed>' (7) panicked at src/canary.rs:34:5:",
            "an error with control characters",
            "==7== ERROR: libFuzzer: deadly signal",
            &written,
        ]);
        let shown = session.to_string();
        assert!(shown.contains("canary.rs:34:5: an error with control characters\n"), "{shown}");
        assert!(shown.contains("input:  fuzz/artifacts/config/crash-1\n"), "{shown}");
        assert!(shown.ends_with(" config fuzz/artifacts/config/crash-1"), "{shown}");
    }

    #[test]
    fn timeout_is_reported() {
        let session = session(&[
            "==7== ERROR: libFuzzer: timeout after 10 seconds",
            "Test unit written to fuzz/artifacts/config/timeout-1",
        ]);
        assert!(session.to_string().contains("timeout after 10 seconds\n"), "{session}");
    }
}
