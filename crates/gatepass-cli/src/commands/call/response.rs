//! What the API answered, and how it is shown: byte for byte, or to a person at a terminal.

use bytes::Bytes;
use gatepass::{Body, Clock, Error, SystemClock, retry_after};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};

use crate::error::CommandError;
use crate::json_text::indented;
use crate::output::Output;

/// An API's answer, of which `begun` has been read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) begun: Bytes,
    pub(super) body: Body,
}

/// The longest JSON that is held back to be indented.
const READABLE: usize = 1024 * 1024;

impl Answer {
    /// Reads on until at least `wanted` bytes are there, or all; says whether it was all.
    pub(super) async fn read(&mut self, wanted: usize) -> Result<bool, Error> {
        let mut begun = Vec::from(std::mem::take(&mut self.begun));
        let mut whole = false;
        while !whole && begun.len() < wanted {
            match self.body.chunk().await? {
                Some(chunk) => begun.extend_from_slice(&chunk),
                None => whole = true,
            }
        }
        self.begun = begun.into();
        Ok(whole)
    }

    /// Whether what was asked for is at another address, which most such answers say in their head
    /// alone.
    pub(super) fn is_redirect(&self) -> bool {
        self.status.is_redirection() && self.headers.contains_key(LOCATION)
    }

    /// What `--fail` makes of the status, if that is 400 or above.
    pub(super) fn failure(&self) -> Option<Error> {
        let error = match self.status.as_u16() {
            401 | 403 => Error::denied("the API refused the request")
                .with_hint("stdout has its answer; a fresh token was tried where that could help"),
            429 => Error::throttled("the API asks to wait").with_hint("stdout has its answer"),
            400.. => Error::unavailable("the API answered with an error")
                .with_hint("stdout has its answer"),
            _ => return None,
        };
        let error = error.with_status(self.status.as_u16());
        Some(match retry_after(self.status, &self.headers, SystemClock::new().wall()) {
            Some(after) => error.with_retry_after(after),
            None => error,
        })
    }

    /// Writes the body to stdout as it comes.
    pub(super) async fn show(mut self, output: &Output) -> Result<(), CommandError> {
        if output.is_terminal() {
            return self.show_at_terminal(output).await;
        }
        let mut next = Some(std::mem::take(&mut self.begun));
        while let Some(chunk) = next {
            output.bytes(&chunk)?;
            next = self.body.chunk().await?;
        }
        Ok(())
    }

    /// JSON is indented, and what is no text stays out of it.
    async fn show_at_terminal(mut self, output: &Output) -> Result<(), CommandError> {
        self.read(1).await?;
        let first = self.begun.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'['))
            && self.read(READABLE).await?
            && let Some(text) = indented(&self.begun)
        {
            return output.styled(&format!("{text}\n"));
        }
        let (mut next, mut held) = (Some(std::mem::take(&mut self.begun)), Vec::new());
        while let Some(chunk) = next {
            held.extend_from_slice(&chunk);
            let rest = held.split_off(held.len() - cut(&held));
            if !is_text(&held) {
                let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                let kind = kind.map(|kind| format!(" but {kind}")).unwrap_or_default();
                output.warn(&format!(
                    "the answer is not text{kind}, and is not shown on a terminal: add > FILE"
                ));
                return Ok(());
            }
            output.bytes(&held)?;
            held = rest;
            next = self.body.chunk().await?;
        }
        Ok(())
    }

    /// Status and headers, as `curl --include` writes them; to a terminal without what it obeys.
    pub(super) fn show_head(&self, output: &Output) -> Result<(), CommandError> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        if output.is_terminal() && !is_text(&head) {
            let text = String::from_utf8_lossy(&head);
            let shown = |char| if is_shown(char) { char } else { char::REPLACEMENT_CHARACTER };
            return output.result(&text.chars().map(shown).collect::<String>());
        }
        output.bytes(&head)
    }
}

/// Whether a terminal can show it: no character of it is a command to one, nor a byte that is one
/// to those that do not read UTF-8.
fn is_text(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().all(|part| {
        part.valid().chars().all(is_shown)
            && !part.invalid().iter().any(|byte| matches!(byte, 0x80..0xa0))
    })
}

fn is_shown(char: char) -> bool {
    !char.is_control() || matches!(char, '\t' | '\n' | '\r')
}

/// How many bytes at the end begin a character whose rest may still come.
fn cut(bytes: &[u8]) -> usize {
    let end = bytes.utf8_chunks().last().map_or(&[][..], |part| part.invalid());
    match std::str::from_utf8(end) {
        Err(error) if error.error_len().is_none() => end.len(),
        _ => 0,
    }
}
