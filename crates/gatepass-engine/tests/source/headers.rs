//! Tests of the headers on an API request, and of fixed tokens.

use gatepass_core::{
    ApiRequest, Credential, Error, Provider, Request, Response, Result, Token, async_trait,
};
use gatepass_engine::TokenSource;
use gatepass_testkit::example::Example;
use http::{HeaderMap, HeaderValue, Uri};

use crate::vendor;

/// A provider that needs a second header from the credential.
#[derive(Debug)]
struct TwoHeaders(Example);

#[async_trait]
impl Provider for TwoHeaders {
    fn id(&self) -> &str {
        "twoheaders"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        self.0.token_request(credential)
    }

    fn read_token(&self, response: &Response, sent: std::time::SystemTime) -> Result<Token> {
        self.0.read_token(response, sent)
    }

    fn authorize(
        &self,
        from: &Credential,
        token: &Token,
        request: &mut ApiRequest<'_>,
    ) -> Result<()> {
        let key = from.secret("key").map_err(|_| Error::config("`key` is missing"))?;
        let name = http::HeaderName::from_static("x-key");
        request.set_header(name.clone(), key.to_header(&name)?);
        request.set_header(http::header::AUTHORIZATION, token.authorization().clone());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn authorize_sets_every_header_of_the_vendor() {
    let credential = Credential::client("client", "secret").with_secret("key", "the-key");
    let source = TokenSource::builder(TwoHeaders(Example::new()), credential)
        .http(vendor(60))
        .build()
        .unwrap();
    let older = source.token().await.unwrap();
    source.refresh_now().await.unwrap();
    let (mut uri, mut headers) = (Uri::default(), HeaderMap::new());
    headers.insert("x-key", HeaderValue::from_static("the caller's own"));
    headers.insert("accept", HeaderValue::from_static("text/plain"));
    for (token, expected) in [(older, "Bearer token-0"), (source.peek().unwrap(), "Bearer token-1")]
    {
        source.authorize(&token, &mut ApiRequest::new(&mut uri, &mut headers)).await.unwrap();
        assert_eq!(
            (headers.len(), &headers["authorization"]),
            (3, &HeaderValue::from_static(expected))
        );
        assert_eq!(headers["x-key"], "the-key");
        assert!(headers["x-key"].is_sensitive() && headers["authorization"].is_sensitive());
    }
    assert_eq!(source.headers().await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn missing_header_value_fails_headers_only() {
    let source =
        TokenSource::builder(TwoHeaders(Example::new()), Credential::client("client", "secret"))
            .http(vendor(60))
            .build()
            .unwrap();
    source.token().await.unwrap();
    let error = source.headers().await.unwrap_err();
    assert_eq!(error.to_string(), "twoheaders: `key` is missing");
}

#[test]
fn fixed_token_needs_no_runtime() {
    let source = TokenSource::fixed("token-1");
    let headers = gatepass_testkit::block_on(source.headers()).unwrap();
    assert_eq!(headers["authorization"], "Bearer token-1");
}

#[tokio::test(start_paused = true)]
async fn fixed_token_returns_after_invalidation() {
    let source = TokenSource::fixed("token-1");
    source.invalidate(&source.token().await.unwrap());
    assert_eq!(source.token().await.unwrap().expose_secret(), "token-1");
    let error = TokenSource::fixed("no token").token().await.unwrap_err();
    assert_eq!(error.kind(), gatepass_core::ErrorKind::UnsafeToken);
}
