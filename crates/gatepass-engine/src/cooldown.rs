//! Rest: how long a failure answers for those who come after it. Pure: times and chance are given.

use std::time::Duration;

use gatepass_core::{Error, ErrorKind, Retry};

use crate::exchange::Fingerprint;

/// Back-off while nobody can be served: full jitter below 250 ms, 500 ms, 1 s, … 30 s.
const MIN_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
const MIN_COOLDOWN: Duration = Duration::from_millis(50);
/// Back-off while a usable token is cached, so that nobody waits: 1 to 2 s, 2 to 4 s, … 5 min.
const MIN_BACKOFF_WITH_TOKEN: Duration = Duration::from_secs(2);
const MAX_BACKOFF_WITH_TOKEN: Duration = Duration::from_secs(300);
/// For an answer that is no token answer, after one quick retry.
const MIN_PROTOCOL_COOLDOWN: Duration = Duration::from_secs(60);
/// For a certificate that is not trusted: somebody has to mend it.
const MIN_TLS_COOLDOWN: Duration = Duration::from_secs(300);
/// For a vendor that finds the request itself wrong.
const MIN_CONFIG_COOLDOWN: Duration = Duration::from_secs(300);
/// However long a vendor says: it is asked once an hour.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// For a vendor that throttles and does not say for how long.
const MIN_THROTTLED_COOLDOWN: Duration = Duration::from_secs(5);
/// How often a refused credential is looked at again: 1 s, 2 s, … 30 s. The vendor is asked only
/// if it has changed.
const MIN_CREDENTIAL_CHECK: Duration = Duration::from_secs(1);
const MAX_CREDENTIAL_CHECK: Duration = Duration::from_secs(30);

/// A failure that is still the answer.
#[derive(Clone, Debug)]
pub(crate) struct Cooldown {
    pub(crate) error: Error,
    /// When it ends, on the boot clock.
    pub(crate) until: Duration,
    /// The credential that was refused: the vendor is not asked with the same one again.
    pub(crate) refused: Option<Fingerprint>,
}

impl Cooldown {
    /// What is left of it at `now`, on the boot clock; nothing once it is over.
    pub(crate) fn remaining(&self, now: Duration) -> Option<Duration> {
        self.until.checked_sub(now).filter(|remaining| !remaining.is_zero())
    }

    /// Its error as it is at `now`: what the vendor said about when to come again has aged.
    pub(crate) fn error(&self, now: Duration) -> Error {
        match (self.error.retry_after(), self.remaining(now)) {
            (Some(_), Some(remaining)) => self.error.clone().with_retry_after(remaining),
            _ => self.error.clone(),
        }
    }
}

/// How long to rest after the `failures`th failure in a row (from 1). `has_token` says whether a
/// usable token is cached, and `chance` is from 0 to 1.
pub(crate) fn duration(error: &Error, failures: u32, has_token: bool, jitter: f64) -> Duration {
    let jitter = jitter.clamp(0.0, 1.0);
    let doubled = |base: Duration, cap: Duration| {
        base.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(cap)
    };
    let back_off = if has_token {
        doubled(MIN_BACKOFF_WITH_TOKEN, MAX_BACKOFF_WITH_TOKEN).mul_f64(0.5 + jitter / 2.0)
    } else {
        doubled(MIN_BACKOFF, MAX_BACKOFF).mul_f64(jitter).max(MIN_COOLDOWN)
    };
    let floor = match (error.kind(), error.retry()) {
        (ErrorKind::Throttled, _) => match retry_after(error) {
            // Not all of those who were told the same time come in the same moment.
            Some(after) => return after.mul_f64(1.0 + jitter / 10.0).max(back_off),
            None => MIN_THROTTLED_COOLDOWN,
        },
        // The vendor finds the request wrong, or is not there: slowly, since that may be mended at
        // its end, and no account is locked by it.
        (ErrorKind::Config, _) if error.status().is_some() => MIN_CONFIG_COOLDOWN,
        (ErrorKind::Denied | ErrorKind::LoginRequired | ErrorKind::Config, _) => {
            return doubled(MIN_CREDENTIAL_CHECK, MAX_CREDENTIAL_CHECK);
        }
        (ErrorKind::Unavailable, Retry::Never) => MIN_TLS_COOLDOWN,
        (ErrorKind::Protocol | ErrorKind::UnsafeToken, Retry::Once) if failures == 1 => {
            Duration::ZERO
        }
        (ErrorKind::Protocol | ErrorKind::UnsafeToken, _) => MIN_PROTOCOL_COOLDOWN,
        _ => retry_after(error).unwrap_or_default(),
    };
    back_off.max(floor)
}

/// What the vendor said about when to come again.
fn retry_after(error: &Error) -> Option<Duration> {
    error.retry_after().map(|after| after.min(MAX_RETRY_AFTER))
}

