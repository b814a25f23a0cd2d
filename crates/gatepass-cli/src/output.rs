//! The only file that prints: results go to stdout, everything else goes to stderr.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Env;
use gatepass::{Hint, Token};
use jiff::Timestamp;
use serde_json::{Value, json};
use terminal_size::Width;
use tracing_subscriber::EnvFilter;

use crate::error::{CommandError, usage};
use crate::options::{Common, Format};
use crate::wrap::wrap;
use crate::{arguments, exit, program, verbose, warnings};

/// Prints what a command produces, in the format and the amount that the user chose.
#[derive(Debug)]
pub(crate) struct Output {
    format: Option<Format>,
    quiet: bool,
    verbose: u8,
    command_name: String,
    /// Warnings for stderr while it is not known whether an error object follows: a program reads
    /// one JSON object there, or nothing. Or while a screen is drawn.
    pending_warnings: RefCell<Vec<String>>,
    is_drawing: Cell<bool>,
    /// The warnings of [`Output::warn_once`].
    known_warnings: RefCell<BTreeSet<String>>,
}

impl Output {
    pub(crate) fn new(common: &Common, command_name: String) -> Self {
        Self {
            format: common.format,
            quiet: common.quiet,
            verbose: common.verbose,
            command_name,
            pending_warnings: RefCell::default(),
            is_drawing: Cell::new(false),
            known_warnings: RefCell::default(),
        }
    }

    /// Returns the name of the command, which the history of token requests records.
    pub(crate) fn command_name(&self) -> &str {
        &self.command_name
    }

    /// Returns the width of the terminal if stdout is one.
    pub(crate) fn width(&self) -> Option<u16> {
        let (width, _) = terminal_size::terminal_size()?;
        io::stdout().is_terminal().then_some(width.0)
    }

    /// Returns whether stdout is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Returns the number of lines of the terminal.
    pub(crate) fn height(&self) -> Option<usize> {
        terminal_size::terminal_size().map(|(_, height)| usize::from(height.0))
    }

    /// Keeps warnings until [`Output::take_warnings`], while the screen is drawn.
    pub(crate) fn set_drawing(&self, is_drawing: bool) {
        self.is_drawing.set(is_drawing);
    }

