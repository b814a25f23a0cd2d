//! Token stores: where tokens and failures outlive the process that acquired them.
//!
//! A store is a second level behind a source. The source calls it when it has no usable token in
//! memory, and saves the outcome of its token request. All sources that share a store send one
//! token request together: [`TokenStore::acquire`] returns a record that another source has
//! stored, or the lease, which is the right to send the request.

mod circumstances;
#[cfg(feature = "sealed")]
mod codec;
mod credential_record;
mod failure_record;
mod history;
mod key;
mod memory;
mod record;
#[cfg(feature = "sealed")]
mod seal;

#[cfg(all(feature = "file-store", unix))]
mod file;
#[cfg(all(feature = "file-store", not(unix)))]
#[path = "store/unsupported.rs"]
mod file;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, Result, async_trait};

use crate::SystemClock;

pub use self::circumstances::Circumstances;
pub use self::credential_record::CredentialRecord;
pub use self::failure_record::FailureRecord;
#[cfg(feature = "file-store")]
pub use self::file::FileStore;
#[cfg(all(feature = "__fuzzing", unix))]
pub use self::file::fuzzing;
pub use self::history::{HistoryEntry, NextStep, ProcessInfo};
pub use self::key::{ProfileKey, StoreKey};
pub use self::memory::MemoryStore;
pub use self::record::{Record, RecordRequirement};
#[cfg(feature = "sealed")]
pub use self::seal::{OpenError, Opened, SealingKeys};

/// A store of token requests' outcomes, with one record per key.
///
/// Errors are of kind `Internal`. They never cost a token: the source logs a warning and sends its
/// request without the store. A record that cannot be used (damaged, expired, in the format of
/// another version) is not an error but a miss.
///
/// `gatepass_testkit::store_contract!` tests an implementation against everything that is promised
/// here. With the feature `sealed`, [`Record::encode`](Record) and `SealingKeys` turn records into
/// bytes that a store can keep where others read them.
#[async_trait]
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// Loads the record of this key if it [is current](Record::is_current).
    async fn load(&self, key: &StoreKey) -> Result<Option<Record>>;

    /// Takes the lease of this key: the right to send the one token request, until it is dropped.
    /// Waits for another holder for `wait` at most, and then returns `None`.
    async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>>;

    /// Removes every record of a profile, for all credentials, and returns how many there were. The outcome of a token request that is in flight is no longer saved.
    async fn forget(&self, profile: &ProfileKey) -> Result<usize>;

    /// Returns a record that satisfies `wanted`, or the lease. Waits for either for `wait` at most.
    ///
    /// A record that satisfies `wanted` is returned even while another process holds the lease. A
    /// holder that keeps the lease for longer than `wanted.stale_after` has been stopped: one
    /// caller gets the lease instead, and the former holder can no longer save. The others wait for
    /// the successor. A store that cannot replace a holder returns `Busy`; it must never give the
    /// lease to a second caller and let both save.
    ///
    /// The default loads the record, takes the lease, and loads the record again, because another
    /// process may have stored one while this one waited. A store that is notified of new records
    /// overrides it, and need not wait for the lease to be released.
    async fn acquire(
        &self,
        key: &StoreKey,
        wanted: &RecordRequirement,
        wait: Duration,
    ) -> Result<LeaseOutcome> {
        if let Some(record) = load_accepted(self, key, wanted).await {
            return Ok(LeaseOutcome::Found(record));
        }
        let lease = self.lease(key, wait).await?;
        if let Some(record) = load_accepted(self, key, wanted).await {
            return Ok(LeaseOutcome::Found(record));
        }
        Ok(lease.map_or(LeaseOutcome::Busy { retry_after: Duration::ZERO }, LeaseOutcome::Lease))
    }

    /// Returns the wall time by which this store judges its records. The default is the system's
    /// time.
    fn now(&self) -> SystemTime {
        SystemClock::new().wall()
    }

    /// Lists the [current](Record::is_current) records of a profile, for all credentials, latest
    /// first. A store that cannot list them returns none.
    async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
        let _ = profile;
        Ok(Vec::new())
    }

    /// Appends an entry to the history of a profile and drops all but the latest
    /// [`HistoryEntry::MAX_ENTRIES`]. A store need not keep a history.
    ///
    /// The store makes the credential's fingerprint with a
    /// [key of its own](HistoryEntry::with_fingerprint_key). A store that processes share also adds
    /// the [process](HistoryEntry::with_process), unless the entry has one. A caller waits for this
    /// method before it gets its token, so it must be fast.
    async fn append_history(&self, profile: &ProfileKey, entry: &HistoryEntry) -> Result<()> {
        let _ = (profile, entry);
        Ok(())
    }

    /// Returns the history of a profile, latest entry last. Fails if there is one that cannot be
    /// read.
    async fn history(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        let _ = profile;
        Ok(Vec::new())
    }

    /// Removes the history of a profile and returns the number of its entries.
    /// [`forget`](Self::forget) keeps the history, because it explains why a token was forgotten.
    async fn clear_history(&self, profile: &ProfileKey) -> Result<usize> {
        let _ = profile;
        Ok(0)
    }
}

