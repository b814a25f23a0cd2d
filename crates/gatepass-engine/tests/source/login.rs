//! Logins: a token that only a person brings is handed out until it ends, here and through a store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{
    AuthorizationRequest, Credential, Endpoint, Error, ErrorKind, Interactive, Provider,
    RedirectUri, RefreshHints, Request, Response, Result, Token,
};
use gatepass_engine::{Login, MemoryStore, TokenSource};
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};

use super::{settle, text};

/// A vendor whose tokens come by redirect.
#[derive(Clone, Debug)]
struct ByRedirect;

impl Provider for ByRedirect {
    fn id(&self) -> &str {
        "byredirect"
    }

    fn token_request(&self, _: &Credential) -> Result<Request> {
        Err(Error::login_required("login needed"))
    }

    fn read_token(&self, _: &Response, _: SystemTime) -> Result<Token> {
        Err(Error::internal("nobody is asked"))
    }

    fn interactive(&self) -> Option<&dyn Interactive> {
        Some(self)
    }

    fn hints(&self) -> RefreshHints {
        RefreshHints::new().same_token_until_end()
    }
}

impl Interactive for ByRedirect {
    fn authorization_request(&self, credential: &Credential) -> Result<AuthorizationRequest> {
        let endpoint = Endpoint::parse("https://vendor.example.com/authorize")?;
        let redirect_uri = RedirectUri::parse("http://127.0.0.1:0/callback")?;
        Ok(AuthorizationRequest::implicit(endpoint, credential.text("client_id")?, redirect_uri))
    }
}

struct Place {
    http: FakeHttp,
    clock: TestClock,
    store: Arc<MemoryStore>,
}

impl Place {
    fn new() -> Self {
        let clock = TestClock::new();
        let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
        let http = FakeHttp::new(|_| FakeResponse::token("never", 60));
        Self { http, clock, store }
    }

    fn source(&self, client: &str, is_stored: bool) -> TokenSource {
        let builder = TokenSource::builder(
            ByRedirect,
            Credential::new().with_text("client_id", client.to_owned()),
        )
        .http(self.http.clone())
        .clock(self.clock.clone())
        .name("prod");
        if is_stored {
            builder.store(self.store.clone()).build().unwrap()
        } else {
            builder.build().unwrap()
        }
    }
}

/// What the browser comes back with.
fn answer(login: &Login, token: &str, life: u64) -> String {
    let url = login.url();
    let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
    format!("#access_token={token}&token_type=bearer&expires_in={life}&state={state}")
}

async fn log_in(source: &TokenSource, token: &str, life: u64) {
    let login = source.login().await.unwrap().with_port(4711);
    let answer = answer(&login, token, life);
    assert_eq!(text(login.finish(&answer).await).unwrap(), token);
}

#[track_caller]
fn needs_login(outcome: Result<Token>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRequired, "{error:?}");
    assert_eq!(error.to_string(), "byredirect/prod: login needed");
    assert_eq!(error.hints()[0].to_string(), "log in: gatepass login prod");
}

#[tokio::test(start_paused = true)]
async fn a_login_serves_until_its_token_ends_and_nobody_is_asked() {
    let place = Place::new();
    let source = place.source("app-1", false);
    needs_login(source.token().await);
    log_in(&source, "token-1", 3600).await;
    place.clock.advance(Duration::from_secs(3500));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    place.clock.advance(Duration::from_secs(100));
    needs_login(source.token().await);
    settle().await;
    assert_eq!(place.http.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_life_counts_from_the_logins_beginning() {
    let place = Place::new();
    let source = place.source("app-1", false);
    let login = source.login().await.unwrap();
    place.clock.advance(Duration::from_secs(100));
    let answer = answer(&login, "token-1", 3600);
    login.finish(&answer).await.unwrap();
    place.clock.advance(Duration::from_secs(3485));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    place.clock.advance(Duration::from_secs(15));
    needs_login(source.token().await);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_took_longer_than_its_token_lives_is_no_login() {
    let place = Place::new();
    let source = place.source("app-1", false);
    let login = source.login().await.unwrap();
    place.clock.advance(Duration::from_secs(61));
    let answer = answer(&login, "token-1", 60);
    needs_login(login.finish(&answer).await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_login_changes_nothing() {
    let place = Place::new();
    let source = place.source("app-1", true);
    log_in(&source, "token-1", 3600).await;
    let (one, other) = (source.login().await.unwrap(), source.login().await.unwrap());
    let foreign = answer(&other, "token-of-an-attacker", 3600);
    let error = one.finish(&foreign).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsafeToken);
    assert!(!format!("{error:?}").contains("attacker"), "{error:?}");
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn others_with_the_same_store_have_it_and_no_others() {
    let place = Place::new();
    let [here, there, other] = ["app-1", "app-1", "app-2"].map(|client| place.source(client, true));
    needs_login(there.token().await);
    log_in(&here, "token-1", 3600).await;
    // It looks again by itself after a while.
    place.clock.advance(there.cooldown_remaining().unwrap());
    assert_eq!(text(there.token().await).unwrap(), "token-1");
    assert!(there.status().is_stored);
    needs_login(other.token().await);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_an_api_refuses_is_not_handed_out_again() {
    for is_stored in [false, true] {
        let place = Place::new();
        let source = place.source("app-1", is_stored);
        log_in(&source, "token-1", 3600).await;
        source.invalidate(&source.peek().unwrap());
        needs_login(source.token().await);
        log_in(&source, "token-2", 3600).await;
        assert_eq!(text(source.token().await).unwrap(), "token-2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_takes_another_login() {
    let place = Place::new();
    let source = place.source("app-1", true);
    log_in(&source, "token-1", 3600).await;
    needs_login(source.refresh_now().await);
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn who_waits_while_a_login_ends_gets_its_token() {
    let place = Place::new();
    let source = place.source("app-1", true);
    let login = source.login().await.unwrap();
    let answer = answer(&login, "token-1", 3600);
    let (first, second) = (source.clone(), source.clone());
    let waiting = tokio::spawn(async move { first.token().await });
    assert_eq!(text(login.finish(&answer).await).unwrap(), "token-1");
    let waited = waiting.await.unwrap();
    assert!(
        waited.is_err_and(|error| error.kind() == ErrorKind::LoginRequired)
            || second.peek().is_some()
    );
    assert_eq!(text(second.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_closed_source_forgets_its_login() {
    let place = Place::new();
    let source = place.source("app-1", false);
    log_in(&source, "token-1", 3600).await;
    source.close().await;
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Internal);
    assert!(source.peek().is_none());
}

#[tokio::test]
async fn a_vendor_that_can_be_asked_needs_no_login() {
    let (http, clock) = (FakeHttp::new(|_| FakeResponse::token("t", 60)), TestClock::new());
    let error = super::source(&http, &clock).login().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.hints()[0].to_string(), "get the token with: gatepass token prod");
}
