//! A vendor in this process, without a network, with a latency and a status to fail with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatepass_core::{
    Credential, HttpSend, Provider, RefreshHints, Request, Response, Result, Token, async_trait,
};
use gatepass_engine::{TokenSource, TokenSourceBuilder};
use gatepass_testkit::example::Example;

use crate::clock;

/// Clones share the same state.
#[derive(Clone, Debug)]
pub(crate) struct Vendor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lifetime: u64,
    latency: Duration,
    opened: Instant,
    status: AtomicU16,
    requests: AtomicUsize,
}

impl Vendor {
    /// Returns a vendor whose tokens are valid for `lifetime` seconds.
    pub(crate) fn new(lifetime: u64, latency: Duration) -> Self {
        Self(Arc::new(Inner {
            lifetime,
            latency,
            opened: clock::now(),
            status: AtomicU16::new(200),
            requests: AtomicUsize::new(0),
        }))
    }

    /// Responds with this status from now on.
    pub(crate) fn respond_with(&self, status: u16) {
        self.0.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> usize {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// Returns whether a token of this vendor has expired.
    pub(crate) fn has_expired(&self, token: &str) -> bool {
        let minted = token.split('.').next().and_then(|minted| minted.parse().ok());
        let minted = Duration::from_micros(minted.unwrap());
        self.0.opened.elapsed() >= minted + Duration::from_secs(self.0.lifetime)
    }

    pub(crate) fn builder(&self) -> TokenSourceBuilder {
        self.builder_ahead(Duration::ZERO)
    }

    /// Returns a builder for a source that refreshes `ahead` before expiry.
    pub(crate) fn builder_ahead(&self, ahead: Duration) -> TokenSourceBuilder {
        TokenSource::builder(
            Early { example: Example::new(), ahead },
            Credential::client("bench", "the secret"),
        )
        .http(self.clone())
    }

    /// Makes an exchange without an engine; the error is a status.
    pub(crate) async fn exchange(&self) -> std::result::Result<String, u16> {
        let minted = self.0.opened.elapsed().as_micros();
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.0.latency).await;
        match self.0.status.load(Ordering::Relaxed) {
            // One kilobyte, a common size.
            200 => Ok(format!("{minted}.{}", "x".repeat(1024))),
            status => Err(status),
        }
    }
}

#[async_trait]
impl HttpSend for Vendor {
    async fn send(&self, _: Request) -> Result<Response> {
        let lifetime = self.0.lifetime;
        let (status, body) = match self.exchange().await {
            Ok(token) => {
                let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{lifetime}");
                (200, format!("{{\"access_token\":\"{token}\",{fields}}}"))
            }
            Err(400) => (400, "{\"error\":\"invalid_request\"}".to_owned()),
            Err(status) => (status, String::new()),
        };
        let mut response = http::Response::new(body.into());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        Ok(Response::from(response))
    }
}

#[derive(Debug)]
struct Early {
    example: Example,
    ahead: Duration,
}

impl Provider for Early {
    fn id(&self) -> &str {
        "early"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        self.example.token_request(credential)
    }

    fn read_token(&self, response: &Response, sent: std::time::SystemTime) -> Result<Token> {
        self.example.read_token(response, sent)
    }

    fn hints(&self) -> RefreshHints {
        RefreshHints::new().refresh_ahead_at_least(self.ahead)
    }
}
