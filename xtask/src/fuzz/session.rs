//! One target's run: what libFuzzer says of it, and the input that it found.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use super::folder;
use crate::failure::{Failure, Result};
use crate::run::Run;
use crate::{say, steps, workspace};

/// What came of one run.
#[derive(Debug, Default)]
pub(crate) struct Session {
    program: String,
    target: String,
    /// Edges reached by what there was at the beginning, and at the end.
    covered: Option<(u64, u64)>,
    pub(crate) executions: u64,
    pub(crate) find: Option<Find>,
    /// What the panic said.
    why: Option<String>,
}

/// An input that a target does not stand.
#[derive(Debug)]
pub(crate) struct Find {
    program: String,
    target: String,
    path: String,
}

impl Find {
    /// What repeats it.
    fn command(&self) -> String {
        format!("{} run --fuzz-dir fuzz {} {}", self.program, self.target, self.path)
    }
}

impl Session {
    /// Runs a target for so many seconds, or until it finds something, which is shortened then.
    pub(crate) fn run(program: &str, target: &str, seconds: u32) -> Result<Self> {
        let [corpus, regressions] =
            ["corpus", "regressions"].map(|name| format!("fuzz/{name}/{target}"));
        folder(&corpus)?;
        let known = workspace::path(&regressions).is_dir().then_some(regressions.as_str());
        let line = format!(
            "{program} run --fuzz-dir fuzz {target} {corpus} {} -- \
             -max_total_time={seconds} -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
             -print_final_stats=1",
            known.unwrap_or_default()
        );
        say::note(format_args!("$ {line}"));
        let mut child = Run::new(&line).env("RUST_BACKTRACE", "0").start_heard()?;
        let mut session =
            Self { program: program.to_owned(), target: target.to_owned(), ..Self::default() };
        let (mut last, mut told) = (Vec::new(), steps::now());
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).split(b'\n').map_while(std::io::Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                session.hear(&line);
                session.tell(&line, &mut told);
                last.push(line);
                last.drain(..last.len().saturating_sub(SHOWN));
            }
        }
        let status = child.wait().map_err(|error| Failure::failed(error.to_string()))?;
        if !status.success() {
            if session.find.is_none() {
                last.iter().for_each(say::note);
                return Err(Failure::failed(format!("`{line}` failed ({status})")));
            }
            session.shorten();
        }
        Ok(session)
    }

    /// Reads a line of libFuzzer's.
    fn hear(&mut self, line: &str) {
        let after = |mark: &str| line.split_once(mark).map(|(_, rest)| rest.trim());
        if let Some(edges) = after(" cov: ").and_then(|rest| rest.split(' ').next()?.parse().ok()) {
            let first = self.covered.map_or(edges, |(first, _)| first);
            self.covered = Some((first, edges));
        }
        if let Some(number) = after("stat::number_of_executed_units:") {
            self.executions = number.parse().unwrap_or_default();
        }
        // A panic's message is the line after its place.
        match &self.why {
            Some(place) if place.ends_with(':') && !line.is_empty() => {
                self.why = Some(format!("{place} {line}"));
            }
            None => self.why = after("panicked at ").map(str::to_owned),
            _ => {}
        }
        if let Some(why) = after("ERROR: libFuzzer: ").filter(|_| self.why.is_none()) {
            self.why = Some(why.to_owned());
        }
        if let Some(path) = after("Test unit written to ") {
            let root = format!("{}/", workspace::root().display());
            let path = path.strip_prefix(&root).unwrap_or(path).to_owned();
            self.find =
                Some(Find { program: self.program.clone(), target: self.target.clone(), path });
        }
    }

    /// Says now and then that it goes on.
    fn tell(&self, line: &str, told: &mut Instant) {
        let Some((number, _)) = line.strip_prefix('#').and_then(|rest| rest.split_once('\t'))
        else {
            return;
        };
        if told.elapsed() >= SILENCE {
            *told = steps::now();
            let (_, edges) = self.covered.unwrap_or_default();
            say::note(format_args!("{}: {number} executions, {edges} edges …", self.target));
        }
    }

    /// Looks for a shorter input with the same fault; without one the find stays as it is.
    fn shorten(&mut self) {
        let Some(find) = &mut self.find else { return };
        let line = format!(
            "{} tmin --fuzz-dir fuzz --runs 5000 {} {} -- -max_total_time=10",
            find.program, find.target, find.path
        );
        let folder = format!("fuzz/artifacts/{}", find.target);
        let before = files(&folder);
        say::note(format_args!("$ {line}"));
        // It ends with an error once it finds nothing shorter.
        Run::new(&line).succeeds();
        let mut shorter: Vec<_> = files(&folder);
        shorter.retain(|file| file.1.contains("minimized-from") && !before.contains(file));
        shorter.sort();
        for (at, (_, name)) in shorter.into_iter().enumerate() {
            let path = format!("{folder}/{name}");
            match at {
                0 => find.path = path,
                // The steps on the way there. One that stays is in nobody's way.
                _ => drop(fs::remove_file(workspace::path(&path))),
            }
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.covered.unwrap_or_default();
        let found = if self.find.is_some() { "FOUND SOMETHING" } else { "found nothing" };
        write!(
            f,
            "{:<12} {:>10} executions, {first} to {last} edges, {found}",
            self.target, self.executions
        )?;
        let Some(find) = &self.find else { return Ok(()) };
        let why = self.why.as_deref().unwrap_or("it ended, and did not say why");
        write!(f, "\n  {why}\n  the input: {}\n  repeat it: {}", find.path, find.command())
    }
}

