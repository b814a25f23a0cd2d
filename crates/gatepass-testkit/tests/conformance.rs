//! The example provider passes every check, and for every check there is a provider that fails it.

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
fn conform_asks_everything_at_once() {
    gatepass_testkit::conform(&example::INFO, fixtures());
}

/// Each flaw, and the check that finds it.
const FLAWS: &[(ProviderInfo, &str)] = &[
    (example::INFO.docs("http://x"), "info_is_complete"),
    (flawed::<OTHER_ID>(), "info_is_complete"),
    (flawed::<REFUSES_EXAMPLE>(), "the_example_profile_builds"),
    (flawed::<FORGETS_FIELD>(), "a_missing_secret_is_refused_by_name"),
    (flawed::<NAMES_NOTHING>(), "a_missing_secret_is_refused_by_name"),
    (flawed::<OWN_ADDRESS>(), "requests_go_to_the_base_url_alone"),
    (flawed::<GETS>(), "requests_go_to_the_base_url_alone"),
    (flawed::<PLAIN>(), "requests_go_by_https_where_nothing_else_is_said"),
    (flawed::<SECRET_PATH>(), "no_secret_is_in_the_url"),
    (flawed::<SECRET_QUERY>(), "no_secret_is_in_the_url"),
    (flawed::<TOKEN_IN_QUERY>(), "the_token_goes_into_sensitive_headers_alone"),
    (flawed::<NO_HEADER>(), "the_token_goes_into_sensitive_headers_alone"),
    (flawed::<OVERWRITES_HEADER>(), "the_token_goes_into_sensitive_headers_alone"),
    (flawed::<OTHER_ENDPOINT>(), "endpoints_are_known_without_a_secret"),
    (flawed::<ONE_KEY>(), "cache_keys_cover_credential_and_settings"),
    (flawed::<READS_BY_SETTING>().fields(WITH_CHOICE), "cache_keys_cover_credential_and_settings"),
    (flawed::<DENIES_ALL>(), "fixtures_read_as_their_names_say"),
    (flawed::<DENIES_ALL>(), "a_503_without_a_body_is_unavailable"),
    (flawed::<DENIES_ALL>(), "a_web_page_is_no_token_answer"),
    (flawed::<BELIEVES_ALL>(), "an_empty_answer_is_no_token"),
    (flawed::<BELIEVES_ALL>(), "an_answer_that_is_cut_off_is_no_token"),
    (flawed::<BELIEVES_ALL>(), "an_answer_without_a_token_is_an_error"),
    (flawed::<BELIEVES_ALL>(), "a_redirect_is_an_error_and_not_followed"),
    (flawed::<FOLLOWS>(), "a_redirect_is_an_error_and_not_followed"),
    (flawed::<SLICES>(), "no_bytes_make_the_reader_panic"),
    (flawed::<QUOTES_ANSWER>(), "no_bytes_make_the_reader_panic"),
    (flawed::<BELIEVES_ALL>(), "responses_of_any_members_leak_nothing"),
    (flawed::<SHOWN>(), "nothing_printed_shows_a_secret"),
    (flawed::<ECHOES>(), "nothing_printed_shows_a_secret"),
];

#[test]
fn every_flaw_is_found() {
    for (info, name) in FLAWS {
        let (_, check) = checks::ALL.iter().find(|(one, _)| one == name).unwrap();
        check(&example::INFO, &fixtures());
        let found = catch_unwind(AssertUnwindSafe(|| check(info, &fixtures())));
        assert!(found.is_err(), "{name} does not find its flaw");
    }
}

#[test]
fn a_missing_fixture_is_found() {
    let none = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found = catch_unwind(|| checks::fixtures_read_as_their_names_say(&example::INFO, &none));
    assert_eq!(text(&*found.unwrap_err()), "example: there is no fixture token*.http");
}

#[test]
fn a_failed_check_shows_no_secret() {
    let found =
        catch_unwind(|| checks::no_secret_is_in_the_url(&flawed::<SECRET_PATH>(), &fixtures()));
    assert_eq!(text(&*found.unwrap_err()), "flawed: the URL shows `client_secret` as it is");
}

