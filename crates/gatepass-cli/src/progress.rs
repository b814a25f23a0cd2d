//! The line on a terminal that shows what a command waits for.

use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{interval, sleep};

use crate::error::CommandError;
use crate::output::Output;
use crate::signal;

/// A shorter wait is not shown.
const DELAY: Duration = Duration::from_secs(1);
/// How often the line is drawn: a count of seconds then never skips one.
const REDRAW: Duration = Duration::from_millis(250);

/// Runs `work`, and shows `line` on the terminal after one second.
///
/// The line is removed at the end, also if a signal ends the command. Without a terminal, with
/// `--quiet` and among the lines of a log, the function only runs `work`.
pub(crate) async fn show_while<T>(
    work: impl Future<Output = T>,
    line: impl Fn() -> String,
    output: &Output,
) -> Result<T, CommandError> {
    if !output.is_interactive() || output.is_logging() {
        return Ok(work.await);
    }
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return Ok(done),
        () = sleep(DELAY) => {}
    }
    let mut stopped = pin!(signal::stop_signal()?);
    let shown = Line::new();
    let mut ticks = interval(REDRAW);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            signal = &mut stopped => {
                drop(shown);
                signal::end_by(signal);
                return Err(CommandError::Interrupted);
            }
            _ = ticks.tick() => shown.draw(line()),
        }
    }
}

/// A line on stderr, which is removed when it is dropped.
struct Line(ProgressBar);

impl Line {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("gatepass: {wide_msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn draw(&self, text: String) {
        self.0.set_message(text);
        // No thread draws in the background, because this machine may have none left.
        self.0.tick();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
