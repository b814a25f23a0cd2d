//! The time that a response asks to wait before the next request.
//!
//! `Retry-After` (RFC 9110 section 10.2.3) counts in every response that is an error. Vendors add the
//! fields of a rate limit to each response, also to successful ones, so they count only in a response
//! that reports a rate limit. Times are compared with the response's own `Date`, because this
//! machine's clock may be wrong.

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

/// Returns the delay that a response requires before a retry: `Retry-After` (seconds, also with a
/// fraction, or a date) or `retry-after-ms`, else the reset time of the rate limit in a 429.
///
/// The fields of a rate limit are `RateLimit-Reset`, `X-RateLimit-Reset` and `X-Rate-Limit-Reset`, each
/// with seconds or a time (in seconds or milliseconds since 1970, or a date), and the `t` of an
/// exhausted `RateLimit`. A time is relative to the response's own `Date`, else to `now`.
///
/// The delay is at least 1 s and at most 1 h. A value that cannot be read counts as absent; of several
/// values the latest counts.
pub fn retry_after(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    delay(headers, now, status == StatusCode::TOO_MANY_REQUESTS)
}

/// Returns the same for a response that reports a rate limit with any status if `is_throttled`.
pub(crate) fn delay(headers: &HeaderMap, now: SystemTime, is_throttled: bool) -> Option<Duration> {
    let now = date(headers).unwrap_or(now);
    let after = values(headers, RETRY_AFTER.as_str()).filter_map(|text| match seconds(text) {
        Some(after) => Some(after),
        None => until(httpdate::parse_http_date(text).ok()?, now),
    });
    let millis = values(headers, "retry-after-ms").filter_map(seconds).map(|after| after / 1000);
    let after = after.chain(millis).max();
    let after = after.or_else(|| is_throttled.then(|| reset(headers, now)).flatten());
    after.map(|after| after.clamp(Duration::from_secs(1), Duration::from_secs(3600)))
}

/// Returns the response's `Date`.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// Returns the latest reset time of a rate limit.
fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let names = ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"];
    let resets = names.into_iter().flat_map(|name| values(headers, name)).filter_map(|text| {
        let Some(number) = seconds(text) else {
            return until(httpdate::parse_http_date(text).ok()?, now);
        };
        Some(match number.as_secs() {
            0..FIRST_DATE => number,
            FIRST_DATE..FIRST_MILLIS => number.saturating_sub(since_1970),
            FIRST_MILLIS.. => (number / 1000).saturating_sub(since_1970),
        })
    });
    resets.chain(values(headers, "ratelimit").filter_map(exhausted)).max()
}

/// Reads the time until reset of the exhausted limits in a `RateLimit` field: `"default";r=0;t=30` (a
/// limit without `r` counts), or `limit=100, remaining=0, reset=30` of earlier drafts.
fn exhausted(text: &str) -> Option<Duration> {
    let parameter = |part: &str, names: [&str; 2]| {
        part.split([';', ',']).find_map(|one| {
            let (name, value) = one.split_once('=')?;
            names.contains(&name.trim()).then(|| seconds(value.trim())).flatten()
        })
    };
    // Names of limits are quoted and may contain any character.
    let unquoted: String = text.split('"').step_by(2).collect();
    let is_list = parameter(&unquoted, ["reset", "reset"]).is_none();
    let limits = unquoted.split(move |c| is_list && c == ',');
    let exhausted = limits.filter(|limit| {
        parameter(limit, ["r", "remaining"]).is_none_or(|remaining| remaining.is_zero())
    });
    exhausted.filter_map(|limit| parameter(limit, ["t", "reset"])).max()
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| Some(value.to_str().ok()?.trim()))
}

/// Reads a decimal number of seconds, rounded up to whole milliseconds.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // A number too large for u64 is a very long time, not garbage.
    let whole = Duration::from_secs(whole.parse().unwrap_or(u64::MAX));
    let (millis, rest) = fraction.split_at(fraction.len().min(3));
    let millis = format!("{millis:0<3}").parse::<u64>().ok()?;
    let up = u64::from(rest.bytes().any(|b| b != b'0'));
    Some(whole.saturating_add(Duration::from_millis(millis + up)))
}

