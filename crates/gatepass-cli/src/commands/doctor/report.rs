//! The report of `doctor`: each step's result, printed at once or as one JSON object at the end.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use gatepass::{Error, ErrorKind, Hint};
use serde_json::{Value, json};

use crate::commands::cached_state::one_line;
use crate::error::CommandError;
use crate::exit;
use crate::options::Format;
use crate::output::{Output, after, hint_json};
use crate::program;

/// The results so far.
pub(super) struct Report<'a> {
    output: &'a Output,
    format: Format,
    /// The value of `--config`, for the commands in hints.
    config: Option<&'a Path>,
    profile: Option<String>,
    steps: Vec<Value>,
    /// The steps that were not tested since the last line was printed, and the failed one.
    untested: Option<(Vec<String>, String)>,
    counts: Counts,
    /// The exit code of the first failed step, and the step.
    exit: Option<(u8, String)>,
}

/// How many steps had each result.
#[derive(Default)]
struct Counts {
    ok: usize,
    warnings: usize,
    failed: usize,
    untested: usize,
}

/// The result of a step.
#[derive(Clone, Copy)]
enum StepState {
    Ok,
    Warning,
    Failed,
    Skipped,
}

impl<'a> Report<'a> {
    pub(super) fn new(output: &'a Output, format: Format, config: Option<&'a Path>) -> Self {
        let (steps, counts) = (Vec::new(), Counts::default());
        Self { output, format, config, profile: None, steps, untested: None, counts, exit: None }
    }

    /// Starts the steps of a profile.
    pub(super) fn begin(&mut self, profile: &str) -> Result<(), CommandError> {
        self.print_untested()?;
        self.profile = Some(profile.to_owned());
        match self.format {
            Format::Json => Ok(()),
            _ => self.output.styled(&format!("\n{BOLD}{profile}{BOLD:#}\n")),
        }
    }

    pub(super) fn ok(&mut self, step: &str, detail: impl AsRef<str>) -> Result<(), CommandError> {
        self.add(StepState::Ok, step, detail.as_ref(), &[], None)
    }

    pub(super) fn warn(
        &mut self,
        step: &str,
        detail: impl AsRef<str>,
        hint: &str,
    ) -> Result<(), CommandError> {
        self.add(StepState::Warning, step, detail.as_ref(), &[Hint::new(hint.to_owned())], None)
    }

    pub(super) fn skip(&mut self, step: &str, reason: &str) -> Result<(), CommandError> {
        self.add(StepState::Skipped, step, reason, &[], None)
    }

    /// Skips steps that need a failed one. All of them take one line, with those of later calls.
    pub(super) fn skip_all(&mut self, steps: &[&str], failed: &str) -> Result<(), CommandError> {
        let detail = format!("skipped because {failed} failed");
        for step in steps {
            self.record(StepState::Skipped, step, &detail, &[], None);
        }
        let (untested, _) = self.untested.get_or_insert_with(|| (Vec::new(), failed.to_owned()));
        untested.extend(steps.iter().map(|step| (*step).to_owned()));
        Ok(())
    }

    /// Prints the line of the steps that were not tested.
    fn print_untested(&mut self) -> Result<(), CommandError> {
        let Some((steps, failed)) = self.untested.take() else { return Ok(()) };
        let (mark, style) = StepState::Skipped.mark();
        let (indent, steps) = (self.indent(), steps.join(", "));
        self.print(&format!(
            "{indent}{style}{mark}{style:#} {steps}: not tested, because {failed} failed\n"
        ))
    }

