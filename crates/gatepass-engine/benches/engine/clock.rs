//! The clocks of those who measure, and of the rivals.

use std::time::{Duration, Instant};

#[inline]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// One coarse clock read, in nanoseconds.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn coarse() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    nanos(clock_gettime(ClockId::MonotonicCoarse))
}

/// The time this thread has run, in nanoseconds.
#[cfg(target_os = "linux")]
pub(crate) fn running() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    nanos(clock_gettime(ClockId::ThreadCPUTime))
}

#[cfg(target_os = "linux")]
#[inline]
fn nanos(time: rustix::time::Timespec) -> u64 {
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).cast_unsigned()
}

/// Where there is no coarse clock.
#[cfg(not(target_os = "linux"))]
pub(crate) fn coarse() -> u64 {
    use gatepass_core::Clock as _;
    gatepass_engine::SystemClock::new().coarse().monotonic()
}

/// Where a thread's own time is not told.
#[cfg(not(target_os = "linux"))]
pub(crate) fn running() -> u64 {
    coarse()
}

/// What `work` takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let begun = now();
    work();
    begun.elapsed()
}
