//! The state of the sandbox: a state for each vendor, the counters and the request log.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;

use crate::{
    client::Client,
    clock::SandboxClock,
    error::Result,
    faults::{Fault, FaultQueue, Target},
    vendor_request::VendorRequest,
    vendor_state::{VendorContext, VendorState},
    vendors::Vendors,
};

/// Counters of one provider or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// All requests: to token endpoints, APIs and login pages.
    pub requests: u64,
    /// Requests to token endpoints.
    pub token_requests: u64,
    /// Requests to the APIs.
    pub api_requests: u64,
    /// Responses with a new token, logins included.
    pub issued: u64,
    /// Redirects with a token after a login.
    pub logins: u64,
    /// Requests that the vendor rejected with status 400 or above, without a fault.
    pub refused: u64,
    /// Requests that a fault was applied to.
    pub faults: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// The highest number of requests in flight.
    pub in_flight_max: u64,
    /// Requests whose URL contained a secret or a token.
    pub secrets_in_url: u64,
    /// Tokens that an API would accept now.
    pub live_tokens: u64,
}

/// The counters of a sandbox at one point in time.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The time of the sandbox's clock, in seconds since 1970.
    pub now: u64,
    /// The seconds by which the clock was advanced.
    pub advanced_seconds: u64,
    /// The sum over all providers.
    #[serde(flatten)]
    pub total: Counters,
    /// The counters of each provider, by id.
    pub providers: BTreeMap<String, Counters>,
}

impl Snapshot {
    /// Returns one provider's counters; all zero for an unknown provider.
    pub fn provider(&self, id: &str) -> Counters {
        self.providers.get(id).copied().unwrap_or_default()
    }
}

/// A request in the log, without any value that could be a secret.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LogEntry {
    /// The time in seconds since 1970, by the sandbox's clock.
    pub at: u64,
    /// The provider's id.
    pub provider: String,
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The names of the query parameters.
    pub query: Vec<String>,
    /// The names of the headers.
    pub headers: Vec<String>,
    /// The status of the response; `None` without a response.
    pub status: Option<u16>,
    /// The fault that was applied.
    pub fault: Option<&'static str>,
    /// Whether the URL contained a secret or a token.
    pub secret_in_url: bool,
}

/// The sandbox's state behind one lock, which is never held across an await.
#[derive(Debug)]
pub(crate) struct Memory(Mutex<SandboxState>);

#[derive(Debug)]
pub(crate) struct SandboxState {
    pub(crate) clock: SandboxClock,
    pub(crate) faults: FaultQueue,
    lifetime: Option<Duration>,
    pub(crate) known: Vendors,
    vendors: BTreeMap<String, VendorState>,
    log: VecDeque<LogEntry>,
    in_flight: u64,
    in_flight_max: u64,
    first_clients: Vec<Client>,
    first_faults: Vec<Fault>,
}

