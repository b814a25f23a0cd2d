//! Named steps that run in order, each with its time, until one fails.

use std::fmt;
use std::time::Duration;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::run::Run;
use crate::{clock, output, packages};

/// A step and the name that `--only` and `--from` take.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    work: Work,
}

/// The work of a step.
#[derive(Debug)]
enum Work {
    /// Runs a program.
    Run(Run),
    /// Runs `cargo test` and adds up its results.
    Tests(Run),
    /// Calls a task of xtask; the text is its command line.
    Task(&'static str, fn() -> Result<()>),
}

/// The results of `cargo test`, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Step {
    pub(crate) fn run(name: impl Into<String>, line: &str) -> Self {
        Self { name: name.into(), work: Work::Run(Run::new(line)) }
    }

    pub(crate) fn tests(name: impl Into<String>, line: &str) -> Self {
        Self { name: name.into(), work: Work::Tests(Run::new(line)) }
    }

    pub(crate) fn task(name: &str, line: &'static str, task: fn() -> Result<()>) -> Self {
        Self { name: name.to_owned(), work: Work::Task(line, task) }
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        if let Work::Run(run) | Work::Tests(run) = &mut self.work {
            *run = run.clone().env(name, value);
        }
        self
    }

    fn go(&self, tally: &mut Tally) -> Result<()> {
        match &self.work {
            Work::Run(run) => run.run(),
            Work::Tests(run) => run.run_with_lines(|line| tally.add(line)),
            Work::Task(_, task) => task(),
        }
    }
}

/// The line that repeats this step at a shell.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.work {
            Work::Run(run) | Work::Tests(run) => run.fmt(f),
            Work::Task(line, _) => f.write_str(line),
        }
    }
}

impl Tally {
    /// Adds the counts of a line of `cargo test`, if it is the last one of a test program.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.trim_start().strip_prefix("test result: ") else { return };
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    /// Returns the sums as the beginning of a sentence; empty if no test ran.
    fn counted(&self) -> String {
        if *self == Self::default() {
            return String::new();
        }
        format!("{} passed; {} failed; {} ignored; ", self.passed, self.failed, self.ignored)
    }
}

/// Runs `cargo xtask <task> [--list] [--only STEP] [--from STEP]`. With `prepare`, the task also takes
/// `packages::FLAGS`, and `prepare` runs before the first step if tests are among the steps.
pub(crate) fn main(
    task: &str,
    arguments: &[String],
    help: &str,
    steps: fn() -> Result<Vec<Step>>,
    prepare: Option<fn(&Args) -> Result<()>>,
) -> Result<()> {
    let mut flags = vec!["--list"];
    flags.extend(prepare.iter().flat_map(|_| packages::FLAGS));
    let args = Args::read(arguments, &flags, &["--only", "--from"], help)?.no_names(help)?;
    if args.has("--help") {
        output::line(help);
        return Ok(());
    }
    let steps = steps()?;
    if args.has("--list") {
        list(&steps);
        return Ok(());
    }
    let selected = select(steps, args.option("--only"), args.option("--from"))?;
    let runs_tests = selected.iter().any(|step| step.name.starts_with("test"));
    if let Some(prepare) = prepare.filter(|_| runs_tests) {
        prepare(&args)?;
    }
    run_all(task, &selected)
}

/// Prints the names and commands of `steps`.
fn list(steps: &[Step]) {
    let width = steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
    for step in steps {
        output::line(format_args!("{:<width$}  {step}", step.name));
    }
}

/// Returns the steps that `--only` and `--from` select; `name` also selects `name:…`.
fn select(mut steps: Vec<Step>, only: Option<&str>, from: Option<&str>) -> Result<Vec<Step>> {
    let is = |step: &Step, name: &str| {
        step.name == name || step.name.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
    };
    for name in [only, from].into_iter().flatten() {
        if !steps.iter().any(|step| is(step, name)) {
            return Err(Error::usage(format!("no step `{name}`; `--list` prints the names")));
        }
    }
    if let Some(name) = from {
        let first = steps.iter().position(|step| is(step, name)).unwrap_or(0);
        steps.drain(..first);
    }
    if let Some(name) = only {
        steps.retain(|step| is(step, name));
    }
    Ok(steps)
}

/// Runs the steps of `cargo xtask <task>` in order and stops at the first that fails.
pub(crate) fn run_all(task: &str, steps: &[Step]) -> Result<()> {
    let start = clock::now();
    let mut tally = Tally::default();
    for (number, step) in steps.iter().enumerate() {
        let began = clock::now();
        output::note(format_args!("== {}/{} {}: {step}", number + 1, steps.len(), step.name));
        let outcome = step.go(&mut tally);
        let took = seconds(began.elapsed());
        if let Err(error) = outcome {
            let all = seconds(start.elapsed());
            output::line(format_args!(
                "xtask {task}: FAILED at {}. {}finished in {all}",
                step.name,
                tally.counted()
            ));
            return Err(Error::failed(format!(
                "{error}\nstep {name} failed after {took}; repeat it with:  {step}\n\
                 continue with:  cargo xtask {task} --from {name}",
                name = step.name,
            )));
        }
        output::note(format_args!("== {} passed, {took}", step.name));
    }
    let (count, took) = (tally.counted(), seconds(start.elapsed()));
    output::line(format_args!(
        "xtask {task}: ok. {} steps; {count}finished in {took}",
        steps.len()
    ));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|step| step.name.as_str()).collect()
    }

    fn steps() -> Vec<Step> {
        ["fmt", "clippy", "clippy:cisco", "test", "tidy"].map(|n| Step::run(n, "true")).into()
    }

    #[test]
    fn only_selects_a_step_and_its_parts() {
        let left = select(steps(), Some("clippy"), None).unwrap();
        assert_eq!(names(&left), ["clippy", "clippy:cisco"]);
    }

    #[test]
    fn from_selects_a_step_and_all_after_it() {
        let left = select(steps(), None, Some("clippy:cisco")).unwrap();
        assert_eq!(names(&left), ["clippy:cisco", "test", "tidy"]);
    }

    #[test]
    fn unknown_step_is_wrong_usage() {
        assert!(matches!(select(steps(), Some("clip"), None), Err(Error::Usage(_))));
    }

    #[test]
    fn tally_adds_up_closing_lines() {
        let mut tally = Tally::default();
        tally.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.10s");
        tally.add("test a_thing ... ok");
        tally.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured");
        assert_eq!(tally, Tally { passed: 15, failed: 2, ignored: 1 });
    }

    #[test]
    fn first_failure_stops_the_list_and_names_its_command() {
        let error =
            run_all("ci", &[Step::run("bad", "false"), Step::run("never", "true")]).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("step bad failed") && message.contains("--from bad"), "{message}");
    }
}
