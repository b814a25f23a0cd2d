//! Property: what the model asks of the engine, and who is asked about it.

use std::fmt;

/// One promise, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    /// At every instant at most one exchange of a source is under way.
    I1,
    /// What is handed out is usable, and for as long as was asked.
    I2,
    /// Whoever asks while a usable token is held has it at the first poll.
    I3,
    /// No dropped waiter ends an exchange.
    I4,
    /// A panic is everybody's error at once, and the source goes on.
    I5,
    /// Between a failure and the next exchange lies the rest of its class.
    I6,
    /// Who waits when a flight lands is answered by that landing.
    I7,
    /// Nobody waits for nothing, and nobody for ever.
    I8,
    /// A failure is everybody's who waits, and the answer to all who come while it rests.
    I9,
    /// A token comes from an exchange of the source that hands it out.
    I10,
    /// An invalidated token is gone for good, and no other goes with it.
    I11,
    /// After a later token no earlier one is handed out.
    I12,
    /// No clock that is set brings a dead token out.
    I13,
    /// No exchange uses a secret after it has changed, and the new one is tried soon.
    I14,
    /// There is no exchange without a reason, and a fresh token is none.
    I18,
    /// A closed source answers all who wait, ends what is under way and has nothing any more.
    I19,
}

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) property: Property,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is broken: {}", self.property, self.what)
    }
}
