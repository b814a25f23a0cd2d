//! One exchange: the credential is read, the vendor asked, the token checked.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{
    Clock, Credential, CredentialSource, Error, ErrorKind, Exchange, HttpSend, Intake, Provider,
    Result, Token,
};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::authorize::Reach;
use crate::policy::{Life, Moment};

/// Who asks whom, and how: everything an exchange needs.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) id: Cow<'static, str>,
    pub(crate) reach: Reach,
    pub(crate) name: Option<String>,
    pub(crate) credential: Option<Arc<dyn CredentialSource>>,
    pub(crate) http: Option<Arc<dyn HttpSend>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) intake: Intake,
    pub(crate) timeout: Duration,
    pub(crate) leeway: Option<Duration>,
}

/// A token as it is held.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) token: Token,
    life: Life,
    headers: Headers,
}

/// What `authorize` puts on a request. It is asked once, so that the credential is not kept.
#[derive(Debug)]
enum Headers {
    /// The token's own `Authorization` and nothing else.
    Bearer,
    Others(Box<HeaderMap>),
    /// It failed: whoever asks for headers asks it again and gets the reason.
    Failed,
}

impl Identity {
    pub(crate) fn now(&self) -> Moment {
        Moment::of(&*self.clock)
    }

    /// Names the provider and the profile.
    pub(crate) fn named(&self, error: Error) -> Error {
        let error = error.with_provider(&self.id);
        match &self.name {
            Some(name) => error.with_profile(name),
            None => error,
        }
    }

    /// Asks the vendor; `begin` is called as each request begins.
    ///
    /// Refused, it reads the credential once more and asks again only if that has changed: a
    /// refusal too many locks accounts.
    pub(crate) async fn exchange(&self, mut begin: impl FnMut() + Send) -> Result<Held> {
        let credential = self.read_credential().await?;
        begin();
        let refused = match self.ask(&credential).await {
            Err(error) if error.kind() == ErrorKind::Denied => error,
            outcome => return outcome,
        };
        match self.read_credential().await {
            Ok(changed) if !is_same(&credential, &changed) => {
                begin();
                self.ask(&changed).await
            }
            _ => Err(refused),
        }
    }

    pub(crate) async fn read_credential(&self) -> Result<Credential> {
        let Some(source) = &self.credential else {
            return Err(Error::config("the source has no credential")
                .with_hint("give the builder one: `.credential(…)`"));
        };
        source.credential().await
    }

    async fn ask(&self, credential: &Credential) -> Result<Held> {
        let Some(http) = &self.http else {
            return Err(Error::config("the source has no HTTP client")
                .with_hint("give the builder one: `.http(…)`"));
        };
        let cx = Exchange::new(&**http, &*self.clock, &self.intake);
        let begun = self.now();
        // A provider with an `exchange` of its own may have left out the last steps.
        let token = self
            .provider
            .exchange(credential, &cx)
            .await
            .and_then(|token| cx.admit(token, credential, self.provider.scope()))
            .map_err(|error| error.redacted(credential))?;
        Ok(self.hold(token, credential, begun))
    }

    pub(crate) fn hold(&self, token: Token, credential: &Credential, begun: Moment) -> Held {
        let (expires_at, lifetime) = (token.expires_at(), token.lifetime());
        let life = Life::new(expires_at, lifetime, self.leeway, begun, self.now());
        self.reach.learn(&*self.provider, credential);
        let mut headers = HeaderMap::new();
        let headers = match self.provider.authorize(credential, &token, &mut headers) {
            Err(_) => Headers::Failed,
            Ok(()) if is_bearer_alone(&headers, &token) => Headers::Bearer,
            Ok(()) => Headers::Others(Box::new(headers)),
        };
        Held { token, life, headers }
    }
}

impl Held {
    /// Whether the token may be handed out to somebody who needs it for `min_remaining`.
    pub(crate) fn serves(&self, now: Moment, min_remaining: Duration) -> bool {
        self.life.serves(now, min_remaining)
    }

    /// Puts every header the vendor wants on a request; false if that must be asked again.
    pub(crate) fn authorize(&self, headers: &mut HeaderMap) -> bool {
        match &self.headers {
            Headers::Bearer => {
                headers.insert(AUTHORIZATION, self.token.authorization().clone());
            }
            Headers::Others(others) => headers.extend((**others).clone()),
            Headers::Failed => return false,
        }
        true
    }
}

fn is_bearer_alone(headers: &HeaderMap, token: &Token) -> bool {
    headers.len() == 1 && headers.get(AUTHORIZATION) == Some(token.authorization())
}

fn is_same(one: &Credential, other: &Credential) -> bool {
    fn secrets(of: &Credential) -> impl Iterator<Item = (&str, &str)> {
        of.secrets().map(|(name, secret)| (name, secret.expose_secret()))
    }
    one.texts().eq(other.texts()) && secrets(one).eq(secrets(other))
}
