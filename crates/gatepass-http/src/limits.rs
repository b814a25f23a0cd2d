//! Limits of time and size for a request.

use std::time::Duration;

use gatepass_core::{Error, MAX_BODY, MAX_HEADER_BYTES, MAX_HEADERS, Result};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::error;

/// The time limits of a request's parts and the size limit of a token response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    pub(crate) idle: Duration,
    pub(crate) total: Duration,
    pub(crate) body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response: Duration::from_secs(10),
            idle: Duration::from_secs(5),
            total: Duration::from_secs(15),
            body: MAX_BODY,
        }
    }
}

/// Rejects a head with too many or too long fields, and one with two body lengths.
pub(crate) fn check_head(headers: &HeaderMap, origin: &str) -> Result<()> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(error::head_too_large(origin));
    }
    // hyper uses the chunks, as RFC 9112 section 6.3 requires. A response with both may be an attempt of
    // response smuggling.
    if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
        return Err(error::bad_framing(origin));
    }
    Ok(())
}

/// Counts a body's bytes against an optional limit.
#[derive(Debug)]
pub(crate) struct Allowance {
    limit: Option<usize>,
    read: usize,
}

impl Allowance {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limit, read: 0 }
    }

    /// Rejects a body whose `Content-Length` is over the limit.
    pub(crate) fn check_length(&self, length: Option<u64>) -> Result<(), Error> {
        match (self.limit, length) {
            (Some(limit), Some(length)) if usize::try_from(length).is_ok_and(|n| n <= limit) => {
                Ok(())
            }
            (Some(limit), Some(_)) => Err(error::body_too_large(limit)),
            _ => Ok(()),
        }
    }

    /// Counts a chunk.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        self.read = self.read.saturating_add(bytes);
        match self.limit {
            Some(limit) if self.read > limit => Err(error::body_too_large(limit)),
            _ => Ok(()),
        }
    }

    pub(crate) fn read(&self) -> usize {
        self.read
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn head(fields: usize, value: usize) -> HeaderMap {
        let value = HeaderValue::from_str(&"x".repeat(value)).unwrap();
        (0..fields)
            .map(|n| (HeaderName::try_from(format!("x-{n:03}")).unwrap(), value.clone()))
            .collect()
    }

    #[test]
    fn response_head_is_limited_in_fields_and_bytes() {
        check_head(&head(100, 10), "o").unwrap();
        assert!(check_head(&head(101, 10), "o").is_err());
        check_head(&head(1, 32 * 1024 - 5), "o").unwrap();
        assert!(check_head(&head(1, 32 * 1024 - 4), "o").is_err());
    }

    #[test]
    fn length_with_chunks_is_rejected() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("2"));
        check_head(&headers, "o").unwrap();
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        assert!(check_head(&headers, "o").is_err());
    }

    #[test]
    fn body_size_is_limited() {
        let mut allowance = Allowance::new(Some(10));
        allowance.check_length(Some(10)).unwrap();
        assert!(allowance.check_length(Some(11)).is_err());
        assert!(allowance.check_length(Some(u64::MAX)).is_err());
        allowance.take(6).unwrap();
        allowance.take(4).unwrap();
        assert!(allowance.take(1).is_err());
        Allowance::new(None).check_length(Some(u64::MAX)).unwrap();
    }
}
