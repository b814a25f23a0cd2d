//! Client: made-up fields that one vendor accepts.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Serialize, Serializer};

use crate::{
    error::{Error, Result},
    redirect,
    vendor::{self, Vendor},
};

/// A client that a vendor of the sandbox accepts, with the fields of its config profile.
///
/// `Debug` shows the names of the fields. Serializing shows the values: that is what a ready line
/// or a config file needs.
#[derive(Clone)]
pub struct Client {
    pub(crate) vendor: &'static Vendor,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) lifetime: Option<Duration>,
}

/// What a new client should have; everything not given is made up.
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
    /// A client of this provider, all of it made up.
    pub fn new(provider: impl Into<String>) -> Self {
        Self { provider: provider.into(), fields: BTreeMap::new(), lifetime: None }
    }

    /// Sets a field, named as in the config.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// How long this client's tokens live.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// [`NewClient::lifetime`] in seconds.
    #[must_use]
    pub fn lifetime_secs(self, seconds: u64) -> Self {
        self.lifetime(Duration::from_secs(seconds))
    }

    pub(crate) fn build(self) -> Result<Client> {
        let vendor = vendor::named(&self.provider)?;
        let mut client = Client::made_up(vendor);
        client.lifetime = self.lifetime;
        for (name, value) in self.fields {
            let Some(field) = vendor.fields.iter().find(|field| field.name == name) else {
                let known = vendor.fields.iter().map(|field| field.name);
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
            client.fields.insert(field.name, value);
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
    pub(crate) fn made_up(vendor: &'static Vendor) -> Self {
        let fields = vendor.fields.iter().map(|field| (field.name, (field.make)())).collect();
        Self { vendor, fields, lifetime: None }
    }

    /// The id of the provider it belongs to.
    pub fn provider(&self) -> &'static str {
        self.vendor.id
    }

    /// One field by the name it has in the config.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Every field, by name.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.fields.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// A field every client of this vendor has.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.field(name).unwrap_or_default()
    }

    /// Who this is, whatever its secrets are today.
    pub(crate) fn key(&self) -> String {
        let parts: Vec<&str> = self.vendor.key.iter().map(|name| self.get(name)).collect();
        parts.join("\n")
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let secret = self.vendor.fields.iter().filter(|field| field.secret);
        secret.map(|field| self.get(field.name))
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

/// An object of the fields, as in the config.
impl Serialize for Client {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.fields)
    }
}
