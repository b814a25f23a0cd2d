//! TestClock: wall, boot and monotonic time, each moved by hand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, CoarseTime};

/// A clock that stands still until it is moved. Its clones are the same clock.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<Mutex<Times>>);

#[derive(Clone, Copy, Debug)]
struct Times {
    wall: SystemTime,
    boot: Duration,
    monotonic: Duration,
}

/// How long falling asleep and waking take, with the monotonic clock running.
const FALLING_ASLEEP: Duration = Duration::from_millis(100);

impl TestClock {
    /// A clock at some moment of 2027, an hour after boot, half of it asleep.
    pub fn new() -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let (boot, monotonic) = (Duration::from_secs(3600), Duration::from_secs(1800));
        Self(Arc::new(Mutex::new(Times { wall, boot, monotonic })))
    }

    /// Time passes: all clocks go on.
    pub fn advance(&self, by: Duration) {
        self.change(|times| {
            times.wall += by;
            times.boot += by;
            times.monotonic += by;
        });
    }

    /// The machine sleeps. Wall and boot time go on as in [`advance`](Self::advance); the
    /// monotonic clock, which [`coarse`](Clock::coarse) shows, stands still but for the tenth of a
    /// second that falling asleep and waking take. So does a runtime's own clock, which this one
    /// is no part of.
    pub fn suspend(&self, by: Duration) {
        self.change(|times| {
            times.wall += by;
            times.boot += by;
            times.monotonic += by.min(FALLING_ASLEEP);
        });
    }

    /// Somebody sets the wall clock, by this many seconds forward or (negative) back.
    pub fn jump_wall(&self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        self.change(|times| {
            let jumped =
                if seconds < 0 { times.wall.checked_sub(by) } else { times.wall.checked_add(by) };
            times.wall = jumped.expect("a wall clock shows a time that can be written down");
        });
    }

    /// Time passes, and the wall clock does not notice.
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

    fn coarse(&self) -> CoarseTime {
        let times = self.times();
        CoarseTime::new(times.wall, times.monotonic)
    }
}
