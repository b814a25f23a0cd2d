//! The checks: what is asked of every provider. Each panics, naming the provider, if it fails.

mod answers;
mod cache_key;
mod facts;
mod requests;
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

pub use self::answers::{
    a_503_without_a_body_is_unavailable, a_redirect_is_an_error_and_not_followed,
    a_web_page_is_no_token_answer, an_answer_that_is_cut_off_is_no_token,
    an_answer_without_a_token_is_an_error, an_empty_answer_is_no_token,
    fixtures_read_as_their_names_say, no_bytes_make_the_reader_panic,
    responses_of_any_members_leak_nothing,
};
pub use self::cache_key::cache_keys_cover_credential_and_settings;
pub use self::facts::{
    a_missing_secret_is_refused_by_name, a_missing_setting_is_refused_by_name,
    a_wrong_choice_is_refused_without_its_value, an_unknown_setting_is_refused_by_name,
    info_is_complete, the_example_profile_builds,
};
pub use self::requests::{
    a_login_begins_at_the_base_url_without_a_secret, endpoints_are_known_without_a_secret,
    headers_with_a_secret_are_sensitive, no_secret_is_in_the_url,
    requests_go_by_https_where_nothing_else_is_said, requests_go_to_the_base_url_alone,
};
pub use self::secrets::{
    nothing_printed_shows_a_secret, the_token_goes_into_sensitive_headers_alone,
};

/// One check: the facts, and the folder of the provider's fixtures.
pub type Check = fn(&ProviderInfo, &Path);

#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_check {
    ($then:ident $($arguments:tt)*) => {
        $crate::$then! {
            [
                info_is_complete
                the_example_profile_builds
                an_unknown_setting_is_refused_by_name
                a_missing_setting_is_refused_by_name
                a_missing_secret_is_refused_by_name
                a_wrong_choice_is_refused_without_its_value
                requests_go_to_the_base_url_alone
                requests_go_by_https_where_nothing_else_is_said
                no_secret_is_in_the_url
                headers_with_a_secret_are_sensitive
                endpoints_are_known_without_a_secret
                cache_keys_cover_credential_and_settings
                a_login_begins_at_the_base_url_without_a_secret
                fixtures_read_as_their_names_say
                a_503_without_a_body_is_unavailable
                a_web_page_is_no_token_answer
                an_empty_answer_is_no_token
                an_answer_that_is_cut_off_is_no_token
                an_answer_without_a_token_is_an_error
                a_redirect_is_an_error_and_not_followed
                no_bytes_make_the_reader_panic
                responses_of_any_members_leak_nothing
                the_token_goes_into_sensitive_headers_alone
                nothing_printed_shows_a_secret
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

/// Writes a module of tests, one for each check of [`checks`](crate::checks), about the provider
/// with these facts and the fixtures in a folder of its crate.
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

/// Every check, by the sentence it proves.
pub const ALL: &[(&str, Check)] = crate::__for_each_check!(__table);

/// Asks a provider everything. Panics at the first answer that is wrong.
pub fn conform(info: &ProviderInfo, fixtures: impl AsRef<Path>) {
    for (_, check) in ALL {
        check(info, fixtures.as_ref());
    }
}

/// Everything an error says.
fn printed(error: &Error) -> String {
    let hints = error.hints();
    let mut text = format!("{error} {error:?} {error:#?} {hints:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[track_caller]
fn no_leak(info: &ProviderInfo, what: &str, text: &str, secrets: &[Canary]) {
    if let Some(leak) = find_leak(text, secrets) {
        panic!("{}: {what} shows {leak}", info.id);
    }
}

fn token_request(info: &ProviderInfo, profile: &SampleProfile) -> Request {
    let request = profile.provider(info).token_request(&profile.credential);
    request.unwrap_or_else(|error| panic!("{}: the example makes no request: {error:?}", info.id))
}

/// Every request of one exchange gets the same answer.
fn exchanged(
    provider: &dyn Provider,
    credential: &Credential,
    answer: &Fixture,
) -> (FakeHttp, Result<Token>) {
    let (http, clock) = (FakeHttp::new(always(answer)), TestClock::new());
    let token_rules = TokenRules::default();
    let cx = ExchangeContext::new(&http, &clock, &token_rules);
    let outcome = block_on(cx.run(provider, credential));
    (http, outcome)
}

fn always(answer: &Fixture) -> impl FnMut(usize) -> FakeResponse + Send + 'static {
    let answer = FakeResponse::from(answer.clone());
    move |_| answer.clone()
}

/// Reads an answer as if it had come when it was recorded, so that a JWT in it still lives.
fn read(provider: &dyn Provider, fixture: &Fixture) -> Result<Token> {
    let response = fixture.response();
    let early = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    let sent = response.date().unwrap_or(early).min(TestClock::new().wall());
    provider.read_token(&response, sent)
}

fn token_of(info: &ProviderInfo, provider: &dyn Provider, fixture: &Fixture) -> Token {
    read(provider, fixture)
        .unwrap_or_else(|error| panic!("{}: fixture {}: {error:?}", info.id, fixture.name()))
}

fn token_fixtures(info: &ProviderInfo, fixtures: &Path) -> Vec<Fixture> {
    let mut tokens = Fixture::load_all(fixtures);
    tokens.retain(|fixture| fixture.name().starts_with("token"));
    assert!(!tokens.is_empty(), "{}: there is no fixture token*.http", info.id);
    tokens
}

/// What the token fixtures hold of secrets.
fn token_canaries(info: &ProviderInfo, provider: &dyn Provider, fixtures: &Path) -> Vec<Canary> {
    let tokens = token_fixtures(info, fixtures);
    let tokens = tokens.iter().map(|fixture| token_of(info, provider, fixture));
    tokens
        .flat_map(|token| {
            let extras = ["refresh_token", "id_token"].map(|name| {
                token.extra(name).map(|secret| Canary::of(name, secret.expose_secret()))
            });
            let token = Canary::of("token", token.expose_secret());
            [Some(token)].into_iter().chain(extras).flatten()
        })
        .collect()
}

fn text_of(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
