//! All that the tasks print.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task talks to a terminal")]

use std::fmt::Display;

/// A line of a task's answer.
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// A line about progress or trouble, beside the answer.
pub(crate) fn note(text: impl Display) {
    eprintln!("{text}");
}

/// The last line of a task that failed.
pub(crate) fn error(text: impl Display) {
    eprintln!("error: {text}");
}
