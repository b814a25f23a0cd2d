//! A vendor whose tokens say for whom they are: `key.number`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use gatepass_core::{Clock, HttpSend, Request, Response, Result, async_trait};
use gatepass_testkit::{Fixture, TestClock};
use tokio::sync::watch;

/// What the vendor does with one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Token,
    Deny,
    Fail,
    Nothing,
    Panic,
}

/// Its clones are the same vendor.
#[derive(Clone, Debug)]
pub(crate) struct Vendor {
    desk: Arc<Mutex<Desk>>,
    is_held: watch::Sender<bool>,
    clock: TestClock,
}

#[derive(Debug)]
struct Desk {
    life: u64,
    takes: Duration,
    does: HashMap<String, Does>,
    counts: HashMap<String, usize>,
    /// When each request came, on the boot clock.
    times: Vec<Duration>,
    in_flight: usize,
    in_flight_max: usize,
    in_flight_of: HashMap<String, usize>,
    two_of_one: bool,
}

impl Vendor {
    /// A vendor whose tokens live for so many seconds.
    pub(crate) fn new(life: u64, clock: &TestClock) -> Self {
        let desk = Desk {
            life,
            takes: Duration::ZERO,
            does: HashMap::new(),
            counts: HashMap::new(),
            times: Vec::new(),
            in_flight: 0,
            in_flight_max: 0,
            in_flight_of: HashMap::new(),
            two_of_one: false,
        };
        let desk = Arc::new(Mutex::new(desk));
        Self { desk, is_held: watch::channel(false).0, clock: clock.clone() }
    }

    /// Keeps every request waiting, or lets them go.
    pub(crate) fn hold(&self, is_held: bool) {
        self.is_held.send_replace(is_held);
    }

    pub(crate) fn takes(&self, time: Duration) {
        self.desk().takes = time;
    }

    pub(crate) fn lives(&self, seconds: u64) {
        self.desk().life = seconds;
    }

    pub(crate) fn does(&self, key: &str, does: Does) {
        self.desk().does.insert(key.to_owned(), does);
    }

    /// How many requests came for a key.
    pub(crate) fn count(&self, key: &str) -> usize {
        self.desk().counts.get(key).copied().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> usize {
        self.desk().times.len()
    }

    pub(crate) fn times(&self) -> Vec<Duration> {
        self.desk().times.clone()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.desk().in_flight
    }

    pub(crate) fn in_flight_max(&self) -> usize {
        self.desk().in_flight_max
    }

    /// Whether two requests for one key ever ran at once.
    pub(crate) fn two_of_one(&self) -> bool {
        self.desk().two_of_one
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }
}

struct InFlight<'a>(&'a Vendor, String);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut desk = self.0.desk();
        desk.in_flight -= 1;
        *desk.in_flight_of.get_mut(&self.1).unwrap() -= 1;
    }
}

#[async_trait]
impl HttpSend for Vendor {
    async fn send(&self, request: Request) -> Result<Response> {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let key = body.split('&').find_map(|pair| pair.strip_prefix("client_id=")).unwrap();
        let now = self.clock.boot();
        let (number, life, takes, does) = {
            let mut desk = self.desk();
            desk.times.push(now);
            desk.in_flight += 1;
            desk.in_flight_max = desk.in_flight_max.max(desk.in_flight);
            let of_key = desk.in_flight_of.entry(key.to_owned()).or_default();
            *of_key += 1;
            let two_of_one = *of_key > 1;
            desk.two_of_one |= two_of_one;
            let number = desk.counts.entry(key.to_owned()).or_default();
            *number += 1;
            let does = desk.does.get(key).copied().unwrap_or(Does::Token);
            (desk.counts[key], desk.life, desk.takes, does)
        };
        let _in_flight = InFlight(self, key.to_owned());
        let _ = self.is_held.subscribe().wait_for(|is_held| !is_held).await;
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        let fixture = match does {
            Does::Token => {
                let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{life}");
                Fixture::json(200, format!("{{\"access_token\":\"{key}.{number}\",{fields}}}"))
            }
            Does::Deny => Fixture::json(401, "{\"error\":\"invalid_client\"}"),
            Does::Fail => Fixture::json(503, ""),
            Does::Nothing => std::future::pending().await,
            #[expect(clippy::panic, reason = "this is what is tested")]
            Does::Panic => panic!("the vendor's code is broken"),
        };
        Ok(fixture.response())
    }
}
