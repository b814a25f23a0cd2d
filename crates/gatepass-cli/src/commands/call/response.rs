//! Prints the API's response: byte for byte, or indented and without control characters on a
//! terminal.

use bytes::Bytes;
use gatepass::Error;
use gatepass::clock::{Clock, SystemClock};
use gatepass::http::Body;
use gatepass::provider::retry_after;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};

use crate::error::CommandError;
use crate::json_text::indented;
use crate::output::Output;

/// An API's response, of whose body `begun` has been read.
pub(super) struct CallResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) begun: Bytes,
    pub(super) body: Body,
}

/// The longest JSON, in bytes, that is buffered to be indented.
const MAX_DISPLAYED: usize = 1024 * 1024;

impl CallResponse {
    /// Reads until at least `wanted` bytes or the whole body are buffered. Returns whether the body is
    /// complete.
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

    /// Returns whether the response names another address for the requested resource.
    pub(super) fn is_redirect(&self) -> bool {
        self.status.is_redirection() && self.headers.contains_key(LOCATION)
    }

    /// Returns the error that `--fail` reports for a status of 400 or above.
    pub(super) fn error(&self) -> Option<Error> {
        let error = match self.status.as_u16() {
            401 | 403 => Error::denied("the API rejected the request")
                .hint("its response is on stdout; a second token was tried if that could help"),
            429 => Error::throttled("the API rate limited the request")
                .hint("its response is on stdout"),
            400.. => {
                Error::unavailable("the API returned an error").hint("its response is on stdout")
            }
            _ => return None,
        };
        let error = error.with_status(self.status.as_u16());
        Some(match retry_after(self.status, &self.headers, SystemClock::new().wall()) {
            Some(after) => error.with_retry_after(after),
            None => error,
        })
    }

    /// Writes the body to stdout as it arrives.
    pub(super) async fn print(mut self, output: &Output) -> Result<(), CommandError> {
        if output.is_terminal() {
            return self.print_to_terminal(output).await;
        }
        let mut next = Some(std::mem::take(&mut self.begun));
        while let Some(chunk) = next {
            output.bytes(&chunk)?;
            next = self.body.chunk().await?;
        }
        Ok(())
    }

    /// Writes the body to a terminal: JSON indented, binary data not at all.
    async fn print_to_terminal(mut self, output: &Output) -> Result<(), CommandError> {
        self.read(1).await?;
        let first = self.begun.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'['))
            && self.read(MAX_DISPLAYED).await?
            && let Some(text) = indented(&self.begun)
        {
            return output.styled(&format!("{text}\n"));
        }
        let (mut next, mut held) = (Some(std::mem::take(&mut self.begun)), Vec::new());
        while let Some(chunk) = next {
            held.extend_from_slice(&chunk);
            let rest = held.split_off(held.len() - incomplete_end(&held));
            if !is_text(&held) {
                let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                let kind = kind.map(|kind| format!(" but {kind}")).unwrap_or_default();
                output.warn(&format!(
                    "the response is not text{kind} and is not printed to a terminal: add > FILE"
                ));
                return Ok(());
            }
            output.bytes(&held)?;
            held = rest;
            next = self.body.chunk().await?;
        }
        Ok(())
    }

    /// Writes status and headers as `curl --include` does, to a terminal without control characters.
    pub(super) fn print_head(&self, output: &Output) -> Result<(), CommandError> {
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

/// Returns whether a terminal can show the bytes: they contain no control character, and no byte
/// that is a control character to a terminal without UTF-8.
fn is_text(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().all(|part| {
        part.valid().chars().all(is_shown)
            && !part.invalid().iter().any(|byte| matches!(byte, 0x80..0xa0))
    })
}

fn is_shown(char: char) -> bool {
    !char.is_control() || matches!(char, '\t' | '\n' | '\r')
}

/// Returns the number of bytes at the end that start a character whose rest may follow.
fn incomplete_end(bytes: &[u8]) -> usize {
    let end = bytes.utf8_chunks().last().map_or(&[][..], |part| part.invalid());
    match std::str::from_utf8(end) {
        Err(error) if error.error_len().is_none() => end.len(),
        _ => 0,
    }
}
