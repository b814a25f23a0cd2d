//! A response to a token request, read by every provider.

use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use gatepass::provider::Registry;
use gatepass_core::{
    Clock, Credential, ExchangeContext, FieldKind, HttpSend, MAX_LIFETIME, MAX_TOKEN, Provider,
    ProviderInfo, Request, Response, Result, Settings, TokenCharset, TokenRules, async_trait,
};

use super::canary;
use super::message::Message;

/// Makes one token request with each provider, which gets the input as its response.
pub fn run(bytes: &[u8]) {
    let Some(response) = Message::read(bytes).and_then(Message::response) else { return };
    let http = FixedResponse(response);
    for (provider, credential) in providers() {
        for charset in [TokenCharset::B64Token, TokenCharset::VisibleAscii] {
            let token_rules = TokenRules::default().with_charset(charset);
            let exchange = ExchangeContext::new(&http, &Still, &token_rules);
            check(&http.0, now(provider.exchange(credential, &exchange)));
        }
    }
}

fn check(response: &http::Response<bytes::Bytes>, read: Result<gatepass_core::Token>) {
    let token = match read {
        Ok(token) => token,
        Err(error) => {
            if let Some(after) = error.retry_after() {
                assert!((1..=3600).contains(&after.as_secs()), "wait for {after:?}");
            }
            return canary::check(&error);
        }
    };
    let text = token.expose_secret();
    assert!((1..=MAX_TOKEN).contains(&text.len()), "a token of {} bytes", text.len());
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "a token that is not a header value");
    assert_eq!(token.authorization().as_bytes(), format!("Bearer {text}").as_bytes());
    assert!(token.authorization().is_sensitive());
    // With escapes the token may be encoded differently in the body.
    let body = response.body();
    let is_plain = !body.contains(&b'\\');
    let is_in = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    assert!(!is_plain || is_in(text.as_bytes()), "a token that is not in the response");
    assert_eq!(token.issued_at(), sent());
    let ends = token.expires_at();
    assert!(ends > sent() && ends <= sent() + MAX_LIFETIME, "ends at {ends:?}");
    let shown = format!("{token:?}{:?}", token.warnings().collect::<Vec<_>>());
    assert!(!canary::shows(&shown), "a token shows itself");
}

/// Returns every provider with its required fields.
pub(crate) fn providers() -> &'static [(Box<dyn Provider>, Credential)] {
    static PROVIDERS: OnceLock<Vec<(Box<dyn Provider>, Credential)>> = OnceLock::new();
    PROVIDERS.get_or_init(|| {
        let registry = Registry::linked().expect("provider ids are unique");
        registry.iter().map(|info| made_up(info)).collect()
    })
}

fn made_up(info: &ProviderInfo) -> (Box<dyn Provider>, Credential) {
    let (mut settings, mut credential) = (Settings::new(), Credential::new());
    if let Some(environment) = info.environments.first() {
        settings = settings.with("environment", environment.name.to_string());
    }
    for field in &*info.fields {
        let value = match field.kind {
            FieldKind::Address => "vendor.example.com",
            FieldKind::RedirectUri => "http://127.0.0.1:0/callback",
            FieldKind::Text => "someone",
            _ => "sentSecret4711",
        };
        if field.is_secret() {
            credential = credential.with_secret(field.name.clone(), value);
        } else if info.requires(field, &Settings::new()) {
            settings = settings.with(field.name.to_string(), value);
            credential = credential.with_text(field.name.clone(), value);
        }
    }
    (info.provider(&settings).expect("the required fields suffice"), credential)
}

/// Returns the output of a future that is ready at once.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("reading a response is synchronous"),
    }
}

/// The time of all requests.
pub(crate) fn sent() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

#[derive(Debug)]
struct FixedResponse(http::Response<bytes::Bytes>);

#[async_trait]
impl HttpSend for FixedResponse {
    async fn send(&self, _: Request) -> Result<Response> {
        Ok(self.0.clone().into())
    }
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn wall(&self) -> SystemTime {
        sent()
    }

    fn boot(&self) -> Duration {
        Duration::from_secs(3600)
    }
}
