//! History entries: the outcome of one token request each, for `gatepass why`.

use std::fmt;
use std::time::{Duration, SystemTime};

use gatepass_core::__private::digest;
use gatepass_core::{Credential, Error};
use zeroize::Zeroizing;

use super::FailureRecord;

/// The outcome of one token request, and what followed from it.
///
/// It contains no token and no secret. The credential is represented by a
/// [fingerprint](Self::fingerprint) that only one store can make: it shows whether the secret has
/// changed from one entry to the next, and nothing else.
#[derive(Clone)]
pub struct HistoryEntry {
    pub(super) at: SystemTime,
    pub(super) took: Duration,
    pub(super) provider: String,
    pub(super) origin: Option<String>,
    /// The token's expiry, or the reason why there was none.
    pub(super) outcome: Result<SystemTime, FailureRecord>,
    pub(super) next_step: NextStep,
    pub(super) fingerprint: Option<String>,
    pub(super) process: Option<ProcessInfo>,
    /// The digest of a credential whose fingerprint has not been made yet.
    credential: Option<Zeroizing<[u8; 32]>>,
}

/// The consequence of a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextStep {
    /// The token is used, and stored for all processes that share the store.
    TokenStored,
    /// The token is used by the process that requested it, and not stored.
    TokenNotStored,
    /// The request failed, and the previous token stays in use.
    PreviousTokenKept,
    /// The vendor denied the credential: callers get this error until the credential changes, or
    /// until this time.
    Denied(SystemTime),
    /// Callers get this error until this time.
    CooledDown(SystemTime),
    /// The credential had changed during the request, which is sent again with the new one.
    Retried,
    /// The failure is not stored: the next caller sends a request.
    NotCached,
}

/// The process that sent a token request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// The process id.
    pub id: u32,
    /// The name of the program, or the command of `gatepass`.
    pub name: String,
}

impl HistoryEntry {
    /// The number of entries of a profile that a store keeps: the latest ones.
    pub const MAX_ENTRIES: usize = 32;

    /// Creates the entry of a request that was sent at `at` and took this long. `outcome` is the
    /// expiry of the token, or the error.
    pub fn new(
        provider: &str,
        at: SystemTime,
        took: Duration,
        outcome: Result<SystemTime, &Error>,
    ) -> Self {
        let next_step =
            if outcome.is_ok() { NextStep::TokenNotStored } else { NextStep::NotCached };
        Self {
            at,
            took,
            provider: provider.to_owned(),
            origin: None,
            outcome: outcome.map_err(|error| FailureRecord::new(error, at, at)),
            next_step,
            fingerprint: None,
            process: None,
            credential: None,
        }
    }

    /// Adds the scheme, host and port that the request was sent to.
    pub fn with_origin(self, origin: &str) -> Self {
        Self { origin: Some(origin.to_owned()), ..self }
    }

    /// Sets what follows from the request.
    pub fn with_next_step(self, next_step: NextStep) -> Self {
        Self { next_step, ..self }
    }

    /// Adds the process that sent the request.
    pub fn with_process(self, id: u32, name: &str) -> Self {
        Self { process: Some(ProcessInfo { id, name: name.to_owned() }), ..self }
    }

    /// Adds a digest of the credential that was sent. It is not shown: a store turns it into a
    /// [fingerprint](Self::with_fingerprint_key).
    pub fn with_credential(self, credential: &Credential) -> Self {
        let secrets = credential.secrets().map(|(name, secret)| (name, secret.expose_secret()));
        let pairs = credential.texts().chain(secrets);
        let parts = pairs.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let digest = digest("gatepass store: credential, version 1", parts);
        Self { credential: Some(digest), ..self }
    }

    /// Returns the entry as a store keeps it: the credential's digest is replaced by a fingerprint
    /// made with the store's own key. Without that key a fingerprint cannot be made, nor compared
    /// with a guessed credential.
    pub fn with_fingerprint_key(&self, key: &[u8; 32]) -> Self {
        let fingerprint = |digest: &[u8; 32]| {
            let hash = blake3::keyed_hash(key, digest);
            hash.as_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
        };
        let made = self.credential.as_deref().map(fingerprint);
        let fingerprint = made.or_else(|| self.fingerprint.clone());
        Self { fingerprint, credential: None, ..self.clone() }
    }

    /// Adds a fingerprint that was made before, for a store that reads entries from a format of
    /// its own.
    pub fn with_fingerprint(self, fingerprint: &str) -> Self {
        Self { fingerprint: Some(fingerprint.to_owned()), credential: None, ..self }
    }

    /// Returns when the request was sent.
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// Returns how long the request took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Returns the provider's id.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Returns the scheme, host and port that the request was sent to.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Returns the expiry of the token; `None` if the request failed.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.outcome.as_ref().ok().copied()
    }

    /// Returns the error; `None` if the request succeeded.
    pub fn error(&self) -> Option<Error> {
        self.outcome.as_ref().err().map(|failure| failure.error(self.at))
    }

    /// Returns what followed from the request.
    pub fn next_step(&self) -> NextStep {
        self.next_step
    }

    /// Returns eight characters that differ between credentials; `None` until a store has made
    /// them.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Returns the process that sent the request.
    pub fn process(&self) -> Option<&ProcessInfo> {
        self.process.as_ref()
    }
}

impl fmt::Debug for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryEntry")
            .field("at", &self.at)
            .field("took", &self.took)
            .field("provider", &self.provider)
            .field("origin", &self.origin)
            .field("outcome", &self.outcome)
            .field("next_step", &self.next_step)
            .field("fingerprint", &self.fingerprint)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(credential: &Credential) -> HistoryEntry {
        let at = SystemTime::UNIX_EPOCH;
        HistoryEntry::new("example", at, Duration::ZERO, Ok(at)).with_credential(credential)
    }

    #[test]
    fn fingerprint_depends_on_secret_client_and_key() {
        let print = |credential: &Credential, key| {
            entry(credential).with_fingerprint_key(&[key; 32]).fingerprint().unwrap().to_owned()
        };
        let one = Credential::client("app-1", "hunter2");
        let prints = [
            print(&one, 1),
            print(&one, 2),
            print(&Credential::client("app-1", "hunter3"), 1),
            print(&Credential::client("app-2", "hunter2"), 1),
        ];
        for (at, print) in prints.iter().enumerate() {
            assert!(print.len() == 8 && print.bytes().all(|b| b.is_ascii_hexdigit()), "{print}");
            assert!(!prints[at + 1..].contains(print));
        }
        assert_eq!(print(&one, 1), prints[0]);
    }

    #[test]
    fn entry_without_a_key_shows_nothing_of_the_credential() {
        let entry = entry(&Credential::client("app-1", "hunter2"));
        assert_eq!(entry.fingerprint(), None);
        let digest: Vec<String> =
            entry.credential.as_ref().unwrap().iter().map(u8::to_string).collect();
        assert!(!format!("{entry:?}").contains(&digest.join(", ")));
        let keyed = entry.with_fingerprint_key(&[1; 32]);
        assert!(keyed.credential.is_none());
        assert_eq!(keyed.with_fingerprint_key(&[2; 32]).fingerprint(), keyed.fingerprint());
        let fingerprint = keyed.fingerprint().unwrap();
        let rebuilt = entry.with_fingerprint(fingerprint);
        assert!(rebuilt.credential.is_none() && rebuilt.fingerprint() == Some(fingerprint));
    }
}
