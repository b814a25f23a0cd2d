//! Cool-downs: how long a failure is returned from the cache before the vendor is asked again.
//!
//! A vendor that is down or rate limits must not get a request from every caller, and a denied
//! credential must not be sent again, because repeated denials lock accounts. After a failure the
//! source therefore returns the same error to all callers until the cool-down ends.
//!
//! The duration depends on the class of the failure and grows with each consecutive one:
//!
//! - While no usable token is cached, callers fail. The cool-down is short (at most 30 s for an
//!   outage) and fully random up to its limit: processes that failed together, because the vendor
//!   went down, do not come back together.
//! - While a usable token is cached, no caller notices the failure. The cool-down is longer, half
//!   fixed and half random, but ends at the latest when the token does.
//! - The vendor's own delay (`Retry-After`) is never undercut, up to an hour.
//! - A denied credential is sent again after 30 to 60 s and then ever more rarely if it worked
//!   before, and after an hour if it never worked. Until then it is read after 1 s, 2 s, … 30 s, and
//!   sent only if it has changed. A fingerprint of it is enough for that; the credential is not kept.
//!
//! A failure is bound to its circumstances (credential, addresses, settings, proxy, CAs). During a
//! cool-down the source looks at them and at the store after 1 s, 2 s, … 30 s: another process may
//! have acquired a token, and a failure ends when one of them changes.
//!
//! Time and jitter are passed in, so that every duration is tested without a clock.
//!
//! Rejected alternatives:
//!
//! - Retries inside the exchange: all callers would wait through all of them, although only each
//!   caller knows its own deadline. The command retries within `--wait`.
//! - A circuit breaker with a half-open state: a source has one request in flight anyway, so the
//!   first request after the cool-down already is the probe.
//! - No cool-down for refreshes: the refresh of an aging token would be repeated by every caller.

use std::time::Duration;

use gatepass_core::{Error, ErrorKind, Retry};

use crate::exchange_failure::ExchangeFailure;
use crate::fingerprint::Fingerprint;
use crate::store::{Circumstances, FailureRecord};

/// Limits of the back-off without a usable token: up to 250 ms, 500 ms, 1 s, … 30 s.
const MIN_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
const MIN_COOLDOWN: Duration = Duration::from_millis(50);
/// Limits of the back-off with a usable token: 1 to 2 s, 2 to 4 s, … 5 min.
const MIN_BACKOFF_WITH_TOKEN: Duration = Duration::from_secs(2);
const MAX_BACKOFF_WITH_TOKEN: Duration = Duration::from_secs(300);
/// For a response that is not a token response, after one quick retry, while a usable token is
/// cached.
const MIN_PROTOCOL_COOLDOWN: Duration = Duration::from_secs(60);
/// For a certificate that is not trusted, which an administrator has to fix, while a usable token is
/// cached.
const MIN_TLS_COOLDOWN: Duration = Duration::from_secs(300);
/// For both while no token is cached: the server may be fixed at any moment, and callers fail.
const MAX_OUTAGE_COOLDOWN: Duration = Duration::from_secs(30);
/// For a vendor that rejects the request itself.
const MIN_CONFIG_COOLDOWN: Duration = Duration::from_secs(300);
/// Upper bound of the vendor's own delay.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// For a vendor that rate limits without `Retry-After`.
const MIN_THROTTLED_COOLDOWN: Duration = Duration::from_secs(5);
/// Limits of the pause between two looks at the circumstances and the store: 1 s, 2 s, … 30 s.
const MIN_CHECK: Duration = Duration::from_secs(1);
const MAX_CHECK: Duration = Duration::from_secs(30);
/// The first cool-down of a refused credential that worked before: 30 to 55 s, so that a caller that
/// also waits for the next look gets a token within a minute. Each further one is twice as long.
const MIN_REFUSAL_COOLDOWN: Duration = Duration::from_secs(30);
const REFUSAL_JITTER: Duration = Duration::from_secs(25);

/// A failure that is returned from the cache.
#[derive(Clone, Debug)]
pub(crate) struct Cooldown {
    pub(crate) error: Error,
    /// When the request failed, on the boot clock. The error itself has the age that it had then.
    failed_at: Duration,
    /// End on the boot clock.
    pub(crate) until: Duration,
    /// When circumstances and store are looked at again, on the boot clock.
    check_at: Duration,
    checks: u32,
    /// The denied credential, which is not sent again.
    pub(crate) denied: Option<Fingerprint>,
    /// What the failure is bound to.
    circumstances: Option<Circumstances>,
}

