//! Login sessions and the one-time form tokens of their pages.

use std::{collections::VecDeque, time::Duration};

use crate::{clock::Time, random};

/// All sessions, oldest first; expired ones are kept, so that they are recognized.
#[derive(Default)]
pub(crate) struct Sessions(VecDeque<Session>);

pub(crate) struct Session {
    id: String,
    until: Time,
    /// Form tokens, each with its purpose.
    form_tokens: VecDeque<(String, String)>,
}

/// The state of the session that a cookie names.
pub(crate) enum SessionState<'a> {
    Valid(&'a mut Session),
    Expired,
    Missing,
}

impl Sessions {
    /// Starts a session and returns its id, which is always new and never taken from the browser.
    pub(crate) fn begin(&mut self, now: Time) -> String {
        if self.0.len() >= MAX_SESSIONS {
            self.0.pop_front();
        }
        let id = random::text(random::MIXED, 32);
        let session =
            Session { id: id.clone(), until: now + SESSION_LIFETIME, form_tokens: VecDeque::new() };
        self.0.push_back(session);
        id
    }

    pub(crate) fn lookup(&mut self, id: Option<&str>, now: Time) -> SessionState<'_> {
        match self.0.iter_mut().find(|session| Some(session.id.as_str()) == id) {
            Some(session) if session.until > now => SessionState::Valid(session),
            Some(_) => SessionState::Expired,
            None => SessionState::Missing,
        }
    }

    /// Ends a session early.
    pub(crate) fn end(&mut self, id: Option<&str>, now: Time) {
        if let SessionState::Valid(session) = self.lookup(id, now) {
            session.until = now;
        }
    }
}

impl Session {
    /// Returns a form token for one decision.
    pub(crate) fn form_token(&mut self, purpose: &str) -> String {
        if self.form_tokens.len() >= MAX_FORM_TOKENS {
            self.form_tokens.pop_front();
        }
        let form_token = random::text(random::MIXED, 32);
        self.form_tokens.push_back((form_token.clone(), purpose.to_owned()));
        form_token
    }

    /// Consumes a form token; returns whether it was issued for this purpose and was not used before.
    pub(crate) fn redeem(&mut self, form_token: &str, purpose: &str) -> bool {
        let matches = |known: &(String, String)| known.0 == form_token && known.1 == purpose;
        let index = self.form_tokens.iter().position(matches);
        index.and_then(|index| self.form_tokens.remove(index)).is_some()
    }
}

/// The lifetime of a session, 15 minutes.
const SESSION_LIFETIME: Duration = Duration::from_secs(15 * 60);
const MAX_SESSIONS: usize = 1_000;
const MAX_FORM_TOKENS: usize = 16;
