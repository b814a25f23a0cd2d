//! Prompts on the terminal: visible input, hidden input for secrets, and yes-or-no questions.
//!
//! Hidden input is home-made rather than a crate's, because it must be able to
//!
//! - read a token longer than 4,096 characters, where a terminal in line mode cuts a line off;
//! - be interrupted by a signal, and leave the terminal as it was;
//! - keep the secret in one buffer that is zeroed, past the buffer of the standard library.

use std::io::{self, BufRead, IsTerminal, Read};

use gatepass::cli_support;
use zeroize::Zeroizing;

use crate::error::{CommandError, internal, usage};
use crate::output::Output;
use crate::signal;

/// The longest input, in bytes.
const MAX_INPUT_BYTES: usize = 128 * 1024;

/// Returns whether the user can be asked: questions are printed on stderr and read from stdin.
pub(crate) fn is_available() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Reads a line from the terminal without showing it. If stdin is not a terminal, reads its first
/// line. Returns an error of the kind `Config` for empty input.
pub(crate) async fn hidden(
    output: &Output,
    question: &str,
) -> Result<Zeroizing<String>, CommandError> {
    let stop = signal::stop()?;
    let on_terminal = io::stdin().is_terminal();
    let echo_off = if on_terminal {
        output.ask(question);
        Some(echo::EchoOff::new().map_err(|error| internal("cannot hide the input", &error))?)
    } else {
        None
    };
    // A blocking read cannot be cancelled: its thread waits until the process ends.
    let reading = cli_support::run_blocking(move || read_line(on_terminal));
    let read = tokio::select! {
        read = reading => read.unwrap_or_else(|| Err(io::Error::other("reading failed"))),
        () = stop => {
            drop(echo_off);
            output.ask("\n");
            return Err(CommandError::Interrupted);
        }
    };
    if echo_off.is_some() {
        drop(echo_off);
        output.ask("\n");
    }
    let bytes = read.map_err(|error| internal("cannot read the input", &error))?;
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => Err(usage("the input is empty", "type or paste it and press Enter")),
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(usage("the input is not UTF-8", "type or paste it again")),
    }
}

/// Reads a line from the terminal while showing it. Returns it without surrounding spaces, or
/// `None` at the end of the input.
pub(crate) async fn visible(
    output: &Output,
    question: &str,
) -> Result<Option<String>, CommandError> {
    output.ask(question);
    let reading = cli_support::run_blocking(|| {
        let mut line = String::new();
        let length = io::stdin().lock().take(MAX_INPUT_BYTES as u64).read_line(&mut line)?;
        Ok((length > 0).then(|| line.trim().to_owned()))
    });
    let read = reading.await.unwrap_or_else(|| Err(io::Error::other("reading failed")));
    read.map_err(|error| internal("cannot read the input", &error))
}

/// Asks a question, and returns true only for an explicit yes.
pub(crate) async fn confirm(output: &Output, question: &str) -> Result<bool, CommandError> {
    let reply = visible(output, &format!("{question} [y/N] ")).await?;
    Ok(matches!(reply.as_deref(), Some("y" | "Y" | "yes")))
}

/// Reads up to the end of the line. With echo off the terminal is not in line mode, so the editing
/// keys arrive as bytes.
fn read_line(on_terminal: bool) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    while let Some(byte) = read_byte()? {
        match byte {
            b'\n' | b'\r' => break,
            // Ctrl-D
            4 if on_terminal => break,
            // Backspace removes a character, which may have several bytes.
            8 | 0x7F if on_terminal => while line.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {},
            // Ctrl-U
            0x15 if on_terminal => line.clear(),
            byte if line.len() < MAX_INPUT_BYTES => line.push(byte),
            _ => return Err(io::ErrorKind::FileTooLarge.into()),
        }
    }
    Ok(line)
}

/// Reads one byte of standard input, without the standard library's buffer, which would keep a
/// copy of the secret.
#[cfg(unix)]
fn read_byte() -> io::Result<Option<u8>> {
    let mut byte = [0];
    let read = rustix::io::retry_on_intr(|| rustix::io::read(io::stdin(), &mut byte))?;
    Ok((read == 1).then_some(byte[0]))
}

#[cfg(not(unix))]
fn read_byte() -> io::Result<Option<u8>> {
    io::stdin().lock().bytes().next().transpose()
}

#[cfg(unix)]
mod echo {
    use std::io;

    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
    };

    /// Turns off the terminal's echo and line mode until it is dropped.
    pub(super) struct EchoOff(Termios);

    impl EchoOff {
        pub(super) fn new() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut hidden = before.clone();
            hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON;
            hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
            hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
            Ok(Self(before))
        }
    }

    impl Drop for EchoOff {
        fn drop(&mut self) {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        }
    }
}

#[cfg(not(unix))]
mod echo {
    use std::io;

    pub(super) struct EchoOff;

    impl EchoOff {
        /// Fails: a secret is not read from a terminal that would show it.
        pub(super) fn new() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}
