//! The streamed body of a response, and the log event of a request.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use gatepass_core::Result;
use http::{Method, StatusCode};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::connections::ClientHandle;
use crate::error;
use crate::limits::{Allowance, Limits};

/// A response body that is read as it arrives.
pub struct Body {
    response: reqwest::Response,
    allowance: Allowance,
    limits: Limits,
    log: BodyLog,
    /// Dropped after the response, whose connection then is idle.
    _handle: ClientHandle,
}

impl Body {
    /// Creates a body; a `Content-Length` over the limit is an error before the first read.
    pub(crate) fn new(
        response: reqwest::Response,
        limit: Option<usize>,
        limits: Limits,
        log: BodyLog,
        handle: ClientHandle,
    ) -> Result<Self> {
        let allowance = Allowance::new(limit);
        allowance
            .check_length(response.content_length())
            .map_err(|error| error.with_status(response.status().as_u16()))?;
        Ok(Self { response, allowance, limits, log, _handle: handle })
    }

    /// Returns the next chunk, or `None` at the end. The method is cancel safe.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the connection ends early or pauses for too long; `Protocol` if the body is
    /// larger than the limit or badly framed. The body cannot be read further after an error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let origin = self.log.origin.as_str();
        let chunk = timeout(self.limits.idle, self.response.chunk())
            .await
            .map_err(|_| error::body_paused(origin, self.limits.idle))?
            .map_err(|cause| error::from_reqwest(cause, origin, &self.limits, None))?;
        if let Some(chunk) = &chunk {
            self.allowance
                .take(chunk.len())
                .map_err(|error| error.with_status(self.response.status().as_u16()))?;
            self.log.bytes = self.allowance.read();
        }
        Ok(chunk)
    }

    /// Reads the complete body. Its memory is zeroed when the last clone is dropped.
    ///
    /// # Errors
    ///
    /// The same as [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes> {
        let stated = self.response.content_length().unwrap_or_default();
        let capacity = usize::try_from(stated).unwrap_or_default().clamp(4 * 1024, 256 * 1024);
        let mut whole = Zeroizing::new(Vec::with_capacity(capacity));
        while let Some(chunk) = self.chunk().await? {
            if whole.capacity() - whole.len() < chunk.len() {
                // Growing in place would leave a copy of the data in freed memory.
                let capacity = (whole.capacity() * 2).max(whole.len() + chunk.len());
                let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
                larger.extend_from_slice(&whole);
                whole = larger;
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Bytes::from_owner(whole))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes read)", self.allowance.read())
    }
}

/// Logs one event at debug level when a request ends, on success and failure.
pub(crate) struct BodyLog {
    pub(crate) method: Method,
    pub(crate) origin: String,
    pub(crate) status: Option<StatusCode>,
    pub(crate) bytes: usize,
    started: Instant,
}

impl BodyLog {
    pub(crate) fn new(method: Method, origin: String) -> Self {
        Self { method, origin, status: None, bytes: 0, started: Instant::now() }
    }
}

impl Drop for BodyLog {
    fn drop(&mut self) {
        let elapsed: Duration = self.started.elapsed();
        tracing::debug!(
            target: "gatepass_http::request",
            method = %self.method,
            origin = %self.origin,
            status = self.status.map(|status| status.as_u16()),
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            bytes = self.bytes,
            "request",
        );
    }
}
