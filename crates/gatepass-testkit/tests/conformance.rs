//! Tests of the conformance checks: the example provider passes, and a provider with a flaw fails.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use gatepass_core::{
    ApiRequest, CacheKey, Credential, Endpoint, Error, ErrorKind, Field, Provider, ProviderInfo,
    Request, Response, Result, Secret, Settings, Token, async_trait, oauth2,
};
use gatepass_testkit::checks;
use gatepass_testkit::example::{self, Example};
use http::HeaderName;

gatepass_testkit::conformance!(gatepass_testkit::example::INFO, "fixtures");

#[test]
fn conform_runs_all_checks() {
    gatepass_testkit::conform(&example::INFO, fixtures());
}

/// The providers with a flaw, each with the check that finds it.
const FLAWS: &[(ProviderInfo, &str)] = &[
    (example::INFO.docs("http://x"), "info_is_complete"),
    (flawed::<OTHER_ID>(), "info_is_complete"),
    (flawed::<REJECTS_SAMPLE>(), "sample_profile_builds_a_provider"),
    (flawed::<IGNORES_MISSING_FIELD>(), "error_names_a_missing_secret"),
    (flawed::<OMITS_FIELD_NAME>(), "error_names_a_missing_secret"),
    (flawed::<IGNORES_BASE_URL>(), "requests_use_only_the_base_url"),
    (flawed::<SENDS_GET>(), "requests_use_only_the_base_url"),
    (flawed::<PLAIN_HTTP>(), "requests_use_https_by_default"),
    (flawed::<SECRET_PATH>(), "url_contains_no_secret"),
    (flawed::<SECRET_QUERY>(), "url_contains_no_secret"),
    (flawed::<TOKEN_IN_QUERY>(), "authorize_sets_only_sensitive_headers"),
    (flawed::<NO_HEADER>(), "authorize_sets_only_sensitive_headers"),
    (flawed::<OVERWRITES_HEADER>(), "authorize_sets_only_sensitive_headers"),
    (flawed::<OTHER_ENDPOINT>(), "endpoints_need_no_secret"),
    (flawed::<SAME_CACHE_KEY>(), "cache_keys_cover_credential_and_settings"),
    (flawed::<READS_BY_SETTING>().fields(WITH_CHOICE), "cache_keys_cover_credential_and_settings"),
    (flawed::<DENIES_ALL>(), "fixture_names_match_their_results"),
    (flawed::<DENIES_ALL>(), "empty_503_is_unavailable"),
    (flawed::<DENIES_ALL>(), "web_page_is_a_protocol_error"),
    (flawed::<ACCEPTS_ALL>(), "empty_response_is_an_error"),
    (flawed::<ACCEPTS_ALL>(), "truncated_response_is_an_error"),
    (flawed::<ACCEPTS_ALL>(), "response_without_a_token_is_an_error"),
    (flawed::<ACCEPTS_ALL>(), "redirect_is_an_error_and_not_followed"),
    (flawed::<FOLLOWS_REDIRECT>(), "redirect_is_an_error_and_not_followed"),
    (flawed::<PANICS_ON_SHORT_BODY>(), "reader_never_panics_on_a_damaged_response"),
    (flawed::<QUOTES_RESPONSE>(), "reader_never_panics_on_a_damaged_response"),
    (flawed::<ACCEPTS_ALL>(), "generated_responses_leak_no_secret"),
    (flawed::<DEBUG_SHOWS_TOKEN>(), "printed_output_shows_no_secret"),
    (flawed::<ECHOES_REQUEST>(), "printed_output_shows_no_secret"),
];

#[test]
fn check_finds_its_flaw() {
    for (info, name) in FLAWS {
        let (_, check) = checks::ALL.iter().find(|(known, _)| known == name).unwrap();
        check(&example::INFO, &fixtures());
        let found = catch_unwind(AssertUnwindSafe(|| check(info, &fixtures())));
        assert!(found.is_err(), "{name} does not find its flaw");
    }
}

#[test]
fn error_names_the_missing_fixture() {
    let no_fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found =
        catch_unwind(|| checks::fixture_names_match_their_results(&example::INFO, &no_fixtures));
    assert_eq!(message(&*found.unwrap_err()), "example: no fixture is named token*.http");
}

