//! Checks of the key under which a provider's tokens are cached.

use std::path::Path;

use gatepass_core::{CacheKey, Credential, Provider, ProviderInfo, Settings};

use super::read;
use crate::Fixture;
use crate::profile::{SampleProfile, variants};

/// Checks that the cache key covers all secrets, and all settings that the reader depends on.
///
/// Two profiles with the same key must read every fixture in the same way.
pub fn cache_keys_cover_credential_and_settings(info: &ProviderInfo, fixtures: &Path) {
    let (id, profile) = (&info.id, SampleProfile::new(info));
    let provider = profile.provider(info);
    if let Ok(key) = provider.cache_key(&profile.credential) {
        let again = provider.cache_key(&profile.credential).ok();
        assert!(again.is_some_and(|again| again == key), "{id}: the cache key is not stable");
        let other = provider.cache_key(&other_secrets(&profile.credential)).ok();
        assert!(
            other.is_none_or(|other| other != key),
            "{id}: the cache key does not depend on the secrets"
        );
    }
    let fixtures = Fixture::load_all(fixtures);
    let mut known: Vec<(String, CacheKey, Vec<String>)> = Vec::new();
    for (variant, settings) in settings_to_compare(info, &profile) {
        let Ok(provider) = info.provider(&settings) else { continue };
        let Ok(key) = provider.cache_key(&profile.credential) else { continue };
        let readings = readings(&*provider, &fixtures);
        for (other, other_key, other_readings) in &known {
            assert!(
                key != *other_key || readings == *other_readings,
                "{id}: `{variant}` and `{other}` read responses differently under one cache key"
            );
        }
        known.push((variant, key, readings));
    }
}

fn other_secrets(credential: &Credential) -> Credential {
    credential.secrets().fold(credential.clone(), |other, (name, secret)| {
        other.with_secret(name.to_owned(), format!("{}2", secret.expose_secret()))
    })
}

/// Returns all variants, and the sample profile with two values for each optional setting.
fn settings_to_compare(info: &ProviderInfo, profile: &SampleProfile) -> Vec<(String, Settings)> {
    let variants = variants(info).into_iter().flat_map(|variant| {
        variant.forms.into_iter().map(move |form| (variant.name.clone(), form))
    });
    let texts = info.fields.iter().filter(|field| !field.is_secret() && !field.required);
    let texts = texts.flat_map(|field| {
        ["one.example.com", "two.example.com"].map(|value| {
            let settings = profile.settings.clone().with(field.name.to_string(), value);
            (format!("{} = {value}", field.name), settings)
        })
    });
    variants.chain(texts).collect()
}

/// Returns a summary of how the provider reads each fixture.
fn readings(provider: &dyn Provider, fixtures: &[Fixture]) -> Vec<String> {
    let reading = |fixture: &Fixture| match read(provider, fixture) {
        Ok(token) => {
            let (text, lifetime) = (token.expose_secret(), token.lifetime());
            format!("{text} {lifetime:?} {:?}", token.scope())
        }
        Err(error) => format!("{:?} {:?}", error.kind(), error.status()),
    };
    fixtures.iter().map(reading).collect()
}