fn until(time: SystemTime, now: SystemTime) -> Option<Duration> {
    Some(time.duration_since(now).unwrap_or_default())
}

/// A smaller number is not a date of this century but seconds.
const FIRST_DATE: u64 = 100_000_000;
/// A larger number is not a date in seconds but in milliseconds.
const FIRST_MILLIS: u64 = 100_000_000_001;

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// Returns the delay in milliseconds of a 429 with these fields, at 1 800 000 000.
    fn delayed(fields: &[(&str, &str)]) -> Option<u128> {
        let headers = fields.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        });
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let after = retry_after(StatusCode::TOO_MANY_REQUESTS, &headers.collect(), now);
        after.map(|after| after.as_millis())
    }

    #[test]
    fn fractions_are_rounded_up() {
        for (text, millis) in [
            ("29.997", Some(29_997)),
            ("12.0", Some(12_000)),
            ("12.5", Some(12_500)),
            ("12.0001", Some(12_001)),
            ("0.2", Some(1_000)),
            ("99999999999999999999.5", Some(3_600_000)),
            (".5", None),
            ("5.", None),
            ("1.2.3", None),
            ("-1.5", None),
            ("1,5", None),
            ("Infinity", None),
        ] {
            assert_eq!(delayed(&[("retry-after", text)]), millis, "{text}");
        }
        assert_eq!(delayed(&[("retry-after-ms", "30000")]), Some(30_000));
        assert_eq!(delayed(&[("retry-after-ms", "1500.5")]), Some(1_500));
        assert_eq!(delayed(&[("retry-after-ms", "250"), ("retry-after", "7")]), Some(7_000));
    }

    #[test]
    fn reset_is_seconds_or_a_time() {
        let date = "Fri, 15 Jan 2027 08:00:10 GMT";
        for name in ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"] {
            let reset = |text: &str| delayed(&[(name, text)]);
            assert_eq!(reset("30"), Some(30_000), "{name}");
            assert_eq!(reset("30.5"), Some(30_500), "{name}");
            assert_eq!(reset("1800000030"), Some(30_000), "{name}");
            assert_eq!(reset("1800000030500"), Some(30_500), "{name}");
            assert_eq!(reset("1799999999"), Some(1_000), "{name}");
            assert_eq!(reset("Fri, 15 Jan 2027 08:00:40 GMT"), Some(40_000), "{name}");
            assert_eq!(reset("soon"), None, "{name}");
            // By the clock of the vendor, which is 10 s ahead.
            assert_eq!(delayed(&[(name, "1800000030"), ("date", date)]), Some(20_000), "{name}");
            assert_eq!(delayed(&[(name, "1800000030500"), ("date", date)]), Some(20_500), "{name}");
            assert_eq!(delayed(&[(name, "30"), ("retry-after", "7")]), Some(7_000), "{name}");
        }
    }

    #[test]
    fn exhausted_limits_are_waited_for() {
        for (text, seconds) in [
            (r#""default";r=0;t=30"#, Some(30)),
            (r#""default"; r=0; t=30"#, Some(30)),
            (r#""a,b;t=99";r=0;t=30"#, Some(30)),
            (r#""burst";r=0;t=20, "daily";r=100;t=2000"#, Some(20)),
            (r#""burst";r=0;t=20, "daily";r=0;t=2000"#, Some(2000)),
            (r#""default";t=30"#, Some(30)),
            (r#""default";r=5;t=30"#, None),
            ("limit=100, remaining=0, reset=30", Some(30)),
            ("limit=100, remaining=7, reset=30", None),
            (r#""default";r=0"#, None),
            ("", None),
            ("\"", None),
        ] {
            assert_eq!(delayed(&[("ratelimit", text)]), seconds.map(|s: u128| s * 1000), "{text}");
        }
    }

    #[test]
    fn reset_counts_only_for_a_rate_limit() {
        let field = (HeaderName::from_static("ratelimit-reset"), HeaderValue::from_static("30"));
        let headers = HeaderMap::from_iter([field]);
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(retry_after(StatusCode::SERVICE_UNAVAILABLE, &headers, now), None);
        assert_eq!(delay(&headers, now, true), Some(Duration::from_secs(30)));
    }
}
