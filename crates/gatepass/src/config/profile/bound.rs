//! Bound secrets: gatepass sends a secret that it has stored only to the origins it was stored for.

use std::fmt;
use std::path::PathBuf;

use gatepass_core::{Credential, Endpoint, Error, Hint, Result};

use super::super::origins::{Origins, SUFFIX, companion_path};
use super::super::value::{Reference, SecretSource};
use super::Profile;
use crate::blocking::run_blocking;

/// A secret that gatepass has stored, and the origins it was stored for.
#[derive(Clone)]
pub struct BoundSecret {
    field: String,
    reference: Reference,
    origins: Origins,
    wanted: Origins,
}

impl BoundSecret {
    /// The suffix of the name of a secret's origins: `NAME.origins` for the file or keyring entry
    /// `NAME`.
    pub const SUFFIX: &str = SUFFIX;

    /// Returns the field of the profile that refers to it.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Describes where it is stored.
    pub fn source(&self) -> String {
        self.reference.describe()
    }

    /// Returns the origins that it may be sent to: scheme, host and port of each.
    pub fn origins(&self) -> Vec<String> {
        self.origins.texts()
    }

    /// Returns the origins of its profile that it may not be sent to.
    pub fn missing(&self) -> Vec<String> {
        self.wanted.without(&self.origins).texts()
    }

    /// Returns the file with its origins, one per line, if the secret is in a file.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.reference {
            Reference::File(path) => path.canonicalize().ok().map(companion_path),
            _ => None,
        }
    }

    /// Returns the keyring entry with its origins, one per line, if the secret is in the keyring.
    pub fn entry(&self) -> Option<String> {
        match &self.reference {
            Reference::Keyring(entry) => Some(entry.of_origins().to_string()),
            _ => None,
        }
    }
}

impl fmt::Debug for BoundSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, origins) = (self.source(), self.origins());
        f.debug_struct("BoundSecret")
            .field("field", &self.field)
            .field("source", &source)
            .field("origins", &origins)
            .finish()
    }
}

impl Profile {
    /// Returns the token endpoint, or the authorization endpoint of a login. No secret is read.
    ///
    /// `Config` for a setting that the provider refuses.
    pub fn token_endpoint(&self) -> Result<Endpoint> {
        let endpoint = self.endpoints()?.into_iter().next();
        endpoint.ok_or_else(|| Error::internal("the provider has no token endpoint"))
    }

    /// Returns every address that the credential goes to.
    fn endpoints(&self) -> Result<Vec<Endpoint>> {
        let fields = self.info.fields.iter().filter(|field| !field.is_secret());
        let texts = fields.filter_map(|field| {
            Some((
                &*field.name,
                self.settings.optional_text(&field.name).or(field.default.as_deref())?,
            ))
        });
        let credential = texts.fold(Credential::new(), |credential, (name, text)| {
            credential.with_text(name.to_owned(), text)
        });
        self.provider()?.endpoints(&credential)
    }

    /// Returns the origins that the profile's secrets and tokens are sent to: scheme, host and port of
    /// its token endpoint and of each API that may receive the token.
    ///
    /// Errors as of [`token_endpoint`](Self::token_endpoint).
    pub(crate) fn origins(&self) -> Result<Vec<String>> {
        Ok(self.all_origins()?.texts())
    }

    /// Returns the secrets of this profile that gatepass has stored, with their origins. The secrets
    /// themselves are not read. The keyring may ask the user for its password.
    ///
    /// `Config` if the origins beside a secret cannot be read, and as of [`origins`](Self::origins).
    pub(crate) async fn bound_secrets(&self) -> Result<Vec<BoundSecret>> {
        let profile = self.clone();
        let read = run_blocking(move || profile.read_bound()).await;
        let read = read.unwrap_or_else(|| Err(Error::internal("reading origins failed")));
        read.map_err(|error| error.with_provider(&self.info.id).with_profile(&self.name))
    }

    fn read_bound(&self) -> Result<Vec<BoundSecret>> {
        let wanted = self.all_origins()?;
        let mut bound = Vec::new();
        for field in &*self.info.fields {
            let Some(SecretSource::Reference(reference, _)) = self.values.get(&*field.name) else {
                continue;
            };
            let origins = reference.origins().map_err(|error| self.located(error, field))?;
            if let Some(origins) = origins {
                let (reference, wanted) = (reference.clone(), wanted.clone());
                bound.push(BoundSecret {
                    field: field.name.to_string(),
                    reference,
                    origins,
                    wanted,
                });
            }
        }
        Ok(bound)
    }

    /// `Config` if the profile sends the value of the reference to an origin that is not in
    /// `origins`. This applies to every field, secret or not, because all of them are sent.
    pub(super) fn check_bound(&self, reference: &Reference, origins: &Origins) -> Result<()> {
        let missing = self.all_origins()?.without(origins);
        if missing.is_empty() {
            return Ok(());
        }
        let (name, source) = (&self.name, reference.describe());
        let bound = if origins.is_empty() { "no address".to_owned() } else { origins.to_string() };
        Err(Error::config(format!("{source} is bound to {bound}, not to {missing}"))
            .hint("the profile's addresses have changed since the secret was stored: restore them")
            .hint(Hint::gatepass("or allow the new addresses", ["profile", "allow", name])))
    }

    fn all_origins(&self) -> Result<Origins> {
        let api = self.provider()?.api(None);
        let others = api.into_iter().chain(self.api_origins());
        Ok(Origins::new(self.endpoints()?.into_iter().chain(others)))
    }
}
