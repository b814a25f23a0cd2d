//! The key that a provider's tokens are cached under.

use std::fmt;
use std::hash::{Hash, Hasher};

use zeroize::Zeroizing;

use crate::digest::{Digest, digest};
use crate::{Credential, Provider, Request, Result};

/// A digest of everything that decides which token a provider returns: the token request with its
/// credential, and the settings that change how the response is read.
///
/// Two sources whose keys are equal may share a cached token. The digest reveals neither secret nor
/// client id to a reader who cannot guess them, but a client id can be guessed: a store that shows
/// names to others hashes the key again with a key of its own.
///
/// ```
/// # use gatepass_core::{CacheKey, Endpoint, Request};
/// let request = Request::post(Endpoint::parse("https://vendor.example.com/token")?);
/// let key = CacheKey::from_request(&request);
/// assert_eq!(key, CacheKey::from_request(&request));
/// assert_ne!(key.clone().with("use_token", b"id_token"), key);
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CacheKey(Zeroizing<Digest>);

impl CacheKey {
    /// Returns the key of the tokens that this request brings.
    ///
    /// The request must be the same each time it is built. A request that contains a timestamp or a
    /// random value needs a key [of its own parts](Self::from_parts).
    pub fn from_request(request: &Request) -> Self {
        let mut headers: Vec<_> = request.headers().iter().collect();
        // Stable: several values of one name keep their order.
        headers.sort_by_key(|(name, _)| name.as_str());
        let method = request.method().as_str().as_bytes();
        let parts = [method, request.endpoint().as_str().as_bytes(), request.body()];
        let headers = headers.into_iter().flat_map(|(n, v)| [n.as_str().as_bytes(), v.as_bytes()]);
        Self(digest(
            "gatepass cache key: token request, version 1",
            parts.into_iter().chain(headers),
        ))
    }

    /// Returns the key of the token request that `provider` builds, or of its authorization request
    /// if the grant needs a login: the default of [`Provider::cache_key`].
    ///
    /// # Errors
    ///
    /// Those of building the request.
    pub fn from_provider<P: Provider + ?Sized>(
        provider: &P,
        credential: &Credential,
    ) -> Result<Self> {
        Ok(Self::from_request(&match provider.interactive() {
            Some(interactive) => interactive.authorization_request(credential)?.to_request(),
            None => provider.token_request(credential)?,
        }))
    }

    /// Returns the key of a list of parts, for a provider whose request differs each time it is
    /// built. Parts may be secret.
    pub fn from_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(digest("gatepass cache key: parts, version 1", parts))
    }

    /// Adds a setting that is not part of the request but changes the token.
    pub fn with(self, setting: &str, value: &[u8]) -> Self {
        let parts = [&*self.0, setting.as_bytes(), value];
        Self(digest("gatepass cache key: setting, version 1", parts))
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey")
    }
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, COOKIE};
    use http::{HeaderName, Method};

    use super::*;
    use crate::Endpoint;

    fn request(path: &str, secret: &str) -> Request {
        let endpoint = Endpoint::parse("https://vendor.example.com").unwrap();
        Request::post(endpoint.join(path).unwrap()).form([("client_secret", secret)])
    }

    #[test]
    fn every_part_of_the_request_changes_the_key() {
        let plain = || request("/token", "s-1");
        let with = |name, value: &str| plain().secret_header(name, &value.into()).unwrap();
        let key = |request: Request| CacheKey::from_request(&request);
        let keys = [
            key(plain()),
            key(request("/token", "s-2")),
            key(request("/token/", "s-1")),
            key(request("/token", "s-1").secret_query([("client_secret", "s-1")])),
            key(plain().with_method(Method::PUT)),
            key(with(AUTHORIZATION, "a")),
            key(with(AUTHORIZATION, "b")),
            key(with(COOKIE, "a")),
            key(plain()).with("use", b"id_token"),
            key(plain()).with("use", b"access_token"),
            CacheKey::from_parts([b"s-1".as_slice()]),
            CacheKey::from_parts([b"s".as_slice(), b"-1"]),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| other != one), "{at}");
        }
        assert_eq!(key(plain()), key(plain()));
        assert_eq!(format!("{:?}", key(plain())), "CacheKey");
    }

    #[test]
    fn header_order_does_not_change_the_key() {
        let of = |names: [HeaderName; 2]| {
            let request = names.into_iter().fold(request("/token", "s-1"), |request, name| {
                request.secret_header(name, &"v".into()).unwrap()
            });
            CacheKey::from_request(&request)
        };
        assert_eq!(of([AUTHORIZATION, COOKIE]), of([COOKIE, AUTHORIZATION]));
    }
}
