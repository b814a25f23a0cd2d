//! The lifetime of a token, from its response or from the time claims of a JWT.
//!
//! A lifetime is a difference of two times of the same clock, the vendor's, and counts from the
//! moment of the request. The local wall clock is not compared with the vendor's times, because a
//! virtual machine that slept is hours behind and would keep an expired token, and a fast clock would
//! refuse every token. It decides only if neither the token nor the response states when it was
//! issued, and then the token has a warning.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::json::Json;

/// The assumed lifetime of a token whose response has none.
pub const ASSUMED_LIFETIME: Duration = Duration::from_secs(300);
/// The maximum lifetime of a token; a longer one of the vendor is reduced to it.
pub const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// The lifetime in a token response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    pub(crate) duration: Option<Duration>,
    pub(crate) warning: Option<&'static str>,
}

impl From<Duration> for Lifetime {
    fn from(duration: Duration) -> Self {
        Self { duration: Some(duration), warning: None }
    }
}

/// The clocks that a response can be compared with.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    /// The local time of the request.
    pub(super) sent: SystemTime,
    /// The response's `Date`.
    pub(super) date: Option<SystemTime>,
}

impl Clocks {
    /// Returns the time until `end`, which is zero for a time that has passed, and whether the local
    /// clock decided.
    ///
    /// A `Date` that is more than [`MAX_LIFETIME`] away from `end` may be that of a clock that was
    /// never set, and then the local clock decides as well.
    pub(super) fn until(self, end: SystemTime) -> (Duration, bool) {
        let local = end.duration_since(self.sent).unwrap_or_default().min(MAX_LIFETIME);
        match self.date {
            Some(date) if distance(date, end) <= MAX_LIFETIME => {
                (end.duration_since(date).unwrap_or_default(), false)
            }
            // Both clocks agree on more than the maximum lifetime.
            Some(date) if date < end && local == MAX_LIFETIME => (local, false),
            _ => (local, true),
        }
    }
}

/// The time claims of a JWT (RFC 7519 section 4.1), in the vendor's clock.
#[derive(Default)]
pub(super) struct JwtTimes {
    issued: Option<SystemTime>,
    not_before: Option<SystemTime>,
    pub(super) expires: Option<SystemTime>,
}

impl JwtTimes {
    /// Reads the claims. The signature is not checked: `exp` may only shorten a lifetime.
    pub(super) fn read(token: &str) -> Self {
        let Some(claims) = jwt_claims(token) else { return Self::default() };
        let number = |claim: &str| match claims.at(claim).as_slice() {
            // A time before 1970 is past.
            &[&Json::Number(at)] => u64::try_from(at.max(0)).map_or(Some(u64::MAX), Some),
            _ => None,
        };
        let issued = number("/iat").map(time);
        let expires = number("/exp").map(|at| match (time(at), seconds(at), issued) {
            // A time after the year 5138 in seconds that means "never", such as 253402300799.
            (millis, end, Some(issued)) if millis <= issued => end,
            (millis, ..) => millis,
        });
        Self { issued, not_before: number("/nbf").map(time), expires }
    }

    /// Returns the lifetime by `exp`, which is zero for an expired token, and whether the local clock
    /// decided.
    ///
    /// It is `exp - iat`. A smaller `exp - Date` counts as well: the vendor returned a token that it
    /// had issued before.
    pub(super) fn lifetime(&self, clocks: Clocks) -> Option<(Duration, bool)> {
        let expires = self.expires?;
        let total = self.issued.and_then(|issued| expires.duration_since(issued).ok());
        let total = total.filter(|total| !total.is_zero());
        Some(match (total, clocks.until(expires)) {
            (None, measured) => measured,
            (Some(total), (rest, false)) if !rest.is_zero() => (total.min(rest), false),
            (Some(total), _) => (total, false),
        })
    }

    /// Returns a warning for a token that is not valid yet.
    pub(super) fn not_valid_yet(&self, clocks: Clocks) -> Option<&'static str> {
        let begins = self.not_before.max(self.issued)?;
        let (now, warning) =
            match clocks.date.filter(|date| distance(*date, begins) <= MAX_LIFETIME) {
                Some(date) => (date, "the token is not valid yet, by the vendor's own clock"),
                None => (clocks.sent, "the token is not valid yet: check this machine's clock"),
            };
        (begins.duration_since(now).unwrap_or_default() > CLOCKS_DIFFER).then_some(warning)
    }
}

fn distance(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|earlier| earlier.duration())
}

/// Converts a NumericDate. A number above 10^11 would be the year 5138 in seconds, so it has
/// milliseconds.
fn time(number: u64) -> SystemTime {
    match number {
        0..=MAX_SECONDS => seconds(number),
        _ => seconds(number / 1000) + Duration::from_millis(number % 1000),
    }
}

/// Converts seconds since 1970. A time after the year 9999 is never reached.
fn seconds(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(number.min(253_402_300_799))
}

/// Returns the unverified claims of a JWT.
pub(crate) fn jwt_claims(token: &str) -> Option<Json> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?);
    Json::read(&claims).ok()
}

/// The largest JWT time that is read as seconds.
const MAX_SECONDS: u64 = 100_000_000_000;

