//! The clocks of the benchmarks and of the rivals.

use std::time::{Duration, Instant};

#[inline]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Reads the coarse clock, in nanoseconds.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn coarse() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    nanos(clock_gettime(ClockId::MonotonicCoarse))
}

/// Returns the processor time of this thread in nanoseconds.
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

/// Reads the exact clock where there is no coarse one.
#[cfg(not(target_os = "linux"))]
pub(crate) fn coarse() -> u64 {
    use gatepass_core::Clock as _;
    gatepass_engine::SystemClock::new().boot().as_nanos() as u64
}

/// Returns wall time where the thread's processor time is not available.
#[cfg(not(target_os = "linux"))]
pub(crate) fn running() -> u64 {
    coarse()
}

/// Measures the duration of `work`.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let started = now();
    work();
    started.elapsed()
}
