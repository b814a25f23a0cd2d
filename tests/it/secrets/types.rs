//! Tests of `Debug` and other output of the library's public types: they show no secret.

use std::any::type_name_of_val;
use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatepass::cisco::{Cisco, Environment};
use gatepass::cli_support;
use gatepass::clock::SystemClock;
use gatepass::config::{Config, Env};
use gatepass::login::{AuthorizationRequest, RedirectUri};
use gatepass::provider::{
    ApiOrigins, ApiResponse, Registry, Request, Response, Settings, TokenRules,
};
use gatepass::store::{
    Circumstances, CredentialRecord, FailureRecord, HistoryEntry, MemoryStore, ProfileKey, Record,
    StoreKey,
};
use gatepass::{
    Credential, CredentialSource, Endpoint, Error, Gate, HttpClient, Secret, Token, TokenSource,
    credential_fn,
};
use gatepass_core::{
    ApiRequest, CacheKey, ConfigPlace, ExchangeContext, ExpectedState, Hint, LoginAttempt,
    Provider, StringList, ValueList, oauth2,
};
use gatepass_engine::{FileStore, LeaseOutcome, RecordRequirement, SealingKeys, TokenPool};
use gatepass_testkit::example::Example;
use gatepass_testkit::{Canary, FakeHttp, FakeResponse, canary, find_leak};
use gatepass_tests::{Home, Reply, Server, VENDORS, Vendors, workspace};

/// The printed values and their types.
#[derive(Default)]
struct Printed {
    text: String,
    types: BTreeSet<String>,
}

impl Printed {
    /// Prints a value in every format.
    fn add(&mut self, value: &impl Debug) {
        self.text += &format!("{value:?}\n{value:#?}\n");
        let path = type_name_of_val(value);
        let path = path.split('<').next().unwrap();
        let (library, name) = (path.split("::").next().unwrap(), path.rsplit("::").next().unwrap());
        self.types.insert(format!("{library}::{name}"));
    }

    #[track_caller]
    fn assert_no_leak(&self, secrets: &[Canary], what: &str) {
        assert_eq!(find_leak(&self.text, secrets), None, "{what}");
    }
}

#[test]
fn debug_of_public_types_hides_secrets() {
    let mut types = print_vendor_types();
    types.extend(print_constructed_types());
    let (public, plain) = public_types();
    assert!(public.contains("gatepass_core::Secret") && plain.contains("gatepass_core::ErrorKind"));
    let missing: Vec<_> = public
        .difference(&types)
        .filter(|name| !TESTED_ELSEWHERE.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "print a value of each of these in this file: {missing:#?}");
}

/// The types that `gatepass-http` tests in `middleware/debug.rs`, because they need its features.
const TESTED_ELSEWHERE: [&str; 4] = [
    "gatepass_http::TokenLayer",
    "gatepass_http::TokenMiddleware",
    "gatepass_http::TokenService",
    "gatepass_http::WholeBody",
];

/// Prints the types of a config, with each vendor's secrets.
fn print_vendor_types() -> BTreeSet<String> {
    let runtime = gatepass_tests::runtime();
    let vendors = Vendors::start();
    let config = || Config::from_toml(&vendors.sandbox.config_toml()).unwrap();
    let gate = Gate::new(config(), Registry::linked().unwrap()).unwrap();
    let mut types = BTreeSet::new();
    for one in &VENDORS {
        let client = vendors.sandbox.client(one.id).unwrap();
        let mut secrets: Vec<Canary> =
            one.secrets.iter().map(|name| Canary::new(name, client.field(name).unwrap())).collect();
        let profile = gate.profile(one.id).read().unwrap();
        let credential = runtime.block_on(profile.credential()).unwrap();
        let source = gate.source(one.id).unwrap();
        let watched = source.watch();
        let token = runtime.block_on(source.token()).unwrap();
        let headers = runtime.block_on(source.headers()).unwrap();
        let provider = profile.provider().unwrap();
        let request = provider.token_request(&credential).unwrap();
        secrets.push(Canary::new("token", token.expose_secret()));
        let mut printed = Printed::default();
        printed.add(&config());
        printed.add(&gate);
        printed.add(gate.registry());
        printed.add(&profile);
        printed.add(&profile.options);
        printed.add(&profile.settings);
        printed.add(&profile.origin);
        printed.add(&provider);
        printed.add(&cli_support::secret_sources(&profile));
        printed.add(&credential);
        printed.add(&request);
        printed.add(&source);
        printed.add(&source.status());
        printed.add(&watched);
        printed.add(&token);
        printed.add(&token.authorization());
        printed.add(&headers);
        printed.add(&cli_support::http_client(&gate, &profile).unwrap());
        let info = gate.registry().get(one.id).unwrap();
        printed.add(&*info);
        info.environments.iter().for_each(|environment| printed.add(environment));
        for field in &*info.fields {
            printed.add(field);
            printed.add(&field.kind);
        }
        printed.assert_no_leak(&secrets, one.id);
        types.extend(printed.types);
    }
    vendors.stop();
    types
}

