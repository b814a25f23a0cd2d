//! Tests of logins: the source returns the token until it expires, also through a store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{
    AuthorizationRequest, Credential, Endpoint, Error, ErrorKind, Interactive, Provider,
    RedirectUri, RefreshHints, Request, Response, Result, Token,
};
use gatepass_engine::{Login, MemoryStore, TokenSource};
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};

use super::{settle, text};

/// A provider whose tokens come from a login.
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
        Err(Error::internal("not used"))
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

struct Setup {
    http: FakeHttp,
    clock: TestClock,
    store: Arc<MemoryStore>,
}

impl Setup {
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

/// Returns the address to which the vendor redirects the browser.
fn redirect_address(login: &Login, token: &str, lifetime: u64) -> String {
    let url = login.url();
    let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
    format!("#access_token={token}&token_type=bearer&expires_in={lifetime}&state={state}")
}

async fn log_in(source: &TokenSource, token: &str, lifetime: u64) {
    let login = source.login().await.unwrap().with_port(4711);
    let address = redirect_address(&login, token, lifetime);
    assert_eq!(text(login.finish(&address).await).unwrap(), token);
}

#[track_caller]
fn needs_login(outcome: Result<Token>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRequired, "{error:?}");
    assert_eq!(error.to_string(), "byredirect/prod: login needed");
    assert_eq!(error.hints()[0].to_string(), "log in: gatepass login prod");
}

#[tokio::test(start_paused = true)]
async fn login_token_is_returned_until_it_expires() {
    let setup = Setup::new();
    let source = setup.source("app-1", false);
    needs_login(source.token().await);
    log_in(&source, "token-1", 3600).await;
    setup.clock.advance(Duration::from_secs(3500));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    setup.clock.advance(Duration::from_secs(100));
    needs_login(source.token().await);
    settle().await;
    assert_eq!(setup.http.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn lifetime_starts_with_the_login() {
    let setup = Setup::new();
    let source = setup.source("app-1", false);
    let login = source.login().await.unwrap();
    setup.clock.advance(Duration::from_secs(100));
    let address = redirect_address(&login, "token-1", 3600);
    login.finish(&address).await.unwrap();
    setup.clock.advance(Duration::from_secs(3485));
    assert_eq!(text(source.token().await).unwrap(), "token-1");
    setup.clock.advance(Duration::from_secs(15));
    needs_login(source.token().await);
}

#[tokio::test(start_paused = true)]
async fn login_longer_than_its_token_fails() {
    let setup = Setup::new();
    let source = setup.source("app-1", false);
    let login = source.login().await.unwrap();
    setup.clock.advance(Duration::from_secs(61));
    let address = redirect_address(&login, "token-1", 60);
    needs_login(login.finish(&address).await);
}

#[tokio::test(start_paused = true)]
async fn response_to_another_login_is_rejected() {
    let setup = Setup::new();
    let source = setup.source("app-1", true);
    log_in(&source, "token-1", 3600).await;
    let (one, other) = (source.login().await.unwrap(), source.login().await.unwrap());
    let foreign = redirect_address(&other, "token-of-an-attacker", 3600);
    let error = one.finish(&foreign).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsafeToken);
    assert!(!format!("{error:?}").contains("attacker"), "{error:?}");
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn sources_with_the_same_store_share_a_login() {
    let setup = Setup::new();
    let [here, there, other] = ["app-1", "app-1", "app-2"].map(|client| setup.source(client, true));
    needs_login(there.token().await);
    log_in(&here, "token-1", 3600).await;
    // The other source looks into the store again after its cool-down.
    setup.clock.advance(there.cooldown_remaining().unwrap());
    assert_eq!(text(there.token().await).unwrap(), "token-1");
    assert!(there.status().is_stored);
    needs_login(other.token().await);
}

#[tokio::test(start_paused = true)]
async fn rejected_login_token_is_not_returned_again() {
    for is_stored in [false, true] {
        let setup = Setup::new();
        let source = setup.source("app-1", is_stored);
        log_in(&source, "token-1", 3600).await;
        source.invalidate(&source.peek().unwrap());
        needs_login(source.token().await);
        log_in(&source, "token-2", 3600).await;
        assert_eq!(text(source.token().await).unwrap(), "token-2");
    }
}

#[tokio::test(start_paused = true)]
async fn refresh_now_needs_another_login() {
    let setup = Setup::new();
    let source = setup.source("app-1", true);
    log_in(&source, "token-1", 3600).await;
    needs_login(source.refresh_now().await);
    assert_eq!(text(source.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn waiting_caller_gets_the_login_token() {
    let setup = Setup::new();
    let source = setup.source("app-1", true);
    let login = source.login().await.unwrap();
    let address = redirect_address(&login, "token-1", 3600);
    let (first, second) = (source.clone(), source.clone());
    let waiting = tokio::spawn(async move { first.token().await });
    assert_eq!(text(login.finish(&address).await).unwrap(), "token-1");
    let waited = waiting.await.unwrap();
    assert!(
        waited.is_err_and(|error| error.kind() == ErrorKind::LoginRequired)
            || second.peek().is_some()
    );
    assert_eq!(text(second.token().await).unwrap(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn closing_forgets_the_login() {
    let setup = Setup::new();
    let source = setup.source("app-1", false);
    log_in(&source, "token-1", 3600).await;
    source.close().await;
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::Internal);
    assert!(source.peek().is_none());
}

#[tokio::test]
async fn provider_without_interactive_rejects_login() {
    let (http, clock) = (FakeHttp::new(|_| FakeResponse::token("t", 60)), TestClock::new());
    let error = super::source(&http, &clock).login().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.hints()[0].to_string(), "get the token with: gatepass token prod");
}
