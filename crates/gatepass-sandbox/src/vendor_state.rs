//! One vendor's clients, tokens and counters, and the context in which it handles a request.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    time::Duration,
};

use crate::{
    client::Client,
    clock::{MAX_TIME, Time},
    faults::FaultQueue,
    random,
    session::Sessions,
    state::Counters,
};

/// The state of one vendor.
#[derive(Default)]
pub(crate) struct VendorState {
    pub(crate) clients: Vec<Client>,
    /// All current and former client secrets, in lower case.
    pub(crate) secrets: Vec<String>,
    pub(crate) tokens: HashMap<String, Issued>,
    /// Tokens in the order of issue; the oldest is removed first.
    order: VecDeque<String>,
    pub(crate) counters: Counters,
    /// The times of the token requests of the last minute.
    recent: VecDeque<Time>,
    /// Failed attempts by client key.
    pub(crate) failures: HashMap<String, u32>,
    /// The login sessions.
    pub(crate) sessions: Sessions,
    /// The keys of the clients that the user has allowed.
    pub(crate) consents: HashSet<String>,
}

/// An issued token.
#[derive(Clone)]
pub(crate) struct Issued {
    /// The key of the client that received the token.
    pub(crate) owner: String,
    pub(crate) until: Time,
    /// Vendor-specific data: an account, or a related token.
    pub(crate) note: Option<String>,
    pub(crate) revoked: bool,
}

/// The result of looking up a token.
pub(crate) enum TokenState {
    Valid(Issued),
    Expired,
    Unknown,
}

impl VendorState {
    pub(crate) fn busy(in_flight: u64) -> Self {
        let counters = Counters { in_flight, in_flight_max: in_flight, ..Counters::default() };
        Self { counters, ..Self::default() }
    }
}

impl fmt::Debug for VendorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorState").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl fmt::Debug for VendorContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorContext").field("now", &self.now).finish_non_exhaustive()
    }
}

/// The vendor's side of one request: its clients, its tokens and the sandbox's time.
pub struct VendorContext<'a> {
    pub(crate) state: &'a mut VendorState,
    pub(crate) faults: &'a mut FaultQueue,
    pub(crate) now: Time,
    pub(crate) lifetime: Option<Duration>,
}

impl VendorContext<'_> {
    /// Returns the time since 1970 by the sandbox's clock, which tests advance.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Returns the first client that this function accepts.
    pub fn client(&self, accept: impl Fn(&Client) -> bool) -> Option<Client> {
        self.state.clients.iter().find(|client| accept(client)).cloned()
    }

    /// Returns the client that matches one of these id and secret pairs.
    pub(crate) fn client_by_pair(&self, pairs: &[(String, String)]) -> Option<Client> {
        self.client(|client| {
            pairs.iter().any(|(id, secret)| {
                id == client.get("client_id") && secret == client.get("client_secret")
            })
        })
    }

    /// Returns the lifetime of this client's next token: the client's, the sandbox's (`--ttl`), or the
    /// vendor's own in seconds.
    pub fn token_lifetime(&self, client: &Client, default_seconds: u64) -> Duration {
        let default = Duration::from_secs(default_seconds);
        client.lifetime.or(self.lifetime).unwrap_or(default).min(MAX_TIME)
    }

    /// Issues a random token, whose first characters mark it as a simulated one. It expires by the
    /// sandbox's clock.
    pub fn issue(&mut self, client: &Client, lifetime: Duration) -> String {
        let token = random::marked(random::MARK, random::MIXED, 40);
        self.issue_as(&token, client, lifetime, None);
        token
    }

    /// Issues this token, for a vendor whose tokens have a format of their own, such as a JWT.
    pub fn issue_text(&mut self, token: &str, client: &Client, lifetime: Duration) {
        self.issue_as(token, client, lifetime.min(MAX_TIME), None);
    }

    /// Returns the client of a valid token; `None` for every other token.
    pub fn client_of(&self, token: Option<&str>) -> Option<Client> {
        let owner = self.valid_token(token)?.owner;
        self.client(|client| client.key() == owner)
    }

    /// Returns whether the token was valid before it expired.
    pub fn is_expired(&self, token: Option<&str>) -> bool {
        token.is_some_and(|token| matches!(self.token_state(token), TokenState::Expired))
    }

    /// Revokes a token and returns whether it was valid.
    pub fn revoke(&mut self, token: &str) -> bool {
        let is_valid = self.valid_token(Some(token)).is_some();
        if let Some(issued) = self.state.tokens.get_mut(token) {
            issued.revoked = true;
        }
        is_valid
    }

    pub(crate) fn issue_as(
        &mut self,
        token: &str,
        client: &Client,
        lifetime: Duration,
        note: Option<&str>,
    ) {
        if self.state.order.len() >= MAX_TOKENS
            && let Some(oldest) = self.state.order.pop_front()
        {
            self.state.tokens.remove(&oldest);
        }
        let issued = Issued {
            owner: client.key(),
            until: self.now + lifetime,
            note: note.map(str::to_owned),
            revoked: false,
        };
        self.state.order.push_back(token.to_owned());
        self.state.tokens.insert(token.to_owned(), issued);
    }

    pub(crate) fn token_state(&self, token: &str) -> TokenState {
        match self.state.tokens.get(token) {
            Some(issued) if issued.revoked => TokenState::Unknown,
            Some(issued) if issued.until <= self.now => TokenState::Expired,
            Some(issued) => TokenState::Valid(issued.clone()),
            None => TokenState::Unknown,
        }
    }

    pub(crate) fn valid_token(&self, token: Option<&str>) -> Option<Issued> {
        match self.token_state(token?) {
            TokenState::Valid(issued) => Some(issued),
            TokenState::Expired | TokenState::Unknown => None,
        }
    }

    /// Returns the client's current token if it is valid for at least one more second.
    pub(crate) fn current_token(&self, client: &Client) -> Option<(String, Issued)> {
        let key = client.key();
        let soon = self.now + Duration::from_secs(1);
        let newest = self.state.order.iter().rev();
        let mut tokens = newest.filter_map(|token| Some((token, self.state.tokens.get(token)?)));
        tokens
            .find(|(_, issued)| {
                issued.owner == key
                    && issued.note.is_some()
                    && !issued.revoked
                    && issued.until >= soon
            })
            .map(|(token, issued)| (token.clone(), issued.clone()))
    }

    /// Counts a request against a limit per minute; returns the wait if the limit is exceeded.
    pub fn over_limit(&mut self, per_minute: usize) -> Option<Duration> {
        let minute = Duration::from_secs(60);
        while self.state.recent.front().is_some_and(|time| *time + minute <= self.now) {
            self.state.recent.pop_front();
        }
        if self.state.recent.len() >= per_minute {
            return self.state.recent.front().map(|at| (*at + minute).saturating_sub(self.now));
        }
        self.state.recent.push_back(self.now);
        None
    }

    pub(crate) fn failures(&self, client: &Client) -> u32 {
        self.state.failures.get(&client.key()).copied().unwrap_or_default()
    }

    pub(crate) fn count_failure(&mut self, client: &Client) {
        *self.state.failures.entry(client.key()).or_default() += 1;
    }
}

const MAX_TOKENS: usize = 100_000;
