//! The earliest time of a retry: `Retry-After` or Okta's `X-Rate-Limit-Reset`, relative to `Date`.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatepass_core::Response;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};

/// The first eight bytes select the status 429 and the time of the request. The first line is `Date`,
/// the second one is `X-Rate-Limit-Reset` if it starts with `@`, the others are `Retry-After`.
pub fn run(bytes: &[u8]) {
    let Some((sent, text)) = bytes.split_first_chunk() else { return };
    let is_throttled = sent.first().is_some_and(|byte| byte % 2 == 1);
    let by = Duration::from_millis(u64::from_le_bytes(*sent) >> 8);
    let Some(sent) = SystemTime::UNIX_EPOCH.checked_add(by) else { return };
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    let mut response = http::Response::new(Bytes::new());
    let mut add = |name: HeaderName, value: &[u8]| {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            response.headers_mut().append(name, value);
        }
    };
    add(DATE, lines.next().unwrap_or_default());
    if let Some(reset) = lines.peek().and_then(|line| line.strip_prefix(b"@")) {
        add(HeaderName::from_static("x-rate-limit-reset"), reset);
        lines.next();
    }
    lines.take(100).for_each(|line| add(RETRY_AFTER, line));
    if is_throttled {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    let response = Response::from(response);
    let after = response.retry_after(sent);
    if let Some(after) = after {
        assert!((1..=3600).contains(&after.as_secs()) && after.subsec_nanos() < 1_000_000_000);
        assert!(after <= Duration::from_secs(3600), "{after:?}");
    }
    assert_eq!(after, response.retry_after(sent));
    let (date, skew) = (response.date(), response.clock_skew(sent));
    assert_eq!(date.is_some(), skew.is_some());
    assert_eq!(skew, date.map(|date| date.duration_since(sent).unwrap_or_else(|e| e.duration())));
}
