//! StoreKey: whose record it is, without a word of who that is.

use std::fmt;

use gatepass_core::Request;
use zeroize::Zeroizing;

use gatepass_core::__private::{Digest, digest};

/// A profile: what [`TokenStore::forget`](crate::TokenStore::forget) forgets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProfileKey(Digest);

/// An identity's place in a store: a profile, and the exact token request, secret included. With
/// another secret, scope or endpoint it is another place.
///
/// It holds digests only, and making one needs no I/O. A store that shows names to others hashes
/// them once more, with a key of its own: who knows a client id could otherwise look for it.
#[derive(Clone)]
pub struct StoreKey {
    profile: ProfileKey,
    request: Zeroizing<Digest>,
}

impl ProfileKey {
    /// The profile of this name.
    pub fn new(profile: &str) -> Self {
        Self(*digest("gatepass store: profile, version 1", [profile.as_bytes()]))
    }

    #[cfg(all(feature = "file-store", unix))]
    pub(super) fn digest(&self) -> &Digest {
        &self.0
    }
}

impl StoreKey {
    /// The place of what `request` brings. A request must be the same each time it is built.
    pub fn new(profile: &str, provider: &str, request: &Request) -> Self {
        let mut headers: Vec<_> = request.headers().iter().collect();
        // Values of one name keep their order.
        headers.sort_by_key(|(name, _)| name.as_str());
        let method = request.method().as_str();
        let parts = [provider, method, request.endpoint().as_str()].map(str::as_bytes);
        let parts = parts.into_iter().chain([request.body()]);
        let headers = headers.into_iter().flat_map(|(n, v)| [n.as_str().as_bytes(), v.as_bytes()]);
        let request = digest("gatepass store: token request, version 1", parts.chain(headers));
        Self { profile: ProfileKey::new(profile), request }
    }

    /// The place of another token of the same request: for a setting that shapes what is made of
    /// the answer.
    pub fn and(self, setting: &str, value: &str) -> Self {
        let parts = [&*self.request, setting.as_bytes(), value.as_bytes()];
        let request = digest("gatepass store: setting, version 1", parts);
        Self { request, profile: self.profile }
    }

    /// The profile.
    pub fn profile(&self) -> &ProfileKey {
        &self.profile
    }

    pub(super) fn request(&self) -> &Digest {
        &self.request
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
    use gatepass_core::Endpoint;
    use http::header::{AUTHORIZATION, COOKIE};

    use super::*;

    fn request(path: &str, body: &str) -> Request {
        let endpoint = Endpoint::parse("https://vendor.example.com").unwrap();
        Request::post(endpoint.join(path).unwrap()).form([("client_secret", body)])
    }

    #[test]
    fn whatever_shapes_the_request_shapes_the_key() {
        let key = |request| StoreKey::new("prod", "acme", &request).request().to_owned();
        let plain = || request("/token", "s-1");
        let with = |name, value: &str| plain().secret_header(name, &value.into()).unwrap();
        let settings = |value| StoreKey::new("prod", "acme", &plain()).and("use", value);
        let keys = [
            key(plain()),
            key(request("/token", "s-2")),
            key(request("/token/", "s-1")),
            key(request("/token", "s-1").secret_query([("client_secret", "s-1")])),
            key(plain().with_method(http::Method::PUT)),
            key(with(AUTHORIZATION, "a")),
            key(with(AUTHORIZATION, "b")),
            key(with(COOKIE, "a")),
            StoreKey::new("prod", "other", &plain()).request().to_owned(),
            settings("id_token").request().to_owned(),
            settings("access_token").request().to_owned(),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| other != one), "{at}");
        }
        assert_eq!(key(plain()), key(plain()));
    }

    #[test]
    fn headers_set_in_another_order_are_the_same_request() {
        let of = |names: [http::HeaderName; 2]| {
            let request = request("/token", "s-1");
            let request = names
                .into_iter()
                .fold(request, |request, name| request.secret_header(name, &"v".into()).unwrap());
            *StoreKey::new("prod", "acme", &request).request()
        };
        assert_eq!(of([AUTHORIZATION, COOKIE]), of([COOKIE, AUTHORIZATION]));
    }

    #[test]
    fn a_profile_is_one_profile_whatever_its_secret() {
        let [one, other] = ["s-1", "s-2"].map(|s| StoreKey::new("prod", "a", &request("/t", s)));
        assert_eq!(one.profile(), other.profile());
        assert_ne!(one.profile(), &ProfileKey::new("prod-2"));
        assert_eq!(format!("{one:?} {:?}", one.profile()), "StoreKey ProfileKey");
    }
}