#[test]
fn failed_check_shows_no_secret() {
    let found =
        catch_unwind(|| checks::url_contains_no_secret(&flawed::<SECRET_PATH>(), &fixtures()));
    assert_eq!(message(&*found.unwrap_err()), "flawed: the URL shows `client_secret` unchanged");
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload.downcast_ref::<String>().map_or("", String::as_str)
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

const OTHER_ID: u8 = 1;
const REJECTS_SAMPLE: u8 = 2;
const IGNORES_MISSING_FIELD: u8 = 3;
const OMITS_FIELD_NAME: u8 = 4;
const IGNORES_BASE_URL: u8 = 5;
const SENDS_GET: u8 = 6;
const PLAIN_HTTP: u8 = 7;
const SECRET_PATH: u8 = 8;
const SECRET_QUERY: u8 = 9;
const TOKEN_IN_QUERY: u8 = 10;
const NO_HEADER: u8 = 11;
const OVERWRITES_HEADER: u8 = 12;
const DENIES_ALL: u8 = 13;
const ACCEPTS_ALL: u8 = 14;
const FOLLOWS_REDIRECT: u8 = 15;
const PANICS_ON_SHORT_BODY: u8 = 16;
const QUOTES_RESPONSE: u8 = 17;
const DEBUG_SHOWS_TOKEN: u8 = 18;
const ECHOES_REQUEST: u8 = 19;
const OTHER_ENDPOINT: u8 = 20;
const SAME_CACHE_KEY: u8 = 21;
const READS_BY_SETTING: u8 = 22;

const FIELDS: &[Field] = &[Field::text("client_id", "a"), Field::secret("client_secret", "b")];

const WITH_CHOICE: &[Field] = &[
    Field::text("client_id", "a"),
    Field::secret("client_secret", "b"),
    Field::choice("use", &["own", "fixed"], "c"),
];

const fn flawed<const FLAW: u8>() -> ProviderInfo {
    ProviderInfo::new("flawed", "Flawed").docs("https://vendor.example.com").fields(FIELDS).build(
        |settings| {
            if FLAW == REJECTS_SAMPLE {
                return Err(Error::config("rejected on purpose"));
            }
            let is_fixed = settings.optional_text("use") == Some("fixed");
            Ok(Box::new(Flawed::<FLAW> { endpoint: endpoint::<FLAW>(settings)?, is_fixed }))
        },
    )
}

fn endpoint<const FLAW: u8>(settings: &Settings) -> Result<Endpoint> {
    let own = Endpoint::parse("https://vendor.example.com")?;
    match FLAW {
        IGNORES_BASE_URL => own,
        PLAIN_HTTP => Endpoint::parse("http://localhost")?,
        _ => settings.base_url().cloned().unwrap_or(own),
    }
    .join("/token")
}

/// A provider that is correct except for one flaw.
struct Flawed<const FLAW: u8> {
    endpoint: Endpoint,
    is_fixed: bool,
}

impl<const FLAW: u8> fmt::Debug for Flawed<FLAW> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if FLAW == DEBUG_SHOWS_TOKEN { "Flawed(example-token-1)" } else { "Flawed" })
    }
}

#[async_trait]
impl<const FLAW: u8> Provider for Flawed<FLAW> {
    fn id(&self) -> &str {
        if FLAW == OTHER_ID { "other" } else { "flawed" }
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        let blank = Secret::from("");
        let secret = match (FLAW, credential.secret("client_secret")) {
            (IGNORES_MISSING_FIELD, secret) => secret.unwrap_or(&blank),
            (OMITS_FIELD_NAME, secret) => {
                secret.map_err(|_| Error::config("a field is missing"))?
            }
            (_, secret) => secret?,
        };
        let secret = ("client_secret", secret.expose_secret());
        let mut endpoint = self.endpoint.clone();
        if FLAW == SECRET_PATH {
            endpoint = endpoint.join(&format!("/{}", secret.1))?;
        }
        let request = Request::post(endpoint);
        Ok(match FLAW {
            SENDS_GET => request.with_method(http::Method::GET),
            SECRET_QUERY => request.secret_query([secret]),
            _ => request.form([secret]),
        })
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        let text = String::from_utf8_lossy(response.body()).into_owned();
        match FLAW {
            DENIES_ALL => Err(Error::denied("no")),
            READS_BY_SETTING if self.is_fixed => Token::builder("fixed".into(), sent).build(),
            ACCEPTS_ALL => Token::builder("accepted".into(), sent).build(),
            PANICS_ON_SHORT_BODY => {
                let start = text.find(":").unwrap_or_default();
                let _ = &text[start + 20..];
                oauth2::read_token(response, sent)
            }
            QUOTES_RESPONSE => oauth2::read_token(response, sent)
                .map_err(|e| if e.kind() == ErrorKind::Denied { e } else { Error::protocol(text) }),
            ECHOES_REQUEST if response.status() == 400 => Err(Error::config(text)),
            _ => oauth2::read_token(response, sent),
        }
    }

    fn endpoints(&self, credential: &Credential) -> Result<Vec<Endpoint>> {
        let secret = credential.optional_secret("client_secret").cloned();
        let secret = secret.unwrap_or_else(|| Secret::from("x"));
        let endpoint = match FLAW {
            OTHER_ENDPOINT => self.endpoint.join("/v2")?,
            SECRET_PATH => self.endpoint.join(&format!("/{}", secret.expose_secret()))?,
            _ => self.endpoint.clone(),
        };
        Ok(vec![endpoint])
    }

    fn cache_key(&self, credential: &Credential) -> Result<CacheKey> {
        match FLAW {
            SAME_CACHE_KEY => Ok(CacheKey::from_parts([])),
            _ => CacheKey::from_provider(self, credential),
        }
    }

    fn authorize(&self, _: &Credential, token: &Token, request: &mut ApiRequest<'_>) -> Result<()> {
        if FLAW == TOKEN_IN_QUERY {
            request.add_query([("token", token.expose_secret())])?;
        }
        let value = token.authorization().clone();
        let name = HeaderName::from_static(match FLAW {
            NO_HEADER => return Ok(()),
            OVERWRITES_HEADER => "x-kept",
            _ => "x-token",
        });
        request.set_header(name, value);
        Ok(())
    }

    async fn exchange(
        &self,
        credential: &Credential,
        cx: &gatepass_core::ExchangeContext<'_>,
    ) -> Result<Token> {
        let sent = cx.clock().wall();
        let mut outcome = cx.send(self.token_request(credential)?).await;
        if FLAW == FOLLOWS_REDIRECT && outcome.is_err() {
            outcome = cx.send(self.token_request(credential)?).await;
        }
        let response = match outcome {
            Err(_) if FLAW == ACCEPTS_ALL => {
                return Token::builder("accepted".into(), sent)
                    .expires_in(Duration::from_secs(60).into())
                    .build();
            }
            outcome => outcome?,
        };
        self.read_token(&response, sent)
    }
}

#[test]
fn example_needs_no_profile() {
    let request = Example::new().token_request(&Credential::client("id", "s")).unwrap();
    assert_eq!(request.endpoint().as_str(), "https://vendor.example.com/token");
}
