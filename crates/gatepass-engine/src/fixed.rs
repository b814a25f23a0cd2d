//! The source of one token that is there from the start, for tests.

use std::time::SystemTime;

use gatepass_core::{
    Credential, Error, ExchangeContext, HttpSend, MAX_LIFETIME, Provider, Request, Response,
    Result, Secret, Token, async_trait,
};

use crate::TokenSource;
use crate::allowed_origins::AllowedOrigins;
use crate::cache::Cache;

pub(crate) fn source(token: Secret) -> TokenSource {
    let fixed = FixedToken(token);
    let builder = TokenSource::builder(fixed.clone()).credential(Credential::new()).http(NoHttp);
    let mut config = builder.into_config();
    config.allowed_origins = AllowedOrigins::loopback();
    let now = config.now();
    match fixed.token(config.clock.wall()) {
        Ok(token) => {
            let cached = config.cache_token(token, &Credential::new(), now);
            TokenSource::of(Cache::new(config).with_cached(cached))
        }
        // Asking for it says what is wrong with it.
        Err(_) => TokenSource::of(Cache::new(config)),
    }
}

#[derive(Clone, Debug)]
struct FixedToken(Secret);

impl FixedToken {
    fn token(&self, now: SystemTime) -> Result<Token> {
        Token::builder(self.0.clone(), now).expires_in(MAX_LIFETIME.into()).build()
    }
}

#[async_trait]
impl Provider for FixedToken {
    fn id(&self) -> &str {
        "fixed"
    }

    fn token_request(&self, _: &Credential) -> Result<Request> {
        Err(Error::internal("a fixed token is not asked for"))
    }

    fn read_token(&self, _: &Response, sent: SystemTime) -> Result<Token> {
        self.token(sent)
    }

    async fn exchange(&self, _: &Credential, cx: &ExchangeContext<'_>) -> Result<Token> {
        self.token(cx.clock().wall())
    }
}

/// A sender that is never asked.
#[derive(Debug)]
struct NoHttp;

#[async_trait]
impl HttpSend for NoHttp {
    async fn send(&self, _: Request) -> Result<Response> {
        Err(Error::internal("a fixed token is not asked for"))
    }
}
