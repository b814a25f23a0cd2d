//! The check of a profile's form, which follows no reference: no secret is read, no program runs.
//!
//! A reference in place of a setting is replaced by a value that the setting may have. Then the rest of
//! the profile is checked as always. An error about the replaced value is not the profile's.

use std::collections::BTreeSet;

use gatepass_core::{Error, FieldKind, ProviderInfo, Result, Secret};

use super::super::env::Env;
use super::super::value::{RawProfile, SecretSource, Value};
use super::{Profile, known_field, read};
use crate::provider::Registry;

/// Checks a profile. The result has other values than the profile where it refers to them. `None` if
/// the profile refers to its provider's name.
///
/// `Config` for the first mistake, with its place.
pub(crate) fn check(raw: &RawProfile, registry: &Registry, env: &Env) -> Result<Option<Profile>> {
    let id = match raw.entry("provider").map(|entry| &entry.value) {
        None => raw.name.as_str(),
        Some(Value::Source(SecretSource::Literal(id))) => id.expose_secret(),
        Some(Value::Source(SecretSource::Reference(..))) => return Ok(None),
        // `read` reports it.
        Some(_) => return read(raw, registry, env, &[]).map(Some),
    };
    let Ok(info) = registry.get(id) else { return read(raw, registry, env, &[]).map(Some) };
    let (raw, replaced) = without_references(raw.clone(), &info);
    match read(&raw, registry, env, &[]) {
        Ok(profile) => Ok(Some(profile)),
        Err(error) if is_about(&error, &replaced) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the references of all fields that are not secret, and returns the fields' names.
fn without_references(mut raw: RawProfile, info: &ProviderInfo) -> (RawProfile, BTreeSet<String>) {
    let mut replaced = BTreeSet::new();
    raw.entries.retain_mut(|entry| {
        let field = known_field(info, &entry.key).filter(|field| !field.is_secret());
        let (Some(field), Value::Source(SecretSource::Reference(..))) = (field, &entry.value)
        else {
            return true;
        };
        let environment = info.environments.first().map(|one| &*one.name);
        let text = match &field.kind {
            FieldKind::Address => "https://unread.invalid",
            FieldKind::Choice(choices) => choices.iter().next().unwrap_or_default(),
            FieldKind::Duration => "1s",
            FieldKind::RedirectUri => "http://127.0.0.1:0/callback",
            FieldKind::Text if field.name == "environment" => environment.unwrap_or_default(),
            FieldKind::Text => "unread.invalid",
            FieldKind::Path | FieldKind::Certificate => {
                replaced.insert(entry.key.clone());
                return false;
            }
            // These take no reference, which `read` reports.
            _ => return true,
        };
        replaced.insert(entry.key.clone());
        entry.value = Value::Source(SecretSource::Literal(Secret::from(text)));
        true
    });
    (raw, replaced)
}

impl Profile {
    /// Adds the profile's name, and a key with its place, to an error about the key's value.
    pub(crate) fn locate(&self, error: Error, key: &'static str) -> Error {
        let error = self.places.locate(error.with_field(key));
        error.with_provider(&self.info.id).with_profile(&self.name)
    }
}

fn is_about(error: &Error, fields: &BTreeSet<String>) -> bool {
    error.field().is_some_and(|field| fields.contains(field))
}
