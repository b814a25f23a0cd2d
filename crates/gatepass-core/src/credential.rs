//! Credential: the long-lived thing a token endpoint wants, and where it comes from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use async_trait::async_trait;

use crate::{Error, Result, Secret};

/// Named texts and secrets, as the provider's fields name them.
///
/// Open on purpose: vendors ask for two values or five, under names of their own.
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

    /// Adds or replaces a text.
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

    /// The text of that name; an error of kind `Config` when there is none.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.optional_text(name).ok_or_else(|| missing(name))
    }

    /// The text of that name, if there is one.
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The secret of that name; an error of kind `Config` when there is none.
    pub fn secret(&self, name: &str) -> Result<&Secret> {
        self.optional_secret(name).or(self.placeholder.as_ref()).ok_or_else(|| missing(name))
    }

    /// The secret of that name, if there is one.
    pub fn optional_secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }

    /// Every text, by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_ref(), text.as_str()))
    }

    /// Every secret, by name.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.secrets.iter().map(|(name, secret)| (name.as_ref(), secret))
    }
}

fn missing(name: &str) -> Error {
    Error::config("missing in the credential")
        .with_field(name.to_owned())
        .hint(format!("set `{name}` in the profile, or add it to the Credential"))
}

/// Where a credential comes from. It is read before each exchange, so that a rotated secret
/// needs no restart.
#[async_trait]
pub trait CredentialSource: fmt::Debug + Send + Sync {
    /// Reads the credential as it is now.
    async fn credential(&self) -> Result<Credential>;
}

#[async_trait]
impl CredentialSource for Credential {
    async fn credential(&self) -> Result<Self> {
        Ok(self.clone())
    }
}

/// A [`CredentialSource`] from a closure, for a vault or anything else that is read each time.
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

/// What [`credential_fn`] returns.
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
