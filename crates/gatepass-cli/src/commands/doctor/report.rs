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

/// The results so far.
pub(super) struct Report<'a> {
    output: &'a Output,
    format: Format,
    /// The value of `--config`, for the commands in hints.
    config: Option<&'a Path>,
    profile: Option<String>,
    steps: Vec<Value>,
    exit: Option<u8>,
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
        Self { output, format, config, profile: None, steps: Vec::new(), exit: None }
    }

    /// Starts the steps of a profile.
    pub(super) fn begin(&mut self, profile: &str) -> Result<(), CommandError> {
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

    /// Skips steps that need a failed one.
    pub(super) fn skip_all(&mut self, steps: &[&str], failed: &str) -> Result<(), CommandError> {
        steps
            .iter()
            .try_for_each(|step| self.skip(step, &format!("skipped because {failed} failed")))
    }

    /// Reports a failed step. The first one sets the exit code.
    pub(super) fn fail(&mut self, step: &str, error: &Error) -> Result<(), CommandError> {
        let kind = error.kind();
        self.exit.get_or_insert_with(|| exit::of_kind(kind));
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

    /// Returns the exit code, and prints the JSON object if that is the format.
    pub(super) fn end(self) -> Result<ExitCode, CommandError> {
        let exit = self.exit.unwrap_or_default();
        if self.format == Format::Json {
            let ok = self.exit.is_none();
            self.output.json(&json!({ "ok": ok, "exit": exit, "steps": self.steps }))?;
        }
        Ok(ExitCode::from(exit))
    }

    fn add(
        &mut self,
        state: StepState,
        step: &str,
        detail: &str,
        hints: &[Hint],
        kind: Option<ErrorKind>,
    ) -> Result<(), CommandError> {
        let hints = hints.iter().map(|hint| hint.clone().with_config(self.config));
        let hints: Vec<Hint> = hints.collect();
        self.steps.push(json!({
            "profile": self.profile,
            "step": step,
            "state": state.name(),
            "detail": detail,
            "hint": hints.first().map(Hint::to_string),
            "hints": hints.iter().map(hint_json).collect::<Vec<_>>(),
            "code": kind.map(ErrorKind::code),
        }));
        if self.format == Format::Json {
            return Ok(());
        }
        let (mark, style) = state.mark();
        let indent = if self.profile.is_some() { "  " } else { "" };
        let (word, of) = match step.split_once(' ') {
            Some((word, of)) => (word, format!("{of}: ")),
            None => (step, String::new()),
        };
        let mut text = format!("{indent}{style}{mark}{style:#} {word:<8} {of}{detail}\n");
        for hint in &hints {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{indent}    {BOLD}hint{BOLD:#}: {hint}");
        }
        self.output.styled(&text)
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
