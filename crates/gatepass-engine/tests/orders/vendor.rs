//! A vendor that needs several scheduling steps to respond, and its callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gatepass_core::{Credential, HttpSend, Request, Response, Result, Token, async_trait};
use gatepass_testkit::example::Example;
use gatepass_testkit::{Fixture, TestClock};
use shuttle::future::{JoinHandle, spawn, yield_now};

use crate::{TokenSource, TokenSourceBuilder};

/// A fake vendor. Clones share the same state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vendor(Arc<State>);

#[derive(Debug, Default)]
struct State {
    count: AtomicUsize,
    in_flight: AtomicUsize,
    in_flight_max: AtomicUsize,
    is_held: AtomicBool,
    /// The token for every request; a new one for each if `None`.
    repeats: Option<&'static str>,
    is_broken: bool,
}

struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Vendor {
    pub(crate) fn repeating(text: &'static str) -> Self {
        Self(Arc::new(State { repeats: Some(text), ..State::default() }))
    }

    pub(crate) fn broken() -> Self {
        Self(Arc::new(State { is_broken: true, ..State::default() }))
    }

    /// Holds all responses until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.0.is_held.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.0.is_held.store(false, Ordering::SeqCst);
    }

    /// Waits until `count` requests have arrived.
    pub(crate) async fn arrived(&self, count: usize) {
        while self.count() < count {
            yield_now().await;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.count.load(Ordering::SeqCst)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::SeqCst)
    }

    /// Returns the maximum number of concurrent requests.
    pub(crate) fn in_flight_max(&self) -> usize {
        self.0.in_flight_max.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl HttpSend for Vendor {
    async fn send(&self, _: Request) -> Result<Response> {
        let state = &*self.0;
        let n = state.count.fetch_add(1, Ordering::SeqCst);
        let in_flight = state.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        state.in_flight_max.fetch_max(in_flight, Ordering::SeqCst);
        let _in_flight = InFlight(&state.in_flight);
        yield_now().await;
        while state.is_held.load(Ordering::SeqCst) {
            yield_now().await;
        }
        if state.is_broken {
            return Ok(Fixture::json(500, "").response());
        }
        let text = state.repeats.map_or_else(|| format!("token-{n}"), str::to_owned);
        // A token's scope is the number of its request.
        let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":3600,\"scope\":\"{n}\"");
        Ok(Fixture::json(200, format!("{{\"access_token\":\"{text}\",{fields}}}")).response())
    }
}

pub(crate) fn source(vendor: &Vendor, clock: &TestClock) -> TokenSource {
    builder(vendor, clock).build().unwrap()
}

pub(crate) fn builder(vendor: &Vendor, clock: &TestClock) -> TokenSourceBuilder {
    TokenSource::builder(Example::new(), Credential::client("client", "the secret"))
        .http(vendor.clone())
        .clock(clock.clone())
        .timeout(Duration::from_secs(15))
        .seed(7)
}

/// Spawns `callers` tasks that acquire a token each.
pub(crate) fn spawn_callers(
    source: &TokenSource,
    callers: usize,
) -> Vec<JoinHandle<Result<Token>>> {
    let spawn_callers = |_| {
        let source = source.clone();
        spawn(async move { source.token().await })
    };
    (0..callers).map(spawn_callers).collect()
}
