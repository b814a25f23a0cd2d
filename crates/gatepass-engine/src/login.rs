//! Logins: how a user with a browser gets a token for a grant that needs one.

use std::fmt;
use std::time::Duration;

use gatepass_core::{
    AuthorizationRequest, Credential, Error, ExpectedState, LoginAttempt, RedirectUri, Result,
    Token,
};

use crate::policy::Moment;
use crate::source::TokenSource;

impl TokenSource {
    /// Starts a login, for a provider whose grant needs a user with a browser
    /// ([`Provider::interactive`](gatepass_core::Provider::interactive)). `Config` for any other
    /// provider.
    ///
    /// Without a [finished](Login::finish) login, in this process or in another one with the same
    /// store, and again after its token has expired, acquiring a token fails with
    /// [`LoginRequired`](gatepass_core::ErrorKind::LoginRequired).
    pub async fn login(&self) -> Result<Login> {
        let config = self.config();
        let mut random = [0; 48];
        getrandom::fill(&mut random)
            .map_err(|_| config.named(Error::internal("the system provides no randomness")))?;
        let named = |error| config.named(error);
        let interactive = config.interactive().map_err(named)?;
        let credential = config.read_credential_in_time().await.map_err(named)?;
        let request = interactive.authorization_request(&credential).map_err(named)?;
        let (attempt, started) = (LoginAttempt::new(random), config.now());
        Ok(Login { source: self.clone(), credential, request, attempt, started })
    }
}

/// A login in progress: the user opens [`url`](Self::url), and the address to which the vendor
/// redirects the browser [finishes](Self::finish) the login.
///
/// ```
/// # use gatepass_engine::TokenSource;
/// # async fn run(source: TokenSource) -> gatepass_core::Result<()> {
/// let login = source.login().await?;
/// println!("open {} and paste the address that the browser shows afterwards", login.url());
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
    started: Moment,
}

impl Login {
    /// Returns the address to which the vendor redirects the browser.
    pub fn redirect_uri(&self) -> &RedirectUri {
        self.request.redirect_uri()
    }

    /// Sets the port of a redirect URI that leaves it open (port 0).
    pub fn with_port(mut self, port: u16) -> Self {
        self.request = self.request.with_port(port);
        self
    }

    /// Returns the URL that the user opens. It is valid for this login only. Show it to the user
    /// only: with it, an attacker could inject another token.
    pub fn url(&self) -> String {
        self.request.url(&self.attempt)
    }

    /// Returns the `state` that the response must have. A server that receives the redirect checks
    /// it first: any page can open the redirect URI, and must not end the login.
    pub fn expected_state(&self) -> ExpectedState {
        self.attempt.expected_state()
    }

    /// Returns the error for a login that was not finished within `waited`.
    pub fn timed_out(&self, waited: Duration) -> Error {
        self.source.config().named(self.request.timed_out(waited))
    }

    /// Reads the address to which the vendor has redirected the browser: the whole address, or its
    /// query and fragment (`?…#…`). From then on the source returns the token, and its store
    /// contains it.
    ///
    /// `UnsafeToken` for a response to another login; `Denied`, `Config` or `Unavailable` if the
    /// vendor refused; `Protocol` for an address without a response.
    pub async fn finish(self, address: &str) -> Result<Token> {
        let config = self.source.config();
        let token = match self.read(address) {
            Ok(token) => token,
            Err(error) => {
                let error = config.provider.explain(&self.credential, error);
                let error = error.redacted(&self.credential);
                let entry = config.history_entry(&self.credential, self.started, Err(&error));
                config.append_history(entry).await;
                return Err(config.named(error));
            }
        };
        self.source.cache().pending_login.set(token.clone(), self.started);
        match self.source.refresh_now().await {
            Ok(token) => Ok(token),
            // A flight that was in progress has taken it.
            Err(error) => match self.source.peek().filter(|cached| cached.is_same_as(&token)) {
                Some(cached) => Ok(cached),
                None => Err(error),
            },
        }
    }

    fn read(&self, address: &str) -> Result<Token> {
        let config = self.source.config();
        let response = self.attempt.read(&self.request, address)?;
        let token = config.interactive()?.read_redirect(&response, self.started.wall())?;
        config.token_rules.validate(token, &self.credential, config.provider.scope())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("request", &self.request).finish_non_exhaustive()
    }
}
