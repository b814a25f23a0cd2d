//! The credential of a profile: its values, read when a token is asked for.

use std::time::Duration;

use gatepass_core::{Credential, CredentialSource, Error, Field, Result, Secret, async_trait};

use super::super::secret::Source;
use super::super::value::Reference;
use super::{Profile, help};

impl Profile {
    /// How long reading its credential may take, beyond what the vendor may.
    pub(crate) fn patience(&self) -> Duration {
        self.values.values().map(Source::patience).sum()
    }

    /// Whether reading its secrets runs no program, asks no keyring and takes no standard input.
    pub fn is_at_hand(&self) -> bool {
        self.values.values().all(Source::is_at_hand)
    }

    fn read(&self) -> Result<Credential> {
        let mut credential = Credential::new();
        for field in self.info.fields {
            let secret = match self.values.get(field.name) {
                None => continue,
                Some(Source::Literal(secret)) => secret.clone(),
                Some(Source::Reference(reference)) => self.read_one(field, reference)?,
            };
            credential = if field.is_secret() {
                credential.with_secret(field.name, secret)
            } else {
                credential.with_text(field.name, secret.expose_secret())
            };
        }
        Ok(credential)
    }

    /// Reads what a field refers to, if it may go where this profile goes.
    pub(super) fn read_one(&self, field: &Field, reference: &Reference) -> Result<Secret> {
        let read = || {
            let read = reference.read(field.name, &self.env, &self.folder)?;
            if let Some(origins) = read.origins {
                self.check_bound(field.name, reference, &origins)?;
            }
            Ok(read.secret)
        };
        read().map_err(|error: Error| self.places.name(error.or_hint(help(field))))
    }
}

#[async_trait]
impl CredentialSource for Profile {
    async fn credential(&self) -> Result<Credential> {
        let credential = if self.values.values().any(Source::blocks) {
            let profile = self.clone();
            let read = tokio::task::spawn_blocking(move || profile.read());
            read.await.unwrap_or_else(|_| Err(Error::internal("reading the credential failed")))
        } else {
            self.read()
        };
        credential.map_err(|error| error.with_provider(self.info.id).with_profile(&self.name))
    }
}