impl Cooldown {
    /// Starts the cool-down of a failure at `now` (boot clock). `has_store` is true if another
    /// process may store a token.
    pub(crate) fn start(
        failure: &ExchangeFailure,
        now: Duration,
        duration: Duration,
        has_store: bool,
    ) -> Self {
        let mut cooldown = Self {
            error: failure.error.clone(),
            failed_at: now,
            until: now.saturating_add(duration),
            check_at: Duration::MAX,
            checks: 0,
            denied: failure.denied,
            circumstances: failure.circumstances,
        };
        // Without them, the source could not tell whether the failure is still current.
        if cooldown.circumstances.is_some() && (has_store || cooldown.denied.is_some()) {
            cooldown.postpone_check(now);
        }
        cooldown
    }

    /// Plans the next look at circumstances and store.
    pub(crate) fn postpone_check(&mut self, now: Duration) {
        self.checks = self.checks.saturating_add(1);
        self.check_at = now.saturating_add(doubled(MIN_CHECK, MAX_CHECK, self.checks));
    }

    /// Plans the next look at the end of a usable token at the latest: after that, callers wait.
    pub(crate) fn check_within(&mut self, usable_for: Duration, now: Duration) {
        if self.check_at < Duration::MAX {
            self.check_at = self.check_at.min(now.saturating_add(usable_for.max(MIN_COOLDOWN)));
        }
    }

    /// Returns how long the source repeats the failure without looking at anything, or `None` if it
    /// looks now.
    pub(crate) fn quiet_for(&self, now: Duration) -> Option<Duration> {
        let quiet = self.until.min(self.check_at).checked_sub(now);
        quiet.filter(|quiet| !quiet.is_zero())
    }

    /// Returns whether the failure still stands for a request with this credential under these
    /// circumstances. A vendor that locks accounts does not get the credential again for another
    /// reason than a new credential.
    pub(crate) fn is_current(
        &self,
        credential: Fingerprint,
        circumstances: Circumstances,
        locks_account: bool,
        now: Duration,
    ) -> bool {
        let is_same = self.denied.is_none_or(|denied| denied == credential);
        let is_bound = self.circumstances == Some(circumstances);
        let is_locked = locks_account && self.denied.is_some();
        self.remaining(now).is_some() && is_same && (is_bound || is_locked)
    }

    /// Returns the failure of a request that is not sent because this one is still current.
    pub(crate) fn repeated(&self, now: Duration) -> ExchangeFailure {
        ExchangeFailure {
            denied: self.denied,
            circumstances: self.circumstances,
            is_repeated: true,
            ..self.error(now).into()
        }
    }

    /// Returns how much of the cool-down remains at `now` (boot clock), or `None` after its end.
    pub(crate) fn remaining(&self, now: Duration) -> Option<Duration> {
        self.until.checked_sub(now).filter(|remaining| !remaining.is_zero())
    }

    /// Returns the error, marked as repeated, with `retry_after` reduced to the remaining time.
    pub(crate) fn error(&self, now: Duration) -> Error {
        let age = self.error.age().unwrap_or_default();
        let age = age.saturating_add(now.saturating_sub(self.failed_at));
        let error = self.error.clone().with_age(age);
        match (error.retry_after(), self.remaining(now)) {
            (Some(_), Some(remaining)) => error.with_retry_after(remaining),
            _ => error,
        }
    }
}

/// Returns the cool-down of a credential that was refused `rejections` times in a row.
pub(crate) fn of_rejection(has_worked: bool, rejections: u32, jitter: f64) -> Duration {
    if !has_worked {
        return FailureRecord::MAX_COOLDOWN;
    }
    let first = MIN_REFUSAL_COOLDOWN + REFUSAL_JITTER.mul_f64(jitter.clamp(0.0, 1.0));
    doubled(first, FailureRecord::MAX_COOLDOWN, rejections)
}

/// Returns `min` doubled with each failure after the first, up to `max`.
fn doubled(min: Duration, max: Duration, failures: u32) -> Duration {
    min.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(max)
}

