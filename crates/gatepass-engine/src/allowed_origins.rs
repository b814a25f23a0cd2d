//! Authorize for TokenSource: where its tokens may go, and how middleware gets them.

use std::sync::OnceLock;

use gatepass_core::{
    ApiOrigins, ApiRequest, ApiResponse, Authorize, Credential, Endpoint, Error, Provider, Result,
    Token, TokenVerdict, async_trait,
};
use http::Uri;

use crate::TokenSource;

#[async_trait]
impl Authorize for TokenSource {
    fn check(&self, to: &Uri) -> Result<()> {
        self.allowed_origins().check(to).map_err(|error| self.named(error))
    }

    async fn authorize_request(&self, request: &mut ApiRequest<'_>) -> Result<Token> {
        self.check(request.uri())?;
        let token = self.token().await?;
        // The first exchange has recorded the token endpoint.
        self.check(request.uri())?;
        self.authorize(&token, request).await?;
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
    token_endpoints: OnceLock<Vec<Endpoint>>,
}

impl AllowedOrigins {
    pub(crate) fn from_provider(provider: &dyn Provider) -> Self {
        Self { origins: ApiOrigins::from_provider(provider), token_endpoints: OnceLock::new() }
    }

    /// For a token that no vendor has made: to this machine alone.
    pub(crate) fn loopback() -> Self {
        Self { origins: ApiOrigins::loopback(), token_endpoints: OnceLock::new() }
    }

    pub(crate) fn with(self, more: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { origins: self.origins.with(more), ..self }
    }

    /// Records where the credential goes, which may depend on the credential's texts.
    pub(crate) fn record_token_endpoints(&self, provider: &dyn Provider, credential: &Credential) {
        if self.token_endpoints.get().is_none()
            && let Ok(endpoints) = provider.endpoints(credential)
        {
            let _ = self.token_endpoints.set(endpoints);
        }
    }

    fn check(&self, to: &Uri) -> Result<()> {
        self.origins.check(to)?;
        let mut endpoints = self.token_endpoints.get().into_iter().flatten();
        if endpoints.any(|endpoint| endpoint.matches(to)) {
            return Err(Error::config("the token must not go to the token endpoint")
                .with_hint("a token is for the vendor's API: check the request's path"));
        }
        Ok(())
    }
}