/// The files of a folder below the root: their sizes and names.
fn files(folder: &str) -> Vec<(u64, String)> {
    let entries = fs::read_dir(workspace::path(folder)).into_iter().flatten();
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.len(), entry.file_name().into_string().ok()?))
        })
        .collect()
}

/// How many lines are shown of a run that could not begin.
const SHOWN: usize = 40;
/// How long nothing is said of a run.
const SILENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Session {
        let mut session = Session { target: "answer".to_owned(), ..Session::default() };
        lines.iter().for_each(|line| session.hear(line));
        session
    }

    #[test]
    fn a_run_is_told_from_what_libfuzzer_says() {
        let session = heard(&[
            "#33\tINITED cov: 1200 ft: 3000 corp: 31/9Kb exec/s: 0 rss: 90Mb",
            "#99\tNEW    cov: 1301 ft: 3100 corp: 32/9Kb lim: 4 exec/s: 9 rss: 90Mb",
            "stat::number_of_executed_units: 4711",
        ]);
        let told = session.to_string();
        assert!(told.contains("4711 executions, 1200 to 1301 edges, found nothing"), "{told}");
    }

    #[test]
    fn a_find_is_told_with_its_panic_and_what_repeats_it() {
        let root = workspace::root().display();
        let written = format!(
            "artifact_prefix='{root}/a/'; Test unit written to {root}/fuzz/artifacts/answer/crash-1"
        );
        let session = heard(&[
            "thread '<unnamed>' (7) panicked at src/canary.rs:34:5:",
            "an error with control characters",
            "==7== ERROR: libFuzzer: deadly signal",
            &written,
        ]);
        let told = session.to_string();
        assert!(told.contains("canary.rs:34:5: an error with control characters\n"), "{told}");
        assert!(told.contains("the input: fuzz/artifacts/answer/crash-1\n"), "{told}");
        assert!(told.ends_with(" answer fuzz/artifacts/answer/crash-1"), "{told}");
    }

    #[test]
    fn a_run_that_takes_too_long_says_so() {
        let session = heard(&[
            "==7== ERROR: libFuzzer: timeout after 10 seconds",
            "Test unit written to fuzz/artifacts/answer/timeout-1",
        ]);
        assert!(session.to_string().contains("timeout after 10 seconds\n"), "{session}");
    }
}
