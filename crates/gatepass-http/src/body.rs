//! Body: an answer's body, piece by piece, and the one line that tells of the exchange.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use gatepass_core::Result;
use http::{Method, StatusCode};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::error;
use crate::limits::{Allowance, Limits};

/// The body of an answer, read as it arrives.
pub struct Body {
    response: reqwest::Response,
    allowance: Allowance,
    limits: Limits,
    record: Record,
}

impl Body {
    /// Refuses a body whose stated length is over the limit, before any of it is read.
    pub(crate) fn new(
        response: reqwest::Response,
        limit: Option<usize>,
        limits: Limits,
        record: Record,
    ) -> Result<Self> {
        let allowance = Allowance::new(limit);
        allowance
            .check_length(response.content_length())
            .map_err(|error| error.with_status(response.status().as_u16()))?;
        Ok(Self { response, allowance, limits, record })
    }

    /// The next piece, `None` at the end. Cancel safe: a dropped call loses nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the connection ends early or is silent for too long; `Protocol` if the
    /// body is larger than the limit or badly framed. After an error there is no more to read.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let origin = self.record.origin.as_str();
        let chunk = timeout(self.limits.idle, self.response.chunk())
            .await
            .map_err(|_| error::silent(origin, self.limits.idle))?
            .map_err(|cause| error::from_reqwest(cause, origin, &self.limits))?;
        if let Some(chunk) = &chunk {
            self.allowance
                .take(chunk.len())
                .map_err(|error| error.with_status(self.response.status().as_u16()))?;
            self.record.bytes = self.allowance.read();
        }
        Ok(chunk)
    }

    /// The whole body. Its memory is cleared when the last clone is dropped.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes> {
        let stated = self.response.content_length().unwrap_or_default();
        let capacity = usize::try_from(stated).unwrap_or_default().clamp(4 * 1024, 256 * 1024);
        let mut whole = Zeroizing::new(Vec::with_capacity(capacity));
        while let Some(chunk) = self.chunk().await? {
            if whole.capacity() - whole.len() < chunk.len() {
                // Growing in place would leave what is there behind in freed memory.
                let more = (whole.capacity() * 2).max(whole.len() + chunk.len());
                let mut larger = Zeroizing::new(Vec::with_capacity(more));
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

/// What is said of one exchange, at debug level, once it is over, however it ends.
pub(crate) struct Record {
    pub(crate) method: Method,
    pub(crate) origin: String,
    pub(crate) status: Option<StatusCode>,
    pub(crate) bytes: usize,
    begun: Instant,
}

impl Record {
    pub(crate) fn new(method: Method, origin: String) -> Self {
        Self { method, origin, status: None, bytes: 0, begun: Instant::now() }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let elapsed: Duration = self.begun.elapsed();
        tracing::debug!(
            method = %self.method,
            origin = %self.origin,
            status = self.status.map(|status| status.as_u16()),
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            bytes = self.bytes,
            "request",
        );
    }
}
