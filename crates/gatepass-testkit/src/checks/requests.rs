//! Checks of the token request: where it goes, and where its secrets stand.

use std::path::Path;

use gatepass_core::ProviderInfo;
use http::Method;

use super::{exchanged, no_leak, text_of, token_request};
use crate::Fixture;
use crate::profile::{Profile, base_url, variants};

/// Every request of an exchange is a POST to an address below the profile's `base_url`.
pub fn requests_go_to_the_base_url_alone(info: &ProviderInfo, fixtures: &Path) {
    let profile = Profile::of(info);
    let provider = profile.provider_at_base_url(info);
    for fixture in Fixture::load_all(fixtures) {
        let (http, _) = exchanged(&*provider, &profile.credential, &fixture);
        assert!(http.count() > 0, "{}: no request was made", info.id);
        for request in http.requests() {
            let below = format!("{}/", base_url().as_str());
            assert!(request.url().starts_with(&below), "{}: goes elsewhere: {request:?}", info.id);
            assert_eq!(request.method(), Method::POST, "{}: {request:?}", info.id);
        }
    }
}

/// Without a `base_url` the request is a POST by https.
pub fn requests_go_by_https_where_nothing_else_is_said(info: &ProviderInfo, _: &Path) {
    let profile = Profile::of(info);
    let request = token_request(info, &profile);
    assert!(!request.endpoint().is_plain_http(), "{}: {request:?}", info.id);
    assert_eq!(request.method(), Method::POST, "{}: {request:?}", info.id);
}

/// The address holds no secret, unless a profile asks for that.
pub fn no_secret_is_in_the_url(info: &ProviderInfo, _: &Path) {
    let profile = Profile::of(info);
    let request = token_request(info, &profile);
    assert!(!request.has_secret_in_url(), "{}: a secret is in the URL", info.id);
    no_leak(info, "the URL", request.endpoint().as_str(), &profile.canaries);
}

/// A header field that holds a secret is marked sensitive.
pub fn headers_with_a_secret_are_sensitive(info: &ProviderInfo, _: &Path) {
    let profile = Profile::of(info);
    for (what, [least, most]) in variants(info) {
        let Ok(provider) = info.provider(&least).or_else(|_| info.provider(&most)) else {
            continue;
        };
        let Ok(request) = provider.token_request(&profile.credential) else { continue };
        for (name, value) in request.headers().iter().filter(|(_, value)| !value.is_sensitive()) {
            let where_ = format!("{what}: the header {name}, which is not marked sensitive,");
            no_leak(info, &where_, &text_of(value), &profile.canaries);
        }
    }
}
