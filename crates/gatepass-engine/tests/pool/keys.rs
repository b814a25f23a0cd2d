//! One key of a pool, as a source of tokens for one identity.

use gatepass_core::{
    AccessToken, ApiRequest, ApiResponse, Authorize, Credential, Endpoint, ErrorKind, Token,
    TokenVerdict,
};
use gatepass_engine::{PoolKey, TokenPool, TokenSource};
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};
use http::{HeaderMap, StatusCode, Uri};

const API: &str = "https://api.example.com/users";

/// A pool whose tokens may go to [`API`] and, by mistake, to the token endpoint.
fn pool() -> (TokenPool, FakeHttp) {
    let http = FakeHttp::new(|n| FakeResponse::token(&format!("token-{n}"), 3600));
    let identify = |key: &str| {
        let origins = ["https://api.example.com", "https://vendor.example.com"];
        let origins = origins.map(|origin| Endpoint::parse(origin).unwrap());
        let credential = Credential::client(key, "the secret");
        Ok(TokenSource::builder(Example::new(), credential).api_origins(origins))
    };
    (TokenPool::builder(identify).http(http.clone()).clock(TestClock::new()).build(), http)
}

async fn authorize(key: &dyn Authorize, to: &str) -> gatepass_core::Result<(Token, HeaderMap)> {
    let (mut uri, mut headers): (Uri, _) = (to.parse().unwrap(), HeaderMap::new());
    let token = key.authorize_request(&mut ApiRequest::new(&mut uri, &mut headers)).await?;
    Ok((token, headers))
}

#[tokio::test(start_paused = true)]
async fn key_returns_token_of_its_identity() {
    let (pool, http) = pool();
    let keys: Vec<Box<dyn AccessToken>> =
        vec![Box::new(pool.key("tenant-1")), Box::new(pool.key("tenant-2"))];
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(key.token().await.unwrap().expose_secret(), format!("token-{at}"));
        assert_eq!(key.token().await.unwrap().expose_secret(), format!("token-{at}"));
    }
    assert_eq!(http.count(), 2);
    assert_eq!(pool.token("tenant-1").await.unwrap().expose_secret(), "token-0");
}

#[tokio::test(start_paused = true)]
async fn key_authorizes_requests_to_its_origins_alone() {
    let (pool, http) = pool();
    let key: PoolKey = pool.key("tenant-1");
    let refused = authorize(&key, "https://evil.example/").await.unwrap_err();
    assert_eq!((refused.kind(), http.count()), (ErrorKind::Config, 0));
    let (token, headers) = authorize(&key, API).await.unwrap();
    assert_eq!(headers["authorization"], "Bearer token-0");
    assert_eq!(token.expose_secret(), "token-0");
    let refused = authorize(&key, "https://vendor.example.com/token").await.unwrap_err();
    assert!(refused.message().contains("token endpoint"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn rejected_token_of_key_is_replaced() {
    let (pool, http) = pool();
    let (key, other) = (pool.key("tenant-1"), pool.key("tenant-1"));
    let (token, _) = authorize(&key, API).await.unwrap();
    let headers = HeaderMap::new();
    let response = |status| ApiResponse::new(status, &headers);
    let verdict = other.report_response(&token, &response(StatusCode::FORBIDDEN));
    assert_eq!(verdict, TokenVerdict::NotRejected);
    assert_eq!(authorize(&key, API).await.unwrap().0.expose_secret(), "token-0");
    let verdict = other.report_response(&token, &response(StatusCode::UNAUTHORIZED));
    assert_eq!(verdict, TokenVerdict::Rejected);
    assert_eq!(authorize(&key, API).await.unwrap().0.expose_secret(), "token-1");
    assert_eq!(http.count(), 2);
}

#[tokio::test]
async fn fixed_token_goes_to_loopback_alone() {
    let token = pool().0.token("tenant-1").await.unwrap();
    assert!(AccessToken::token(&token).await.unwrap().is_same_as(&token));
    let (_, headers) = authorize(&token, "http://127.0.0.1:8080/x").await.unwrap();
    assert_eq!(headers["authorization"], "Bearer token-0");
    assert_eq!(authorize(&token, API).await.unwrap_err().kind(), ErrorKind::Config);
}
