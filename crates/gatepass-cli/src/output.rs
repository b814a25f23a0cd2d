//! The only place that prints: results on stdout, everything else on stderr.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use gatepass::{Clock, SystemClock, Token};
use jiff::Timestamp;
use serde_json::{Value, json};
use terminal_size::Width;
use tracing_subscriber::EnvFilter;

use crate::error::{CommandError, usage};
use crate::options::{Common, Format};
use crate::wrap::wrap;
use crate::{exit, warnings};

/// Where and how to print.
#[derive(Debug)]
pub(crate) struct Output {
    format: Option<Format>,
    quiet: bool,
    /// The command's name, which the history of token requests shows later.
    command_name: String,
    /// Warnings held back until it is known that no error object comes.
    warnings: RefCell<Vec<String>>,
}

impl Output {
    pub(crate) fn new(common: &Common, command_name: String) -> Self {
        let warnings = RefCell::default();
        Self { format: common.format, quiet: common.quiet, command_name, warnings }
    }

    /// Returns the command's name.
    pub(crate) fn command_name(&self) -> &str {
        &self.command_name
    }

    /// How wide the terminal is that a result goes to, if it goes to one.
    pub(crate) fn width(&self) -> Option<u16> {
        let (width, _) = terminal_size::terminal_size()?;
        io::stdout().is_terminal().then_some(width.0)
    }

    /// Whether a person sees the result at once.
    pub(crate) fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Writes a result with colours, which only a terminal gets.
    pub(crate) fn styled(&self, text: &str) -> Result<(), CommandError> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// The format asked for, if this command has it, and else the first of those it has.
    pub(crate) fn format(&self, has: &[Format]) -> Result<Format, CommandError> {
        match self.format {
            Some(format) if has.contains(&format) => Ok(format),
            None => Ok(has.first().copied().unwrap_or(Format::Text)),
            Some(_) => {
                let names: Vec<String> = has.iter().map(|format| format.name()).collect();
                let hint = format!("it has: {}", names.join(", "));
                Err(usage("this command does not have that --format", hint))
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

    /// Says on stderr how it goes, to people only: a program reads one object there, or nothing.
    pub(crate) fn status(&self, text: &str) {
        if self.format != Some(Format::Json) {
            self.write_stderr(text);
        }
    }

    /// Asks a person for something on stderr, even if told to be quiet: it waits for them.
    pub(crate) fn ask(&self, text: &str) {
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "{}", fitted(text)).and_then(|()| stderr.flush());
    }

    /// Whether a program reads the result.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Some(Format::Json)
    }

    /// Warns on stderr, unless told to be quiet.
    pub(crate) fn warn(&self, text: &str) {
        let style = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        let text = format!("gatepass: {style}warning{style:#}: {text}");
        match self.format {
            Some(Format::Json) => self.warnings.borrow_mut().push(text),
            _ => self.write_stderr(&text),
        }
    }

    /// Tells the warnings that were held back: all went well.
    pub(crate) fn flush_warnings(&self) {
        if let Some(heard) = warnings::first() {
            self.warn(heard);
        }
        self.warnings.take().iter().for_each(|text| self.write_stderr(text));
    }

    fn write_stderr(&self, text: &str) {
        if !self.quiet {
            // A closed stderr is no reason to stop.
            let _ = writeln!(anstream::stderr().lock(), "{}", fitted(text));
        }
    }

    /// Warns of what was odd about a token's answer.
    pub(crate) fn warn_token(&self, profile: &str, token: &Token) {
        for warning in token.warnings() {
            self.warn(&format!("{profile}: {warning}"));
        }
    }

    /// Whether somebody watches: progress may be drawn.
    pub(crate) fn is_interactive(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// What a panic ends as: 1, or what `exec` keeps for its own.
    pub(crate) fn internal_error(&self) -> CommandError {
        match self.command_name.as_str() {
            "exec" => CommandError::Panic.with_exit_code(exit::EXEC_FAILED),
            _ => CommandError::Panic,
        }
    }

    /// Reports a failure and gives its exit code.
    pub(crate) fn fail(&self, failure: &CommandError) -> ExitCode {
        report(failure, self.format == Some(Format::Json))
    }

    /// Shows what the library logs: by `-v`, or by `RUST_LOG`. Without them its first warning is
    /// told when all has gone well.
    pub(crate) fn log(&self, verbose: u8) {
        let filter = match verbose {
            0 => EnvFilter::builder().try_from_env().ok(),
            1 => Some(EnvFilter::new("gatepass=debug,gatepass_engine=debug,gatepass_http=debug")),
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

/// A message as wide as the terminal, if stderr is one: nobody breaks the lines of a pipe.
fn fitted(text: &str) -> Cow<'_, str> {
    match terminal_size::terminal_size_of(io::stderr()) {
        Some((Width(width), _)) if width >= 20 => wrap(text, usize::from(width)).into(),
        _ => text.into(),
    }
}

/// Tells a panic by its place alone: its message may repeat what a provider was working on.
pub(crate) fn report_panics_by_location() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(
            io::stderr(),
            "gatepass: a fault in the program, at {place}: please report it"
        );
    }));
}

