//! A flight: one exchange for all who wait, in a task of the engine's own.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::{Error, Result};
use tracing::Instrument;

use crate::cache::{Cache, StoreOutcome, WeakCache};
use crate::exchange::{ExchangeFailure, ExchangeRequest, SourceConfig};
use crate::metrics;
use crate::noted::HISTORY_TIMEOUT;
use crate::rt::{AbortHandle, Elapsed, Handle, JoinSet, Timeout, sleep, timeout, watch};

/// How long after its time a flight counts as stuck: its thread is blocked, or nobody drives its
/// runtime any more.
const COMPLETION_GRACE: Duration = Duration::from_secs(1);

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
pub(crate) struct FlightHandle {
    pub(crate) number: u64,
    outcome: watch::Receiver<Option<Result<()>>>,
}

/// Where the outcome goes.
pub(crate) type OutcomeSender = watch::Sender<Option<Result<()>>>;

/// How a flight ended for one who waited.
#[derive(Debug)]
pub(crate) enum FlightOutcome {
    /// With a token, which is in the cache now, or with an error.
    Done(Result<()>),
    /// Its task was dropped.
    Aborted,
    /// It is stuck.
    TimedOut,
}

impl Flight {
    pub(crate) fn new(number: u64) -> (Self, OutcomeSender) {
        let (sender, outcome) = watch::channel(None);
        (Self { number, task: None, outcome, end: None }, sender)
    }

    pub(crate) fn subscribe(&self) -> FlightHandle {
        FlightHandle { number: self.number, outcome: self.outcome.clone() }
    }

    /// What the exchange is to hold for as long as it goes on.
    pub(crate) fn alive(&mut self) -> OutcomeSender {
        let (alive, end) = watch::channel(None);
        self.end = Some(end);
        alive
    }

    /// A ticket for whoever waits until nothing of it is left.
    pub(crate) fn end(&self) -> FlightHandle {
        let outcome = self.end.clone().unwrap_or_else(|| self.outcome.clone());
        FlightHandle { number: self.number, outcome }
    }

    pub(crate) fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What the wait for a flight's end gives; an error if its task was dropped.
type Ended<'a> = Result<watch::Ref<'a, Option<Result<()>>>, watch::error::RecvError>;

impl FlightOutcome {
    pub(crate) fn of(ended: Result<Ended<'_>, Elapsed>) -> Self {
        match ended {
            Ok(Ok(outcome)) => outcome.clone().map_or(Self::Aborted, Self::Done),
            Ok(Err(_)) => Self::Aborted,
            Err(_) => Self::TimedOut,
        }
    }
}

impl FlightHandle {
    /// Waits for the flight's end, which [`FlightOutcome::of`] reads; `limit` is the time a flight may
    /// take. Ten thousand may wait: this is no async fn, which would keep its arguments.
    pub(crate) fn outcome(&mut self, limit: Duration) -> Timeout<impl Future<Output = Ended<'_>>> {
        timeout(
            limit.saturating_add(HISTORY_TIMEOUT + 2 * COMPLETION_GRACE),
            self.outcome.wait_for(Option::is_some),
        )
    }

    /// Waits until the flight's task is gone, and with a ticket for its [`end`](Flight::end) until
    /// the exchange is.
    pub(crate) async fn finished(&mut self) {
        // Nothing satisfies this wait but the end of the sender.
        let _ = self.outcome.wait_for(|_| false).await;
    }
}

/// Starts a flight.
pub(crate) fn spawn(
    runtime: &Handle,
    cache: &Arc<Cache>,
    number: u64,
    outcome: OutcomeSender,
    alive: OutcomeSender,
    request: ExchangeRequest,
) -> AbortHandle {
    let config = cache.config.clone();
    let guard = CompletionGuard { cache: Arc::downgrade(cache), number, outcome };
    let span = metrics::span(&config, number);
    runtime.spawn(run(config, guard, alive, request).instrument(span)).abort_handle()
}