/// Prints the types that callers construct, with a secret in each possible place.
fn print_constructed_types() -> BTreeSet<String> {
    let secret = canary("secret");
    let text = || secret.text().to_owned();
    let mut printed = Printed::default();
    print_core_types(&mut printed, &secret);
    print_engine_types(&mut printed, &secret);
    let server = Server::responding([Reply::json(200, text()).with("x-secret", text())]);
    let http = HttpClient::new().unwrap();
    let call = http::Request::get(server.url()).body(Bytes::from(text())).unwrap();
    let response = gatepass_tests::runtime().block_on(http.send_api(call).into_future()).unwrap();
    printed.add(response.body());
    let call = http::Request::get(server.url()).header("x-secret", text());
    printed.add(&http.send_api(call.body(Bytes::from(text())).unwrap()).max_body(1));
    printed.add(&http);
    printed.add(&HttpClient::builder());
    printed.add(&http.proxy_route(&"https://vendor.test".parse().unwrap()).unwrap());
    printed.add(&Env::fixed([("NAME", text())]));
    printed.add(&gatepass::celerdata::CelerData::new());
    printed.add(&Cisco::new(Environment::Cloudsso));
    printed.add(&gatepass::cloudneeti::Cloudneeti::new("license-1").unwrap());
    printed.add(&gatepass::configapi::ConfigApi::new("acme.brightpattern.com").unwrap());
    printed.add(&gatepass::huawei::Huawei::new("acme.huaweioneaccess.com").unwrap());
    print_bound_secrets(&mut printed, &secret);
    printed.assert_no_leak(std::slice::from_ref(&secret), "constructed types");
    printed.types
}

/// Prints a secret that is bound to its origins.
fn print_bound_secrets(printed: &mut Printed, secret: &Canary) {
    let home = Home::new();
    home.write("bound.secret", secret.text());
    home.write("bound.secret.origins", "https://vendor.example.com\n");
    let config = "[profiles.cisco]\nenvironment = \"id\"\nclient_id = \"a\"\nclient_secret = { file = \"bound.secret\" }\n";
    let gate = Gate::load(home.write("bound.toml", config)).unwrap();
    printed.add(&gate.profile("cisco").set("client_id", secret.text()));
    let profile = gate.profile("cisco").read().unwrap();
    let bound = gatepass_tests::runtime().block_on(cli_support::bound_secrets(&profile)).unwrap();
    assert_eq!(bound.len(), 1);
    bound.iter().for_each(|bound| printed.add(bound));
}