/// The right to send the one token request for a key and to save its outcome. It ends when dropped.
///
/// A store that can lose a lease without its holder's notice, for example because its network
/// fails, keeps a fencing number in the lease and refuses to save under an old one.
#[async_trait]
pub trait Lease: fmt::Debug + Send + Sync {
    /// Saves the key's record, if it may [replace](Record::replaces) the stored one.
    async fn save(&self, record: &Record) -> Result<SaveOutcome>;

    /// Removes the key's record if it is a failure, after a token request that succeeded and whose
    /// token is not stored. Without this method the failure is kept until its cool-down ends.
    async fn clear_failure(&self) -> Result<()> {
        Ok(())
    }
}

/// What a store returns to a source that needs a token.
#[derive(Debug)]
#[non_exhaustive]
pub enum LeaseOutcome {
    /// The caller holds the lease and sends the token request.
    Lease(Box<dyn Lease>),
    /// A usable record was stored, or arrived while the call waited.
    Found(Record),
    /// Another process holds the lease, and the wait is over.
    Busy {
        /// How long the other lease is known to last; zero if the store does not know.
        retry_after: Duration,
    },
}

/// What a store did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveOutcome {
    /// The record is the key's record now.
    Kept,
    /// The record is a failure, and kept beside a token that is still usable.
    Beside,
    /// Not saved: the stored record is newer, or is a usable token while this one is a failure, or
    /// this one is not [current](Record::is_current).
    Older,
    /// Not saved: the lease was lost before.
    Late,
    /// Not saved: the profile was [forgotten](TokenStore::forget) during the lease.
    Forgotten,
}

/// A store that cannot be read may still have leases: without them, all processes would send a
/// request.
async fn load_accepted<S: TokenStore + ?Sized>(
    store: &S,
    key: &StoreKey,
    wanted: &RecordRequirement,
) -> Option<Record> {
    if wanted.is_fresh {
        return None;
    }
    match store.load(key).await {
        Ok(record) => record.filter(|record| wanted.accepts(record, store.now())),
        Err(error) => {
            tracing::warn!(%error, "the stored record is not used");
            None
        }
    }
}

/// Forwards every method: one that is left out would silently use the default.
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

            async fn acquire(
                &self,
                key: &StoreKey,
                wanted: &RecordRequirement,
                wait: Duration,
            ) -> Result<LeaseOutcome> {
                (**self).acquire(key, wanted, wait).await
            }

            fn now(&self) -> SystemTime {
                (**self).now()
            }

            async fn records(&self, profile: &ProfileKey) -> Result<Vec<Record>> {
                (**self).records(profile).await
            }

            async fn append_history(
                &self,
                profile: &ProfileKey,
                entry: &HistoryEntry,
            ) -> Result<()> {
                (**self).append_history(profile, entry).await
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
