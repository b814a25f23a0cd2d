//! Simulated clients: generated credentials that one vendor accepts.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde::{Serialize, Serializer};

use crate::{
    error::{Error, Result},
    redirect,
    vendors::{Vendor, Vendors},
};

/// A client that a vendor of the sandbox accepts, with the fields of its config profile.
///
/// `Debug` shows the names of the fields. Serialization writes the values, which the ready line and
/// the config file need.
#[derive(Clone)]
pub struct Client {
    pub(crate) vendor: Arc<Vendor>,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) lifetime: Option<Duration>,
}

/// The fields of a client to add; fields that are not set are generated.
///
/// ```
/// # fn main() -> Result<(), gatepass_sandbox::Error> {
/// use gatepass_sandbox::NewClient;
///
/// let client = NewClient::new("cisco").field("client_id", "app-1").lifetime_secs(60);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct NewClient {
    provider: String,
    fields: BTreeMap<String, String>,
    lifetime: Option<Duration>,
}

impl NewClient {
    /// Creates a client of this provider with generated fields.
    pub fn new(provider: impl Into<String>) -> Self {
        Self { provider: provider.into(), fields: BTreeMap::new(), lifetime: None }
    }

    /// Sets a field by its config key.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Sets the lifetime of this client's tokens.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets [`NewClient::lifetime`] in seconds.
    #[must_use]
    pub fn lifetime_secs(self, seconds: u64) -> Self {
        self.lifetime(Duration::from_secs(seconds))
    }

    pub(crate) fn build(self, vendors: &Vendors) -> Result<Client> {
        let vendor = vendors.named(&self.provider)?;
        let mut client = Client::generated(vendor);
        client.lifetime = self.lifetime;
        for (name, value) in self.fields {
            let Some(field) = vendor.fields.iter().find(|field| field.name == name) else {
                let known = vendor.fields.iter().map(|field| field.name.as_ref());
                return Err(Error::unknown(&format!("field of {}", vendor.id), &name, known));
            };
            if value.is_empty() || value.len() > 4096 || value.chars().any(char::is_control) {
                return Err(Error::usage(format!(
                    "{} of {} must be 1 to 4096 bytes without control characters",
                    field.name, vendor.id
                )));
            }
            if field.name == "redirect_uri" && !redirect::is_redirect_uri(&value) {
                let text = "redirect_uri must be an absolute URI without a fragment, for example \
                            http://127.0.0.1:0/callback";
                return Err(Error::usage(text));
            }
            client.fields.insert(name, value);
        }
        Ok(client)
    }
}

impl fmt::Debug for NewClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewClient").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn generated(vendor: &Arc<Vendor>) -> Self {
        let fields = vendor.fields.iter().map(|field| (field.name.to_string(), field.value()));
        Self { vendor: Arc::clone(vendor), fields: fields.collect(), lifetime: None }
    }

    /// Returns the id of the client's provider.
    pub fn provider(&self) -> &str {
        &self.vendor.id
    }

    /// Returns a field by its config key.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Returns all fields by name.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns a field that every client of this vendor has.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.field(name).unwrap_or_default()
    }

    /// Returns the client's identity, which does not depend on its current secrets.
    pub(crate) fn key(&self) -> String {
        let ids = self.vendor.fields.iter().filter(|field| field.is_id);
        let parts: Vec<&str> = ids.map(|field| self.get(&field.name)).collect();
        parts.join("\n")
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let secret = self.vendor.fields.iter().filter(|field| field.is_secret);
        secret.map(|field| self.get(&field.name))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.keys().collect();
        f.debug_struct("Client")
            .field("provider", &self.vendor.id)
            .field("fields", &names)
            .field("lifetime", &self.lifetime)
            .finish()
    }
}

/// Serializes the fields as an object with the config keys.
impl Serialize for Client {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.fields)
    }
}
