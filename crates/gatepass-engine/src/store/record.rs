//! Records: the tokens and failures that a store keeps, and which of them satisfy a caller.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use gatepass_core::{Secret, Token};

use super::{Circumstances, CredentialRecord, FailureRecord};

/// What a store keeps for a key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Record {
    /// A token. Its extra fields (`refresh_token`, `id_token`) and warnings are not stored.
    Token(Token),
    /// A failure, which callers get instead of a token until its cool-down ends.
    Failure(FailureRecord),
    /// The results of the profile's credentials so far, under a
    /// [key of its own](super::StoreKey::of_credentials). It satisfies no caller.
    Credentials(CredentialRecord),
}

/// Which records satisfy a caller of [`TokenStore::acquire`](super::TokenStore::acquire).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordRequirement {
    /// The time at which the token was issued that the caller wants to replace: an equally old one
    /// does not satisfy it.
    pub newer_than: Option<SystemTime>,
    /// A token that an API has refused.
    pub refused: Option<Token>,
    /// How long the token must remain valid.
    pub min_remaining: Duration,
    /// No record satisfies the caller: it wants a new token.
    pub is_fresh: bool,
    /// The circumstances that a failure must have; any if `None`.
    pub circumstances: Option<Circumstances>,
    /// How long a holder of the lease may need. One that holds it for longer has been stopped, and
    /// one caller succeeds it. The default, [`Duration::MAX`], never replaces a holder.
    pub stale_after: Duration,
}

impl Default for RecordRequirement {
    fn default() -> Self {
        Self {
            newer_than: None,
            refused: None,
            min_remaining: Duration::ZERO,
            is_fresh: false,
            circumstances: None,
            stale_after: Duration::MAX,
        }
    }
}

impl Record {
    /// How far in the future a record may have been made. A small correction of the clock must not
    /// cost every token; a token's leeway is longer.
    const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

    /// Returns when the token request was sent.
    pub fn created_at(&self) -> SystemTime {
        match self {
            Self::Token(token) => token.issued_at(),
            Self::Failure(failure) => failure.failed_at(),
            Self::Credentials(record) => record.at(),
        }
    }

    /// Returns when the token expires, or the cool-down of the failure ends.
    pub fn expires_at(&self) -> SystemTime {
        match self {
            Self::Token(token) => token.expires_at(),
            Self::Failure(failure) => failure.until(),
            Self::Credentials(record) => {
                let end = record.at().checked_add(CredentialRecord::LIFETIME);
                end.unwrap_or_else(|| record.at())
            }
        }
    }

    /// Returns whether the record is the outcome of a token request.
    pub(super) fn is_outcome(&self) -> bool {
        !matches!(self, Self::Credentials(_))
    }

    /// Returns whether the record can be used at `now`: it has not expired, and it was not made
    /// later than `now`. A record from the future means that the wall clock was set back, and then
    /// its expiry is unknown.
    pub fn is_current(&self, now: SystemTime) -> bool {
        let ahead = self.created_at().duration_since(now);
        !ahead.is_ok_and(|ahead| ahead > Self::CLOCK_TOLERANCE) && self.expires_at() > now
    }

    /// Returns whether the record may replace the stored one: it is current, and the stored one is
    /// neither a newer record nor, if this one is a failure, a token that is still usable.
    pub fn replaces(&self, stored: Option<&Self>, now: SystemTime) -> bool {
        let keeps_its_place = |stored: &Self| {
            let is_usable_token = matches!((self, stored), (Self::Failure(_), Self::Token(_)));
            let is_newer = stored.created_at() > self.created_at();
            stored.is_current(now) && (is_usable_token || is_newer)
        };
        self.is_current(now) && !stored.is_some_and(keeps_its_place)
    }

    /// Returns the record with every time mapped, for a store with a clock of its own; `None` if
    /// `map` returns it for a time, or the token ends before it begins.
    pub fn map_times(self, map: impl Fn(SystemTime) -> Option<SystemTime>) -> Option<Self> {
        Some(match self {
            Self::Token(token) => {
                let mapped =
                    Token::builder(Secret::from(token.expose_secret()), map(token.issued_at())?)
                        .scope(token.scope())
                        .build_with_expiry(map(token.expires_at())?, token.expiry());
                Self::Token(mapped.ok()?)
            }
            Self::Failure(failure) => {
                let (failed_at, until) = (map(failure.failed_at)?, map(failure.until)?);
                Self::Failure(FailureRecord { failed_at, until, ..failure })
            }
            Self::Credentials(record) => {
                Self::Credentials(CredentialRecord { at: map(record.at)?, ..record })
            }
        })
    }
}

impl RecordRequirement {
    /// Returns whether the record satisfies the caller at `now`. A current failure satisfies every
    /// caller with the same circumstances that does not ask for a new token.
    pub fn accepts(&self, record: &Record, now: SystemTime) -> bool {
        if self.is_fresh || !record.is_current(now) {
            return false;
        }
        let token = match record {
            Record::Token(token) => token,
            Record::Failure(failure) => return failure.is_bound_to(self.circumstances.as_ref()),
            Record::Credentials(_) => return false,
        };
        let is_newer = self.newer_than.is_none_or(|at| token.issued_at() > at);
        let is_refused = self
            .refused
            .as_ref()
            .is_some_and(|refused| refused.expose_secret() == token.expose_secret());
        is_newer && !is_refused && token.remaining(now) >= self.min_remaining
    }
}

/// Sorts the outcomes of token requests by the time they were made.
pub(super) fn latest_first(records: impl Iterator<Item = Record>) -> Vec<Record> {
    let mut records: Vec<_> = records.filter(Record::is_outcome).collect();
    records.sort_by_key(|record| Reverse(record.created_at()));
    records
}

#[cfg(test)]
mod tests {
    use gatepass_core::{Error, Expiry};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn sent() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 5)
    }

    fn token() -> Record {
        let token = Token::builder("t-1".into(), sent()).scope(Some("read"));
        Record::Token(token.build_with_expiry(sent() + 60 * SECOND, Expiry::Jwt).unwrap())
    }

    fn failure() -> Record {
        let error = Error::unavailable("down");
        Record::Failure(FailureRecord::new(&error, sent() + SECOND, sent() + 60 * SECOND))
    }

    #[test]
    fn mapped_times_are_shifted_and_the_rest_stays() {
        for record in [token(), failure()] {
            let before = format!("{record:?}");
            let shifted = record.map_times(|time| time.checked_add(SECOND)).unwrap();
            let expected = sent() + 61 * SECOND;
            assert_eq!(shifted.expires_at(), expected);
            let back = shifted.map_times(|time| time.checked_sub(SECOND)).unwrap();
            assert_eq!(format!("{back:?}"), before);
        }
        assert!(token().map_times(|_| None).is_none());
    }

    #[test]
    fn newer_failure_does_not_replace_a_usable_token() {
        let now = sent() + 2 * SECOND;
        assert!(failure().replaces(None, now));
        assert!(failure().replaces(Some(&failure()), now));
        assert!(!failure().replaces(Some(&token()), now));
        assert!(!token().replaces(Some(&failure()), now), "the failure is newer");
        assert!(token().replaces(Some(&token()), now));
        assert!(!token().replaces(None, sent() + 60 * SECOND), "it has expired");
    }
}
