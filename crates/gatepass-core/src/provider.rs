//! The provider trait: a token request, its response, and what follows from them.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use http::StatusCode;
use http::header::AUTHORIZATION;

use crate::{
    ApiRequest, ApiResponse, CacheKey, Credential, Endpoint, Error, ExchangeContext, Interactive,
    RefreshHints, Request, Response, Result, Token, TokenVerdict,
};

/// A vendor's token endpoint and API, as code.
///
/// A provider has settings and nothing else. It does no I/O, reads no clock and caches nothing, so
/// it works with any HTTP client and any runtime. Three methods are required; the others have the
/// default that fits most vendors.
///
/// ```
/// use std::time::SystemTime;
/// use gatepass_core::{Credential, Endpoint, Provider, Request, Response, Result, Token, oauth2};
///
/// #[derive(Debug)]
/// struct Acme {
///     endpoint: Endpoint,
/// }
///
/// impl Provider for Acme {
///     fn id(&self) -> &str {
///         "acme"
///     }
///
///     fn token_request(&self, credential: &Credential) -> Result<Request> {
///         let secret = credential.secret("client_secret")?.expose_secret();
///         Ok(Request::post(self.endpoint.join("/v1/token")?)
///             .form([("client_id", credential.text("client_id")?), ("client_secret", secret)]))
///     }
///
///     fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
///         oauth2::read_token(response, sent)
///     }
/// }
/// # let acme = Acme { endpoint: Endpoint::parse("https://acme.example")? };
/// # let endpoints = acme.endpoints(&Credential::new().with_text("client_id", "app-1"))?;
/// # assert_eq!(endpoints[0].as_str(), "https://acme.example/v1/token");
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// Returns the id of the provider's [`ProviderInfo`](crate::ProviderInfo), for errors and logs.
    fn id(&self) -> &str;

    /// Builds the request that asks the vendor for a token.
    fn token_request(&self, credential: &Credential) -> Result<Request>;

    /// Reads the vendor's response. `sent` is when the request was sent: lifetimes count from there.
    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token>;

    /// Puts the token on an API request, with everything else that the vendor's API requires.
    fn authorize(
        &self,
        credential: &Credential,
        token: &Token,
        request: &mut ApiRequest<'_>,
    ) -> Result<()> {
        let _ = credential;
        request.set_header(AUTHORIZATION, token.authorization().clone());
        Ok(())
    }

    /// Returns whether this API response rejects the token, as opposed to the request.
    fn token_verdict(&self, response: &ApiResponse<'_>) -> TokenVerdict {
        TokenVerdict::rejected_if(response.status == StatusCode::UNAUTHORIZED)
    }

    /// Adds to an error what helps this vendor's users, such as the setting to change.
    ///
    /// [`ExchangeContext::run`] passes every error of an exchange through this method, once.
    fn explain(&self, credential: &Credential, error: Error) -> Error {
        let _ = credential;
        error
    }

    /// Returns how the user logs in, if this profile's grant type needs a browser. Then
    /// [`token_request`](Self::token_request) returns an error of kind
    /// [`LoginRequired`](crate::ErrorKind::LoginRequired), such as [`Error::login_required`].
    fn interactive(&self) -> Option<&dyn Interactive> {
        None
    }

    /// Returns where the credential goes: the token endpoint, further endpoints that an exchange
    /// uses, or the authorization endpoint of a login. API requests with a token are not sent there.
    ///
    /// The credential needs no secret. The default builds the request with placeholders and returns
    /// its address without the query.
    fn endpoints(&self, credential: &Credential) -> Result<Vec<Endpoint>> {
        let credential = credential.with_placeholder_secrets();
        let request = match self.interactive() {
            Some(interactive) => interactive.authorization_request(&credential)?.to_request(),
            None => self.token_request(&credential)?,
        };
        Ok(vec![request.endpoint().without_query()])
    }

    /// Returns the key that this credential's token is cached under.
    ///
    /// The default is the digest of the token request. A setting that changes only how the response
    /// is read must be added:
    /// `Ok(CacheKey::from_provider(self, credential)?.with("use_token", b"id_token"))`.
    fn cache_key(&self, credential: &Credential) -> Result<CacheKey> {
        CacheKey::from_provider(self, credential)
    }

    /// Returns what the vendor promises about its tokens.
    fn hints(&self) -> RefreshHints {
        RefreshHints::new()
    }

    /// Returns the scope that the token request asks for.
    fn scope(&self) -> Option<&str> {
        None
    }

    /// Returns the address of the vendor's API: `gatepass call` joins bare paths to it, and its
    /// origin may receive the token. Some vendors return it with the token.
    fn api(&self, token: Option<&Token>) -> Option<Endpoint> {
        let _ = token;
        None
    }

    /// Returns the path of a harmless `GET` below [`api`](Self::api) that succeeds with a valid
    /// token.
    fn probe(&self, credential: &Credential) -> Result<Option<String>> {
        let _ = credential;
        Ok(None)
    }

    /// Requests a token: builds the request, sends it and reads the response.
    ///
    /// Override it only for a vendor that needs several requests, and send each with
    /// [`ExchangeContext::send`]. The result is raw: [`ExchangeContext::run`] validates the token
    /// and redacts errors, for overrides as well. Call that, not this method.
    async fn exchange(&self, credential: &Credential, cx: &ExchangeContext<'_>) -> Result<Token> {
        let request = self.token_request(credential)?;
        let sent = cx.clock().wall();
        let response = cx.send(request).await?;
        self.read_token(&response, sent)
    }
}
