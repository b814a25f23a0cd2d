//! Keys of stored records: digests that do not reveal the profile or the credential.

use std::fmt;
use std::hash::{Hash, Hasher};

use gatepass_core::__private::{Digest, digest};
use gatepass_core::CacheKey;
use zeroize::Zeroizing;

/// The key of a profile, by which [`TokenStore::forget`](super::TokenStore::forget) finds its
/// records.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProfileKey(Digest);

/// The key of a record: a profile, a provider, and the provider's key of its tokens.
///
/// The provider's key depends on the secret, the scope, the endpoint and every other setting that
/// changes the token, so a changed setting is a miss and never a token of the old one. A key
/// consists of digests, and making one needs no I/O.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKey {
    profile: ProfileKey,
    digest: Zeroizing<Digest>,
}

impl ProfileKey {
    /// Returns the key of the profile with this name.
    pub fn new(profile: &str) -> Self {
        Self(*digest("gatepass store: profile, version 1", [profile.as_bytes()]))
    }

    /// Returns the digest of the profile's name.
    ///
    /// Names can be guessed. A store that others can read derives the names it shows with a key of
    /// its own, as `SealingKeys::name` does.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl StoreKey {
    /// Returns the key of the tokens of a profile, a provider (its id) and a provider's
    /// [`cache_key`](gatepass_core::Provider::cache_key).
    pub fn new(profile: &ProfileKey, provider_id: &str, cache_key: &CacheKey) -> Self {
        let parts = [profile.as_bytes(), provider_id.as_bytes(), cache_key.as_bytes().as_slice()];
        let digest = digest("gatepass store: record, version 2", parts);
        Self { profile: profile.clone(), digest }
    }

    /// Returns the key of the results of the credentials of a profile and a provider.
    pub fn of_credentials(profile: &ProfileKey, provider_id: &str) -> Self {
        let parts = [profile.as_bytes(), provider_id.as_bytes()];
        let digest = digest("gatepass store: credentials, version 1", parts);
        Self { profile: profile.clone(), digest }
    }

    /// Returns the key of the profile.
    pub fn profile(&self) -> &ProfileKey {
        &self.profile
    }

    /// Returns the digest of the whole key, the profile included.
    ///
    /// The digest is of input that can be guessed: with a known client id, a weak secret could be
    /// found by trying. A store that others can read derives the names it shows with a key of its
    /// own, as `SealingKeys::name` does.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl Hash for StoreKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for ProfileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProfileKey")
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(profile: &str, provider_id: &str, secret: &str) -> StoreKey {
        let cache_key = CacheKey::from_parts([secret.as_bytes()]);
        StoreKey::new(&ProfileKey::new(profile), provider_id, &cache_key)
    }

    #[test]
    fn every_part_changes_the_key() {
        let keys = [
            key("prod", "acme", "s-1"),
            key("prod", "acme", "s-2"),
            key("prod", "other", "s-1"),
            key("test", "acme", "s-1"),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| other != one), "{at}");
            assert!(keys.iter().skip(at + 1).all(|other| other.as_bytes() != one.as_bytes()));
        }
        assert_eq!(key("prod", "acme", "s-1"), keys[0]);
    }

    #[test]
    fn profile_key_does_not_depend_on_the_secret() {
        let [one, other] = ["s-1", "s-2"].map(|secret| key("prod", "acme", secret));
        assert_eq!(one.profile(), other.profile());
        assert_ne!(one.profile(), &ProfileKey::new("prod-2"));
        assert_eq!(format!("{one:?} {:?}", one.profile()), "StoreKey ProfileKey");
    }
}
