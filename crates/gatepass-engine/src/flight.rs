//! A flight: one exchange for all who wait, in a task of the engine's own.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{Error, Result};
use tracing::Instrument;

use crate::cache::{Arrival, Cache, WeakCache};
use crate::exchange::{Ask, Failure, Identity};
use crate::metrics;
use crate::noted::NOTING;
use crate::rt::{AbortHandle, Elapsed, Handle, JoinSet, Timeout, sleep, timeout, watch};

/// How long after its time a flight counts as stuck: its thread is blocked, or nobody drives its
/// runtime any more.
const GRACE: Duration = Duration::from_secs(1);

/// A flight under way.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) number: u64,
    pub(crate) task: Option<AbortHandle>,
    outcome: watch::Receiver<Option<Result<()>>>,
    /// What its exchange keeps alive, which may last a little longer than the flight.
    end: Option<watch::Receiver<Option<Result<()>>>>,
}

/// A place on a flight.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) number: u64,
    outcome: watch::Receiver<Option<Result<()>>>,
}

/// Where the outcome goes.
pub(crate) type Outcome = watch::Sender<Option<Result<()>>>;

/// How a flight ended for one who waited.
#[derive(Debug)]
pub(crate) enum Landed {
    /// With a token, which is in the cache now, or with an error.
    Done(Result<()>),
    /// Its task was dropped.
    Lost,
    /// It is stuck.
    Stuck,
}

impl Flight {
    pub(crate) fn new(number: u64) -> (Self, Outcome) {
        let (sender, outcome) = watch::channel(None);
        (Self { number, task: None, outcome, end: None }, sender)
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket { number: self.number, outcome: self.outcome.clone() }
    }

    /// What the exchange is to hold for as long as it goes on.
    pub(crate) fn alive(&mut self) -> Outcome {
        let (alive, end) = watch::channel(None);
        self.end = Some(end);
        alive
    }

    /// A ticket for whoever waits until nothing of it is left.
    pub(crate) fn end(&self) -> Ticket {
        let outcome = self.end.clone().unwrap_or_else(|| self.outcome.clone());
        Ticket { number: self.number, outcome }
    }

    pub(crate) fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What the wait for a flight's end gives; an error if its task was dropped.
type Ended<'a> = Result<watch::Ref<'a, Option<Result<()>>>, watch::error::RecvError>;

impl Landed {
    pub(crate) fn of(ended: Result<Ended<'_>, Elapsed>) -> Self {
        match ended {
            Ok(Ok(outcome)) => outcome.clone().map_or(Self::Lost, Self::Done),
            Ok(Err(_)) => Self::Lost,
            Err(_) => Self::Stuck,
        }
    }
}

impl Ticket {
    /// Waits for the flight's end, which [`Landed::of`] reads; `limit` is the time a flight may
    /// take. Ten thousand may wait: this is no async fn, which would keep its arguments.
    pub(crate) fn landing(&mut self, limit: Duration) -> Timeout<impl Future<Output = Ended<'_>>> {
        timeout(limit.saturating_add(NOTING + 2 * GRACE), self.outcome.wait_for(Option::is_some))
    }

    /// Waits until the flight's task is gone, and with a ticket for its [`end`](Flight::end) until
    /// the exchange is.
    pub(crate) async fn gone(&mut self) {
        // Nothing satisfies this wait but the end of the sender.
        let _ = self.outcome.wait_for(|_| false).await;
    }
}

/// Starts a flight.
pub(crate) fn start(
    runtime: &Handle,
    cache: &Arc<Cache>,
    number: u64,
    outcome: Outcome,
    alive: Outcome,
    ask: Ask,
) -> AbortHandle {
    let identity = cache.identity.clone();
    let landing = Landing { cache: Arc::downgrade(cache), number, outcome };
    let span = metrics::span(&identity, number);
    runtime.spawn(fly(identity, landing, alive, ask).instrument(span)).abort_handle()
}

