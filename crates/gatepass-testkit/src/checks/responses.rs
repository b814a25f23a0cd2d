//! Checks of how a provider reads responses: recorded, damaged and generated ones.

use std::collections::BTreeSet;
use std::path::Path;

use gatepass_core::{Error, ErrorKind, Provider, ProviderInfo};

use super::{assert_no_leak, exchange, format_error, read, token_canaries, token_fixtures};
use crate::Fixture;
use crate::profile::SampleProfile;

/// Checks that each fixture reads as the prefix of its name states.
///
/// `token*.http` reads as a token and `garbage*.http` as `Protocol`. `denied`, `throttled`,
/// `config`, `unavailable` and `unsafe` are the names of their error kinds. The prefixes `token`,
/// `denied`, `throttled` and `garbage` must exist.
pub fn fixture_names_match_their_results(info: &ProviderInfo, fixtures: &Path) {
    let provider = SampleProfile::new(info).provider(info);
    let fixtures = Fixture::load_all(fixtures);
    for prefix in ["token", "denied", "throttled", "garbage"] {
        let exists = fixtures.iter().any(|fixture| fixture.name().starts_with(prefix));
        assert!(exists, "{}: no fixture is named {prefix}*.http", info.id);
    }
    for fixture in &fixtures {
        let name = fixture.name();
        let read = read(&*provider, fixture).map_err(|error| (error.kind(), error));
        let is_expected = match (&read, expected_kind(name)) {
            (Ok(_), None) => name.starts_with("token") || !is_known(name),
            (Err((kind, _)), Some(expected)) => *kind == expected,
            (Err(_), None) => !is_known(name),
            (Ok(_), Some(_)) => false,
        };
        assert!(is_expected, "{}: fixture {name} reads as {read:?}", info.id);
    }
}

/// Checks that a 503 without a body is `Unavailable`.
pub fn empty_503_is_unavailable(info: &ProviderInfo, _: &Path) {
    let provider = SampleProfile::new(info).provider(info);
    let response = Fixture::parse("503", b"HTTP/1.1 503 Service Unavailable\n\n");
    let error = read_error(info, &*provider, &response);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}: {error:?}", info.id);
}

/// Checks that a 200 with a web page is `Protocol`.
pub fn web_page_is_a_protocol_error(info: &ProviderInfo, _: &Path) {
    let provider = SampleProfile::new(info).provider(info);
    let page = "<!doctype html><html><title>Sign in</title></html>";
    let response = Fixture::json(200, page).with_header("content-type", "text/html");
    let error = read_error(info, &*provider, &response);
    assert_eq!(error.kind(), ErrorKind::Protocol, "{}: {error:?}", info.id);
}

/// Checks that a 200 without a body is an error.
pub fn empty_response_is_an_error(info: &ProviderInfo, _: &Path) {
    let provider = SampleProfile::new(info).provider(info);
    for body in ["", " ", "\r\n"] {
        read_error(info, &*provider, &Fixture::json(200, body));
    }
}

/// Checks that no prefix of a token response reads as a token.
pub fn truncated_response_is_an_error(info: &ProviderInfo, fixtures: &Path) {
    let provider = SampleProfile::new(info).provider(info);
    for fixture in token_fixtures(info, fixtures) {
        let whole = fixture.body().trim_ascii_end();
        for end in 0..whole.len() {
            let part = whole.get(..end).unwrap_or_default().to_vec();
            let read = read(&*provider, &fixture.with_body(part));
            let name = fixture.name();
            assert!(read.is_err(), "{}: the first {end} bytes of {name} are a token", info.id);
        }
    }
}

/// Checks that a JSON response without a token is an error with any status.
pub fn response_without_a_token_is_an_error(info: &ProviderInfo, _: &Path) {
    let provider = SampleProfile::new(info).provider(info);
    for body in ["{}", "[]", "null", "0", "\"token\"", "{\"expires_in\":3600}", "{\"error\":\"x\"}"]
    {
        for status in [200, 201, 204, 400, 401, 403, 404, 429, 500, 503] {
            read_error(info, &*provider, &Fixture::json(status, body));
        }
    }
}

/// Checks that a redirect is an error and that the provider does not follow it.
pub fn redirect_is_an_error_and_not_followed(info: &ProviderInfo, fixtures: &Path) {
    let profile = SampleProfile::new(info);
    let provider = profile.provider_at_base_url(info);
    for token in token_fixtures(info, fixtures) {
        for status in [301, 302, 303, 307, 308] {
            for target in ["https://elsewhere.example.com/token", "/elsewhere", "//elsewhere"] {
                let redirect = token.with_status(status).with_header("location", target);
                let (http, outcome) = exchange(&*provider, &profile.credential, &redirect);
                assert!(outcome.is_err(), "{}: a {status} reads as a token", info.id);
                assert_eq!(http.count(), 1, "{}: the provider follows a {status}", info.id);
            }
        }
    }
}

