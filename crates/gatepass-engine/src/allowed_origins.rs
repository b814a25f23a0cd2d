//! Authorize for TokenSource: where its tokens may go, and how middleware gets them.

use std::sync::OnceLock;

use gatepass_core::{
    ApiOrigins, ApiResponse, Authorize, Credential, Endpoint, Error, Provider, Result, Token,
    TokenVerdict, async_trait,
};
use http::{HeaderMap, Uri};

use crate::TokenSource;

#[async_trait]
impl Authorize for TokenSource {
    fn check(&self, to: &Uri) -> Result<()> {
        self.allowed_origins().check(to).map_err(|error| self.named(error))
    }

    async fn authorize_request(&self, to: &Uri, headers: &mut HeaderMap) -> Result<Token> {
        self.check(to)?;
        let token = self.token().await?;
        // The first exchange tells where the token endpoint is.
        self.check(to)?;
        self.authorize(&token, headers).await?;
        Ok(token)
    }

    fn report_response(&self, token: &Token, answer: &ApiResponse<'_>) -> TokenVerdict {
        Self::report_response(self, token, answer)
    }
}

/// Where a source's tokens may go.
#[derive(Debug)]
pub(crate) struct AllowedOrigins {
    origins: ApiOrigins,
    token_endpoint: OnceLock<Endpoint>,
}

impl AllowedOrigins {
    pub(crate) fn from_provider(provider: &dyn Provider) -> Self {
        Self { origins: ApiOrigins::from_provider(provider), token_endpoint: OnceLock::new() }
    }

    /// For a token that no vendor has made: to this machine alone.
    pub(crate) fn loopback() -> Self {
        Self { origins: ApiOrigins::loopback(), token_endpoint: OnceLock::new() }
    }

    pub(crate) fn with(self, more: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { origins: self.origins.with(more), ..self }
    }

    /// Learns where the token endpoint is, which only a request with a credential tells.
    pub(crate) fn record_token_endpoint(&self, provider: &dyn Provider, credential: &Credential) {
        if self.token_endpoint.get().is_some() {
            return;
        }
        // Without its query, which may hold the secret.
        let endpoint = provider
            .token_request(credential)
            .and_then(|request| Endpoint::parse_plain_http(&request.endpoint().to_string()));
        if let Ok(endpoint) = endpoint {
            let _ = self.token_endpoint.set(endpoint);
        }
    }

    fn check(&self, to: &Uri) -> Result<()> {
        self.origins.check(to)?;
        match self.token_endpoint.get() {
            Some(endpoint) if endpoint.matches(to) => {
                Err(Error::config("the token must not go to the token endpoint")
                    .with_hint("a token is for the vendor's API: check the request's path"))
            }
            _ => Ok(()),
        }
    }
}
