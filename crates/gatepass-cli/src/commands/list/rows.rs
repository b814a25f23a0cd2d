//! The profiles of a list, each with its cached state.

use std::time::SystemTime;

use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::{Error, Gate};
use serde_json::{Value, json};

use crate::commands::cached_state::{CachedState, one_line, secret_sources, state_of};
use crate::error::CommandError;
use crate::options::Common;
use crate::output::{Output, format_duration, rfc3339};
use crate::quote::command_line;
use crate::session::{open_gate, open_store, read_profile};

/// A profile, and its cached state or the error that prevented reading it.
pub(super) struct ProfileRow {
    pub(super) name: String,
    pub(super) profile: Option<Profile>,
    pub(super) state: Result<CachedState, Error>,
    /// The command that helps next.
    pub(super) next: Option<String>,
}

/// The rows, and the file that they come from.
pub(super) struct List {
    pub(super) rows: Vec<ProfileRow>,
    pub(super) gate: Gate,
}

impl List {
    /// Reads the profiles, or the named one, and their cached states.
    ///
    /// Fails if the config cannot be read, or if it has no profile of this name.
    pub(super) async fn read(
        only: Option<&str>,
        common: &Common,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let mut gate = open_gate(common)?;
        let mut names = gate.names();
        if let Some(only) = only {
            // A profile of the environment may be written differently than its variables list it.
            if !names.iter().any(|name| name == only) {
                read_profile(&gate, only, &common.set)?;
            }
            names = vec![only.to_owned()];
        }
        let mut rows = Vec::new();
        if names.is_empty() {
            return Ok(Self { rows, gate });
        }
        let store = open_store(&gate, output);
        if let Some(store) = &store {
            gate = gate.with_store(store.clone());
        }
        for name in names {
            let read = read_profile(&gate, &name, &common.set);
            let (profile, state) = match read {
                Ok(profile) => {
                    let state = CachedState::read(&gate, &profile, store.as_ref(), output).await;
                    (Some(profile), state)
                }
                Err(error) => (None, Err(error)),
            };
            let next = match &state {
                Ok(state) => state.next_command(&name),
                Err(_) => Some(vec![String::from("doctor"), name.clone()]),
            };
            let next = next.map(|next| command_line(&next, common.config.as_deref()));
            rows.push(ProfileRow { name, profile, state, next });
        }
        Ok(Self { rows, gate })
    }

    pub(super) fn json(&self) -> Value {
        self.rows.iter().map(ProfileRow::json).collect()
    }

    /// Returns the advice for a user without a profile.
    pub(super) fn advice(&self, common: &Common) -> String {
        let init = command_line(&["init"], common.config.as_deref());
        format!(
            "no profiles yet: `{init}` creates the first, or set GATEPASS_<PROFILE>_<KEY> variables"
        )
    }
}

impl ProfileRow {
    pub(super) fn state_name(&self) -> &'static str {
        match &self.state {
            Ok(state) => state.name(),
            Err(error) => state_of(error.kind()),
        }
    }

    pub(super) fn provider(&self) -> Option<&str> {
        match (&self.profile, &self.state) {
            (Some(profile), _) => Some(&*profile.info().id),
            (None, Err(error)) => error.provider(),
            (None, Ok(_)) => None,
        }
    }

    pub(super) fn retry_at(&self) -> Option<SystemTime> {
        self.state.as_ref().ok().and_then(CachedState::retry_at)
    }

    /// Describes the error of the profile, or of its latest token request.
    pub(super) fn message(&self) -> Option<String> {
        match &self.state {
            // The message begins with the profile's name.
            Err(error) => Some(one_line(error)),
            Ok(state) => {
                state.last_error.as_ref().map(|error| match state.status.cooldown_remaining {
                    Some(rest) if state.name() == "throttled" => {
                        format!("{}, retry in {}", one_line(error), format_duration(rest))
                    }
                    _ => one_line(error),
                })
            }
        }
    }

    pub(super) fn json(&self) -> Value {
        let state = self.state.as_ref().ok();
        let token = state.and_then(CachedState::token);
        let now = SystemClock::new().wall();
        let sources = self.profile.as_ref().map(secret_sources);
        json!({
            "profile": self.name,
            "provider": self.provider(),
            "origin": self.profile.as_ref().map(|profile| profile.origin.to_string()),
            "state": self.state_name(),
            "error": self.state.as_ref().err().map(ToString::to_string),
            "expires_at": token.map(|token| rfc3339(token.expires_at())),
            "expires_in": token.map(|token| token.remaining(now).as_secs()),
            "refresh_in": token.and(state).and_then(|it| it.status.refresh_in).map(|d| d.as_secs()),
            "retry_at": self.retry_at().map(rfc3339),
            "secret_sources": sources,
            "last_error": state.and_then(|state| state.last_error.as_ref()).map(one_line),
            "next": self.next,
        })
    }
}
