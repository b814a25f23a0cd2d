//! The vendors of the model, and the ledger of their requests and responses.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, HttpSend, Request, Response, Result, async_trait};
use gatepass_testkit::{Fixture, TestClock};

use crate::operation::{SOURCES, VendorAction};

/// The events at the vendors, in order. Clones share the same ledger.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<Mutex<LedgerState>>);

#[derive(Debug, Default)]
pub(crate) struct LedgerState {
    pub(crate) exchanges: Vec<ModelExchange>,
    pub(crate) events: Vec<ModelEvent>,
    pub(crate) vendors: [ModelVendor; SOURCES],
    released: Vec<usize>,
    wakers: Vec<Waker>,
}

/// The state of one source's vendor.
#[derive(Debug)]
pub(crate) struct ModelVendor {
    pub(crate) action: VendorAction,
    pub(crate) responds_at_once: bool,
    /// The current version of the secret.
    pub(crate) secret: usize,
    /// The latest denied version.
    pub(crate) refused: usize,
    same: Option<(String, Duration)>,
    pub(crate) in_flight: usize,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct ModelExchange {
    pub(crate) source: usize,
    /// The source and the version of the secret in the request.
    pub(crate) secret: (usize, usize),
    /// The current version at that time.
    pub(crate) wanted: usize,
    pub(crate) started: ModelMoment,
    pub(crate) response: ModelResponse,
    pub(crate) ended: Option<ModelMoment>,
    /// Number of other requests of the source in progress when it started.
    pub(crate) others: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum ModelResponse {
    Token { text: String, lifetime: Duration },
    Other(VendorAction),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ModelEvent {
    Started(usize),
    Responded(usize),
    /// The engine dropped the request before its response.
    Dropped(usize),
}

/// One moment on both clocks and on the runtime's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelMoment {
    pub(crate) wall: SystemTime,
    pub(crate) boot: Duration,
    pub(crate) runtime: tokio::time::Instant,
}

impl ModelMoment {
    pub(crate) fn of(clock: &TestClock) -> Self {
        let runtime = tokio::time::Instant::now();
        Self { wall: clock.wall(), boot: clock.boot(), runtime }
    }
}

impl Default for ModelVendor {
    fn default() -> Self {
        let action = VendorAction::IssuesNew(3600);
        Self { action, responds_at_once: true, secret: 1, refused: 0, same: None, in_flight: 0 }
    }
}

impl ModelVendor {
    /// Returns this token for every request until it expires.
    pub(crate) fn return_always(&mut self, text: &str, end: Duration) {
        (self.action, self.responds_at_once) = (VendorAction::ReturnsSame(3600), false);
        self.same = Some((text.to_owned(), end));
    }
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, LedgerState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the n-th request in progress get its response.
    pub(crate) fn release(&self, request: usize) {
        let mut state = self.state();
        let open: Vec<usize> =
            (0..state.exchanges.len()).filter(|n| state.is_open(*n)).collect::<Vec<_>>();
        let Some(n) = open.get(request % open.len().max(1)) else { return };
        state.released.push(*n);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl LedgerState {
    fn is_open(&self, n: usize) -> bool {
        self.exchanges[n].ended.is_none() && !self.released.contains(&n)
    }

    fn begin(&mut self, source: usize, secret: (usize, usize), started: ModelMoment) -> usize {
        let n = self.exchanges.len();
        let vendor = &mut self.vendors[source];
        let response = match vendor.action {
            VendorAction::IssuesNew(lifetime) => ModelResponse::Token {
                text: format!("k{source}.{n}"),
                lifetime: Duration::from_secs(lifetime),
            },
            VendorAction::ReturnsSame(lifetime) => {
                let second = Duration::from_secs(1);
                let lasting = |(_, end): &mut (String, Duration)| *end >= started.boot + second;
                if !vendor.same.as_mut().is_some_and(lasting) {
                    let end = started.boot + Duration::from_secs(lifetime);
                    vendor.same = Some((format!("k{source}.{n}"), end));
                }
                let (text, end) = vendor.same.clone().unwrap_or_default();
                // In whole seconds, as vendors state it.
                ModelResponse::Token {
                    text,
                    lifetime: Duration::from_secs((end - started.boot).as_secs()),
                }
            }
            VendorAction::Denies if secret.1 > vendor.refused => ModelResponse::Token {
                text: format!("k{source}.{n}"),
                lifetime: Duration::from_secs(3600),
            },
            other => ModelResponse::Other(other),
        };
        let (others, wanted) = (vendor.in_flight, vendor.secret);
        vendor.in_flight += 1;
        let (ended, responds_now) = (None, vendor.responds_at_once);
        self.exchanges.push(ModelExchange {
            source,
            secret,
            wanted,
            started,
            response,
            ended,
            others,
        });
        self.events.push(ModelEvent::Started(n));
        if responds_now {
            self.released.push(n);
        }
        n
    }

    fn end(&mut self, n: usize, event: ModelEvent, at: ModelMoment) {
        let exchange = &mut self.exchanges[n];
        if exchange.ended.is_none() {
            exchange.ended = Some(at);
            self.vendors[exchange.source].in_flight -= 1;
            self.events.push(event);
        }
    }
}

/// Sends one source's requests to its vendor.
#[derive(Debug)]
pub(crate) struct ModelHttp {
    pub(crate) source: usize,
    pub(crate) ledger: Ledger,
    pub(crate) clock: TestClock,
}

struct Open<'a>(&'a ModelHttp, usize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Self(line, n) = *self;
        line.ledger.state().end(n, ModelEvent::Dropped(n), ModelMoment::of(&line.clock));
    }
}

#[async_trait]
impl HttpSend for ModelHttp {
    async fn send(&self, request: Request) -> Result<Response> {
        let secret = secret(request.body());
        let n = self.ledger.state().begin(self.source, secret, ModelMoment::of(&self.clock));
        let open = Open(self, n);
        poll_fn(|cx| {
            let mut state = self.ledger.state();
            let is_never = matches!(
                state.exchanges[n].response,
                ModelResponse::Other(VendorAction::NeverResponds)
            );
            if state.released.contains(&n) && !is_never {
                return Poll::Ready(());
            }
            state.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        let model = {
            let mut state = self.ledger.state();
            state.end(n, ModelEvent::Responded(n), ModelMoment::of(&self.clock));
            state.exchanges[n].response.clone()
        };
        drop(open);
        Ok(response(n, &model))
    }
}

/// Builds the response. A token's scope is the number of its exchange.
fn response(n: usize, response: &ModelResponse) -> Response {
    let fixture = match response {
        ModelResponse::Token { text, lifetime } => {
            let lifetime = lifetime.as_secs();
            let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{lifetime}");
            let body = format!("{{\"access_token\":\"{text}\",{fields},\"scope\":\"{n}\"}}");
            Fixture::json(200, body)
        }
        ModelResponse::Other(VendorAction::RateLimits(Some(after))) => {
            Fixture::json(429, "").with_header("retry-after", &after.to_string())
        }
        ModelResponse::Other(VendorAction::RateLimits(None)) => Fixture::json(429, ""),
        ModelResponse::Other(VendorAction::Unavailable(after)) => {
            Fixture::json(503, "").with_header("retry-after", &after.to_string())
        }
        ModelResponse::Other(VendorAction::Denies) => {
            Fixture::json(401, "{\"error\":\"invalid_client\"}")
        }
        ModelResponse::Other(VendorAction::WebPage) => Fixture::json(200, "<html>welcome</html>"),
        // Without the panic hook, which would print it.
        ModelResponse::Other(VendorAction::Panics) => {
            std::panic::resume_unwind(Box::new("a provider's panic"))
        }
        ModelResponse::Other(_) => Fixture::json(500, ""),
    };
    fixture.response()
}

/// Returns the source and the version of a request's secret: `…&client_secret=s0v1`.
fn secret(body: &[u8]) -> (usize, usize) {
    let body = String::from_utf8_lossy(body);
    let secret = body.rsplit("client_secret=s").next().unwrap_or_default();
    let (source, version) = secret.split_once('v').unwrap_or_default();
    (source.parse().unwrap_or(usize::MAX), version.parse().unwrap_or(usize::MAX))
}