async fn fly(identity: Arc<Identity>, landing: Landing, alive: Outcome, ask: Ask) {
    let begun = identity.now();
    let _flying = metrics::flying(&identity);
    let mut tasks = JoinSet::new();
    let exchange = exchange(identity.clone(), landing.cache.clone(), landing.number, ask);
    let exchange = exchange.in_current_span();
    tasks.spawn(async move {
        let _alive = alive;
        exchange.await
    });
    let limit = identity.limit().saturating_add(NOTING + GRACE);
    let outcome = match timeout(limit, tasks.join_next()).await {
        Ok(Some(Ok(outcome))) => outcome,
        // The panic's own text may hold a secret.
        Ok(Some(Err(error))) if error.is_panic() => Err(Error::internal("the provider panicked")
            .with_hint("this is a fault in the provider's code: please report it there")
            .into()),
        Ok(_) => return,
        Err(_) => Err(too_late(identity.timeout).into()),
    };
    let outcome = outcome.map_err(|failure| {
        let error = identity.named(failure.error);
        Failure { error, ..failure }
    });
    let took = identity.now().since(begun);
    let result = outcome.as_ref().map_or_else(|failure| failure.error.kind().code(), |()| "token");
    metrics::exchanged(&identity, result, took);
    tracing::debug!(
        provider = &*identity.id,
        profile = identity.name.as_deref(),
        ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        outcome = result,
        "exchange"
    );
    landing.end(outcome);
}

/// The exchange, in a task within the flight's, so that a provider that panics or blocks its
/// thread does neither to those who wait.
async fn exchange(
    identity: Arc<Identity>,
    cache: WeakCache,
    number: u64,
    mut ask: Ask,
) -> Result<(), Failure> {
    let mut notes = Vec::new();
    let exchange = async {
        for again in [false, true] {
            let mut seen = 0;
            let begin = || seen = cache.upgrade().map_or(0, |cache| cache.begin_exchange());
            let held = identity.exchange(&ask, begin, &mut notes).await?;
            // What comes next has to come from the vendor.
            ask.is_fresh = true;
            let Some(cache) = cache.upgrade() else { break };
            match cache.take(number, seen, again, held) {
                Arrival::Taken => return Ok(()),
                Arrival::TooLate => break,
                // A vendor that gives the same token until it ends has another one now.
                Arrival::Ended | Arrival::Refused => {}
                Arrival::Ending(left) => {
                    drop(cache);
                    sleep(left).await;
                }
            }
        }
        Err(Error::protocol("the token had ended when it came")
            .with_hint("is this machine's clock right?")
            .into())
    };
    let outcome = match timeout(identity.limit(), exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(too_late(identity.timeout).into()),
    };
    identity.keep_notes(notes).await;
    outcome
}

/// The error of a flight that takes too long.
pub(crate) fn too_late(limit: Duration) -> Error {
    let limit = match limit.subsec_millis() {
        0 => format!("{} s", limit.as_secs()),
        _ => format!("{} ms", limit.as_millis()),
    };
    Error::unavailable(format!("no token in {limit}"))
        .with_hint("is the vendor reachable from here? `timeout` in the profile allows more")
}

/// Ends the flight in the cache, also when its task is dropped. It does not keep the cache alive:
/// a source that is dropped needs no token.
struct Landing {
    cache: WeakCache,
    number: u64,
    outcome: Outcome,
}

impl Landing {
    fn end(&self, outcome: Result<(), Failure>) {
        let end =
            |cache: Arc<Cache>| cache.end_flight(self.number, Some(outcome.as_ref().copied()));
        if !self.cache.upgrade().is_some_and(end) {
            // Closed or given up meanwhile: whoever waits still asks the cache why.
            return;
        }
        self.outcome.send_replace(Some(outcome.map_err(|failure| failure.error)));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade() {
            cache.end_flight(self.number, None);
        }
    }
}
