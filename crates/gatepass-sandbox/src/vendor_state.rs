//! VendorState: one vendor's clients, tokens and counters, and the desk it answers from.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    time::Duration,
};

use crate::{
    client::Client,
    clock::{FAR, Time},
    faults::FaultQueue,
    session::Sessions,
    state::Counters,
};

/// What one vendor has on its books.
#[derive(Default)]
pub(crate) struct VendorState {
    pub(crate) clients: Vec<Client>,
    /// Every secret any client had, in lower case.
    pub(crate) secrets: Vec<String>,
    pub(crate) tokens: HashMap<String, Issued>,
    /// Tokens in the order they were issued, so that the oldest is forgotten first.
    order: VecDeque<String>,
    pub(crate) counters: Counters,
    /// Token requests of the last minute.
    recent: VecDeque<Time>,
    /// Failed attempts, by client.
    pub(crate) failures: HashMap<String, u32>,
    /// Who is logged in.
    pub(crate) sessions: Sessions,
    /// The clients the person let in, by key.
    pub(crate) consents: HashSet<String>,
}

/// A token that was handed out.
#[derive(Clone)]
pub(crate) struct Issued {
    /// The key of the client it belongs to.
    pub(crate) owner: String,
    pub(crate) until: Time,
    /// What else the vendor remembers of it: an account, or another token.
    pub(crate) note: Option<String>,
    pub(crate) revoked: bool,
}

/// What a vendor finds when it looks a token up.
pub(crate) enum Look {
    Live(Issued),
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

/// One vendor at work: its book, the time, and how long tokens live.
pub(crate) struct VendorContext<'a> {
    pub(crate) state: &'a mut VendorState,
    pub(crate) faults: &'a mut FaultQueue,
    pub(crate) now: Time,
    pub(crate) lifetime: Option<Duration>,
}

impl VendorContext<'_> {
    pub(crate) fn client(&self, accept: impl Fn(&Client) -> bool) -> Option<Client> {
        self.state.clients.iter().find(|client| accept(client)).cloned()
    }

    /// The client of one of these id and secret pairs.
    pub(crate) fn client_by_pair(&self, pairs: &[(String, String)]) -> Option<Client> {
        self.client(|client| {
            pairs.iter().any(|(id, secret)| {
                id == client.get("client_id") && secret == client.get("client_secret")
            })
        })
    }

    /// How long this client's next token lives.
    pub(crate) fn life(&self, client: &Client, usual: u64) -> Duration {
        let usual = Duration::from_secs(usual);
        client.lifetime.or(self.lifetime).unwrap_or(usual).min(FAR)
    }

    pub(crate) fn issue(
        &mut self,
        token: &str,
        client: &Client,
        life: Duration,
        note: Option<&str>,
    ) {
        if self.state.order.len() >= TOKENS_KEPT
            && let Some(oldest) = self.state.order.pop_front()
        {
            self.state.tokens.remove(&oldest);
        }
        let issued = Issued {
            owner: client.key(),
            until: self.now + life,
            note: note.map(str::to_owned),
            revoked: false,
        };
        self.state.order.push_back(token.to_owned());
        self.state.tokens.insert(token.to_owned(), issued);
    }

    pub(crate) fn look(&self, token: &str) -> Look {
        match self.state.tokens.get(token) {
            Some(issued) if issued.revoked => Look::Unknown,
            Some(issued) if issued.until <= self.now => Look::Expired,
            Some(issued) => Look::Live(issued.clone()),
            None => Look::Unknown,
        }
    }

    pub(crate) fn live(&self, token: Option<&str>) -> Option<Issued> {
        match self.look(token?) {
            Look::Live(issued) => Some(issued),
            Look::Expired | Look::Unknown => None,
        }
    }

    /// The token this client was given before and that still has a second or more to live.
    pub(crate) fn held(&self, client: &Client) -> Option<(String, Issued)> {
        let key = client.key();
        let soon = self.now + Duration::from_secs(1);
        let newest = self.state.order.iter().rev();
        let mut held = newest.filter_map(|token| Some((token, self.state.tokens.get(token)?)));
        held.find(|(_, issued)| {
            issued.owner == key && issued.note.is_some() && !issued.revoked && issued.until >= soon
        })
        .map(|(token, issued)| (token.clone(), issued.clone()))
    }

    /// Counts a request against a limit per minute; how long to wait if it is over.
    pub(crate) fn over_limit(&mut self, per_minute: usize) -> Option<Duration> {
        let minute = Duration::from_secs(60);
        while self.state.recent.front().is_some_and(|at| *at + minute <= self.now) {
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

    pub(crate) fn failed(&mut self, client: &Client) {
        *self.state.failures.entry(client.key()).or_default() += 1;
    }
}

const TOKENS_KEPT: usize = 100_000;