/// A rest of this `length` while a token is cached that is usable for so long: it ends with the token,
/// whose end makes people wait. What the vendor told is kept all the same.
pub(crate) fn capped_at_expiry(error: &Error, duration: Duration, usable: Duration) -> Duration {
    let retry_after = retry_after(error).unwrap_or_default();
    let retry_after = if error.kind() == ErrorKind::Throttled {
        retry_after.max(MIN_THROTTLED_COOLDOWN)
    } else {
        retry_after
    };
    duration.min(usable.max(retry_after).max(MIN_COOLDOWN))
}

/// Whether the vendor is to be asked again only with another credential.
pub(crate) fn is_denied(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::LoginRequired)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(error: &Error, failures: u32, has_token: bool, jitter: f64) -> f64 {
        duration(error, failures, has_token, jitter).as_secs_f64()
    }

    #[test]
    fn back_off_doubles_up_to_its_cap_with_full_jitter() {
        let down = Error::unavailable("down");
        assert_eq!(
            [1, 2, 3, 8, 60].map(|n| seconds(&down, n, false, 1.0)),
            [0.25, 0.5, 1.0, 30.0, 30.0]
        );
        assert_eq!(seconds(&down, 5, false, 0.0), 0.05);
    }

    #[test]
    fn with_a_token_in_hand_there_is_no_hurry() {
        let down = Error::unavailable("down");
        assert_eq!([1, 2, 3, 60].map(|n| seconds(&down, n, true, 0.0)), [1.0, 2.0, 4.0, 150.0]);
        assert_eq!([1, 2, 3, 60].map(|n| seconds(&down, n, true, 1.0)), [2.0, 4.0, 8.0, 300.0]);
    }

    #[test]
    fn a_rest_ends_with_the_token_that_is_held() {
        let (long, at) = (Duration::from_secs(240), Duration::from_secs);
        let end = |error: &Error, usable| capped_at_expiry(error, long, usable);
        assert_eq!(end(&Error::unavailable("down"), at(7)), at(7));
        assert_eq!(end(&Error::protocol("odd"), at(500)), long);
        assert_eq!(end(&Error::unavailable("down"), Duration::ZERO), MIN_COOLDOWN);
        let retry_after = Error::throttled("wait").with_retry_after(at(30));
        assert_eq!((end(&retry_after, at(7)), end(&retry_after, at(60))), (at(30), at(60)));
        assert_eq!(end(&Error::throttled("wait"), at(1)), MIN_THROTTLED_COOLDOWN);
    }

    #[test]
    fn the_vendors_word_is_never_undercut() {
        let after = Duration::from_secs(7);
        let throttled = Error::throttled("wait").with_retry_after(after);
        let down = Error::unavailable("down").with_retry_after(after);
        for jitter in [0.0, 0.5, 1.0] {
            for failures in 1..40 {
                assert!(duration(&throttled, failures, false, jitter) >= after);
                assert!(duration(&down, failures, true, jitter) >= after);
            }
        }
        assert!(seconds(&Error::throttled("wait"), 1, false, 0.0) >= 5.0);
    }

    #[test]
    fn a_vendor_that_says_for_ever_is_asked_in_an_hour() {
        for error in [Error::throttled("wait"), Error::unavailable("down")] {
            let error = error.with_retry_after(Duration::MAX);
            assert!((3600.0..=3960.0).contains(&seconds(&error, 1, false, 1.0)), "{error}");
            assert!(
                capped_at_expiry(&error, Duration::MAX, Duration::ZERO).as_secs() == 3600,
                "{error}"
            );
        }
    }

    #[test]
    fn an_odd_answer_gets_one_quick_retry_and_then_a_minute() {
        let odd = Error::protocol("odd");
        assert!(seconds(&odd, 1, false, 1.0) <= 0.25);
        assert!(seconds(&odd, 2, false, 0.0) >= 60.0);
        assert!(seconds(&Error::unsafe_token("bad"), 1, false, 0.0) >= 60.0);
        let wrong = Error::config("no token endpoint").with_status(404);
        assert!(seconds(&wrong, 1, false, 0.0) >= 300.0 && !is_denied(&wrong));
        let tls = Error::unavailable("unknown CA").with_retry(Retry::Never);
        assert!(seconds(&tls, 1, false, 0.0) >= 300.0);
    }

    #[test]
    fn the_error_of_a_rest_says_what_is_left_of_it() {
        let after = Duration::from_secs(10);
        let error = Error::throttled("wait").with_retry_after(after);
        let rest = Cooldown { error, until: Duration::from_secs(110), refused: None };
        let at = Duration::from_secs;
        assert_eq!(rest.error(at(104)).retry_after(), Some(at(6)));
        assert_eq!((rest.remaining(at(109)), rest.remaining(at(110))), (Some(at(1)), None));
    }
}
