//! Checks of the token request: where it goes, and where its secrets stand.

use std::path::Path;

use gatepass_core::{Credential, ErrorKind, LoginAttempt, ProviderInfo, Settings};
use http::Method;

use super::{exchanged, no_leak, text_of, token_request};
use crate::Fixture;
use crate::profile::{SampleProfile, base_url, variants};

/// Every request of an exchange is a POST to an address below the profile's `base_url`.
pub fn requests_go_to_the_base_url_alone(info: &ProviderInfo, fixtures: &Path) {
    let profile = SampleProfile::of(info);
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
    let profile = SampleProfile::of(info);
    let request = token_request(info, &profile);
    assert!(!request.endpoint().is_plain_http(), "{}: {request:?}", info.id);
    assert_eq!(request.method(), Method::POST, "{}: {request:?}", info.id);
}

/// The address holds no secret, unless a profile asks for that.
pub fn no_secret_is_in_the_url(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::of(info);
    let request = token_request(info, &profile);
    assert!(!request.has_secret_in_url(), "{}: a secret is in the URL", info.id);
    no_leak(info, "the URL", request.endpoint().as_str(), &profile.canaries);
}

/// A header field that holds a secret is marked sensitive.
pub fn headers_with_a_secret_are_sensitive(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::of(info);
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

/// The endpoints are known without a secret, and the token request goes to one of them.
pub fn endpoints_are_known_without_a_secret(info: &ProviderInfo, _: &Path) {
    let (id, profile) = (&info.id, SampleProfile::of(info));
    let provider = profile.provider_at_base_url(info);
    let texts = profile.credential.texts();
    let no_secret = texts.fold(Credential::new(), |credential, (name, text)| {
        credential.with_text(name.to_owned(), text)
    });
    let endpoints = provider
        .endpoints(&no_secret)
        .unwrap_or_else(|error| panic!("{id}: no endpoints without a secret: {error:?}"));
    let below = format!("{}/", base_url().as_str());
    for endpoint in &endpoints {
        assert!(endpoint.as_str().starts_with(&below), "{id}: goes elsewhere: {endpoint}");
    }
    if let Ok(request) = provider.token_request(&profile.credential) {
        let uri = request.endpoint().to_uri();
        let is_known = uri.is_ok_and(|uri| endpoints.iter().any(|one| one.matches(&uri)));
        assert!(is_known, "{id}: the token request does not go to one of the endpoints");
    }
}

/// A login begins below the profile's `base_url`, with a fresh `state` and without a secret, and
/// needs none; meanwhile the token cannot be asked for.
pub fn a_login_begins_at_the_base_url_without_a_secret(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::of(info);
    let person = info.fields.iter().filter(|field| !field.is_secret());
    let person = person.fold(Credential::new(), |credential, field| {
        credential.with_text(
            field.name.clone(),
            profile.credential.optional_text(&field.name).unwrap_or("x"),
        )
    });
    for (what, [least, most]) in variants(info) {
        let build =
            |settings: &Settings| info.provider(&settings.clone().with_base_url(base_url()));
        let Ok(provider) = build(&least).or_else(|_| build(&most)) else { continue };
        let Some(interactive) = provider.interactive() else { continue };
        let id = &info.id;
        let login = interactive
            .authorization_request(&person)
            .unwrap_or_else(|error| panic!("{id}: {what}: no login without a secret: {error:?}"));
        let [one, other] = [[1; 48], [2; 48]].map(|random| login.url(&LoginAttempt::new(random)));
        assert!(
            one.starts_with(&format!("{}/", base_url().as_str())),
            "{id}: {what}: goes elsewhere"
        );
        for name in ["response_type", "client_id", "redirect_uri", "state"] {
            assert!(one.contains(&format!("{name}=")), "{id}: {what}: there is no {name}");
        }
        assert_ne!(one, other, "{id}: {what}: two logins have the same state");
        no_leak(info, "the URL of a login", &one, &profile.canaries);
        let error = provider.token_request(&profile.credential).err();
        assert_eq!(
            error.map(|error| error.kind()),
            Some(ErrorKind::LoginRequired),
            "{id}: {what}: a token that a login brings is asked for"
        );
    }
}
