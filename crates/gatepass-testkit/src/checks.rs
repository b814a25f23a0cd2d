//! The conformance checks of providers. A check that fails panics with the provider's id.

mod cache_key;
mod facts;
mod requests;
mod responses;
mod secrets;

use std::error::Error as StdError;
use std::path::Path;
use std::time::{Duration, SystemTime};

use gatepass_core::{
    Clock, Credential, Error, ExchangeContext, Provider, ProviderInfo, Request, Result, Token,
    TokenRules,
};
use http::HeaderValue;

use crate::profile::SampleProfile;
use crate::{Canary, FakeHttp, FakeResponse, Fixture, TestClock, block_on, find_leak};

pub use self::cache_key::cache_keys_cover_credential_and_settings;
pub use self::facts::{
    error_about_a_wrong_choice_omits_its_value, error_names_a_missing_secret,
    error_names_a_missing_setting, error_names_an_unknown_setting, info_is_complete,
    sample_profile_builds_a_provider,
};
pub use self::requests::{
    endpoints_need_no_secret, headers_with_a_secret_are_sensitive,
    login_starts_at_the_base_url_without_a_secret, requests_use_https_by_default,
    requests_use_only_the_base_url, url_contains_no_secret,
};
pub use self::responses::{
    empty_503_is_unavailable, empty_response_is_an_error, fixture_names_match_their_results,
    generated_responses_leak_no_secret, reader_never_panics_on_a_damaged_response,
    redirect_is_an_error_and_not_followed, response_without_a_token_is_an_error,
    truncated_response_is_an_error, web_page_is_a_protocol_error,
};
pub use self::secrets::{authorize_sets_only_sensitive_headers, printed_output_shows_no_secret};

/// A check of a provider's facts, and the folder of its fixtures.
pub type Check = fn(&ProviderInfo, &Path);

#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_check {
    ($then:ident $($arguments:tt)*) => {
        $crate::$then! {
            [
                info_is_complete
                sample_profile_builds_a_provider
                error_names_an_unknown_setting
                error_names_a_missing_setting
                error_names_a_missing_secret
                error_about_a_wrong_choice_omits_its_value
                requests_use_only_the_base_url
                requests_use_https_by_default
                url_contains_no_secret
                headers_with_a_secret_are_sensitive
                endpoints_need_no_secret
                cache_keys_cover_credential_and_settings
                login_starts_at_the_base_url_without_a_secret
                fixture_names_match_their_results
                empty_503_is_unavailable
                web_page_is_a_protocol_error
                empty_response_is_an_error
                truncated_response_is_an_error
                response_without_a_token_is_an_error
                redirect_is_an_error_and_not_followed
                reader_never_panics_on_a_damaged_response
                generated_responses_leak_no_secret
                authorize_sets_only_sensitive_headers
                printed_output_shows_no_secret
            ]
            $($arguments)*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ([$($check:ident)*]) => {
        &[$((stringify!($check), $check)),*]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$($check:ident)*] $info:expr, $fixtures:expr) => {
        mod conformance {
            $(
                #[test]
                fn $check() {
                    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/", $fixtures);
                    $crate::checks::$check(&$info, ::std::path::Path::new(fixtures));
                }
            )*
        }
    };
}

/// Generates a module with one test per check of [`checks`](crate::checks).
///
/// The arguments are the provider's facts and the folder of its fixtures, relative to its crate.
///
/// ```ignore
/// #[cfg(test)]
/// gatepass_testkit::conformance!(super::INFO, "fixtures");
/// ```
#[macro_export]
macro_rules! conformance {
    ($info:expr, $fixtures:expr $(,)?) => {
        $crate::__for_each_check! { __tests $info, $fixtures }
    };
}

/// All checks with their names.
pub const ALL: &[(&str, Check)] = crate::__for_each_check!(__table);

/// Runs all checks on a provider.
///
/// # Panics
///
/// Panics if a check fails.
pub fn conform(info: &ProviderInfo, fixtures: impl AsRef<Path>) {
    for (_, check) in ALL {
        check(info, fixtures.as_ref());
    }
}

/// Returns all printed forms of an error: message, debug output, hints and causes.
fn format_error(error: &Error) -> String {
    let hints = error.hints();
    let mut text = format!("{error} {error:?} {error:#?} {hints:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    text
}

/// Panics if `text` shows one of the secrets.
#[track_caller]
fn assert_no_leak(info: &ProviderInfo, output: &str, text: &str, secrets: &[Canary]) {
    if let Some(leak) = find_leak(text, secrets) {
        panic!("{}: {output} shows {leak}", info.id);
    }
}

fn token_request(info: &ProviderInfo, profile: &SampleProfile) -> Request {
    let request = profile.provider(info).token_request(&profile.credential);
    request.unwrap_or_else(|error| {
        panic!("{}: the sample profile builds no token request: {error:?}", info.id)
    })
}

/// Runs one exchange in which every request gets the same response.
fn exchange(
    provider: &dyn Provider,
    credential: &Credential,
    response: &Fixture,
) -> (FakeHttp, Result<Token>) {
    let (http, clock) = (FakeHttp::new(always(response)), TestClock::new());
    let token_rules = TokenRules::default();
    let cx = ExchangeContext::new(&http, &clock, &token_rules);
    let outcome = block_on(cx.run(provider, credential));
    (http, outcome)
}

fn always(response: &Fixture) -> impl FnMut(usize) -> FakeResponse + Send + 'static {
    let response = FakeResponse::from(response.clone());
    move |_| response.clone()
}

/// Reads a response at the time of its recording, so that a JWT in it has not expired.
fn read(provider: &dyn Provider, fixture: &Fixture) -> Result<Token> {
    let response = fixture.response();
    let early = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    let sent = response.date().unwrap_or(early).min(TestClock::new().wall());
    provider.read_token(&response, sent)
}

fn read_fixture_token(info: &ProviderInfo, provider: &dyn Provider, fixture: &Fixture) -> Token {
    read(provider, fixture)
        .unwrap_or_else(|error| panic!("{}: fixture {}: {error:?}", info.id, fixture.name()))
}

fn token_fixtures(info: &ProviderInfo, fixtures: &Path) -> Vec<Fixture> {
    let mut tokens = Fixture::load_all(fixtures);
    tokens.retain(|fixture| fixture.name().starts_with("token"));
    assert!(!tokens.is_empty(), "{}: no fixture is named token*.http", info.id);
    tokens
}

/// Returns the secrets in the token fixtures.
fn token_canaries(info: &ProviderInfo, provider: &dyn Provider, fixtures: &Path) -> Vec<Canary> {
    let tokens = token_fixtures(info, fixtures);
    let tokens = tokens.iter().map(|fixture| read_fixture_token(info, provider, fixture));
    tokens
        .flat_map(|token| {
            let extras = ["refresh_token", "id_token"].map(|name| {
                token.extra(name).map(|secret| Canary::new(name, secret.expose_secret()))
            });
            let token = Canary::new("token", token.expose_secret());
            [Some(token)].into_iter().chain(extras).flatten()
        })
        .collect()
}

fn header_text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
