//! The cached state of a profile, read from the store without a token request.

use std::time::{Duration, SystemTime};

use gatepass::cli_support;
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::status::{State, Status};
use gatepass::store::{FileStore, ProfileKey, Record, TokenStore};
use gatepass::{Error, ErrorKind, Gate, Token, TokenSource};
use serde_json::{Map, Value, json};

use crate::output::Output;

/// A profile's source, and the latest record of its store.
#[derive(Debug)]
pub(super) struct CachedState {
    pub(super) source: TokenSource,
    pub(super) status: Status,
    record: Option<Record>,
    /// The error of the latest token request, if it failed.
    pub(super) last_error: Option<Error>,
}

impl CachedState {
    /// Reads the store. Sends no token request, and runs no program and reads neither keyring nor
    /// stdin for the secret: if the secret needs one of those, the profile's latest record counts
    /// without a check of the secret.
    pub(super) async fn read(
        gate: &Gate,
        profile: &Profile,
        store: Option<&FileStore>,
        output: &Output,
    ) -> Result<Self, Error> {
        let source = gate.open(profile)?;
        let key = ProfileKey::new(&profile.name);
        let (mut record, mut last_error) = (None, None);
        if let Some(store) = store {
            let read = match cli_support::reads_without_prompt(profile) {
                true => source.stored().await,
                false => store.records(&key).await.map(|records| records.into_iter().next()),
            };
            record = match read {
                // A store that fails counts as an empty one.
                Err(error) if error.kind() == ErrorKind::Internal => {
                    output.warn_once(&format!("{}: {error}", profile.name));
                    None
                }
                read => read?,
            };
            match store.history(&key).await {
                Ok(history) => last_error = history.last().and_then(|entry| entry.error()),
                Err(error) => output.warn_once(&format!("{}: {error}", profile.name)),
            }
        }
        let status = match &record {
            Some(record) => source.status_of(record),
            None => source.status(),
        };
        last_error = status.last_error.clone().or(last_error);
        Ok(Self { source, status, record, last_error })
    }

    /// Returns the cached token if `gatepass token` would print it.
    pub(super) fn token(&self) -> Option<&Token> {
        match &self.record {
            Some(Record::Token(token)) if self.status.state != State::Expired => Some(token),
            _ => None,
        }
    }

    /// Returns whether the store may contain this profile's tokens.
    pub(super) fn may_be_persisted(&self, profile: &Profile) -> bool {
        let memory_only = || self.source.provider().hints().memory_only;
        profile.options.persist.unwrap_or_else(|| !memory_only())
    }

    /// Returns the failure that a call would return now.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.status.last_error.as_ref()
    }

    /// Returns the end of the cool-down.
    pub(super) fn retry_at(&self) -> Option<SystemTime> {
        Some(SystemClock::new().wall() + self.status.cooldown_remaining?)
    }

    /// Returns the state in one or two words. Scripts depend on these strings.
    pub(super) fn name(&self) -> &'static str {
        match (self.token(), self.failure()) {
            (Some(_), _) if self.status.state == State::Aging => "aging",
            (Some(_), _) => "token good",
            (None, Some(error)) => state_of(error.kind()),
            (None, None) if self.source.provider().interactive().is_some() => "login needed",
            (None, None) => "ready",
        }
    }

    /// Returns the command that helps next, if there is one.
    pub(super) fn next_command(&self, profile: &str) -> Option<Vec<String>> {
        let command = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Some(match (self.name(), self.status.cooldown_remaining) {
            ("token good" | "aging", _) => return None,
            ("ready", _) => command(&["token", profile]),
            ("login needed", _) => command(&["login", profile]),
            ("throttled" | "unavailable", Some(cooldown))
                if cooldown < Duration::from_secs(600) =>
            {
                let wait = format!("{}s", cooldown.as_secs() + 10);
                command(&["token", profile, "--wait", &wait])
            }
            _ => command(&["why", profile]),
        })
    }
}

/// Returns where each secret is read from, by field.
pub(super) fn secret_sources(profile: &Profile) -> Map<String, Value> {
    let sources = cli_support::secret_sources(profile).into_iter();
    sources.map(|(field, source)| (field.to_owned(), json!(source))).collect()
}

/// Returns the state of a profile whose last token request failed with this kind.
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

/// Describes an error in one line without its profile and the vendor's text:
/// `the vendor refused the credential (401 invalid_client)`.
pub(super) fn one_line(error: &Error) -> String {
    let place = error.place().map(|place| format!("{place}: ")).unwrap_or_default();
    let field = error.field().map(|field| format!("`{field}`: ")).unwrap_or_default();
    let (status, code) = (error.status().map(|status| status.to_string()), error.vendor_code());
    let details: Vec<&str> = status.as_deref().into_iter().chain(code).collect();
    let details = match details.is_empty() {
        true => String::new(),
        false => format!(" ({})", details.join(" ")),
    };
    format!("{place}{field}{}{details}", error.message())
}
