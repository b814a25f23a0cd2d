//! The credential of a profile, read before each token request.

use std::time::Duration;

use gatepass_core::{Credential, CredentialSource, Error, Field, Result, Secret, async_trait};

use super::super::value::{ReadOptions, Reference, SecretSource};
use super::Profile;
use crate::blocking::run_blocking;

impl Profile {
    /// Returns how long reading its credential may take, in addition to the token request.
    pub(crate) fn read_timeout(&self) -> Duration {
        self.values.values().map(SecretSource::read_timeout).sum()
    }

    /// Returns whether its secrets are read without running a program, asking the keyring or reading
    /// standard input.
    pub(crate) fn reads_without_prompt(&self) -> bool {
        self.values.values().all(SecretSource::reads_without_prompt)
    }

    fn read(&self) -> Result<Credential> {
        let mut credential = Credential::new();
        for field in &*self.info.fields {
            let secret = match self.values.get(&*field.name) {
                None => continue,
                Some(SecretSource::Literal(secret)) => secret.clone(),
                Some(SecretSource::Reference(reference, options)) => {
                    self.read_one(field, reference, options)?
                }
            };
            credential = if field.is_secret() {
                credential.with_secret(field.name.clone(), secret)
            } else {
                credential.with_text(field.name.clone(), secret.expose_secret())
            };
        }
        Ok(credential)
    }

    /// Resolves the reference of a field, if its secret may be sent to this profile's addresses.
    pub(super) fn read_one(
        &self,
        field: &Field,
        reference: &Reference,
        options: &ReadOptions,
    ) -> Result<Secret> {
        let read = || {
            let read = reference.read(options, &field.kind, &self.env, &self.folder)?;
            if let Some(origins) = read.origins {
                self.check_bound(reference, &origins)?;
            }
            Ok(read.secret)
        };
        read()
            .map_err(|error: Error| self.located(error.default_hint(field.help.to_string()), field))
    }
}

impl Profile {
    /// Adds the field and its place to an error about its value.
    pub(super) fn located(&self, error: Error, field: &Field) -> Error {
        self.places.locate(error.with_field(field.name.clone()))
    }
}

#[async_trait]
impl CredentialSource for Profile {
    async fn credential(&self) -> Result<Credential> {
        let credential = if self.values.values().any(SecretSource::blocks) {
            let profile = self.clone();
            let read = run_blocking(move || profile.read()).await;
            read.unwrap_or_else(|| Err(Error::internal("reading the credential failed")))
        } else {
            self.read()
        };
        credential.map_err(|error| error.with_provider(&self.info.id).with_profile(&self.name))
    }
}