async fn run(
    config: Arc<SourceConfig>,
    guard: CompletionGuard,
    alive: OutcomeSender,
    request: ExchangeRequest,
) {
    let begun = config.now();
    let _in_flight = metrics::in_flight(&config);
    let mut tasks = JoinSet::new();
    let exchange = exchange(config.clone(), guard.cache.clone(), guard.number, request);
    let exchange = exchange.in_current_span();
    tasks.spawn(async move {
        let _alive = alive;
        exchange.await
    });
    let limit = config.flight_timeout().saturating_add(HISTORY_TIMEOUT + COMPLETION_GRACE);
    let outcome = match timeout(limit, tasks.join_next()).await {
        Ok(Some(Ok(outcome))) => outcome,
        // The panic's own text may hold a secret.
        Ok(Some(Err(error))) if error.is_panic() => Err(Error::internal("the provider panicked")
            .with_hint("this is a fault in the provider's code: please report it there")
            .into()),
        Ok(_) => return,
        Err(_) => Err(timed_out(config.timeout).into()),
    };
    let outcome = outcome.map_err(|failure| {
        let error = config.named(failure.error);
        ExchangeFailure { error, ..failure }
    });
    let took = config.now().since(begun);
    let result = outcome.as_ref().map_or_else(|failure| failure.error.kind().code(), |()| "token");
    metrics::record_exchange(&config, result, took);
    tracing::debug!(
        provider = &*config.provider_id,
        profile = config.name.as_deref(),
        ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        outcome = result,
        "exchange"
    );
    guard.end(outcome);
}

/// The exchange, in a task within the flight's, so that a provider that panics or blocks its
/// thread does neither to those who wait.
async fn exchange(
    config: Arc<SourceConfig>,
    cache: WeakCache,
    number: u64,
    mut request: ExchangeRequest,
) -> Result<(), ExchangeFailure> {
    let mut notes = Vec::new();
    let exchange = async {
        for again in [false, true] {
            let mut seen = 0;
            let begin = || seen = cache.upgrade().map_or(0, |cache| cache.begin_exchange());
            let cached = config.exchange(&request, begin, &mut notes).await?;
            // What comes next has to come from the vendor.
            request.is_fresh = true;
            let Some(cache) = cache.upgrade() else { break };
            match cache.store_token(number, seen, again, cached) {
                StoreOutcome::Stored => return Ok(()),
                StoreOutcome::Superseded => break,
                // A vendor that gives the same token until it ends has another one now.
                StoreOutcome::AlreadyExpired | StoreOutcome::Invalidated => {}
                StoreOutcome::ExpiresSoon(remaining) => {
                    drop(cache);
                    sleep(remaining).await;
                }
            }
        }
        Err(Error::protocol("the token had ended when it came")
            .with_hint("is this machine's clock right?")
            .into())
    };
    let outcome = match timeout(config.flight_timeout(), exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(timed_out(config.timeout).into()),
    };
    config.append_history(notes).await;
    outcome
}

/// The error of a flight that takes too long.
pub(crate) fn timed_out(limit: Duration) -> Error {
    let limit = match limit.subsec_millis() {
        0 => format!("{} s", limit.as_secs()),
        _ => format!("{} ms", limit.as_millis()),
    };
    Error::unavailable(format!("no token in {limit}"))
        .with_hint("is the vendor reachable from here? `timeout` in the profile allows more")
}

/// Ends the flight in the cache, also when its task is dropped. It does not keep the cache alive:
/// a source that is dropped needs no token.
struct CompletionGuard {
    cache: WeakCache,
    number: u64,
    outcome: OutcomeSender,
}

impl CompletionGuard {
    fn end(&self, outcome: Result<(), ExchangeFailure>) {
        let end =
            |cache: Arc<Cache>| cache.end_flight(self.number, Some(outcome.as_ref().copied()));
        if !self.cache.upgrade().is_some_and(end) {
            // Closed or given up meanwhile: whoever waits still asks the cache why.
            return;
        }
        self.outcome.send_replace(Some(outcome.map_err(|failure| failure.error)));
    }
}

impl Drop for CompletionGuard {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade() {
            cache.end_flight(self.number, None);
        }
    }
}
