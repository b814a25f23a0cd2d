//! The token of a finished login, until a flight caches it.

use std::sync::PoisonError;

use gatepass_core::Token;

use crate::policy::Moment;
use crate::rt::{Mutex, MutexGuard};

/// The token of the latest login of one source, if there was a login.
#[derive(Debug, Default)]
pub(crate) struct PendingLogin(Mutex<Option<LoginToken>>);

/// A token that a login returned.
#[derive(Clone, Debug)]
pub(crate) struct LoginToken {
    pub(crate) token: Token,
    /// When the login started.
    pub(crate) started: Moment,
    /// Whether no flight has taken the token yet.
    pub(crate) is_new: bool,
}

impl PendingLogin {
    pub(crate) fn set(&self, token: Token, started: Moment) {
        *self.lock() = Some(LoginToken { token, started, is_new: true });
    }

    /// Returns the token and marks it as taken. It stays available for later flights, because a
    /// provider that needs a login has no other way to a token.
    pub(crate) fn take(&self) -> Option<LoginToken> {
        let mut login = self.lock();
        let taken = login.clone();
        if let Some(login) = &mut *login {
            login.is_new = false;
        }
        taken
    }

    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<LoginToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