impl Memory {
    pub(crate) fn new(
        known: Vendors,
        lifetime: Option<Duration>,
        clients: Vec<Client>,
        faults: Vec<Fault>,
    ) -> Result<Self> {
        let mut state = SandboxState {
            clock: SandboxClock::start(),
            faults: FaultQueue::default(),
            lifetime,
            known,
            vendors: BTreeMap::new(),
            log: VecDeque::new(),
            in_flight: 0,
            in_flight_max: 0,
            first_clients: clients,
            first_faults: faults,
        };
        for fault in &state.first_faults {
            fault.check(&state.known)?;
        }
        state.reset();
        Ok(Self(Mutex::new(state)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, SandboxState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SandboxState {
    /// Restores the initial clients and faults and removes everything else.
    pub(crate) fn reset(&mut self) {
        let in_flight =
            |vendor: Option<&VendorState>| vendor.map_or(0, |vendor| vendor.counters.in_flight);
        let running = self.known.iter().map(|vendor| {
            let state = VendorState::busy(in_flight(self.vendors.get(&vendor.id)));
            (vendor.id.clone(), state)
        });
        self.vendors = running.collect();
        for vendor in self.known.iter() {
            vendor.implementation.reset();
        }
        self.clock.reset();
        self.log.clear();
        self.in_flight_max = self.in_flight;
        self.faults = FaultQueue::default();
        for fault in self.first_faults.clone() {
            self.faults.add(fault);
        }
        for client in self.first_clients.clone() {
            self.add_client(client);
        }
    }

    /// Adds a client; a client with the same key is replaced, which rotates its secret.
    pub(crate) fn add_client(&mut self, client: Client) {
        let vendor = self.vendors.entry(client.vendor.id.clone()).or_default();
        let key = client.key();
        vendor.failures.remove(&key);
        vendor.consents.remove(&key);
        vendor.secrets.extend(client.secrets().filter(|s| s.len() >= 8).map(str::to_lowercase));
        vendor.clients.retain(|known| known.key() != key);
        vendor.clients.push(client);
    }

    /// Returns the initial clients.
    pub(crate) fn first_clients(&self) -> &[Client] {
        &self.first_clients
    }

    /// Returns the context in which a vendor handles a request.
    pub(crate) fn vendor(&mut self, provider: &str) -> VendorContext<'_> {
        let now = self.clock.now();
        let vendor = self.vendors.entry(provider.to_owned()).or_default();
        VendorContext { state: vendor, faults: &mut self.faults, now, lifetime: self.lifetime }
    }

    pub(crate) fn begin(&mut self, provider: &str) {
        self.in_flight += 1;
        self.in_flight_max = self.in_flight_max.max(self.in_flight);
        let counters = &mut self.vendors.entry(provider.to_owned()).or_default().counters;
        counters.in_flight += 1;
        counters.in_flight_max = counters.in_flight_max.max(counters.in_flight);
    }

    pub(crate) fn end(&mut self, provider: &str) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let counters = &mut self.vendors.entry(provider.to_owned()).or_default().counters;
        counters.in_flight = counters.in_flight.saturating_sub(1);
    }

    /// Counts and logs a request.
    pub(crate) fn record(
        &mut self,
        provider: &str,
        target: Target,
        call: &VendorRequest,
        status: Option<u16>,
        issued: bool,
        fault: Option<&'static str>,
    ) {
        let at = self.clock.now().as_secs();
        let query_parts =
            || call.query.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let secret_in_url = call.query.iter().any(|(name, _)| is_secret_parameter(name))
            || self.is_secret(&call.path)
            || query_parts().any(|part| self.is_secret(part));
        let names = call.headers.keys().map(|name| name.as_str());
        let is_clean =
            !secret_in_url && !names.chain([call.method.as_str()]).any(|part| self.is_secret(part));
        let redacted = |text: &str| match is_clean || !self.is_secret(text) {
            true => text.to_owned(),
            false => "[redacted]".to_owned(),
        };
        let entry = LogEntry {
            at,
            provider: provider.to_owned(),
            method: redacted(call.method.as_str()),
            path: redacted(&call.path),
            query: call.query.iter().map(|(name, _)| redacted(name)).collect(),
            headers: call.headers.keys().map(|name| redacted(name.as_str())).collect(),
            status,
            fault,
            secret_in_url,
        };
        let vendor = self.vendors.entry(provider.to_owned()).or_default();
        let counters = &mut vendor.counters;
        counters.requests += 1;
        counters.token_requests += u64::from(target == Target::Token);
        counters.api_requests += u64::from(target == Target::Api);
        counters.issued += u64::from(issued);
        counters.logins += u64::from(issued && target == Target::Login);
        counters.refused += u64::from(fault.is_none() && status.is_some_and(|code| code >= 400));
        counters.faults += u64::from(fault.is_some());
        counters.secrets_in_url += u64::from(secret_in_url);

        if self.log.len() >= MAX_LOG_ENTRIES {
            self.log.pop_front();
        }
        self.log.push_back(entry);
    }

    /// Returns whether the text contains a client's secret or a token.
    fn is_secret(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        self.vendors.values().any(|vendor| {
            vendor.secrets.iter().any(|secret| lower.contains(secret.as_str()))
                || text.split('/').any(|part| vendor.tokens.contains_key(part))
        })
    }

    pub(crate) fn log(&self) -> Vec<LogEntry> {
        self.log.iter().cloned().collect()
    }

    /// Revokes all valid tokens of a provider and returns their number.
    pub(crate) fn revoke_all(&mut self, provider: &str) -> Result<usize> {
        let vendor = self.known.named(provider)?;
        let now = self.clock.now();
        let vendor = self.vendors.entry(vendor.id.clone()).or_default();
        let valid = vendor.tokens.values_mut().filter(|token| !token.revoked && token.until > now);
        Ok(valid.map(|token| token.revoked = true).count())
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let mut total = Counters::default();
        let mut providers = BTreeMap::new();
        for (id, vendor) in &self.vendors {
            let mut counters = vendor.counters;
            let valid = vendor.tokens.values().filter(|token| !token.revoked && token.until > now);
            counters.live_tokens = valid.count() as u64;
            total.requests += counters.requests;
            total.token_requests += counters.token_requests;
            total.api_requests += counters.api_requests;
            total.issued += counters.issued;
            total.logins += counters.logins;
            total.refused += counters.refused;
            total.faults += counters.faults;
            total.secrets_in_url += counters.secrets_in_url;
            total.live_tokens += counters.live_tokens;
            providers.insert(id.clone(), counters);
        }
        total.in_flight = self.in_flight;
        total.in_flight_max = self.in_flight_max;
        let advanced_seconds = self.clock.advanced().as_secs();
        Snapshot { now: now.as_secs(), advanced_seconds, total, providers }
    }
}

fn is_secret_parameter(parameter: &str) -> bool {
    let secret = ["client_secret", "secret", "password", "access_token", "id_token"];
    secret.iter().any(|name| parameter.eq_ignore_ascii_case(name))
}

const MAX_LOG_ENTRIES: usize = 1_000;
