//! Checks of where secrets show: in sensitive header fields, and nowhere else.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_core::{ApiRequest, ProviderInfo};
use http::{HeaderMap, HeaderValue, Uri};

use super::{
    exchanged, no_leak, printed, text_of, token_canaries, token_fixtures, token_of, token_request,
};
use crate::profile::SampleProfile;
use crate::{Canary, Fixture};

/// `authorize` puts the token on an API request, in header fields marked sensitive, and leaves the
/// others as they are.
pub fn the_token_goes_into_sensitive_headers_alone(info: &ProviderInfo, fixtures: &Path) {
    let profile = SampleProfile::of(info);
    let provider = profile.provider(info);
    for fixture in token_fixtures(info, fixtures) {
        let token = token_of(info, &*provider, &fixture);
        let secrets = with(&profile.canaries, &[Canary::of("token", token.expose_secret())]);
        let (mut uri, mut headers) =
            (Uri::from_static("https://api.example.com/x"), HeaderMap::new());
        headers.insert("x-kept", HeaderValue::from_static("kept"));
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        let outcome = provider.authorize(&profile.credential, &token, &mut request);
        no_leak(info, "the request's Debug", &format!("{request:?}"), &secrets);
        no_leak(info, "the request's address", &uri.to_string(), &secrets);
        assert!(outcome.is_ok(), "{}: authorize fails: {outcome:?}", info.id);
        assert!(
            headers.get("x-kept").is_some_and(|kept| kept == "kept"),
            "{}: a header is gone",
            info.id
        );
        let has_token = |value: &HeaderValue| text_of(value).contains(token.expose_secret());
        assert!(headers.values().any(has_token), "{}: no header has the token", info.id);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_sensitive()) {
            no_leak(
                info,
                &format!("the header {name}, not marked sensitive,"),
                &text_of(value),
                &secrets,
            );
        }
        no_leak(info, "the headers' Debug", &format!("{headers:?}"), &secrets);
    }
}

/// No `Debug` or `Display` of provider, settings, credential, request, answer, token or error
/// shows a secret, nor does an error of a vendor that repeats what it was sent.
pub fn nothing_printed_shows_a_secret(info: &ProviderInfo, fixtures: &Path) {
    let profile = SampleProfile::of(info);
    let provider = profile.provider(info);
    let tokens = token_canaries(info, &*provider, fixtures);
    let secrets = with(&profile.canaries, &tokens);
    let check = |what: &str, text: String| no_leak(info, what, &text, &secrets);

    check("the provider", format!("{provider:?} {provider:#?}"));
    check("the settings", format!("{:?} {:#?}", profile.settings, profile.settings));
    check("the credential", format!("{:?} {:#?}", profile.credential, profile.credential));
    let request = token_request(info, &profile);
    check("the request", format!("{request:?} {request:#?} {}", request.endpoint()));
    for fixture in Fixture::load_all(fixtures) {
        let response = fixture.response();
        check("the answer", format!("{response:?} {response:#?}"));
        match exchanged(&*provider, &profile.credential, &fixture).1 {
            Ok(token) => check("the token", format!("{token:?} {token:#?}")),
            Err(error) => check(&format!("the error of {}", fixture.name()), printed(&error)),
        }
    }
    for canary in &profile.canaries {
        let text = canary.text();
        let said = format!("you sent {text}, in base64 {}", STANDARD.encode(text));
        let names = ["error_description", "error_msg", "message", "errorSummary"];
        for name in names {
            let body = format!("{{\"error\":\"invalid_client\",\"{name}\":\"{said}\"}}");
            let (_, outcome) =
                exchanged(&*provider, &profile.credential, &Fixture::json(400, body));
            if let Err(error) = outcome {
                check("the error of a vendor that repeats the secret", printed(&error));
            }
        }
    }
}

fn with(some: &[Canary], more: &[Canary]) -> Vec<Canary> {
    some.iter().chain(more).cloned().collect()
}