fn text(payload: &(dyn Any + Send)) -> &str {
    payload.downcast_ref::<String>().map_or("", String::as_str)
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

const OTHER_ID: u8 = 1;
const REFUSES_EXAMPLE: u8 = 2;
const FORGETS_FIELD: u8 = 3;
const NAMES_NOTHING: u8 = 4;
const OWN_ADDRESS: u8 = 5;
const GETS: u8 = 6;
const PLAIN: u8 = 7;
const SECRET_PATH: u8 = 8;
const SECRET_QUERY: u8 = 9;
const TOKEN_IN_QUERY: u8 = 10;
const NO_HEADER: u8 = 11;
const OVERWRITES_HEADER: u8 = 12;
const DENIES_ALL: u8 = 13;
const BELIEVES_ALL: u8 = 14;
const FOLLOWS: u8 = 15;
const SLICES: u8 = 16;
const QUOTES_ANSWER: u8 = 17;
const SHOWN: u8 = 18;
const ECHOES: u8 = 19;
const OTHER_ENDPOINT: u8 = 20;
const ONE_KEY: u8 = 21;
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
            if FLAW == REFUSES_EXAMPLE {
                return Err(Error::config("no example is good enough"));
            }
            let is_fixed = settings.optional_text("use") == Some("fixed");
            Ok(Box::new(Flawed::<FLAW> { endpoint: endpoint::<FLAW>(settings)?, is_fixed }))
        },
    )
}

fn endpoint<const FLAW: u8>(settings: &Settings) -> Result<Endpoint> {
    let own = Endpoint::parse("https://vendor.example.com")?;
    match FLAW {
        OWN_ADDRESS => own,
        PLAIN => Endpoint::parse("http://localhost")?,
        _ => settings.base_url().cloned().unwrap_or(own),
    }
    .join("/token")
}

/// Does everything right but one thing.
struct Flawed<const FLAW: u8> {
    endpoint: Endpoint,
    is_fixed: bool,
}

impl<const FLAW: u8> fmt::Debug for Flawed<FLAW> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if FLAW == SHOWN { "Flawed(example-token-1)" } else { "Flawed" })
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
            (FORGETS_FIELD, secret) => secret.unwrap_or(&blank),
            (NAMES_NOTHING, secret) => secret.map_err(|_| Error::config("something is missing"))?,
            (_, secret) => secret?,
        };
        let secret = ("client_secret", secret.expose_secret());
        let mut endpoint = self.endpoint.clone();
        if FLAW == SECRET_PATH {
            endpoint = endpoint.join(&format!("/{}", secret.1))?;
        }
        let request = Request::post(endpoint);
        Ok(match FLAW {
            GETS => request.with_method(http::Method::GET),
            SECRET_QUERY => request.secret_query([secret]),
            _ => request.form([secret]),
        })
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        let text = String::from_utf8_lossy(response.body()).into_owned();
        match FLAW {
            DENIES_ALL => Err(Error::denied("no")),
            READS_BY_SETTING if self.is_fixed => Token::builder("fixed".into(), sent).build(),
            BELIEVES_ALL => Token::builder("believed".into(), sent).build(),
            SLICES => {
                let start = text.find(":").unwrap_or_default();
                let _ = &text[start + 20..];
                oauth2::read_token(response, sent)
            }
            QUOTES_ANSWER => oauth2::read_token(response, sent)
                .map_err(|e| if e.kind() == ErrorKind::Denied { e } else { Error::protocol(text) }),
            ECHOES if response.status() == 400 => Err(Error::config(text)),
            _ => oauth2::read_token(response, sent),
        }
    }

    fn endpoints(&self, credential: &Credential) -> Result<Vec<Endpoint>> {
        let secret =
            credential.optional_secret("client_secret").unwrap_or(&Secret::from("x")).clone();
        let endpoint = match FLAW {
            OTHER_ENDPOINT => self.endpoint.join("/v2")?,
            SECRET_PATH => self.endpoint.join(&format!("/{}", secret.expose_secret()))?,
            _ => self.endpoint.clone(),
        };
        Ok(vec![endpoint])
    }

    fn cache_key(&self, credential: &Credential) -> Result<CacheKey> {
        match FLAW {
            ONE_KEY => Ok(CacheKey::from_parts([])),
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
        if FLAW == FOLLOWS && outcome.is_err() {
            outcome = cx.send(self.token_request(credential)?).await;
        }
        let response = match outcome {
            Err(_) if FLAW == BELIEVES_ALL => {
                return Token::builder("believed".into(), sent)
                    .expires_in(Duration::from_secs(60).into())
                    .build();
            }
            outcome => outcome?,
        };
        self.read_token(&response, sent)
    }
}

#[test]
fn the_example_is_made_without_a_profile() {
    let request = Example::new().token_request(&Credential::client("id", "s")).unwrap();
    assert_eq!(request.endpoint().as_str(), "https://vendor.example.com/token");
}