fn print_core_types(printed: &mut Printed, secret: &Canary) {
    let text = || secret.text().to_owned();
    let hidden = || Secret::from(text());
    let now = SystemTime::now();
    let endpoint = || Endpoint::parse("https://vendor.example.com/token").unwrap();
    let credential = || Credential::client("id", text()).with_secret("other", text());
    let error = Error::credential(std::io::Error::other(text()));
    // The cause of a vault's error is available through `source()`.
    assert!(error.source().is_some());
    printed.text += &error.to_string();
    printed.add(&error);
    printed.add(&Error::denied("no").with_vendor_text(&text()).with_vendor_code(&text()));
    printed.add(&Error::throttled("no").retry());
    let hint = Hint::gatepass("try again", ["token", "cisco"]);
    hint.command().unwrap().iter().for_each(|argument| printed.add(argument));
    printed.add(&hint);
    printed.add(&ConfigPlace::Variable("GATEPASS_CISCO_TIMEOUT".to_owned()));
    printed.add(&hidden());
    printed.add(&credential());
    printed.add(&credential_fn(move || async move { Ok(credential()) }));
    printed.add(&Settings::new());
    printed.add(&endpoint());
    printed.add(&ApiOrigins::new([endpoint()]));
    let request = Request::post(endpoint())
        .form([("client_secret", secret.text())])
        .secret_query([("client_secret", secret.text())])
        .basic("id", &hidden(), gatepass_core::BasicEncoding::Form)
        .unwrap()
        .secret_header(http::HeaderName::from_static("x-key"), &hidden())
        .unwrap();
    printed.add(&request);
    let body =
        format!(r#"{{"access_token":"{0}","refresh_token":"{0}","token_type":"Bearer"}}"#, text());
    let response =
        http::Response::builder().header("x-token", text()).body(Bytes::from(body.clone()));
    let response = Response::from(response.unwrap());
    let body_of = oauth2::read_json(&response, now).unwrap();
    printed
        .add(&ApiResponse::new(response.status(), response.headers()).with_body(body.as_bytes()));
    printed.add(&response);
    printed.add(&body_of.seconds("/expires_in").unwrap());
    printed.add(&body_of);
    let builder = body_of.token("/access_token", now).unwrap();
    printed.add(&builder);
    printed.add(&builder.build().unwrap());
    let redirect = RedirectUri::parse("http://127.0.0.1:0/callback").unwrap();
    printed.add(&redirect);
    printed.add(&oauth2::ClientCredentials::new());
    printed.add(&oauth2::Implicit::new(endpoint(), redirect.clone()));
    printed.add(&StringList::new(&["a"]));
    printed.add(&ValueList::new(&[("a", "b")]));
    printed.add(&gatepass_core::__private::DefaultHttp(|| Err(Error::internal("no client"))));
    let mut headers = http::HeaderMap::new();
    headers.insert("x-token", text().parse().unwrap());
    let mut uri = format!("https://vendor.example.com/?q={}", text()).parse().unwrap();
    printed.add(&ApiRequest::new(&mut uri, &mut headers));
    let authorization = AuthorizationRequest::implicit(endpoint(), "id", redirect);
    let attempt = LoginAttempt::new([7; 48]);
    let url = authorization.url(&attempt);
    let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
    printed.add(&authorization);
    printed.add(&attempt);
    printed.add(&attempt.expected_state());
    assert_eq!(find_leak(&printed.text, &[Canary::new("state", state)]), None);
    let (http, clock, token_rules) =
        (FakeHttp::returning([]), SystemClock::new(), TokenRules::default());
    printed.add(&ExchangeContext::new(&http, &clock, &token_rules));
    printed.add(&token_rules);
    printed.add(&clock);
    printed.add(&Example::new().hints());
    printed.add(gatepass::provider::Registration::all().next().unwrap());
}

fn print_engine_types(printed: &mut Printed, secret: &Canary) {
    let text = || secret.text().to_owned();
    let now = SystemTime::now();
    let hour = Duration::from_secs(3600);
    let credential = move |text: String| Credential::client("id", text);
    let error = Error::denied("no").with_vendor_text(&text()).redacted(&credential(text()));
    printed.add(&TokenSource::fixed(text()));
    let own = text();
    let source = move || {
        let http = FakeHttp::new(|_| FakeResponse::token("token", 3600));
        TokenSource::builder(Example::new(), Credential::client("id", own.clone())).http(http)
    };
    printed.add(&source());
    let pool = TokenPool::builder(move |_| Ok(source()));
    printed.add(&pool);
    gatepass_tests::runtime().block_on(async {
        let pool = pool.build();
        printed.add(&pool.status());
        printed.add(&pool.key("key"));
        printed.add(&pool);
    });
    let login = TokenSource::builder(
        Cisco::new(Environment::Cloudsso)
            .implicit(RedirectUri::parse("http://127.0.0.1:0/").unwrap())
            .unwrap(),
        credential(text()),
    );
    let login = login.http(FakeHttp::returning([])).build().unwrap();
    let login = gatepass_tests::runtime().block_on(login.login()).unwrap();
    let url = login.url();
    let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
    printed.add(&login);
    assert_eq!(find_leak(&printed.text, &[Canary::new("state", state)]), None);
    let token = Token::builder(Secret::from(text()), now).expires_in(hour.into()).build().unwrap();
    let mut wanted = RecordRequirement::default();
    wanted.refused = Some(token.clone());
    printed.add(&wanted);
    let record = Record::Token(token);
    printed.add(&record);
    let keys = SealingKeys::new("tests", &[7; 32], &[], &[7; 32]);
    let sealed = keys.seal("place", 1, 2, &record.encode().unwrap()).unwrap();
    printed.add(&keys.open("place", &sealed).unwrap());
    printed.add(&keys);
    printed.add(&LeaseOutcome::Found(record));
    printed.add(&FailureRecord::new(&error, now, now + hour));
    printed.add(&Circumstances::new([7; 32]));
    printed.add(&CredentialRecord::new(now, Some([7; 16]), Some([8; 16]), 1));
    let entry =
        HistoryEntry::new("cisco", now, hour, Err(&error)).with_credential(&credential(text()));
    let entry = entry.with_process(1, "token");
    printed.add(entry.process().unwrap());
    printed.add(&entry.next_step());
    printed.add(&entry);
    let request = Example::new().token_request(&Credential::client("id", text())).unwrap();
    let (profile, cache_key) = (ProfileKey::new("cisco"), CacheKey::from_request(&request));
    printed.add(&StoreKey::new(&profile, "example", &cache_key));
    printed.add(&cache_key);
    printed.add(&profile);
    printed.add(&MemoryStore::new());
    let home = Home::new();
    printed.add(&FileStore::open(home.path("store")).unwrap());
}

/// Returns the public types from the crates' sources: those that can hold a string, and enums without
/// data.
fn public_types() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut public, mut plain) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(workspace().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().replace('-', "_");
        let is_library = ["gatepass", "gatepass_core", "gatepass_engine", "gatepass_http"];
        if is_library.contains(&name.as_str()) || name.starts_with("provider_") {
            types_below(&folder.join("src"), &name, &mut public, &mut plain);
        }
    }
    (public, plain)
}

