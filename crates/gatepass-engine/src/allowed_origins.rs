//! The origins to which a source's tokens may be sent.

use std::sync::OnceLock;

use gatepass_core::{ApiOrigins, Credential, Endpoint, Error, Provider, Result};
use http::Uri;

/// The API origins of a source, without its token endpoints.
#[derive(Debug)]
pub(crate) struct AllowedOrigins {
    origins: ApiOrigins,
    token_endpoints: OnceLock<Vec<Endpoint>>,
}

impl AllowedOrigins {
    pub(crate) fn from_provider(provider: &dyn Provider) -> Self {
        Self { origins: ApiOrigins::from_provider(provider), token_endpoints: OnceLock::new() }
    }

    /// Allows this machine only, for tokens that no vendor has issued.
    pub(crate) fn loopback() -> Self {
        Self { origins: ApiOrigins::loopback(), token_endpoints: OnceLock::new() }
    }

    pub(crate) fn with(self, more: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { origins: self.origins.with(more), ..self }
    }

    /// Records the token endpoints, which may depend on the credential's texts.
    pub(crate) fn record_token_endpoints(&self, provider: &dyn Provider, credential: &Credential) {
        if self.token_endpoints.get().is_none()
            && let Ok(endpoints) = provider.endpoints(credential)
        {
            let _ = self.token_endpoints.set(endpoints);
        }
    }

    pub(crate) fn has_token_endpoints(&self) -> bool {
        self.token_endpoints.get().is_some()
    }

    /// Returns an error if a token must not be sent to this address.
    pub(crate) fn check(&self, to: &Uri) -> Result<()> {
        self.origins.check(to)?;
        let mut endpoints = self.token_endpoints.get().into_iter().flatten();
        if endpoints.any(|endpoint| endpoint.matches(to)) {
            return Err(Error::config("the token must not go to the token endpoint")
                .hint("a token is for the vendor's API: check the request's path"));
        }
        Ok(())
    }
}
