//! The trait of code that needs an access token and nothing else.

use std::fmt;

use async_trait::async_trait;

use crate::{Result, Token};

/// A source of access tokens.
///
/// A function that needs a token takes this trait, not a particular source. Code that puts the token
/// on requests takes [`Authorize`](crate::Authorize), which also checks where the token may go.
///
/// ```
/// use gatepass_core::{AccessToken, Result};
///
/// async fn subscribe(tokens: &dyn AccessToken) -> Result<()> {
///     let token = tokens.token().await?;
///     // … open a connection with `token.expose_secret()`
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait AccessToken: fmt::Debug + Send + Sync {
    /// Returns a usable token: a cached one, or that of a token request.
    ///
    /// # Errors
    ///
    /// Of every [kind](crate::ErrorKind).
    async fn token(&self) -> Result<Token>;
}

/// A fixed token, for tests: it is returned even after it has expired.
#[async_trait]
impl AccessToken for Token {
    async fn token(&self) -> Result<Self> {
        Ok(self.clone())
    }
}
