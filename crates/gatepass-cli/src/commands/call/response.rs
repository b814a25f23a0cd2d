//! Writes the API's response: byte for byte, or indented and without control characters on a
//! terminal.

use bytes::Bytes;
use gatepass::clock::{Clock, SystemClock};
use gatepass::http::Body;
use gatepass::provider::retry_after;
use gatepass::{Error, ErrorKind};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode};

use super::destination::Destination;
use crate::error::CommandError;
use crate::json_text::indented;
use crate::output::Output;

/// An API's response, of whose body `begun` has been read.
pub(super) struct CallResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) begun: Bytes,
    pub(super) body: Body,
    /// Whether the API rejected the token of a request before.
    pub(super) is_second: bool,
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

    /// Returns the error that `--fail` reports for a status of 400 or above. `is_throttled` states
    /// that the provider recognises a rate limit, `is_omitted` that the response is not written.
    pub(super) fn failure(&self, is_throttled: bool, is_omitted: bool) -> Option<CommandError> {
        let error = match self.status.as_u16() {
            _ if is_throttled => Error::throttled("the API rate limited the request"),
            401 | 403 => Error::denied("the API rejected the request"),
            429 => Error::throttled("the API rate limited the request"),
            // A repetition changes nothing, and neither does another token.
            400..=499 => Error::protocol("the API rejected the request"),
            500.. => Error::unavailable("the API returned an error"),
            _ => return None,
        };
        let error = error.with_status(self.status.as_u16()).hint(match is_omitted {
            true => "its response was not written to the file; without --fail it is",
            false => "its response is on stdout",
        });
        let error = match self.is_second {
            true => error.hint("a new token was tried as well"),
            false => error,
        };
        let may_return = matches!(error.kind(), ErrorKind::Throttled | ErrorKind::Unavailable);
        let after = retry_after(self.status, &self.headers, SystemClock::new().wall());
        let error = match after.filter(|_| may_return) {
            Some(after) => error.with_retry_after(after),
            None => error,
        };
        Some(match error.kind() {
            ErrorKind::Protocol => CommandError::ApiRejected(error),
            _ => CommandError::Gatepass(error),
        })
    }

    /// Writes the response: its status and header fields if `include` is set, then its body.
    pub(super) async fn write(
        self,
        mut to: Destination<'_>,
        include: bool,
        method: &Method,
        output: &Output,
    ) -> Result<(), CommandError> {
        let status = self.status;
        // The response to HEAD has no body.
        if include || *method == Method::HEAD {
            self.write_head(&mut to)?;
        } else if status.is_redirection() && self.headers.contains_key(LOCATION) {
            output.warn(&format!(
                "the API redirects ({}), which is not followed; -i shows the address",
                status.as_u16()
            ));
        }
        if status.is_informational() {
            output.warn(&format!(
                "the API switched protocols ({}) and sent no response: is it an API?",
                status.as_u16()
            ));
        } else {
            self.write_body(&mut to, output).await?;
        }
        to.finish()
    }

    /// Writes the body as it arrives.
    async fn write_body(
        mut self,
        to: &mut Destination<'_>,
        output: &Output,
    ) -> Result<(), CommandError> {
        if to.is_terminal() {
            return self.print_to_terminal(output).await;
        }
        let mut next = Some(std::mem::take(&mut self.begun));
        while let Some(chunk) = next {
            to.bytes(&chunk)?;
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
    fn write_head(&self, to: &mut Destination<'_>) -> Result<(), CommandError> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        if to.is_terminal() && !is_text(&head) {
            let text = String::from_utf8_lossy(&head);
            let shown = |char| if is_shown(char) { char } else { char::REPLACEMENT_CHARACTER };
            return to.bytes(text.chars().map(shown).collect::<String>().as_bytes());
        }
        to.bytes(&head)
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
