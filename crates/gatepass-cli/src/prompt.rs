//! Prompt: a text that a person types or pastes, shown on the screen or, for secrets, not.

use std::io::{self, BufRead, IsTerminal, Read};

use zeroize::Zeroizing;

use crate::error::{CommandError, internal, usage};
use crate::output::Output;
use crate::signal;

/// The longest text that is read, in bytes.
const LONGEST: usize = 128 * 1024;

/// Asks for a text on the terminal and shows nothing of it; where stdin is no terminal, reads its
/// first line. `Config` if there is nothing.
pub(crate) async fn hidden(
    output: &Output,
    question: &str,
) -> Result<Zeroizing<String>, CommandError> {
    let stop = signal::stop()?;
    let on_terminal = io::stdin().is_terminal();
    let screen = if on_terminal {
        output.ask(question);
        Some(
            screen::Hidden::begin()
                .map_err(|error| internal("cannot hide what is typed", &error))?,
        )
    } else {
        None
    };
    // It cannot be called off: a thread waits for the terminal until the process ends.
    let reading = tokio::task::spawn_blocking(move || line(on_terminal));
    let read = tokio::select! {
        read = reading => read.unwrap_or_else(|_| Err(io::Error::other("reading failed"))),
        () = stop => {
            drop(screen);
            output.ask("\n");
            return Err(CommandError::Interrupted);
        }
    };
    if screen.is_some() {
        drop(screen);
        output.ask("\n");
    }
    let bytes = read.map_err(|error| internal("cannot read the answer", &error))?;
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => Err(usage("nothing was entered", "type or paste it and press Enter")),
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(usage("what was entered is not UTF-8", "type or paste it once more")),
    }
}

/// Asks for a text on the terminal, where it shows, and gives it without spaces around it. `None` at
/// the end of the input.
pub(crate) async fn shown(output: &Output, question: &str) -> Result<Option<String>, CommandError> {
    output.ask(question);
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        let length = io::stdin().lock().take(LONGEST as u64).read_line(&mut line)?;
        Ok((length > 0).then(|| line.trim().to_owned()))
    });
    let read = reading.await.unwrap_or_else(|_| Err(io::Error::other("reading failed")));
    read.map_err(|error| internal("cannot read the answer", &error))
}

/// Whether a person at the terminal says yes.
pub(crate) async fn is_agreed(output: &Output, question: &str) -> Result<bool, CommandError> {
    let answer = shown(output, &format!("{question} [y/N] ")).await?;
    Ok(matches!(answer.as_deref(), Some("y" | "Y" | "yes")))
}

/// Reads up to the end of the line. A terminal that shows nothing hands over each key, since it
/// would cut a line at 4,096 characters otherwise, and a token may be longer.
fn line(on_terminal: bool) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    while let Some(byte) = byte()? {
        match byte {
            b'\n' | b'\r' => break,
            // Ctrl-D
            4 if on_terminal => break,
            // Backspace; a character may have several bytes.
            8 | 0x7F if on_terminal => while line.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {},
            // Ctrl-U
            0x15 if on_terminal => line.clear(),
            byte if line.len() < LONGEST => line.push(byte),
            _ => return Err(io::ErrorKind::FileTooLarge.into()),
        }
    }
    Ok(line)
}

/// The next byte of standard input, past the buffer of the library, which would keep it.
#[cfg(unix)]
fn byte() -> io::Result<Option<u8>> {
    let mut byte = [0];
    let read = rustix::io::retry_on_intr(|| rustix::io::read(io::stdin(), &mut byte))?;
    Ok((read == 1).then_some(byte[0]))
}

#[cfg(not(unix))]
fn byte() -> io::Result<Option<u8>> {
    io::stdin().lock().bytes().next().transpose()
}

#[cfg(unix)]
mod screen {
    use std::io;

    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
    };

    /// The terminal shows nothing and hands over each key, until this is dropped.
    pub(super) struct Hidden(Termios);

    impl Hidden {
        pub(super) fn begin() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut hidden = before.clone();
            hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON;
            hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
            hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
            Ok(Self(before))
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        }
    }
}

#[cfg(not(unix))]
mod screen {
    use std::io;

    pub(super) struct Hidden;

    impl Hidden {
        /// Nothing is read where it would be shown.
        pub(super) fn begin() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}
