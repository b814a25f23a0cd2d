//! An HTTP sender, a credential source, a clock and consumers of tokens from another repository.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatepass::clock::Clock;
use gatepass::http::HttpSend;
use gatepass::provider::{ApiRequest, Request, Response, async_trait};
use gatepass::{AccessToken, Authorize, Credential, CredentialSource, Error, Result};

/// A sender that issues numbered tokens and records the bodies of the requests.
#[derive(Debug, Default)]
pub struct NumberedTokens {
    bodies: Mutex<Vec<Vec<u8>>>,
}

impl NumberedTokens {
    /// Returns the bodies of the requests so far.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap().clone()
    }
}

#[async_trait]
impl HttpSend for NumberedTokens {
    async fn send(&self, request: Request) -> Result<Response> {
        let mut bodies = self.bodies.lock().unwrap();
        bodies.push(request.body().to_vec());
        let body = format!(
            r#"{{"access_token":"token-{}","token_type":"Bearer","expires_in":3600}}"#,
            bodies.len()
        );
        let response = http::Response::builder().body(Bytes::from(body));
        response.map(Response::from).map_err(|_| Error::internal("the response is not valid"))
    }
}

/// A vault whose secret changes at each read.
#[derive(Debug, Default)]
pub struct RotatingVault {
    reads: AtomicU64,
}

#[async_trait]
impl CredentialSource for RotatingVault {
    async fn credential(&self) -> Result<Credential> {
        let read = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Credential::client("app-1", format!("made-up-secret-{read}")))
    }
}

/// A clock that shows a fixed time until it is advanced.
#[derive(Debug, Default)]
pub struct ManualClock {
    elapsed: AtomicU64,
}

impl ManualClock {
    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        self.elapsed.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.elapsed.load(Ordering::SeqCst))
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.elapsed()
    }

    fn boot(&self) -> Duration {
        self.elapsed()
    }
}

/// Returns the value of an `Authorization` header from any source of tokens.
pub async fn authorization(source: &dyn AccessToken) -> Result<String> {
    let token = source.token().await?;
    Ok(format!("Bearer {}", token.expose_secret()))
}

/// Adds a token and all other headers of the vendor to a request.
pub async fn headers_for(source: &dyn Authorize, address: &str) -> Result<http::HeaderMap> {
    let mut uri = address.parse().map_err(|_| Error::config("not an address"))?;
    let mut headers = http::HeaderMap::new();
    source.authorize_request(&mut ApiRequest::new(&mut uri, &mut headers)).await?;
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gatepass::huawei::Huawei;
    use gatepass::{ErrorKind, TokenPool, TokenSource};

    use super::*;

    const API: &str = "https://acme.huaweioneaccess.com/api/v2/tenant/users";

    struct Parts {
        http: Arc<NumberedTokens>,
        clock: Arc<ManualClock>,
        source: TokenSource,
    }

    fn parts() -> Parts {
        let (http, clock) = (Arc::<NumberedTokens>::default(), Arc::<ManualClock>::default());
        let huawei = Huawei::new("acme.huaweioneaccess.com").unwrap();
        let source = TokenSource::builder(huawei, RotatingVault::default())
            .http(http.clone())
            .clock(clock.clone())
            .build()
            .unwrap();
        Parts { http, clock, source }
    }

    #[tokio::test]
    async fn source_uses_sender_vault_and_clock() {
        let Parts { http, clock, source } = parts();
        assert_eq!(source.token().await.unwrap().expose_secret(), "token-1");
        assert_eq!(source.token().await.unwrap().expose_secret(), "token-1");
        clock.advance(Duration::from_secs(3600));
        assert_eq!(source.token().await.unwrap().expose_secret(), "token-2");
        let bodies = http.bodies();
        let sends = |body: &[u8], secret: &str| String::from_utf8_lossy(body).contains(secret);
        assert!(sends(&bodies[0], "made-up-secret-1") && sends(&bodies[1], "made-up-secret-2"));
    }

    #[tokio::test]
    async fn consumer_takes_source_pool_key_and_fixed_token() {
        let Parts { source, .. } = parts();
        assert_eq!(authorization(&source).await.unwrap(), "Bearer token-1");
        let token = source.token().await.unwrap();
        assert_eq!(authorization(&token).await.unwrap(), "Bearer token-1");
        let pool = TokenPool::builder(|_| {
            let huawei = Huawei::new("acme.huaweioneaccess.com")?;
            Ok(TokenSource::builder(huawei, RotatingVault::default())
                .http(NumberedTokens::default()))
        });
        let pool = pool.build();
        assert_eq!(authorization(&pool.key("user-1")).await.unwrap(), "Bearer token-1");
    }

    #[tokio::test]
    async fn authorize_adds_headers_for_the_vendor_only() {
        let Parts { source, .. } = parts();
        let headers = headers_for(&source, API).await.unwrap();
        assert_eq!(headers["authorization"], "Bearer token-1");
        let error = headers_for(&source, "https://other.example/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