/// Reports a failure that came before the options were understood.
pub(crate) fn fail_before_start(failure: &CommandError) -> ExitCode {
    let mut words = own_words().into_iter().peekable();
    let mut json = false;
    while let Some(word) = words.next() {
        json |= word == "--format=json"
            || (word == "--format" && words.peek().is_some_and(|next| next == "json"));
    }
    report(failure, json)
}

/// The arguments as they were typed, but for what is behind `--`: that is another program's.
pub(crate) fn own_words() -> Vec<String> {
    let words = std::env::args_os().skip(1).take_while(|word| word != "--");
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

fn report(failure: &CommandError, json: bool) -> ExitCode {
    let exit = ExitCode::from(failure.exit_code());
    match failure {
        CommandError::ClosedPipe | CommandError::Interrupted => return exit,
        // Its place has been told.
        failure if failure.is_panic() && !json => return exit,
        _ => {}
    }
    let retry_at = failure.retry_after().map(after);
    let mut stderr = anstream::stderr().lock();
    let written = if json {
        let error = json!({"error": {
            "code": failure.code(),
            "exit": failure.exit_code(),
            "message": failure.message(),
            "hint": failure.hint(),
            "retry_at": retry_at,
        }});
        writeln!(stderr, "{error}")
    } else {
        let bold = Style::new().bold();
        let hint = failure.hint().map(|hint| format!("\n  {bold}hint{bold:#}: {hint}"));
        let again = retry_at.map(|at| format!("\n  {bold}again{bold:#}: not before {at}"));
        let (hint, again) = (hint.unwrap_or_default(), again.unwrap_or_default());
        let text = format!("gatepass: {}{hint}{again}", failure.message());
        writeln!(stderr, "{}", fitted(&text))
    };
    // Where stderr is closed the exit code still tells.
    let _ = written;
    exit
}

/// A moment as RFC 3339 in UTC, to the second.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    match Timestamp::from_second(unix_seconds(at)) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => String::from(LAST),
    }
}

/// The moment so long from now. A provider of somebody else's may ask to wait for ever.
pub(crate) fn after(after: Duration) -> String {
    SystemClock::new().wall().checked_add(after).map_or_else(|| String::from(LAST), rfc3339)
}

/// The last moment that can be written so.
const LAST: &str = "9999-12-31T23:59:59Z";

/// A moment in seconds since 1970.
pub(crate) fn unix_seconds(at: SystemTime) -> i64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// Formats a duration: `59m40s`.
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
    fn a_wait_for_ever_ends_at_the_last_moment() {
        assert_eq!(after(Duration::MAX), LAST);
        assert_eq!(after(Duration::from_secs(1 << 40)), LAST);
        assert!(after(Duration::from_secs(60)).as_str() < LAST);
    }
}
