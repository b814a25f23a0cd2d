//! Checks of token requests and login URLs: their addresses, and where they contain secrets.

use std::path::Path;

use gatepass_core::{Credential, ErrorKind, LoginAttempt, ProviderInfo};
use http::Method;

use super::{assert_no_leak, exchange, header_text, token_request};
use crate::Fixture;
use crate::profile::{SampleProfile, base_url, variants};

/// Checks that every request of an exchange is a POST to a URL below the profile's `base_url`.
pub fn requests_use_only_the_base_url(info: &ProviderInfo, fixtures: &Path) {
    let profile = SampleProfile::new(info);
    let provider = profile.provider_at_base_url(info);
    for fixture in Fixture::load_all(fixtures) {
        let (http, _) = exchange(&*provider, &profile.credential, &fixture);
        assert!(http.count() > 0, "{}: the exchange sent no request", info.id);
        for request in http.requests() {
            let prefix = format!("{}/", base_url().as_str());
            assert!(
                request.url().starts_with(&prefix),
                "{}: the request is not below `base_url`: {request:?}",
                info.id
            );
            assert_eq!(request.method(), Method::POST, "{}: {request:?}", info.id);
        }
    }
}

/// Checks that the token request is an https POST if no `base_url` is set.
pub fn requests_use_https_by_default(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::new(info);
    let request = token_request(info, &profile);
    assert!(!request.endpoint().is_plain_http(), "{}: {request:?}", info.id);
    assert_eq!(request.method(), Method::POST, "{}: {request:?}", info.id);
}

/// Checks that the URL of the token request contains no secret.
pub fn url_contains_no_secret(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::new(info);
    let request = token_request(info, &profile);
    assert!(!request.has_secret_in_url(), "{}: the URL contains a secret", info.id);
    assert_no_leak(info, "the URL", request.endpoint().as_str(), &profile.canaries);
}

/// Checks that every header field with a secret is marked sensitive.
pub fn headers_with_a_secret_are_sensitive(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::new(info);
    for variant in variants(info) {
        let Ok(provider) = variant.provider(info, None) else { continue };
        let Ok(request) = provider.token_request(&profile.credential) else { continue };
        for (name, value) in request.headers().iter().filter(|(_, value)| !value.is_sensitive()) {
            let place =
                format!("{}: the header {name}, which is not marked sensitive,", variant.name);
            assert_no_leak(info, &place, &header_text(value), &profile.canaries);
        }
    }
}

/// Checks that the endpoints are known without a secret and include that of the token request.
pub fn endpoints_need_no_secret(info: &ProviderInfo, _: &Path) {
    let (id, profile) = (&info.id, SampleProfile::new(info));
    let provider = profile.provider_at_base_url(info);
    let texts = profile.credential.texts();
    let no_secret = texts.fold(Credential::new(), |credential, (name, text)| {
        credential.with_text(name.to_owned(), text)
    });
    let endpoints = provider
        .endpoints(&no_secret)
        .unwrap_or_else(|error| panic!("{id}: no endpoints without a secret: {error:?}"));
    let prefix = format!("{}/", base_url().as_str());
    for endpoint in &endpoints {
        assert!(
            endpoint.as_str().starts_with(&prefix),
            "{id}: the endpoint is not below `base_url`: {endpoint}"
        );
    }
    if let Ok(request) = provider.token_request(&profile.credential) {
        let uri = request.endpoint().to_uri();
        let is_known = uri.is_ok_and(|uri| endpoints.iter().any(|endpoint| endpoint.matches(&uri)));
        assert!(is_known, "{id}: the endpoints do not include that of the token request");
    }
}

/// Checks that a login starts below the profile's `base_url`, with a new `state`, without a secret.
///
/// The login needs no secret, and the token request of such a profile is `LoginRequired`.
pub fn login_starts_at_the_base_url_without_a_secret(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::new(info);
    let public_fields = info.fields.iter().filter(|field| !field.is_secret());
    let no_secret = public_fields.fold(Credential::new(), |credential, field| {
        credential.with_text(
            field.name.clone(),
            profile.credential.optional_text(&field.name).unwrap_or("x"),
        )
    });
    for variant in variants(info) {
        let Ok(provider) = variant.provider(info, Some(&base_url())) else { continue };
        let Some(interactive) = provider.interactive() else { continue };
        let (id, variant) = (&info.id, &variant.name);
        let login = interactive.authorization_request(&no_secret).unwrap_or_else(|error| {
            panic!("{id}: {variant}: no login without a secret: {error:?}")
        });
        let [url, other_url] =
            [[1; 48], [2; 48]].map(|random| login.url(&LoginAttempt::new(random)));
        assert!(
            url.starts_with(&format!("{}/", base_url().as_str())),
            "{id}: {variant}: the login URL is not below `base_url`"
        );
        for name in ["response_type", "client_id", "redirect_uri", "state"] {
            assert!(
                url.contains(&format!("{name}=")),
                "{id}: {variant}: the login URL has no {name}"
            );
        }
        assert_ne!(url, other_url, "{id}: {variant}: two logins have the same state");
        assert_no_leak(info, "the login URL", &url, &profile.canaries);
        let error = provider.token_request(&profile.credential).err();
        assert_eq!(
            error.map(|error| error.kind()),
            Some(ErrorKind::LoginRequired),
            "{id}: {variant}: the token request does not require a login"
        );
    }
}
