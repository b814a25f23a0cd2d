//! Bound secrets: those that gatepass has stored go to no origin but those they were stored for.

use std::fmt;
use std::path::PathBuf;

use gatepass_core::{Credential, Endpoint, Error, Result};

use super::super::origins::{Origins, SUFFIX, beside};
use super::super::secret::Source;
use super::super::value::Reference;
use super::Profile;

/// A secret that gatepass has stored, and the origins it was stored for.
#[derive(Clone)]
pub struct BoundSecret {
    field: &'static str,
    reference: Reference,
    origins: Origins,
    wanted: Origins,
}

impl BoundSecret {
    /// What stands behind the name of a secret in the name of its origins: the file `NAME` has them
    /// in `NAME.origins`, and so has the keyring's entry.
    pub const SUFFIX: &str = SUFFIX;

    /// The field of the profile that refers to it.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// Where it is, in words.
    pub fn source(&self) -> String {
        self.reference.shown()
    }

    /// The origins it may go to: scheme, host and port of each.
    pub fn origins(&self) -> Vec<String> {
        self.origins.texts()
    }

    /// The origins that its profile goes to and the secret may not.
    pub fn missing(&self) -> Vec<String> {
        self.wanted.without(&self.origins).texts()
    }

    /// The file with its origins, one in each line, if the secret is in a file.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.reference {
            Reference::File(path) => path.canonicalize().ok().map(beside),
            _ => None,
        }
    }

    /// The keyring's entry with its origins, one in each line, if the secret is in the keyring.
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
            Some((field.name, self.settings.optional_text(field.name).or(field.default)?))
        });
        let credential = texts
            .fold(Credential::new(), |credential, (name, text)| credential.with_text(name, text));
        self.provider()?.endpoints(&credential)
    }

    /// The origins that the profile's secrets and tokens go to: scheme, host and port of its token
    /// endpoint and of every API that may see the token.
    ///
    /// Errors as of [`token_endpoint`](Self::token_endpoint).
    pub fn origins(&self) -> Result<Vec<String>> {
        Ok(self.all_origins()?.texts())
    }

    /// The secrets of this profile that gatepass has stored, and so keeps for their origins. The
    /// secrets themselves are not read; the keyring is asked, and may ask for its password.
    ///
    /// `Config` if the origins beside a secret cannot be read, and as of [`origins`](Self::origins).
    pub async fn bound_secrets(&self) -> Result<Vec<BoundSecret>> {
        let profile = self.clone();
        let read = tokio::task::spawn_blocking(move || profile.read_bound());
        let read = read.await.unwrap_or_else(|_| Err(Error::internal("reading origins failed")));
        read.map_err(|error| error.with_provider(self.info.id).with_profile(&self.name))
    }

    fn read_bound(&self) -> Result<Vec<BoundSecret>> {
        let wanted = self.all_origins()?;
        let mut bound = Vec::new();
        for field in self.info.fields {
            let Some(Source::Reference(reference)) = self.values.get(field.name) else { continue };
            let origins = reference.origins(field.name);
            if let Some(origins) = origins.map_err(|error| self.places.name(error))? {
                let (reference, wanted) = (reference.clone(), wanted.clone());
                bound.push(BoundSecret { field: field.name, reference, origins, wanted });
            }
        }
        Ok(bound)
    }

    /// `Config` if the profile goes where what the reference gives is not kept for. It may be
    /// what any field refers to: whatever is read is sent.
    pub(super) fn check_bound(
        &self,
        field: &str,
        reference: &Reference,
        origins: &Origins,
    ) -> Result<()> {
        let missing = self.all_origins()?.without(origins);
        if missing.is_empty() {
            return Ok(());
        }
        let (name, source) = (&self.name, reference.shown());
        let kept = if origins.is_empty() { "no address".to_owned() } else { origins.to_string() };
        Err(Error::config(format!("`{field}`: {source} is kept for {kept}, not for {missing}"))
            .with_hint(format!(
                "gatepass stored it for that alone, and the profile's addresses have changed: put \
                 them back, or allow it with `gatepass profile allow {name}`"
            )))
    }

    fn all_origins(&self) -> Result<Origins> {
        let api = self.provider()?.api(None);
        let others = api.into_iter().chain(self.api_origins());
        Ok(Origins::new(self.endpoints()?.into_iter().chain(others)))
    }
}
