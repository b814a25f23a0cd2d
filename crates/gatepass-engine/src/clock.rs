//! `SystemClock`: the only file of the engine that reads the system time.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::Clock;

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// Returns the system clock.
    pub fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this file is the only reader of the time")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn boot(&self) -> Duration {
        boot()
    }

    /// Reads memory that the kernel updates every few milliseconds.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    #[inline(always)]
    fn coarse(&self) -> Option<u64> {
        use rustix::time::{ClockId, clock_gettime};
        let time = clock_gettime(ClockId::MonotonicCoarse);
        let nanos = time.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec);
        Some(nanos.cast_unsigned())
    }
}

/// The clock of a source. The system clock needs no dynamic dispatch.
#[derive(Clone, Debug)]
pub(crate) enum ClockHandle {
    System(SystemClock),
    Given(Arc<dyn Clock>),
}

impl ClockHandle {
    #[inline(always)]
    pub(crate) fn coarse(&self) -> Option<u64> {
        match self {
            Self::System(clock) => clock.coarse(),
            Self::Given(clock) => clock.coarse(),
        }
    }
}

impl Deref for ClockHandle {
    type Target = dyn Clock;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::System(clock) => clock,
            Self::Given(clock) => &**clock,
        }
    }
}

#[cfg(unix)]
fn boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    // Linux's monotonic clock stops during suspend; Apple's does not.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    const CLOCK: ClockId = ClockId::Monotonic;
    Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
}

#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "this file is the only reader of the time")]
fn boot() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    // Windows' counter continues during suspend.
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_never_goes_back() {
        let clock = SystemClock::new();
        assert!(clock.wall() > SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let times: Vec<Duration> = (0..1000).map(|_| clock.boot()).collect();
        assert!(times.is_sorted() && times.first() > Some(&Duration::ZERO));
        assert!(times.first() < times.last());
    }

    #[cfg(any(target_os = "android", target_os = "linux"))]
    #[test]
    fn coarse_clock_never_goes_back() {
        let clock = SystemClock::new();
        let readings: Vec<u64> = (0..1000).filter_map(|_| clock.coarse()).collect();
        assert!(readings.len() == 1000 && readings.is_sorted() && readings.first() > Some(&0));
    }
}
