//! What the API answered, and how it is shown: byte for byte, or to a person at a terminal.

use bytes::Bytes;
use gatepass::{Body, Error};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::super::retry_after;
use crate::failure::Failure;
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
        Some(match retry_after(self.status, &self.headers) {
            Some(after) => error.with_retry_after(after),
            None => error,
        })
    }

    /// Writes the body to stdout as it comes; at a terminal JSON is indented, and what is no text
    /// stays out of it.
    pub(super) async fn show(mut self, output: &Output) -> Result<(), Failure> {
        let watched = output.is_terminal();
        if watched {
            self.read(1).await?;
            let first = self.begun.iter().find(|byte| !byte.is_ascii_whitespace());
            if matches!(first, Some(b'{' | b'['))
                && self.read(READABLE).await?
                && let Some(text) = indented(&self.begun)
            {
                return output.styled(&format!("{text}\n"));
            }
        }
        let mut next = Some(std::mem::take(&mut self.begun));
        while let Some(chunk) = next {
            if watched && !is_text(&chunk) {
                let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                let kind = kind.map(|kind| format!(" but {kind}")).unwrap_or_default();
                output.warn(&format!(
                    "the answer is not text{kind}, and is not shown on a terminal: add > FILE"
                ));
                return Ok(());
            }
            output.bytes(&chunk)?;
            next = self.body.chunk().await?;
        }
        Ok(())
    }

    /// Status and headers, as `curl --include` writes them.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// Whether a terminal can show it: no byte of it is a command to one.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\n' | b'\r'))
}
