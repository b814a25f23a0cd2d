//! Logins: a token that a person's browser brings, for the grants that cannot ask for one.

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use gatepass_core::{
    AuthorizationRequest, Credential, Error, Interactive, LoginAttempt, RedirectUri, Result, Token,
};

use crate::TokenSource;
use crate::exchange::{CachedToken, ExchangeFailure, ExchangeRequest, SourceConfig};
use crate::policy::{Moment, Phase};
use crate::rt::{Mutex, timeout};
use crate::store::{HistoryEntry, NextStep};

/// What the last login of an identity has brought.
#[derive(Debug, Default)]
pub(crate) struct PendingLogin(Mutex<Option<LoginToken>>);

#[derive(Clone, Debug)]
struct LoginToken {
    token: Token,
    /// When the login began.
    begun: Moment,
    /// No flight has taken it yet.
    is_new: bool,
}

impl PendingLogin {
    fn set(&self, token: Token, begun: Moment) {
        let login = LoginToken { token, begun, is_new: true };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(login);
    }

    /// What there is, and marks it as taken.
    fn take(&self) -> Option<LoginToken> {
        let mut login = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = login.clone();
        if let Some(login) = &mut *login {
            login.is_new = false;
        }
        taken
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl SourceConfig {
    /// What a login has brought, to this process or through the store to another. Nobody is asked:
    /// only a person can bring the next one.
    pub(crate) async fn take_login(
        &self,
        credential: Credential,
        request: &ExchangeRequest,
        notes: &mut Vec<HistoryEntry>,
    ) -> Result<CachedToken, ExchangeFailure> {
        if let Some(LoginToken { token, begun, is_new }) = self.pending_login.take()
            && (is_new || !request.is_fresh)
            && !request.refused.as_ref().is_some_and(|refused| refused.is_same_as(&token))
        {
            let cached = self.cache_token(token, &credential, begun);
            if cached.phase(self.now(), request.min_remaining) != Phase::Expired {
                if is_new {
                    let note = self.note(&credential, begun, Ok(cached.token.expires_at()));
                    let decision = match self.store() {
                        Some(store) => self.store_result(&**store, &credential, &cached).await,
                        None => NextStep::TokenNotStored,
                    };
                    notes.extend(note.map(|note| note.with_next_step(decision)));
                }
                return Ok(cached);
            }
        }
        if let Some(store) = self.store() {
            let key = self.store_key(&credential)?;
            if let Some(found) = self.load_usable(&**store, &key, &credential, request).await {
                return found;
            }
        }
        let command = self.name.as_deref().map(|name| format!("run: gatepass login {name}"));
        Err(Error::login_required("login needed")
            .with_hint(command.unwrap_or_else(|| String::from("a person must log in again")))
            .into())
    }

    fn interactive(&self) -> Result<&dyn Interactive> {
        self.provider.interactive().ok_or_else(|| {
            Error::config("this profile needs no login").with_hint(match &self.name {
                Some(name) => format!("request for the token: gatepass token {name}"),
                None => String::from("request the source for its token"),
            })
        })
    }
}

impl TokenSource {
    /// Begins a login, for a provider whose grant needs a person with a browser
    /// ([`Provider::interactive`](gatepass_core::Provider::interactive)); `Config` for any other.
    ///
    /// Until one is [finished](Login::finish), here or in another process with the same
    /// store, and again when its token has ended, asking for a token is an error of kind
    /// [`LoginRequired`](gatepass_core::ErrorKind::LoginRequired).
    pub async fn login(&self) -> Result<Login> {
        let mut random = [0; 48];
        getrandom::fill(&mut random)
            .map_err(|_| self.named(Error::internal("the system gives no randomness")))?;
        Login::begin(self.clone(), random).await
    }
}

/// A login that has begun: a person opens [`url`](Self::url), and the address that their browser
/// then comes to [finishes](Self::finish) it.
///
/// ```
/// # use gatepass_engine::TokenSource;
/// # async fn run(source: TokenSource) -> gatepass_core::Result<()> {
/// let login = source.login().await?;
/// println!("open {} and paste the address you come to", login.url());
/// # let pasted = String::new();
/// let token = login.finish(&pasted).await?;
/// # Ok(())
/// # }
/// ```
pub struct Login {
    source: TokenSource,
    credential: Credential,
    request: AuthorizationRequest,
    attempt: LoginAttempt,
    begun: Moment,
}

impl Login {
    pub(crate) async fn begin(source: TokenSource, random: [u8; 48]) -> Result<Self> {
        let config = &source.cache().config;
        let named = |error| config.named(error);
        let interactive = config.interactive().map_err(named)?;
        let credential = timeout(config.timeout, config.read_credential());
        let credential = credential
            .await
            .unwrap_or_else(|_| Err(crate::flight::timed_out(config.timeout)))
            .map_err(named)?;
        let request = interactive.authorization_request(&credential).map_err(named)?;
        let begun = config.now();
        let attempt = LoginAttempt::new(random);
        Ok(Self { source, credential, request, attempt, begun })
    }

    /// Where the vendor sends the browser.
    pub fn redirect_uri(&self) -> &RedirectUri {
        self.request.redirect_uri()
    }

    /// Listens at this port, where the redirect URI leaves it open (port 0).
    pub fn with_port(mut self, port: u16) -> Self {
        self.request = self.request.with_port(port);
        self
    }

    /// What the person is to open. It is good for this login alone, and who knows it could pass
    /// off another token as its answer: show it to nobody else.
    pub fn url(&self) -> String {
        self.request.url(&self.attempt)
    }

    /// The error to give where nobody has answered in this time.
    pub fn timed_out(&self, waited: Duration) -> Error {
        self.source.named(self.request.timed_out(waited))
    }

    /// Reads where the browser has come to: the whole address, or its query and fragment alone
    /// (`?…#…`). The source hands the token out from now on, and its store keeps it.
    ///
    /// `UnsafeToken` for an answer of another login, `Denied`, `Config` or `Unavailable` for what
    /// the vendor refuses, `Protocol` for an address with no answer in it.
    pub async fn finish(self, address: &str) -> Result<Token> {
        let config = &self.source.cache().config;
        let token = match self.read(address) {
            Ok(token) => token,
            Err(error) => {
                let error = config.provider.explain(&self.credential, error);
                let error = error.redacted(&self.credential);
                let note = config.note(&self.credential, self.begun, Err(&error));
                config.append_history(note).await;
                return Err(config.named(error));
            }
        };
        config.pending_login.set(token.clone(), self.begun);
        match self.source.refresh_now().await {
            Ok(token) => Ok(token),
            // A flight that was under way has taken it.
            Err(error) => match self.source.peek().filter(|cached| cached.is_same_as(&token)) {
                Some(cached) => Ok(cached),
                None => Err(error),
            },
        }
    }

    fn read(&self, address: &str) -> Result<Token> {
        let config = &self.source.cache().config;
        let answer = self.attempt.read(&self.request, address)?;
        let token = config.interactive()?.read_redirect(&answer, self.begun.wall())?;
        config.token_rules.validate(token, &self.credential, config.provider.scope())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("request", &self.request).finish_non_exhaustive()
    }
}
