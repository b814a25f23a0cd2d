//! The sandbox's clock. It follows the machine's clock and can be advanced.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since 1970 by the sandbox's clock.
pub(crate) type Time = Duration;

/// The largest time span: a century, far from overflow.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

#[derive(Debug)]
pub(crate) struct SandboxClock {
    started: Time,
    since: Instant,
    advanced: Duration,
}

impl SandboxClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only place where the sandbox reads the time"
    )]
    pub(crate) fn start() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started, since: Instant::now(), advanced: Duration::ZERO }
    }

    pub(crate) fn now(&self) -> Time {
        self.started + self.since.elapsed() + self.advanced
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.advanced = self.advanced.saturating_add(by).min(MAX_TIME);
    }

    pub(crate) fn advanced(&self) -> Duration {
        self.advanced
    }

    pub(crate) fn reset(&mut self) {
        self.advanced = Duration::ZERO;
    }
}

pub(crate) fn http_date(time: Time) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + time.min(MAX_TIME))
}
