//! The context of an exchange, and the checks around it that no provider can skip.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::{
    Clock, Credential, ErrorKind, HttpSend, Provider, Request, Response, Result, Token, TokenRules,
};

/// What [`Provider::exchange`] needs from outside: an HTTP client, a clock, and the rules for the
/// token.
///
/// ```
/// # use gatepass_core::{Clock, Credential, ExchangeContext, HttpSend, Provider, Result, Token};
/// # use gatepass_core::TokenRules;
/// async fn request_token(
///     provider: &dyn Provider,
///     credential: &Credential,
///     http: &dyn HttpSend,
///     clock: &dyn Clock,
/// ) -> Result<Token> {
///     let rules = TokenRules::default();
///     ExchangeContext::new(http, clock, &rules).run(provider, credential).await
/// }
/// ```
pub struct ExchangeContext<'a> {
    http: &'a dyn HttpSend,
    clock: &'a dyn Clock,
    token_rules: &'a TokenRules,
    is_secret_in_url: AtomicBool,
    /// In seconds; the largest of all responses.
    clock_skew: AtomicU64,
}

impl<'a> ExchangeContext<'a> {
    /// A context for one exchange.
    pub fn new(http: &'a dyn HttpSend, clock: &'a dyn Clock, token_rules: &'a TokenRules) -> Self {
        let (is_secret_in_url, clock_skew) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { http, clock, token_rules, is_secret_in_url, clock_skew }
    }

    /// The clock.
    pub fn clock(&self) -> &'a dyn Clock {
        self.clock
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// Those of the HTTP client; `Protocol` or `UnsafeToken` for a redirect, which is not followed.
    pub async fn send(&self, request: Request) -> Result<Response> {
        if request.has_secret_in_url() {
            self.is_secret_in_url.store(true, Ordering::Relaxed);
        }
        let endpoint = request.endpoint().clone();
        let sent = self.clock.wall();
        let response = self.http.send(request).await?;
        if let Some(skew) = response.clock_skew(sent) {
            self.clock_skew.fetch_max(skew.as_secs(), Ordering::Relaxed);
        }
        match response.redirect(&endpoint) {
            Some(error) => Err(error),
            None => Ok(response),
        }
    }

    /// Requests a token with [`Provider::exchange`], and does exactly once what every exchange
    /// needs: it checks the token against the [`TokenRules`], lets the provider
    /// [explain](Provider::explain) an error, redacts the credential from it, and warns of a secret
    /// in the URL and of clocks that differ.
    ///
    /// # Errors
    ///
    /// Those of the exchange and of [`TokenRules::validate`].
    pub async fn run<P: Provider + ?Sized>(
        self,
        provider: &P,
        credential: &Credential,
    ) -> Result<Token> {
        let outcome = provider
            .exchange(credential, &self)
            .await
            .and_then(|token| self.token_rules.validate(token, credential, provider.scope()));
        let skew = Duration::from_secs(self.clock_skew.into_inner());
        let skew = Some(skew).filter(|skew| *skew > CLOCK_TOLERANCE);
        match outcome {
            Ok(mut token) => {
                if self.is_secret_in_url.into_inner() {
                    token = token.with_warning(SECRET_IN_URL);
                }
                Ok(skew
                    .into_iter()
                    .fold(token, |token, skew| token.with_warning(clocks_differ(skew))))
            }
            Err(error) => {
                let error = provider.explain(credential, error).redacted(credential);
                Err(match skew {
                    Some(skew) if error.kind() == ErrorKind::Protocol => {
                        error.with_hints([clocks_differ(skew).into()])
                    }
                    _ => error,
                })
            }
        }
    }
}

impl fmt::Debug for ExchangeContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeContext")
            .field("http", &self.http)
            .field("clock", &self.clock)
            .field("token_rules", &self.token_rules)
            .finish_non_exhaustive()
    }
}

/// A smaller difference between this machine's clock and the vendor's is not worth a warning.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

const SECRET_IN_URL: &str = "the credential was sent in the URL, which servers and proxies log: \
                             send it in the body or a header if the vendor accepts that \
                             (client_auth = \"form\" or \"basic\")";

fn clocks_differ(skew: Duration) -> String {
    format!(
        "this machine's clock and the vendor's differ by {} minutes: check this machine's time",
        skew.as_secs() / 60
    )
}
