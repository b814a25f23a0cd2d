//! The status of a token source, for users and health checks.

use std::time::{Duration, SystemTime};

use gatepass_core::{Error, Expiry};

use crate::policy::Phase;

/// The status of a [`TokenSource`](crate::TokenSource). It contains no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// State of the cached token.
    pub state: State,
    /// When the cached token expires, whether or not it is still usable.
    pub expires_at: Option<SystemTime>,
    /// Where the expiry comes from.
    pub expiry: Option<Expiry>,
    /// Whether the cached token comes from the store and not from the vendor.
    pub is_stored: bool,
    /// Time until the next refresh; `None` if the vendor returns the same token until it expires.
    pub refresh_in: Option<Duration>,
    /// Warnings about the response that contained the cached token.
    pub warnings: Vec<String>,
    /// Whether an exchange is in progress.
    pub is_exchanging: bool,
    /// Number of exchanges started.
    pub exchanges: u64,
    /// Number of failed refreshes; each makes one or two requests.
    pub failures: u64,
    /// Error of the latest exchange; `None` after a success.
    pub last_error: Option<Error>,
    /// How long callers still get that error without a token request.
    pub cooldown_remaining: Option<Duration>,
}

impl Status {
    /// Returns the status of a source that has no token and has sent no request.
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

/// The state of a source's cached token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// There is no token: it was not requested yet, the request failed, or it was invalidated.
    Empty,
    /// The token is usable.
    Fresh,
    /// The token is usable and due for refresh.
    Aging,
    /// The token is not usable.
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
