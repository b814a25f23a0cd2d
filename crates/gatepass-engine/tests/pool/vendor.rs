//! A fake vendor whose tokens name their key: `key.number`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use gatepass_core::{Clock, HttpSend, Request, Response, Result, async_trait};
use gatepass_testkit::{Fixture, TestClock};
use tokio::sync::watch;

/// How the vendor responds to one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Token,
    Deny,
    Fail,
    Nothing,
    Panic,
}

/// A fake vendor. Its clones are the same vendor.
#[derive(Clone, Debug)]
pub(crate) struct Vendor {
    state: Arc<Mutex<VendorState>>,
    is_holding: watch::Sender<bool>,
    clock: TestClock,
}

#[derive(Debug)]
struct VendorState {
    lifetime: u64,
    delay: Duration,
    behaviours: HashMap<String, Behaviour>,
    counts: HashMap<String, usize>,
    /// When each request arrived, by the boot clock.
    times: Vec<Duration>,
    in_flight: usize,
    in_flight_max: usize,
    in_flight_of: HashMap<String, usize>,
    overlapped: bool,
}

impl Vendor {
    /// Creates a vendor whose tokens are valid for this number of seconds.
    pub(crate) fn new(lifetime: u64, clock: &TestClock) -> Self {
        let state = VendorState {
            lifetime,
            delay: Duration::ZERO,
            behaviours: HashMap::new(),
            counts: HashMap::new(),
            times: Vec::new(),
            in_flight: 0,
            in_flight_max: 0,
            in_flight_of: HashMap::new(),
            overlapped: false,
        };
        let state = Arc::new(Mutex::new(state));
        Self { state, is_holding: watch::channel(false).0, clock: clock.clone() }
    }

    /// Holds every request back, or releases them.
    pub(crate) fn hold(&self, is_holding: bool) {
        self.is_holding.send_replace(is_holding);
    }

    pub(crate) fn set_delay(&self, time: Duration) {
        self.state().delay = time;
    }

    pub(crate) fn set_lifetime(&self, seconds: u64) {
        self.state().lifetime = seconds;
    }

    pub(crate) fn respond(&self, key: &str, behaviour: Behaviour) {
        self.state().behaviours.insert(key.to_owned(), behaviour);
    }

    /// Returns the number of requests for a key.
    pub(crate) fn count(&self, key: &str) -> usize {
        self.state().counts.get(key).copied().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> usize {
        self.state().times.len()
    }

    pub(crate) fn times(&self) -> Vec<Duration> {
        self.state().times.clone()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    pub(crate) fn in_flight_max(&self) -> usize {
        self.state().in_flight_max
    }

    /// Returns whether two requests for one key were ever in flight together.
    pub(crate) fn overlapped(&self) -> bool {
        self.state().overlapped
    }

    fn state(&self) -> MutexGuard<'_, VendorState> {
        self.state.lock().unwrap()
    }
}

struct InFlight<'a>(&'a Vendor, String);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        *state.in_flight_of.get_mut(&self.1).unwrap() -= 1;
    }
}

#[async_trait]
impl HttpSend for Vendor {
    async fn send(&self, request: Request) -> Result<Response> {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let key = body.split('&').find_map(|pair| pair.strip_prefix("client_id=")).unwrap();
        let now = self.clock.boot();
        let (number, lifetime, delay, behaviour) = {
            let mut state = self.state();
            state.times.push(now);
            state.in_flight += 1;
            state.in_flight_max = state.in_flight_max.max(state.in_flight);
            let of_key = state.in_flight_of.entry(key.to_owned()).or_default();
            *of_key += 1;
            let overlapped = *of_key > 1;
            state.overlapped |= overlapped;
            let number = state.counts.entry(key.to_owned()).or_default();
            *number += 1;
            let behaviour = state.behaviours.get(key).copied().unwrap_or(Behaviour::Token);
            (state.counts[key], state.lifetime, state.delay, behaviour)
        };
        let _in_flight = InFlight(self, key.to_owned());
        let _ = self.is_holding.subscribe().wait_for(|is_holding| !is_holding).await;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let fixture = match behaviour {
            Behaviour::Token => {
                let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{lifetime}");
                Fixture::json(200, format!("{{\"access_token\":\"{key}.{number}\",{fields}}}"))
            }
            Behaviour::Deny => Fixture::json(401, "{\"error\":\"invalid_client\"}"),
            Behaviour::Fail => Fixture::json(503, ""),
            Behaviour::Nothing => std::future::pending().await,
            #[expect(clippy::panic, reason = "this is what is tested")]
            Behaviour::Panic => panic!("the vendor's code is broken"),
        };
        Ok(fixture.response())
    }
}
