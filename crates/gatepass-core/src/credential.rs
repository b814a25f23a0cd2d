//! Credentials: the long-lived values that a token endpoint requires, and their sources.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use async_trait::async_trait;

use crate::{Error, Result, Secret};

/// A credential: named strings and secrets, with the names of the provider's fields.
///
/// It is a map and not a struct, because vendors require two values or five, under their own names.
///
/// ```
/// # use gatepass_core::Credential;
/// let credential = Credential::client("app-1", "hunter2").with_secret("subscription_key", "k");
/// assert_eq!(credential.text("client_id")?, "app-1");
/// assert!(!format!("{credential:?}").contains("hunter2"));
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Credential {
    texts: BTreeMap<Cow<'static, str>, String>,
    secrets: BTreeMap<Cow<'static, str>, Secret>,
    /// The value of every secret that is missing.
    placeholder: Option<Secret>,
}

impl Credential {
    /// An empty credential.
    pub fn new() -> Self {
        Self::default()
    }

    /// A client id and client secret (RFC 6749 section 2.3.1).
    pub fn client(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::new().with_text("client_id", id).with_secret("client_secret", secret)
    }

    /// Adds or replaces a string that is not secret.
    pub fn with_text(
        mut self,
        name: impl Into<Cow<'static, str>>,
        text: impl Into<String>,
    ) -> Self {
        self.texts.insert(name.into(), text.into());
        self
    }

    /// Adds or replaces a secret.
    pub fn with_secret(
        mut self,
        name: impl Into<Cow<'static, str>>,
        secret: impl Into<Secret>,
    ) -> Self {
        self.secrets.insert(name.into(), secret.into());
        self
    }

    /// Returns the texts of this credential and, in place of every secret, a placeholder. It serves
    /// to find out where requests go without reading a secret.
    pub fn with_placeholder_secrets(&self) -> Self {
        let placeholder = Some(Secret::from("placeholder"));
        Self { texts: self.texts.clone(), secrets: BTreeMap::new(), placeholder }
    }

    /// Returns the string of this name; `Config` if it is missing.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.optional_text(name).ok_or_else(|| missing(name))
    }

    /// Returns the string of this name, if there is one.
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Returns the secret of this name; `Config` if it is missing.
    pub fn secret(&self, name: &str) -> Result<&Secret> {
        self.optional_secret(name).or(self.placeholder.as_ref()).ok_or_else(|| missing(name))
    }

    /// Returns the secret of this name, if there is one.
    pub fn optional_secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }

    /// Iterates over the strings, sorted by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_ref(), text.as_str()))
    }

    /// Iterates over the secrets, sorted by name.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.secrets.iter().map(|(name, secret)| (name.as_ref(), secret))
    }
}

fn missing(name: &str) -> Error {
    Error::config("missing in the credential")
        .with_field(name.to_owned())
        .hint(format!("set `{name}` in the profile, or add it to the Credential"))
}

/// The source of a credential. It is read before each token request, so that a rotated secret needs
/// no restart.
///
/// ```
/// use gatepass_core::{Credential, CredentialSource, Error, Result, async_trait};
///
/// /// A client secret in a file that another program rotates.
/// #[derive(Debug)]
/// struct SecretFile(std::path::PathBuf);
///
/// #[async_trait]
/// impl CredentialSource for SecretFile {
///     async fn credential(&self) -> Result<Credential> {
///         let secret = std::fs::read_to_string(&self.0).map_err(Error::credential)?;
///         Ok(Credential::client("app-1", secret.trim_end()))
///     }
/// }
/// ```
#[async_trait]
pub trait CredentialSource: fmt::Debug + Send + Sync {
    /// Reads the current credential.
    async fn credential(&self) -> Result<Credential>;
}

#[async_trait]
impl CredentialSource for Credential {
    async fn credential(&self) -> Result<Self> {
        Ok(self.clone())
    }
}

/// Makes a [`CredentialSource`] from a closure, to read a vault for example.
///
/// ```
/// # use gatepass_core::{Credential, credential_fn};
/// let source = credential_fn(|| async { Ok(Credential::client("app-1", "from the vault")) });
/// ```
pub fn credential_fn<F, T>(read: F) -> CredentialFn<F>
where
    F: Fn() -> T + Send + Sync,
    T: Future<Output = Result<Credential>> + Send,
{
    CredentialFn(read)
}

/// The source that [`credential_fn`] returns.
#[derive(Clone)]
pub struct CredentialFn<F>(F);

impl<F> fmt::Debug for CredentialFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialFn")
    }
}

#[async_trait]
impl<F, T> CredentialSource for CredentialFn<F>
where
    F: Fn() -> T + Send + Sync,
    T: Future<Output = Result<Credential>> + Send,
{
    async fn credential(&self) -> Result<Credential> {
        (self.0)().await
    }
}