fn types_below(
    folder: &Path,
    library: &str,
    public: &mut BTreeSet<String>,
    plain: &mut BTreeSet<String>,
) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            types_below(&path, library, public, plain);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for kind in ["struct", "enum"] {
                for declared in text.split(&format!("\npub {kind} ")).skip(1) {
                    let end = declared.find(|c: char| !c.is_alphanumeric()).unwrap();
                    let (name, rest) =
                        (format!("{library}::{}", &declared[..end]), &declared[end..]);
                    let body = rest.split("\n}").next().unwrap();
                    let holds = |line: &str| {
                        let line = line.trim();
                        !line.starts_with(['/', '#']) && line.contains(['(', '{'])
                    };
                    let is_plain = kind == "enum" && !body.lines().skip(1).any(holds);
                    if is_plain {
                        plain.insert(name)
                    } else {
                        public.insert(name)
                    };
                }
            }
        }
    }
}

/// Returns whether a type implements a trait: an inherent constant takes precedence and exists only
/// if the bound holds.
macro_rules! has {
    ($type:ty: $($bound:tt)+) => {{
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "each type uses this constant or the next")]
        trait Fallback {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Fallback for Probe<T> {}
        #[allow(dead_code, reason = "each type uses this constant or the one above")]
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const HAS: bool = true;
        }
        Probe::<$type>::HAS
    }};
}

macro_rules! output_traits {
    ($type:ty) => {
        [
            ("Display", has!($type: std::fmt::Display)),
            ("LowerHex", has!($type: std::fmt::LowerHex)),
            ("Serialize", has!($type: serde::Serialize)),
            ("Deref", has!($type: std::ops::Deref)),
            ("AsRef<str>", has!($type: AsRef<str>)),
            ("AsRef<[u8]>", has!($type: AsRef<[u8]>)),
            ("Borrow<str>", has!($type: std::borrow::Borrow<str>)),
            ("Into<String>", has!($type: Into<String>)),
            ("Hash", has!($type: std::hash::Hash)),
            ("PartialEq", has!($type: PartialEq)),
        ]
    };
}

#[test]
fn secret_types_expose_only_by_expose_secret() {
    // Positive control: each leak is found.
    let text = output_traits!(String);
    assert!(text.iter().filter(|(name, _)| *name != "LowerHex").all(|(_, has)| *has), "{text:?}");
    assert!(has!(u8: std::fmt::LowerHex));
    for (name, traits) in [
        ("Secret", output_traits!(Secret)),
        ("Token", output_traits!(Token)),
        ("Credential", output_traits!(Credential)),
        ("Record", output_traits!(Record)),
        ("Request", output_traits!(Request)),
        ("Response", output_traits!(Response)),
        ("ExpectedState", output_traits!(ExpectedState)),
        ("LoginAttempt", output_traits!(LoginAttempt)),
        ("oauth2::TokenResponse", output_traits!(oauth2::TokenResponse)),
        ("TokenBuilder", output_traits!(gatepass_core::TokenBuilder)),
    ] {
        // A secret can be compared with a secret, in constant time.
        let is_allowed = |output: &str| name == "Secret" && output == "PartialEq";
        let leaks: Vec<_> =
            traits.iter().filter(|(output, has)| *has && !is_allowed(output)).collect();
        assert!(leaks.is_empty(), "{name} has {leaks:?}");
    }
}