    /// Returns the warnings that were kept.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        self.pending_warnings.take()
    }

    /// Writes control sequences and text to the terminal; without colors if the user wants none.
    pub(crate) fn draw(&self, control: [&str; 2], text: &str) -> Result<(), CommandError> {
        let [before, after] = control;
        let is_plain = AutoStream::choice(&io::stdout()) == ColorChoice::Never;
        let text = if is_plain { strip_str(text).to_string().into() } else { Cow::Borrowed(text) };
        // A line that was longer before leaves nothing behind.
        let text = text.replace('\n', "\x1b[K\r\n");
        self.result(&[before, &text, after].concat())
    }

    /// Fails if the reader of stdout has closed it, which a write would not notice before the next
    /// result.
    pub(crate) fn check_reader(&self) -> Result<(), CommandError> {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let stdout = io::stdout();
            let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let is_known = poll(&mut polled, Some(&at_once)).is_ok();
            if is_known && polled[0].revents().contains(PollFlags::ERR) {
                return Err(CommandError::ClosedPipe);
            }
        }
        Ok(())
    }

    /// Writes a result as [`Output::styled`] does, with lines of the terminal's width.
    pub(crate) fn text(&self, text: &str) -> Result<(), CommandError> {
        match self.width() {
            Some(width) if width >= MIN_WIDTH => self.styled(&wrap(text, usize::from(width))),
            _ => self.styled(text),
        }
    }

    /// Writes a result with colors, which are removed unless stdout is a terminal.
    pub(crate) fn styled(&self, text: &str) -> Result<(), CommandError> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// Returns the format that the user chose, or the first of `supported`.
    ///
    /// Fails with a usage error if the command does not support the chosen format.
    pub(crate) fn format(&self, supported: &[Format]) -> Result<Format, CommandError> {
        match self.format {
            Some(format) if supported.contains(&format) => Ok(format),
            None => Ok(supported.first().copied().unwrap_or(Format::Text)),
            Some(format) => {
                let names: Vec<String> = supported.iter().map(|format| format.name()).collect();
                let message = format!("--format {} does not apply to this command", format.name());
                Err(usage(message, format!("possible values: {}", names.join(", "))))
            }
        }
    }

    /// Writes a result to stdout.
    pub(crate) fn result(&self, text: &str) -> Result<(), CommandError> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes of a result to stdout.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), CommandError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        Ok(stdout.flush()?)
    }

    /// Writes a JSON result to stdout.
    pub(crate) fn json(&self, value: &Value) -> Result<(), CommandError> {
        let text = if self.is_terminal() { format!("{value:#}\n") } else { format!("{value}\n") };
        self.result(&text)
    }

    /// Reports progress on stderr, except with `--format json` and `--quiet`.
    pub(crate) fn status(&self, text: &str) {
        if self.format != Some(Format::Json) {
            self.write_stderr(text);
        }
    }

    /// Announces on stderr that a long-running command is ready, except with `--quiet`.
    pub(crate) fn announce(&self, text: &str) {
        self.write_stderr(text);
    }

    /// Prints a question on stderr even with `--quiet`, because the command waits for the user.
    pub(crate) fn ask(&self, text: &str) {
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "{}", wrapped(text)).and_then(|()| stderr.flush());
    }

    /// Returns whether the user chose `--format json`.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Some(Format::Json)
    }

    /// Prints what the command does on stderr with `-v`.
    pub(crate) fn verbose(&self, text: impl FnOnce() -> String) {
        if self.verbose > 0 {
            verbose::print(&text());
        }
    }

    /// Returns whether a log is printed on stderr.
    pub(crate) fn is_logging(&self) -> bool {
        self.verbose > 0 || Env::process().path(EnvFilter::DEFAULT_ENV).is_some()
    }

    /// Warns on stderr, except with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        let style = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        let text = format!("gatepass: {style}warning{style:#}: {text}");
        match self.format {
            Some(Format::Json) => self.pending_warnings.borrow_mut().push(text),
            _ if self.is_drawing.get() => self.pending_warnings.borrow_mut().push(text),
            _ => self.write_stderr(&text),
        }
    }

    /// Warns unless this warning was given before.
    pub(crate) fn warn_once(&self, text: &str) {
        if self.known_warnings.borrow_mut().insert(text.to_owned()) {
            self.warn(text);
        }
    }

    /// Prints the pending warnings, and the first warning of the library's log. Call it when no
    /// error can follow.
    pub(crate) fn flush_warnings(&self) {
        if let Some(warning) = warnings::take_first() {
            self.warn(warning);
        }
        self.pending_warnings.take().iter().for_each(|text| self.write_stderr(text));
    }

    fn write_stderr(&self, text: &str) {
        if !self.quiet {
            // A command does not fail because its stderr is closed.
            let _ = writeln!(anstream::stderr().lock(), "{}", wrapped(text));
        }
    }

    /// Prints the warnings that a token's response caused.
    pub(crate) fn warn_token(&self, profile: &str, token: &Token) {
        for warning in token.warnings() {
            self.warn(&format!("{profile}: {warning}"));
        }
    }

    /// Returns whether progress may be drawn on stderr.
    pub(crate) fn is_interactive(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Returns the error of a panic, with the exit code that `exec` reserves if it is the command.
    pub(crate) fn internal_error(&self) -> CommandError {
        match self.command_name.as_str() {
            "exec" => CommandError::Panic.with_exit_code(exit::EXEC_FAILED),
            _ => CommandError::Panic,
        }
    }

    /// Reports an error on stderr and returns its exit code. `config` is the file that `--config`
    /// named, for the commands in the hints.
    pub(crate) fn fail(&self, error: &CommandError, config: Option<&Path>) -> ExitCode {
        if self.command_name == "token" {
            fail_evaluation(error, self.format);
        }
        report(error, self.format == Some(Format::Json), config)
    }

    /// Reads `RUST_LOG`, and warns if it is not a filter.
    fn filter_of_environment(&self) -> Option<EnvFilter> {
        let text = Env::process().path("RUST_LOG")?;
        let filter = text.to_str().and_then(|text| text.parse().ok());
        if filter.is_none() {
            self.warn("RUST_LOG is ignored: it is not a filter such as gatepass=debug");
        }
        filter
    }

    /// Starts logging to stderr as `-v` or `RUST_LOG` say: one `-v` prints sentences for users, two
    /// print the library's own log. Without them, the first warning is kept for
    /// [`Output::flush_warnings`].
    pub(crate) fn log(&self) {
        let filter = match self.verbose {
            0 => self.filter_of_environment(),
            1 => return verbose::install(),
            _ => Some(EnvFilter::new("gatepass=trace,gatepass_engine=trace,gatepass_http=trace")),
        };
        match filter {
            Some(filter) => tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_writer(io::stderr)
                .with_ansi(false)
                .init(),
            None => warnings::install(),
        }
    }
}

