//! SystemClock: the only source of time.

use std::time::{Duration, SystemTime};

use gatepass_core::Clock;

/// Asks the system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The system's clocks.
    pub fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the time is asked")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn boot(&self) -> Duration {
        boot()
    }
}

#[cfg(unix)]
fn boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    // Linux's monotonic clock stands still in suspend; Apple's does not.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    const CLOCK: ClockId = ClockId::Monotonic;
    Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
}

#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "this is where the time is asked")]
fn boot() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    // Windows' counter goes on in suspend.
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_and_boot_time_never_goes_back() {
        let clock = SystemClock::new();
        assert!(clock.wall() > SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let times: Vec<Duration> = (0..1000).map(|_| clock.boot()).collect();
        assert!(times.is_sorted() && times.first() > Some(&Duration::ZERO));
        assert!(times.first() < times.last());
    }
}
