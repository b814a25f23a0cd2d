//! Note: what came of asking the vendor once, for whoever wants to know why.

use std::fmt;
use std::time::{Duration, SystemTime};

use gatepass_core::__private::digest;
use gatepass_core::{Credential, Error};
use zeroize::Zeroizing;

use super::FailureRecord;

/// What came of asking the vendor once: when, with what outcome, and what follows from it.
///
/// It holds no token and no secret. Which credential was sent is told by a
/// [fingerprint](Self::fingerprint) that only one store can make: a reader sees whether the secret
/// has changed from one note to the next, and nothing else.
#[derive(Clone)]
pub struct HistoryEntry {
    pub(super) at: SystemTime,
    pub(super) took: Duration,
    pub(super) provider: String,
    pub(super) origin: Option<String>,
    /// When the token ends; otherwise why there was none.
    pub(super) outcome: Result<SystemTime, FailureRecord>,
    pub(super) decision: NextStep,
    pub(super) fingerprint: Option<String>,
    pub(super) process: Option<ProcessInfo>,
    /// Of a note that no store has keyed yet.
    credential: Option<Zeroizing<[u8; 32]>>,
}

/// What follows from an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextStep {
    /// The token is handed out, and kept for all who share the store.
    TokenStored,
    /// The token is handed out by the process that asked, and not kept.
    TokenNotStored,
    /// The token from before is handed out still.
    PreviousTokenKept,
    /// The credential was refused: its error answers until it changes, until this moment at the
    /// longest.
    Denied(SystemTime),
    /// Its error answers until this moment.
    CooledDown(SystemTime),
    /// The credential had changed meanwhile: the vendor is asked again with that.
    Retried,
    /// Nothing is kept of it: the next one who comes asks the vendor.
    NotCached,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Its process id.
    pub id: u32,
    /// Its program's name, or the word of its command.
    pub name: String,
}

impl HistoryEntry {
    /// How many notes of a profile a store keeps: the latest.
    pub const MAX_ENTRIES: usize = 32;

    /// Of a request sent at `at` that took so long and brought a token that ends then, or this
    /// error.
    pub fn new(
        provider: &str,
        at: SystemTime,
        took: Duration,
        outcome: Result<SystemTime, &Error>,
    ) -> Self {
        let decision = if outcome.is_ok() { NextStep::TokenNotStored } else { NextStep::NotCached };
        Self {
            at,
            took,
            provider: provider.to_owned(),
            origin: None,
            outcome: outcome.map_err(|error| FailureRecord::new(error, at, at)),
            decision,
            fingerprint: None,
            process: None,
            credential: None,
        }
    }

    /// Names the scheme, host and port that were asked.
    pub fn with_origin(self, origin: &str) -> Self {
        Self { origin: Some(origin.to_owned()), ..self }
    }

    /// Says what follows.
    pub fn with_next_step(self, decision: NextStep) -> Self {
        Self { decision, ..self }
    }

    /// Says who asked.
    pub fn with_process(self, id: u32, name: &str) -> Self {
        Self { process: Some(ProcessInfo { id, name: name.to_owned() }), ..self }
    }

    /// Says which credential was sent. It is told to nobody before a store
    /// [keys](Self::with_fingerprint_key) it.
    pub fn with_credential(self, credential: &Credential) -> Self {
        let secrets = credential.secrets().map(|(name, secret)| (name, secret.expose_secret()));
        let pairs = credential.texts().chain(secrets);
        let parts = pairs.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let digest = digest("gatepass store: credential, version 1", parts);
        Self { credential: Some(digest), ..self }
    }

    /// The note as a store keeps it: its credential is told by a fingerprint made with the store's
    /// own key, which nobody else can make or compare with a guess.
    pub fn with_fingerprint_key(&self, key: &[u8; 32]) -> Self {
        let fingerprint = |digest: &[u8; 32]| {
            let hash = blake3::keyed_hash(key, digest);
            hash.as_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
        };
        let made = self.credential.as_deref().map(fingerprint);
        let fingerprint = made.or_else(|| self.fingerprint.clone());
        Self { fingerprint, credential: None, ..self.clone() }
    }

    /// When the request was sent.
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The provider's id.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Scheme, host and port that were asked.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// When the token ends that it brought.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.outcome.as_ref().ok().copied()
    }

    /// Why it brought none.
    pub fn error(&self) -> Option<Error> {
        self.outcome.as_ref().err().map(|failure| failure.error(self.at))
    }

    /// What follows.
    pub fn next_step(&self) -> NextStep {
        self.decision
    }

    /// Eight characters that tell credentials apart; none before a store has made them.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Who asked.
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
            .field("decision", &self.decision)
            .field("fingerprint", &self.fingerprint)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(credential: &Credential) -> HistoryEntry {
        let at = SystemTime::UNIX_EPOCH;
        HistoryEntry::new("example", at, Duration::ZERO, Ok(at)).with_credential(credential)
    }

    #[test]
    fn a_fingerprint_changes_with_the_secret_the_client_and_the_key_and_shows_none_of_them() {
        let print = |credential: &Credential, key| {
            note(credential).with_fingerprint_key(&[key; 32]).fingerprint().unwrap().to_owned()
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
    fn a_note_that_no_store_has_keyed_tells_nothing_of_the_credential() {
        let note = note(&Credential::client("app-1", "hunter2"));
        assert_eq!(note.fingerprint(), None);
        let digest: Vec<String> =
            note.credential.as_ref().unwrap().iter().map(u8::to_string).collect();
        assert!(!format!("{note:?}").contains(&digest.join(", ")));
        let keyed = note.with_fingerprint_key(&[1; 32]);
        assert!(keyed.credential.is_none());
        assert_eq!(keyed.with_fingerprint_key(&[2; 32]).fingerprint(), keyed.fingerprint());
    }
}
