//! Checks that secrets occur only in header fields that are marked sensitive.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_core::{ApiRequest, ProviderInfo};
use http::{HeaderMap, HeaderValue, Uri};

use super::{
    assert_no_leak, exchange, format_error, header_text, read_fixture_token, token_canaries,
    token_fixtures, token_request,
};
use crate::profile::SampleProfile;
use crate::{Canary, Fixture};

/// Checks that `authorize` adds the token only in sensitive header fields.
///
/// The other header fields of the API request must not change.
pub fn authorize_sets_only_sensitive_headers(info: &ProviderInfo, fixtures: &Path) {
    let profile = SampleProfile::new(info);
    let provider = profile.provider(info);
    for fixture in token_fixtures(info, fixtures) {
        let token = read_fixture_token(info, &*provider, &fixture);
        let secrets = join(&profile.canaries, &[Canary::new("token", token.expose_secret())]);
        let (mut uri, mut headers) =
            (Uri::from_static("https://api.example.com/x"), HeaderMap::new());
        headers.insert("x-kept", HeaderValue::from_static("kept"));
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        let outcome = provider.authorize(&profile.credential, &token, &mut request);
        assert_no_leak(info, "the request's Debug", &format!("{request:?}"), &secrets);
        assert_no_leak(info, "the URL of the request", &uri.to_string(), &secrets);
        assert!(outcome.is_ok(), "{}: authorize fails: {outcome:?}", info.id);
        assert!(
            headers.get("x-kept").is_some_and(|kept| kept == "kept"),
            "{}: authorize changes another header",
            info.id
        );
        let has_token = |value: &HeaderValue| header_text(value).contains(token.expose_secret());
        assert!(headers.values().any(has_token), "{}: no header contains the token", info.id);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_sensitive()) {
            assert_no_leak(
                info,
                &format!("the header {name}, not marked sensitive,"),
                &header_text(value),
                &secrets,
            );
        }
        assert_no_leak(info, "the headers' Debug", &format!("{headers:?}"), &secrets);
    }
}

/// Checks that `Debug` and `Display` output shows no secret.
///
/// The check covers provider, settings, credential, request, response, token and errors, also the
/// error of a vendor that repeats the secret in its response.
pub fn printed_output_shows_no_secret(info: &ProviderInfo, fixtures: &Path) {
    let profile = SampleProfile::new(info);
    let provider = profile.provider(info);
    let tokens = token_canaries(info, &*provider, fixtures);
    let secrets = join(&profile.canaries, &tokens);
    let check = |output: &str, text: String| assert_no_leak(info, output, &text, &secrets);

    check("the provider", format!("{provider:?} {provider:#?}"));
    check("the settings", format!("{:?} {:#?}", profile.settings, profile.settings));
    check("the credential", format!("{:?} {:#?}", profile.credential, profile.credential));
    let request = token_request(info, &profile);
    check("the request", format!("{request:?} {request:#?} {}", request.endpoint()));
    for fixture in Fixture::load_all(fixtures) {
        let response = fixture.response();
        check("the response", format!("{response:?} {response:#?}"));
        match exchange(&*provider, &profile.credential, &fixture).1 {
            Ok(token) => check("the token", format!("{token:?} {token:#?}")),
            Err(error) => check(&format!("the error of {}", fixture.name()), format_error(&error)),
        }
    }
    for canary in &profile.canaries {
        let text = canary.text();
        let message = format!("you sent {text}, in base64 {}", STANDARD.encode(text));
        let names = ["error_description", "error_msg", "message", "errorSummary"];
        for name in names {
            let body = format!("{{\"error\":\"invalid_client\",\"{name}\":\"{message}\"}}");
            let (_, outcome) = exchange(&*provider, &profile.credential, &Fixture::json(400, body));
            if let Err(error) = outcome {
                check("the error of a vendor that repeats the secret", format_error(&error));
            }
        }
    }
}

fn join(first: &[Canary], second: &[Canary]) -> Vec<Canary> {
    first.iter().chain(second).cloned().collect()
}
