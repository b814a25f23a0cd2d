//! The properties that the model checks.

use std::fmt;

/// One property, by its number in `ARCHITECTURE.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    /// A source has at most one exchange in progress.
    I1,
    /// A returned token is usable for as long as the caller required.
    I2,
    /// While a usable token is cached, the first poll returns it.
    I3,
    /// Dropping a caller does not end an exchange.
    I4,
    /// All waiting callers get an error when a provider panics, and the source stays usable.
    I5,
    /// After a failure, the next exchange starts after the cool-down of its class.
    I6,
    /// A caller that waits when a flight ends gets its outcome.
    I7,
    /// A caller waits only for a flight, and never forever.
    I8,
    /// All waiting callers, and all callers during the cool-down, get the same failure.
    I9,
    /// A source returns tokens of its own exchanges only.
    I10,
    /// An invalidation removes exactly one token, permanently.
    I11,
    /// A source never returns an earlier token after a later one.
    I12,
    /// Setting a clock never makes an expired token usable.
    I13,
    /// No exchange uses a secret after it has changed, and the new one is soon used.
    I14,
    /// No exchange starts while the token is fresh.
    I18,
    /// Closing a source ends its exchange, fails its callers and removes its token.
    I19,
}

/// A violated property.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) property: Property,
    pub(crate) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is violated: {}", self.property, self.detail)
    }
}
