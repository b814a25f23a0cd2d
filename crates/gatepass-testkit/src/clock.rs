//! `TestClock`, whose wall, boot and monotonic time change only when the test moves them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gatepass_core::Clock;

/// A clock that the test moves. Its clones share the same time.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<Mutex<Times>>);

#[derive(Clone, Copy, Debug)]
struct Times {
    wall: SystemTime,
    boot: Duration,
    monotonic: Duration,
}

/// The time that falling asleep and waking take, during which the monotonic clock runs.
const SLEEP_TRANSITION: Duration = Duration::from_millis(100);
/// The time that passes after the wall clock was set, more than the 10 ms for which the engine reuses
/// a check of both clocks.
const AFTER_JUMP: Duration = Duration::from_millis(11);

impl TestClock {
    /// Creates a clock in January 2027, an hour after boot; the machine slept half of that hour.
    pub fn new() -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let (boot, monotonic) = (Duration::from_secs(3600), Duration::from_secs(1800));
        Self(Arc::new(Mutex::new(Times { wall, boot, monotonic })))
    }

    /// Advances wall, boot and monotonic time.
    pub fn advance(&self, by: Duration) {
        self.change(|times| {
            times.wall += by;
            times.boot += by;
            times.monotonic += by;
        });
    }

    /// Suspends the machine: wall and boot time advance by the whole duration.
    ///
    /// The monotonic time of [`coarse`](Clock::coarse) advances by at most a tenth of a second, which
    /// falling asleep and waking take. The clock of an async runtime is not affected.
    pub fn suspend(&self, by: Duration) {
        self.change(|times| {
            times.wall += by;
            times.boot += by;
            times.monotonic += by.min(SLEEP_TRANSITION);
        });
    }

    /// Sets the wall clock forward by this number of seconds, or back if it is negative.
    ///
    /// The coarse clock advances by 11 ms: an engine that reads the time at most every 10 ms sees the
    /// jump in the next call.
    pub fn jump_wall(&self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        self.change(|times| {
            let jumped =
                if seconds < 0 { times.wall.checked_sub(by) } else { times.wall.checked_add(by) };
            times.wall = jumped.expect("the wall time is in the range of `SystemTime`");
            times.monotonic += AFTER_JUMP;
        });
    }

    /// Advances boot and monotonic time, but not the wall clock.
    pub fn advance_boot_only(&self, by: Duration) {
        self.change(|times| {
            times.boot += by;
            times.monotonic += by;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Times)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn times(&self) -> Times {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn wall(&self) -> SystemTime {
        self.times().wall
    }

    fn boot(&self) -> Duration {
        self.times().boot
    }

    fn coarse(&self) -> Option<u64> {
        u64::try_from(self.times().monotonic.as_nanos()).ok()
    }
}
