//! Checks of how answers are read: the fixtures, and what becomes of them on their way.

use std::collections::BTreeSet;
use std::path::Path;

use gatepass_core::{Error, ErrorKind, Provider, ProviderInfo};

use super::{exchanged, no_leak, printed, read, token_canaries, token_fixtures};
use crate::Fixture;
use crate::profile::SampleProfile;

/// `token*.http` reads as a token, `denied*` as `Denied`, `throttled*` as `Throttled`, `garbage*`
/// as `Protocol`, `config*`, `unavailable*` and `unsafe*` likewise; the first four are there.
pub fn fixtures_read_as_their_names_say(info: &ProviderInfo, fixtures: &Path) {
    let provider = SampleProfile::of(info).provider(info);
    let fixtures = Fixture::load_all(fixtures);
    for wanted in ["token", "denied", "throttled", "garbage"] {
        let is_there = fixtures.iter().any(|fixture| fixture.name().starts_with(wanted));
        assert!(is_there, "{}: there is no fixture {wanted}*.http", info.id);
    }
    for fixture in &fixtures {
        let name = fixture.name();
        let read = read(&*provider, fixture).map_err(|error| (error.kind(), error));
        let is_right = match (&read, kind_of(name)) {
            (Ok(_), None) => name.starts_with("token") || !is_known(name),
            (Err((kind, _)), Some(wanted)) => *kind == wanted,
            (Err(_), None) => !is_known(name),
            (Ok(_), Some(_)) => false,
        };
        assert!(is_right, "{}: fixture {name} reads as {read:?}", info.id);
    }
}

/// A 503 with nothing in it is `Unavailable`.
pub fn a_503_without_a_body_is_unavailable(info: &ProviderInfo, _: &Path) {
    let provider = SampleProfile::of(info).provider(info);
    let answer = Fixture::parse("503", b"HTTP/1.1 503 Service Unavailable\n\n");
    let error = error_of(info, &*provider, &answer);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}: {error:?}", info.id);
}

/// A 200 with a web page in it is `Protocol`.
pub fn a_web_page_is_no_token_answer(info: &ProviderInfo, _: &Path) {
    let provider = SampleProfile::of(info).provider(info);
    let page = "<!doctype html><html><title>Sign in</title></html>";
    let answer = Fixture::json(200, page).with_header("content-type", "text/html");
    let error = error_of(info, &*provider, &answer);
    assert_eq!(error.kind(), ErrorKind::Protocol, "{}: {error:?}", info.id);
}

/// An empty 200 is an error.
pub fn an_empty_answer_is_no_token(info: &ProviderInfo, _: &Path) {
    let provider = SampleProfile::of(info).provider(info);
    for body in ["", " ", "\r\n"] {
        error_of(info, &*provider, &Fixture::json(200, body));
    }
}

/// No beginning of a token answer is a token.
pub fn an_answer_that_is_cut_off_is_no_token(info: &ProviderInfo, fixtures: &Path) {
    let provider = SampleProfile::of(info).provider(info);
    for fixture in token_fixtures(info, fixtures) {
        let whole = fixture.body().trim_ascii_end();
        for end in 0..whole.len() {
            let part = whole.get(..end).unwrap_or_default().to_vec();
            let answer = fixture.with_body(part);
            let read = read(&*provider, &answer);
            assert!(read.is_err(), "{}: {} bytes of {} are a token", info.id, end, fixture.name());
        }
    }
}

/// A JSON answer without a token, or with one that is none, is an error.
pub fn an_answer_without_a_token_is_an_error(info: &ProviderInfo, _: &Path) {
    let provider = SampleProfile::of(info).provider(info);
    for body in ["{}", "[]", "null", "0", "\"token\"", "{\"expires_in\":3600}", "{\"error\":\"x\"}"]
    {
        for status in [200, 201, 204, 400, 401, 403, 404, 429, 500, 503] {
            error_of(info, &*provider, &Fixture::json(status, body));
        }
    }
}