/// Checks that damaged responses cause no panic and that their errors show no token.
///
/// The responses are fixtures with random changes. The seed is fixed, so that every run tests the
/// same responses.
pub fn reader_never_panics_on_a_damaged_response(info: &ProviderInfo, fixtures: &Path) {
    const ROUNDS: usize = 4000;
    let provider = SampleProfile::new(info).provider(info);
    let tokens = token_canaries(info, &*provider, fixtures);
    let fixtures = Fixture::load_all(fixtures);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut seen = BTreeSet::new();
    for _ in 0..ROUNDS {
        let Some(fixture) = fixtures.get(random.below(fixtures.len())) else { return };
        let mut body = fixture.body().to_vec();
        for _ in 0..=random.below(4) {
            random.change(&mut body);
        }
        let mut response = fixture.with_body(body);
        if random.below(4) == 0 {
            response = response.with_status(100 + random.below(500) as u16);
        }
        if let Err(error) = read(&*provider, &response) {
            let text = format!("{error:?}");
            // Most changes cause one of a few errors; the search runs once for each.
            if seen.insert(text.clone()) && error.vendor_text().is_none() {
                assert_no_leak(info, "the error of a damaged response", &text, &tokens);
            }
        }
    }
}

/// Checks that generated JSON responses cause no panic and that their errors show no secret.
///
/// The responses combine the members of all vendors at random, with the credential among the
/// values. A token that the provider reads must occur in the response.
pub fn generated_responses_leak_no_secret(info: &ProviderInfo, _: &Path) {
    const ROUNDS: usize = 4000;
    let profile = SampleProfile::new(info);
    let provider = profile.provider(info);
    let secret = profile.canaries.first().map_or("made-up", |canary| canary.text());
    let values = [
        format!("\"{secret}\""),
        format!("\"see {secret}.\""),
        format!("{{\"token\":\"{secret}\"}}"),
    ];
    let literals = ["\"bearer\"", "\"3600\"", "3600", "200", "401", "-1", "null", "{}", "[1]"];
    let literals = literals.iter().chain(&["\"invalid_client\"", "\"200\""]);
    let values: Vec<String> =
        values.into_iter().chain(literals.map(|value| (*value).to_owned())).collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..ROUNDS {
        let member = |random: &mut Random| {
            let name = MEMBERS.get(random.below(MEMBERS.len())).copied().unwrap_or_default();
            let value = values.get(random.below(values.len())).map_or("null", String::as_str);
            format!("\"{name}\":{value}")
        };
        let members: Vec<String> = (0..random.below(6)).map(|_| member(&mut random)).collect();
        let prefix = if random.below(4) == 0 { "\u{1}x" } else { "" };
        let body = format!("{prefix}{{{}}}", members.join(","));
        let status = match random.below(3) {
            0 => 200,
            _ => 100 + random.below(500) as u16,
        };
        let response = Fixture::json(status, body.clone());
        match read(&*provider, &response) {
            Ok(token) => {
                let occurs = body.contains(token.expose_secret());
                assert!(occurs, "{}: the token does not occur in the response", info.id);
            }
            Err(error) => {
                let error = provider.explain(&profile.credential, error);
                let text = format_error(&error.redacted(&profile.credential));
                assert_no_leak(info, "the error of a response", &text, &profile.canaries);
            }
        }
    }
}

/// The members of all vendors' responses.
const MEMBERS: &[&str] = &[
    "access_token",
    "id_token",
    "token",
    "result",
    "token_type",
    "expires_in",
    "scope",
    "statusCode",
    "code",
    "message",
    "error",
    "error_description",
    "error_code",
    "error_msg",
    "errorCode",
    "errorMessage",
];

fn read_error(info: &ProviderInfo, provider: &dyn Provider, response: &Fixture) -> Error {
    match read(provider, response) {
        Err(error) => error,
        Ok(_) => panic!("{}: reads as a token: {response:?}", info.id),
    }
}

fn expected_kind(name: &str) -> Option<ErrorKind> {
    KINDS.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, kind)| *kind)
}

fn is_known(name: &str) -> bool {
    name.starts_with("token") || expected_kind(name).is_some()
}

const KINDS: [(&str, ErrorKind); 6] = [
    ("denied", ErrorKind::Denied),
    ("throttled", ErrorKind::Throttled),
    ("garbage", ErrorKind::Protocol),
    ("config", ErrorKind::Config),
    ("unavailable", ErrorKind::Unavailable),
    ("unsafe", ErrorKind::UnsafeToken),
];

/// A generator of pseudo-random numbers with a fixed seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        mixed as usize % end.max(1)
    }

    /// Changes, inserts, removes or repeats bytes at a random position.
    fn change(&mut self, bytes: &mut Vec<u8>) {
        const FRAGMENTS: &[&[u8]] = &[
            b"\"",
            b"{",
            b"}",
            b"[",
            b"\\",
            b"\\u0000",
            b"\xFF",
            b"\0",
            b"-1",
            b"1e999",
            b"null",
            b"\xEF\xBB\xBF",
            b",",
            b"9999999999999999999999",
            b"\r\n",
            b" ",
        ];
        let start = self.below(bytes.len() + 1);
        let end = (start + self.below(16)).min(bytes.len());
        match self.below(5) {
            0 => {
                let fragment =
                    FRAGMENTS.get(self.below(FRAGMENTS.len())).copied().unwrap_or_default();
                bytes.splice(start..start, fragment.iter().copied());
            }
            1 => drop(bytes.drain(start..end)),
            2 => bytes.truncate(start),
            3 => {
                let part = bytes.get(start..end).unwrap_or_default().to_vec();
                bytes.splice(start..start, part);
            }
            _ => {
                let new = self.below(256) as u8;
                if let Some(byte) = bytes.get_mut(start) {
                    *byte = new;
                }
            }
        }
    }
}
