//! Status: what a source is doing, for a person or a health check.

use std::time::{Duration, SystemTime};

use gatepass_core::{Error, Expiry};

use crate::policy::Phase;

/// What a [`TokenSource`](crate::TokenSource) holds and has done. It shows no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What it holds.
    pub state: State,
    /// When the cached token ends, whether or not it is still usable.
    pub expires_at: Option<SystemTime>,
    /// Where that moment comes from.
    pub expiry: Option<Expiry>,
    /// Whether a store had it, rather than the vendor.
    pub is_stored: bool,
    /// How long until the next one is asked for; none where asking early brings nothing.
    pub refresh_in: Option<Duration>,
    /// What was odd about the cached token's answer.
    pub warnings: Vec<String>,
    /// Whether an exchange is under way.
    pub is_exchanging: bool,
    /// How many exchanges have begun.
    pub exchanges: u64,
    /// How many flights, of one exchange or two, have failed.
    pub failures: u64,
    /// Why the latest flight failed; none once one succeeds.
    pub last_error: Option<Error>,
    /// How long that error is still the answer for all who ask.
    pub cooldown_remaining: Option<Duration>,
}

impl Status {
    /// Of a source that has nothing and has done nothing.
    pub(crate) fn empty() -> Self {
        Self {
            state: State::Empty,
            expires_at: None,
            expiry: None,
            is_stored: false,
            refresh_in: None,
            warnings: Vec::new(),
            is_exchanging: false,
            exchanges: 0,
            failures: 0,
            last_error: None,
            cooldown_remaining: None,
        }
    }
}

/// What a source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// No token: none was asked for yet, none came, or it was invalidated.
    Empty,
    /// A token that is handed out.
    Fresh,
    /// A token that is handed out while the next one is asked for.
    Aging,
    /// A token that is not handed out any more.
    Expired,
    /// The source is closed.
    Closed,
}

impl State {
    pub(crate) fn of(phase: Phase) -> Self {
        match phase {
            Phase::Fresh => Self::Fresh,
            Phase::Aging => Self::Aging,
            Phase::Expired => Self::Expired,
        }
    }
}
