//! Terminal output of all tasks: results on stdout, progress and errors on stderr.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks print to a terminal")]

use std::fmt::Display;

/// Prints a line of a task's result.
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// Prints a line about progress.
pub(crate) fn note(text: impl Display) {
    eprintln!("{text}");
}

/// Prints the last line of a task that failed.
pub(crate) fn error(text: impl Display) {
    eprintln!("error: {text}");
}