/// The tolerated difference between the clocks of two synchronized machines.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the lifetime in seconds of a JWT with these claims, and whether the local clock
    /// decided. The request was sent at 1 000 000 000 by the local clock.
    fn lifetime(claims: &str, date: Option<u64>) -> (u64, bool) {
        let jwt = format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(claims));
        let clocks = Clocks { sent: seconds(NOW), date: date.map(seconds) };
        let (lifetime, is_local) = JwtTimes::read(&jwt).lifetime(clocks).unwrap();
        (lifetime.as_secs(), is_local)
    }

    const NOW: u64 = 1_000_000_000;

    #[test]
    fn jwt_lifetime_is_measured_by_the_vendors_clock() {
        for skew in [-3 * 3600, -600, 0, 600, 3 * 3600, 20 * 365 * 24 * 3600] {
            let vendor = NOW.saturating_add_signed(skew);
            let claims = format!(r#"{{"iat":{vendor},"exp":{}}}"#, vendor + 600);
            assert_eq!(lifetime(&claims, None), (600, false), "{skew}");
            assert_eq!(lifetime(&claims, Some(vendor)), (600, false), "{skew}");
            let claims = format!(r#"{{"exp":{}}}"#, vendor + 600);
            assert_eq!(lifetime(&claims, Some(vendor)), (600, false), "{skew}");
        }
    }

    #[test]
    fn absurd_date_does_not_count() {
        let claims = format!(r#"{{"iat":{NOW},"exp":{}}}"#, NOW + 600);
        for date in [0, NOW - 90 * 24 * 3600, NOW + 90 * 24 * 3600, u64::MAX] {
            assert_eq!(lifetime(&claims, Some(date)), (600, false), "{date}");
            let claims = format!(r#"{{"exp":{}}}"#, NOW + 600);
            assert_eq!(lifetime(&claims, Some(date)), (600, true), "{date}");
        }
        // The `Date` of another machine, whose clock is fast.
        assert_eq!(lifetime(&claims, Some(NOW + 3 * 3600)), (600, false));
    }

    #[test]
    fn local_clock_decides_last() {
        let claims = format!(r#"{{"exp":{}}}"#, NOW + 600);
        assert_eq!(lifetime(&claims, None), (600, true));
        let claims = format!(r#"{{"exp":{}}}"#, NOW - 600);
        assert_eq!(lifetime(&claims, None), (0, true));
        assert_eq!(lifetime(&claims, Some(NOW)), (0, false));
        // An `iat` after `exp` is of no use.
        let claims = format!(r#"{{"iat":{},"exp":{}}}"#, NOW + 900, NOW + 600);
        assert_eq!(lifetime(&claims, Some(NOW)), (600, false));
        assert_eq!(lifetime(&claims, None), (600, true));
    }

    #[test]
    fn token_issued_before_has_the_rest_of_its_lifetime() {
        let claims = format!(r#"{{"iat":{},"exp":{}}}"#, NOW - 3000, NOW + 600);
        assert_eq!(lifetime(&claims, Some(NOW)), (600, false));
        // A `Date` before `iat` lengthens nothing.
        assert_eq!(lifetime(&claims, Some(NOW - 6000)), (3600, false));
    }

    #[test]
    fn large_jwt_times_are_milliseconds() {
        let millis = |exp: u64| format!(r#"{{"iat":{NOW}250,"exp":{exp}250}}"#);
        assert_eq!(lifetime(&millis(NOW + 3600), None), (3600, false));
        let mixed = format!(r#"{{"iat":{NOW},"exp":{}000}}"#, NOW + 3600);
        assert_eq!(lifetime(&mixed, None), (3600, false));
        let exp = format!(r#"{{"exp":{}999}}"#, NOW + 3600);
        assert_eq!(lifetime(&exp, Some(NOW)), (3600, false));
        assert_eq!(time(MAX_SECONDS), seconds(MAX_SECONDS));
        assert_eq!(time(MAX_SECONDS + 1000), seconds(MAX_SECONDS / 1000 + 1));
    }

    #[test]
    fn time_that_is_never_reached_is_the_longest_lifetime() {
        for exp in
            ["253402300799", "99999999999", "9007199254740991", "1e300", "99999999999999999999"]
        {
            let claims = format!(r#"{{"iat":{NOW},"exp":{exp}}}"#);
            let (lifetime, is_local) = lifetime(&claims, Some(NOW));
            assert!(lifetime >= MAX_LIFETIME.as_secs() && !is_local, "{exp} {lifetime}");
        }
    }

    #[test]
    fn start_is_compared_with_the_vendors_clock() {
        let warning = |claims: &str, date: Option<u64>| {
            let jwt = format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(claims));
            let clocks = Clocks { sent: seconds(NOW), date: date.map(seconds) };
            JwtTimes::read(&jwt).not_valid_yet(clocks)
        };
        let at = |claim: &str, at: u64| format!(r#"{{"{claim}":{at}}}"#);
        let later = NOW + 3 * 3600;
        assert_eq!(warning(&at("iat", later), Some(later)), None);
        assert_eq!(warning(&at("nbf", later + 60), Some(later)), None);
        assert!(warning(&at("nbf", later + 61), Some(later)).unwrap().contains("vendor's"));
        assert!(warning(&at("nbf", later), None).unwrap().contains("this machine's"));
        assert_eq!(warning(&at("nbf", NOW + 60), None), None);
    }
}