    fn indent(&self) -> &'static str {
        if self.profile.is_some() { "  " } else { "" }
    }

    fn print(&self, text: &str) -> Result<(), CommandError> {
        match self.format {
            Format::Json => Ok(()),
            _ => self.output.text(text),
        }
    }

    /// Reports a failed step. The first one sets the exit code.
    pub(super) fn fail(&mut self, step: &str, error: &Error) -> Result<(), CommandError> {
        let kind = error.kind();
        if self.exit.is_none() {
            let step = match &self.profile {
                Some(profile) => format!("{profile}: {step}"),
                None => step.to_owned(),
            };
            self.exit = Some((exit::of_kind(kind), step));
        }
        let retry = error.retry_after().map(|it| format!(", retry not before {}", after(it)));
        let text = match (&self.profile, error.vendor_text()) {
            (None, _) => error.to_string(),
            // The report has named the profile.
            (Some(_), None) => one_line(error),
            (Some(_), Some(text)) => format!("{}: the vendor's message: {text}", one_line(error)),
        };
        let detail = format!("{text}{}", retry.unwrap_or_default());
        let hints = match kind {
            // Not the hint of other commands, because `doctor` has no `--wait`.
            ErrorKind::Throttled | ErrorKind::Unavailable if error.hints().is_empty() => {
                vec![Hint::new("try again later")]
            }
            _ => CommandError::Gatepass(error.clone()).hints(),
        };
        self.add(StepState::Failed, step, &detail, &hints, Some(kind))
    }

    /// Returns the exit code, and prints the summary.
    pub(super) fn end(mut self) -> Result<ExitCode, CommandError> {
        self.print_untested()?;
        let exit = self.exit.as_ref().map_or(0, |(exit, _)| *exit);
        if self.format == Format::Json {
            let ok = self.exit.is_none();
            self.output.json(&json!({ "ok": ok, "exit": exit, "steps": self.steps }))?;
        } else {
            self.print(&format!("\n{}\n", self.summary()))?;
        }
        Ok(ExitCode::from(exit))
    }

    /// Describes the whole report in one line.
    fn summary(&self) -> String {
        let Counts { ok, warnings, failed, untested } = self.counts;
        let plural = |count, one: &str, more: &str| match count {
            0 => String::new(),
            1 => format!(", 1 {one}"),
            count => format!(", {count} {more}"),
        };
        let counts = [
            plural(warnings, "warning", "warnings"),
            plural(failed, "failed", "failed"),
            plural(untested, "not tested", "not tested"),
        ];
        let state = match (failed, warnings) {
            (1.., _) => StepState::Failed,
            (0, 1..) => StepState::Warning,
            (0, 0) => StepState::Ok,
        };
        let (mark, style) = state.mark();
        let exit = match &self.exit {
            Some((exit, step)) => format!("; exit code {exit}, because of {step}"),
            None => String::new(),
        };
        format!("{style}{mark}{style:#} {ok} ok{}{exit}", counts.concat())
    }

    fn add(
        &mut self,
        state: StepState,
        step: &str,
        detail: &str,
        hints: &[Hint],
        kind: Option<ErrorKind>,
    ) -> Result<(), CommandError> {
        self.print_untested()?;
        let hints = hints.iter().map(|hint| program::typed(hint.clone(), self.config));
        let hints: Vec<Hint> = hints.collect();
        self.record(state, step, detail, &hints, kind);
        let (mark, style) = state.mark();
        let indent = self.indent();
        let (word, of) = match step.split_once(' ') {
            Some((word, of)) => (word, format!("{of}: ")),
            None => (step, String::new()),
        };
        let mut text = format!("{indent}{style}{mark}{style:#} {word:<8} {of}{detail}\n");
        for hint in &hints {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{indent}    {BOLD}hint{BOLD:#}: {hint}");
        }
        self.print(&text)
    }

    /// Adds a step to the counts and to the JSON object.
    fn record(
        &mut self,
        state: StepState,
        step: &str,
        detail: &str,
        hints: &[Hint],
        kind: Option<ErrorKind>,
    ) {
        *match state {
            StepState::Ok => &mut self.counts.ok,
            StepState::Warning => &mut self.counts.warnings,
            StepState::Failed => &mut self.counts.failed,
            StepState::Skipped => &mut self.counts.untested,
        } += 1;
        self.steps.push(json!({
            "profile": self.profile,
            "step": step,
            "state": state.name(),
            "detail": detail,
            "hint": hints.first().map(Hint::to_string),
            "hints": hints.iter().map(hint_json).collect::<Vec<_>>(),
            "code": kind.map(ErrorKind::code),
        }));
    }
}

impl StepState {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn mark(self) -> (char, Style) {
        let colored = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Ok => ('✓', colored(AnsiColor::Green)),
            Self::Warning => ('!', colored(AnsiColor::Yellow)),
            Self::Failed => ('✗', colored(AnsiColor::Red)),
            Self::Skipped => ('–', Style::new().dimmed()),
        }
    }
}

/// Formats a time as in `12 ms`.
pub(super) fn ms(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

const BOLD: Style = Style::new().bold();