/// The narrowest terminal for which lines are wrapped.
const MIN_WIDTH: u16 = 20;

/// Wraps a message at the terminal's width if stderr is a terminal. Programs get whole lines.
fn wrapped(text: &str) -> Cow<'_, str> {
    match terminal_size::terminal_size_of(io::stderr()) {
        Some((Width(width), _)) if width >= MIN_WIDTH => wrap(text, usize::from(width)).into(),
        _ => text.into(),
    }
}

/// Reports each panic by its location alone: its message may contain what a provider worked on.
pub(crate) fn report_panics_by_location() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(
            io::stderr(),
            "gatepass: internal error at {place}: please report this location"
        );
    }));
}

/// Reports an error that occurred before the options were parsed. `config` is as for [`Output::fail`].
pub(crate) fn fail_before_start(error: &CommandError, config: Option<&Path>) -> ExitCode {
    let mut words = arguments::own().into_iter().peekable();
    let (mut format, mut is_token) = (None, false);
    while let Some(word) = words.next() {
        is_token |= word == "token";
        let name = match word.strip_prefix("--format=") {
            Some(name) => Some(name),
            None if word == "--format" => words.peek().map(String::as_str),
            None => None,
        };
        format = name.and_then(|name| Format::from_str(name, false).ok()).or(format);
    }
    if is_token {
        fail_evaluation(error, format);
    }
    report(error, format == Some(Format::Json), config)
}

/// Makes a shell fail that evaluates the output, and forget the token of an earlier evaluation.
fn fail_evaluation(error: &CommandError, format: Option<Format>) {
    let is_written = matches!(error, CommandError::ClosedPipe);
    if let Some(text) = format.and_then(Format::failure).filter(|_| !is_written) {
        let mut stdout = io::stdout().lock();
        // If stdout is closed, the shell evaluates nothing.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }
}

fn report(error: &CommandError, json: bool, config: Option<&Path>) -> ExitCode {
    let exit = ExitCode::from(error.exit_code());
    match error {
        CommandError::ClosedPipe | CommandError::Interrupted => return exit,
        // The panic hook has printed the location.
        error if error.is_panic() && !json => return exit,
        _ => {}
    }
    let hints = error.hints().into_iter().map(|hint| program::typed(hint, config));
    let hints: Vec<Hint> = hints.collect();
    let retry_at = error.retry_after().map(after);
    let mut stderr = anstream::stderr().lock();
    let written = if json {
        let error = json!({"error": {
            "code": error.code(),
            "exit": error.exit_code(),
            "message": error.message(),
            "hint": hints.first().map(Hint::to_string),
            "hints": hints.iter().map(hint_json).collect::<Vec<_>>(),
            "retry_at": retry_at,
        }});
        writeln!(stderr, "{error}")
    } else {
        let bold = Style::new().bold();
        let hints = hints.iter().map(|hint| format!("\n  {bold}hint{bold:#}: {hint}"));
        let hints: String = hints.collect();
        let retry = retry_at.map(|at| format!("\n  {bold}retry{bold:#}: not before {at}"));
        let retry = retry.unwrap_or_default();
        let text = format!("gatepass: {}{hints}{retry}", error.message());
        writeln!(stderr, "{}", wrapped(&text))
    };
    // If stderr is closed, the exit code is all there is.
    let _ = written;
    exit
}

/// Returns a hint as JSON: its text, and the arguments of its command.
pub(crate) fn hint_json(hint: &Hint) -> Value {
    json!({ "text": hint.text(), "command": hint.arguments() })
}

/// Formats a time as RFC 3339 in UTC, to the second.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    match Timestamp::from_second(unix_seconds(at)) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => String::from(MAX_TIME),
    }
}

/// Formats the time after a delay from now. A third party's provider may return any delay.
pub(crate) fn after(delay: Duration) -> String {
    SystemClock::new().wall().checked_add(delay).map_or_else(|| String::from(MAX_TIME), rfc3339)
}

/// The last time that RFC 3339 can express.
const MAX_TIME: &str = "9999-12-31T23:59:59Z";

/// Returns the seconds since 1970, negative before.
pub(crate) fn unix_seconds(at: SystemTime) -> i64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// Formats a duration as `40s`, `59m40s` or `2h05m`.
pub(crate) fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_delay_ends_at_last_time() {
        assert_eq!(after(Duration::MAX), MAX_TIME);
        assert_eq!(after(Duration::from_secs(1 << 40)), MAX_TIME);
        assert!(after(Duration::from_secs(60)).as_str() < MAX_TIME);
    }
}
