//! What the store keeps of a profile, told without asking its vendor.

use std::time::{Duration, SystemTime};

use gatepass::{
    Clock, Error, ErrorKind, FileStore, Gate, Profile, ProfileKey, Record, State, Status,
    SystemClock, Token, TokenSource, TokenStore,
};

use crate::output::Output;

/// What is kept of a profile.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) source: TokenSource,
    pub(super) status: Status,
    record: Option<Record>,
    /// Why the latest exchange brought no token, if it did not.
    pub(super) last_error: Option<Error>,
}

impl Kept {
    /// Reads the store. No exchange is made, no program run, no keyring and no standard input read:
    /// where the secret is behind one of those, what the store has counts, whatever its secret was.
    pub(super) async fn of(
        gate: &Gate,
        profile: &Profile,
        store: Option<&FileStore>,
        output: &Output,
    ) -> Result<Self, Error> {
        let source = gate.open(profile)?;
        let key = ProfileKey::new(&profile.name);
        let (mut record, mut last_error) = (None, None);
        if let Some(store) = store {
            let read = match profile.is_at_hand() {
                true => source.stored().await,
                false => store.records(&key).await.map(|records| records.into_iter().next()),
            };
            record = match read {
                // A store that fails is as good as none.
                Err(error) if error.kind() == ErrorKind::Internal => {
                    output.warn(&format!("{}: {error}", profile.name));
                    None
                }
                read => read?,
            };
            match store.history(&key).await {
                Ok(notes) => last_error = notes.last().and_then(|note| note.error()),
                Err(error) => output.warn(&format!("{}: {error}", profile.name)),
            }
        }
        let status = match &record {
            Some(record) => source.status_of(record),
            None => source.status(),
        };
        last_error = status.last_error.clone().or(last_error);
        Ok(Self { source, status, record, last_error })
    }

    /// The token, if it is one that would be handed out.
    pub(super) fn token(&self) -> Option<&Token> {
        match &self.record {
            Some(Record::Token(token)) if self.status.state != State::Expired => Some(token),
            _ => None,
        }
    }

    /// Whether this profile's tokens may be kept at all.
    pub(super) fn is_meant_to_be(&self, profile: &Profile) -> bool {
        let memory_only = || self.source.provider().hints().memory_only;
        profile.options.persist.unwrap_or_else(|| !memory_only())
    }

    /// The failure that would be the answer now.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.status.last_error.as_ref()
    }

    /// When the vendor may be asked again.
    pub(super) fn retry_at(&self) -> Option<SystemTime> {
        Some(SystemClock::new().wall() + self.status.cooldown_remaining?)
    }

    /// In a word or two: scripts rely on them.
    pub(super) fn state(&self) -> &'static str {
        match (self.token(), self.failure()) {
            (Some(_), _) if self.status.state == State::Aging => "aging",
            (Some(_), _) => "token good",
            (None, Some(error)) => state_of(error.kind()),
            (None, None) if self.source.provider().interactive().is_some() => "login needed",
            (None, None) => "ready",
        }
    }

    /// The command to run next, if one helps.
    pub(super) fn next(&self, profile: &str) -> Option<String> {
        Some(match (self.state(), self.status.cooldown_remaining) {
            ("token good" | "aging", _) => return None,
            ("ready", _) => format!("gatepass token {profile}"),
            ("login needed", _) => format!("gatepass login {profile}"),
            ("throttled" | "unavailable", Some(rest)) if rest < Duration::from_secs(600) => {
                format!("gatepass token {profile} --wait {}s", rest.as_secs() + 10)
            }
            _ => format!("gatepass why {profile}"),
        })
    }
}

/// The state of a profile whose last exchange failed so.
pub(super) fn state_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "config error",
        ErrorKind::Denied => "refused",
        ErrorKind::LoginRequired => "login needed",
        ErrorKind::Throttled => "throttled",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Protocol | ErrorKind::UnsafeToken => "unusable response",
        _ => "failed",
    }
}

/// An error without its profile and the vendor's own words: `refused (401 invalid_client)`.
pub(super) fn short(error: &Error) -> String {
    let (status, code) = (error.status().map(|status| status.to_string()), error.vendor_code());
    let said: Vec<&str> = status.as_deref().into_iter().chain(code).collect();
    match said.is_empty() {
        true => error.message().to_owned(),
        false => format!("{} ({})", error.message(), said.join(" ")),
    }
}
