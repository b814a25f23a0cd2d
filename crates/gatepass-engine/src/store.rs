//! TokenStore: where tokens and failures outlive the one who acquired them.
//!
//! A store is a second level behind a source: it is asked when no usable token is held, and told
//! what an exchange brought. Whoever shares it makes one exchange together:
//!
//! 1. [`load`](TokenStore::load): another may have brought a token, or failed a moment ago.
//! 2. [`lease`](TokenStore::lease): the right to ask the vendor; waits for whoever has it.
//! 3. [`load`](TokenStore::load) again: the one who had it may have brought the token.
//! 4. the exchange, and [`Lease::save`].

mod failure_record;
mod history;
mod key;
mod memory;

#[cfg(all(feature = "file-store", unix))]
mod file;
#[cfg(all(feature = "file-store", not(unix)))]
#[path = "store/unsupported.rs"]
mod file;

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{Result, Token, async_trait};

pub use self::failure_record::FailureRecord;
#[cfg(feature = "file-store")]
pub use self::file::FileStore;
#[cfg(all(feature = "__fuzzing", unix))]
pub use self::file::fuzzing;
pub use self::history::{HistoryEntry, NextStep, ProcessInfo};
pub use self::key::{ProfileKey, StoreKey};
pub use self::memory::MemoryStore;

/// Keeps what exchanges brought, one record a key.
///
/// An error is always of kind `Internal` and no reason to go without a token: whoever gets one
/// warns, and goes on without the store. A record that cannot be used (damaged, of another
/// version, ended) is no error but missing.
#[async_trait]
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// The record of this key, if it [`is_current`](Record::is_current).
    async fn load(&self, key: &StoreKey) -> Result<Option<Record>>;

    /// The right to make the one exchange for this key, for as long as the lease is held. If
    /// another has it, waits for it for `wait` at most, and then is `None`.
    async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>>;

    /// Removes every record of a profile, whatever its credential was, and says how many. What an
    /// exchange under way brings is not saved any more.
    async fn forget(&self, profile: &ProfileKey) -> Result<usize>;

    /// The records of a profile that are [current](Record::is_current), whatever their credentials
    /// were, the latest first. A store that cannot tell has none.
    async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
        let _ = profile;
        Ok(Vec::new())
    }

    /// Notes what came of asking the vendor once, beside the latest others of the profile:
    /// [`HistoryEntry::MAX_ENTRIES`] at most. The store [keys](HistoryEntry::with_fingerprint_key) the credential's fingerprint and, if
    /// processes share it, [says who asked](HistoryEntry::with_process). A store need not keep any.
    ///
    /// It takes no longer than a token can wait for it.
    async fn append_history(&self, profile: &ProfileKey, note: &HistoryEntry) -> Result<()> {
        let _ = (profile, note);
        Ok(())
    }

    /// The notes of a profile, the latest last; an error if there were some and they are lost.
    async fn history(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        let _ = profile;
        Ok(Vec::new())
    }

    /// Removes the notes of a profile, and says how many. [`forget`](Self::forget) leaves them: a
    /// token that is forgotten because it was refused is what they tell of.
    async fn clear_history(&self, profile: &ProfileKey) -> Result<usize> {
        let _ = profile;
        Ok(0)
    }
}

/// The right to make the one exchange for a key, and to save what it brought. It ends when
/// dropped.
///
/// A store that can lose a lease without its holder's notice (its network is cut, say) keeps a
/// fencing number in it, and refuses to save under an old one.
#[async_trait]
pub trait Lease: fmt::Debug + Send + Sync {
    /// Makes this the key's record, and says whether it is: not if it is not
    /// [current](Record::is_current), if a newer one is there, or if the profile has been
    /// forgotten since the lease began.
    async fn save(&self, record: &Record) -> Result<bool>;
}

/// What a store keeps for a key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Record {
    /// A token. What the vendor sent besides (`refresh_token`, `id_token`) and the answer's
    /// warnings are not kept.
    Token(Token),
    /// A failure that answers for the vendor for a while.
    Failure(FailureRecord),
}

impl Record {
    /// How far in the future a record may have been made: a clock is set right by so much without
    /// harm, since a token's leeway is longer.
    const STEP: Duration = Duration::from_secs(5);

    /// When the request was sent that brought it.
    pub fn created_at(&self) -> SystemTime {
        match self {
            Self::Token(token) => token.issued_at(),
            Self::Failure(failure) => failure.failed_at(),
        }
    }

    /// When it is of no use any more: the token ends, or the vendor may be asked again.
    pub fn expires_at(&self) -> SystemTime {
        match self {
            Self::Token(token) => token.expires_at(),
            Self::Failure(failure) => failure.until(),
        }
    }

    /// Whether it can be of use at `now`: it has not ended, and it was not made later than now. The
    /// latter means that the wall clock was set back, and nobody knows when such a token ends.
    pub fn is_current(&self, now: SystemTime) -> bool {
        let is_ahead = self.created_at().duration_since(now).is_ok_and(|by| by > Self::STEP);
        !is_ahead && self.expires_at() > now
    }

    /// Whether it takes the place of what is there: an older one never does.
    fn replaces(&self, there: Option<&Self>, now: SystemTime) -> bool {
        let is_newer =
            |there: &Self| there.is_current(now) && there.created_at() > self.created_at();
        self.is_current(now) && !there.is_some_and(is_newer)
    }
}

fn latest_first(records: impl Iterator<Item = Record>) -> Vec<Record> {
    let mut records: Vec<_> = records.collect();
    records.sort_by_key(|record| Reverse(record.created_at()));
    records
}

macro_rules! pointers {
    ($($pointer:ident)*) => {$(
        #[async_trait]
        impl<S: TokenStore + ?Sized> TokenStore for $pointer<S> {
            async fn load(&self, key: &StoreKey) -> Result<Option<Record>> {
                (**self).load(key).await
            }

            async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>> {
                (**self).lease(key, wait).await
            }

            async fn forget(&self, profile: &ProfileKey) -> Result<usize> {
                (**self).forget(profile).await
            }

            async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
                (**self).records(profile).await
            }

            async fn append_history(&self, profile: &ProfileKey, note: &HistoryEntry) -> Result<()> {
                (**self).append_history(profile, note).await
            }

            async fn history(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
                (**self).history(profile).await
            }

            async fn clear_history(&self, profile: &ProfileKey) -> Result<usize> {
                (**self).clear_history(profile).await
            }
        }
    )*};
}

pointers!(Arc Box);