/// Returns the cool-down after `failures` consecutive failures (at least 1). `has_token` is true
/// while a usable token is cached; `jitter` is from 0 to 1.
pub(crate) fn duration(error: &Error, failures: u32, has_token: bool, jitter: f64) -> Duration {
    let jitter = jitter.clamp(0.0, 1.0);
    let backoff = if has_token {
        doubled(MIN_BACKOFF_WITH_TOKEN, MAX_BACKOFF_WITH_TOKEN, failures)
            .mul_f64(0.5 + jitter / 2.0)
    } else {
        doubled(MIN_BACKOFF, MAX_BACKOFF, failures).mul_f64(jitter).max(MIN_COOLDOWN)
    };
    let outage = |min: Duration| if has_token { min } else { min.min(MAX_OUTAGE_COOLDOWN) };
    let min = match (error.kind(), error.retry()) {
        (ErrorKind::Throttled, _) => match retry_after(error) {
            // Jitter, because the vendor may have sent the same delay to many callers.
            Some(after) => return after.mul_f64(1.0 + jitter / 10.0).max(backoff),
            None => MIN_THROTTLED_COOLDOWN,
        },
        // The vendor rejects the request or does not know the endpoint. Retry slowly, because the
        // vendor may fix it and no account is locked.
        (ErrorKind::Config, _) if error.status().is_some() => MIN_CONFIG_COOLDOWN,
        (ErrorKind::Denied | ErrorKind::LoginRequired | ErrorKind::Config, _) => {
            return doubled(MIN_CHECK, MAX_CHECK, failures);
        }
        (ErrorKind::Unavailable, Retry::Never) => outage(MIN_TLS_COOLDOWN),
        (ErrorKind::Protocol | ErrorKind::UnsafeToken, Retry::Once) if failures == 1 => {
            Duration::ZERO
        }
        (ErrorKind::Protocol | ErrorKind::UnsafeToken, _) => outage(MIN_PROTOCOL_COOLDOWN),
        _ => retry_after(error).unwrap_or_default(),
    };
    backoff.max(min)
}

/// Returns the vendor's own delay, up to the maximum.
fn retry_after(error: &Error) -> Option<Duration> {
    error.retry_after().map(|after| after.min(MAX_RETRY_AFTER))
}

/// Shortens the source's own back-off so that it ends within `window`, the time for which the caller
/// tries again: otherwise a caller that has 20 s would give up after half of them.
///
/// A long window is not used up at once, because callers that started together would come back
/// together at its end. Neither the vendor's own delay nor the minimum of a class is shortened.
pub(crate) fn within_window(
    error: &Error,
    cooldown: Duration,
    window: Option<Duration>,
    jitter: f64,
) -> Duration {
    let min = match (error.kind(), error.retry()) {
        (ErrorKind::Throttled, _) => retry_after(error).unwrap_or(MIN_THROTTLED_COOLDOWN),
        (ErrorKind::Unavailable, Retry::Later) => retry_after(error).unwrap_or(MIN_COOLDOWN),
        _ => return cooldown,
    };
    match window {
        Some(window) if !window.is_zero() && min <= window && window < cooldown => {
            match window > LAST_WINDOW {
                true => window.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0).max(min),
                false => window,
            }
        }
        _ => cooldown,
    }
}

/// The longest window whose end a single pause may reach.
const LAST_WINDOW: Duration = Duration::from_secs(2);

/// Shortens a cool-down to the time for which the cached token is usable: after that, callers
/// wait. The vendor's own delay is not shortened.
pub(crate) fn capped_at_expiry(
    error: &Error,
    cooldown: Duration,
    usable_for: Duration,
) -> Duration {
    let after = retry_after(error).unwrap_or_default();
    let after = match error.kind() {
        ErrorKind::Throttled => after.max(MIN_THROTTLED_COOLDOWN),
        _ => after,
    };
    cooldown.min(usable_for.max(after).max(MIN_COOLDOWN))
}

