//! The clock, for the times that tasks print and for time limits.

use std::time::Instant;

/// Returns the current time.
#[expect(clippy::disallowed_methods, reason = "tasks show how long they take")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