/// A redirect is an error; nothing is sent to where it leads.
pub fn a_redirect_is_an_error_and_not_followed(info: &ProviderInfo, fixtures: &Path) {
    let profile = SampleProfile::of(info);
    let provider = profile.provider_at_base_url(info);
    for token in token_fixtures(info, fixtures) {
        for status in [301, 302, 303, 307, 308] {
            for target in ["https://elsewhere.example.com/token", "/elsewhere", "//elsewhere"] {
                let answer = token.with_status(status).with_header("location", target);
                let (http, outcome) = exchanged(&*provider, &profile.credential, &answer);
                assert!(outcome.is_err(), "{}: a {status} is a token", info.id);
                assert_eq!(http.count(), 1, "{}: a {status} is followed", info.id);
            }
        }
    }
}

/// Whatever bytes come, the reader does not panic, and its error shows no token. The bytes are the
/// fixtures, changed at random; the changes are the same each time.
pub fn no_bytes_make_the_reader_panic(info: &ProviderInfo, fixtures: &Path) {
    const ROUNDS: usize = 4000;
    let provider = SampleProfile::of(info).provider(info);
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
        let mut answer = fixture.with_body(body);
        if random.below(4) == 0 {
            answer = answer.with_status(100 + random.below(500) as u16);
        }
        if let Err(error) = read(&*provider, &answer) {
            let text = format!("{error:?}");
            // The same error again needs no second look.
            if seen.insert(text.clone()) && error.vendor_text().is_none() {
                no_leak(info, "the error of a damaged answer", &text, &tokens);
            }
        }
    }
}

/// Any combination of members that vendors send is read without a panic. A token that is read
/// occurs in the response, and an error shows nothing of the credential.
pub fn responses_of_any_members_leak_nothing(info: &ProviderInfo, _: &Path) {
    const ROUNDS: usize = 4000;
    let profile = SampleProfile::of(info);
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
        let noise = if random.below(4) == 0 { "\u{1}x" } else { "" };
        let body = format!("{noise}{{{}}}", members.join(","));
        let status = match random.below(3) {
            0 => 200,
            _ => 100 + random.below(500) as u16,
        };
        let response = Fixture::json(status, body.clone());
        match read(&*provider, &response) {
            Ok(token) => {
                let is_there = body.contains(token.expose_secret());
                assert!(is_there, "{}: the token is not in the response", info.id);
            }
            Err(error) => {
                let error = provider.explain(&profile.credential, error);
                let text = printed(&error.redacted(&profile.credential));
                no_leak(info, "the error of a response", &text, &profile.canaries);
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

fn error_of(info: &ProviderInfo, provider: &dyn Provider, answer: &Fixture) -> Error {
    match read(provider, answer) {
        Err(error) => error,
        Ok(_) => panic!("{}: reads as a token: {answer:?}", info.id),
    }
}

fn kind_of(name: &str) -> Option<ErrorKind> {
    KINDS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, kind)| *kind)
}

fn is_known(name: &str) -> bool {
    name.starts_with("token") || kind_of(name).is_some()
}

const KINDS: [(&str, ErrorKind); 6] = [
    ("denied", ErrorKind::Denied),
    ("throttled", ErrorKind::Throttled),
    ("garbage", ErrorKind::Protocol),
    ("config", ErrorKind::Config),
    ("unavailable", ErrorKind::Unavailable),
    ("unsafe", ErrorKind::UnsafeToken),
];

/// Numbers that look random and are the same each time (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        mixed as usize % end.max(1)
    }

    /// Changes, adds, removes or repeats bytes somewhere.
    fn change(&mut self, bytes: &mut Vec<u8>) {
        const ODD: &[&[u8]] = &[
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
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(16)).min(bytes.len());
        match self.below(5) {
            0 => {
                let odd = ODD.get(self.below(ODD.len())).copied().unwrap_or_default();
                bytes.splice(at..at, odd.iter().copied());
            }
            1 => drop(bytes.drain(at..end)),
            2 => bytes.truncate(at),
            3 => {
                let part = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let new = self.below(256) as u8;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = new;
                }
            }
        }
    }
}