/// Returns whether only another credential can succeed.
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
    fn backoff_doubles_up_to_its_limit() {
        let down = Error::unavailable("down");
        assert_eq!(
            [1, 2, 3, 8, 60].map(|n| seconds(&down, n, false, 1.0)),
            [0.25, 0.5, 1.0, 30.0, 30.0]
        );
        assert_eq!(seconds(&down, 5, false, 0.0), 0.05);
    }

    #[test]
    fn cached_token_makes_backoff_longer() {
        let down = Error::unavailable("down");
        assert_eq!([1, 2, 3, 60].map(|n| seconds(&down, n, true, 0.0)), [1.0, 2.0, 4.0, 150.0]);
        assert_eq!([1, 2, 3, 60].map(|n| seconds(&down, n, true, 1.0)), [2.0, 4.0, 8.0, 300.0]);
    }

    #[test]
    fn cooldown_ends_with_the_cached_token() {
        let (long, at) = (Duration::from_secs(240), Duration::from_secs);
        let end = |error: &Error, usable| capped_at_expiry(error, long, usable);
        assert_eq!(end(&Error::unavailable("down"), at(7)), at(7));
        assert_eq!(end(&Error::protocol("not a token response"), at(500)), long);
        assert_eq!(end(&Error::unavailable("down"), Duration::ZERO), MIN_COOLDOWN);
        let retry_after = Error::throttled("wait").with_retry_after(at(30));
        assert_eq!((end(&retry_after, at(7)), end(&retry_after, at(60))), (at(30), at(60)));
        assert_eq!(end(&Error::throttled("wait"), at(1)), MIN_THROTTLED_COOLDOWN);
    }

    #[test]
    fn backoff_ends_within_window_of_the_caller() {
        let at = Duration::from_secs;
        let within = |error: &Error, window| within_window(error, at(30), window, 0.5);
        let down = Error::unavailable("down");
        assert_eq!(within(&down, None), at(30));
        assert_eq!(within(&down, Some(at(40))), at(30));
        assert_eq!(within(&down, Some(at(8))), at(6));
        assert_eq!(within(&down, Some(at(2))), at(2));
        let throttled = Error::throttled("wait");
        assert_eq!(within(&throttled, Some(at(8))), at(6));
        assert_eq!(within(&throttled, Some(at(6))), at(5));
        // Less than the class requires, and less than the vendor requires.
        assert_eq!(within(&throttled, Some(at(4))), at(30));
        for error in [throttled, down] {
            let error = error.with_retry_after(at(7));
            assert_eq!(within(&error, Some(at(8))), at(7));
            assert_eq!(within(&error, Some(at(6))), at(30));
        }
        for error in [Error::protocol("odd"), Error::unavailable("CA").with_retry(Retry::Never)] {
            assert_eq!(within(&error, Some(at(8))), at(30));
        }
    }

    #[test]
    fn cooldown_is_never_shorter_than_retry_after() {
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
    fn retry_after_is_limited_to_an_hour() {
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
    fn protocol_error_is_retried_once_then_after_a_minute() {
        let protocol = Error::protocol("not a token response");
        assert!(seconds(&protocol, 1, false, 1.0) <= 0.25);
        assert!(seconds(&protocol, 2, true, 0.0) >= 60.0);
        assert!(seconds(&Error::unsafe_token("bad"), 1, true, 0.0) >= 60.0);
        let wrong = Error::config("no token endpoint").with_status(404);
        assert!(seconds(&wrong, 1, false, 0.0) >= 300.0 && !is_denied(&wrong));
        let tls = Error::unavailable("unknown CA").with_retry(Retry::Never);
        assert!(seconds(&tls, 1, true, 0.0) >= 300.0);
    }

    #[test]
    fn outage_without_token_lasts_at_most_half_a_minute() {
        for error in [
            Error::unavailable("down"),
            Error::unavailable("unknown CA").with_retry(Retry::Never),
            Error::protocol("not a token response"),
            Error::unsafe_token("bad"),
        ] {
            for failures in 1..40 {
                assert!(seconds(&error, failures, false, 1.0) <= 30.0, "{error} {failures}");
            }
        }
    }

    #[test]
    fn refused_credential_that_worked_is_sent_ever_more_rarely() {
        let cooldown = |rejections, jitter| of_rejection(true, rejections, jitter).as_secs();
        assert_eq!([1, 2, 3, 7, 8, 60].map(|n| cooldown(n, 0.0)), [30, 60, 120, 1920, 3600, 3600]);
        assert_eq!([1, 2, 3, 60].map(|n| cooldown(n, 1.0)), [55, 110, 220, 3600]);
        assert_eq!(of_rejection(false, 1, 0.5), FailureRecord::MAX_COOLDOWN);
    }

    #[test]
    fn cooldown_error_has_the_remaining_retry_after() {
        let after = Duration::from_secs(10);
        let error = Error::throttled("wait").with_retry_after(after);
        let at = Duration::from_secs;
        let cooldown = Cooldown::start(&error.into(), at(100), at(10), false);
        assert_eq!(cooldown.error(at(104)).age(), Some(at(4)));
        assert_eq!(cooldown.error(at(104)).retry_after(), Some(at(6)));
        assert_eq!((cooldown.remaining(at(109)), cooldown.remaining(at(110))), (Some(at(1)), None));
    }
}
