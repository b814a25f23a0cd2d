//! When to ask again: `Retry-After`, read against `Date`.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatepass_core::Response;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderName, HeaderValue};

/// The first eight bytes say when it was sent, the first line is `Date`, the others `Retry-After`.
pub fn run(bytes: &[u8]) {
    let Some((sent, text)) = bytes.split_first_chunk() else { return };
    let by = Duration::from_millis(u64::from_le_bytes(*sent) >> 8);
    let Some(sent) = SystemTime::UNIX_EPOCH.checked_add(by) else { return };
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut answer = http::Response::new(Bytes::new());
    let mut add = |name: HeaderName, value: &[u8]| {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            answer.headers_mut().append(name, value);
        }
    };
    add(DATE, lines.next().unwrap_or_default());
    lines.take(100).for_each(|line| add(RETRY_AFTER, line));
    let response = Response::from(answer);
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
