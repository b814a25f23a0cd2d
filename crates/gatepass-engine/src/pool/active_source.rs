//! The active identities of a pool: those with a request in flight or a failure in cool-down.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use gatepass_core::{Error, Token};

use super::entry::ticks;
use crate::TokenSource;
use crate::cache::Cache;
use crate::cached_token::CachedToken;
use crate::flight_handle::Flight;
use crate::policy::{Moment, Validity};

/// The active identities by key.
pub(super) type ActiveFlights = HashMap<Box<str>, ActiveSource>;

/// An active identity. Its source sends the request, shares it and cools down, as any source does.
#[derive(Debug)]
pub(super) struct ActiveSource {
    pub(super) source: TokenSource,
    pub(super) flight: Option<Flight>,
    pub(super) result: Arc<OnceLock<FlightResult>>,
    /// When its token was last requested, in ticks of the boot clock.
    pub(super) used: u64,
}

/// The token of a flight, for the callers that waited: before they read it, a full pool may have
/// evicted the entry.
#[derive(Debug)]
pub(super) struct FlightResult {
    pub(super) token: Token,
    pub(super) validity: Validity,
    /// The number of invalidations in the shard when the flight ended.
    pub(super) invalidations: u64,
}

impl ActiveSource {
    pub(super) fn new(cache: Cache, cached: Option<(Token, Validity)>, now: Moment) -> Self {
        let cache = match cached {
            Some((token, validity)) => cache.with_cached(CachedToken::reuse(token, validity)),
            None => cache,
        };
        let (source, used) = (TokenSource::new(cache), ticks(now.boot));
        Self { source, flight: None, result: Arc::default(), used }
    }

    pub(super) fn has_flight(&self, number: u64) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.number == number)
    }

    /// Returns the error of the last request while its cool-down lasts.
    pub(super) fn cooldown_error(&self) -> Option<Error> {
        self.source.cache().quiet_error()
    }
}
