//! A flight as its callers see it: an in-flight acquisition, and the handles that wait for it.

use std::time::Duration;

use gatepass_core::Result;

use crate::persistence::HISTORY_TIMEOUT;
use crate::rt::{AbortHandle, Elapsed, Timeout, timeout, watch};

/// How long after its timeout a flight counts as stuck: its thread is blocked, or its runtime is
/// not polled any more.
pub(crate) const COMPLETION_GRACE: Duration = Duration::from_secs(1);

/// A flight in progress.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) number: u64,
    pub(crate) task: Option<AbortHandle>,
    outcome: watch::Receiver<Option<Result<()>>>,
    /// Closed when the exchange's task has ended, which may be a little after the flight.
    end: Option<watch::Receiver<Option<Result<()>>>>,
}

/// A caller's subscription to a flight.
#[derive(Debug)]
pub(crate) struct FlightHandle {
    pub(crate) number: u64,
    outcome: watch::Receiver<Option<Result<()>>>,
}

/// Sends a flight's outcome to all its handles.
pub(crate) type OutcomeSender = watch::Sender<Option<Result<()>>>;

/// How a flight ended for one caller.
#[derive(Debug)]
pub(crate) enum FlightOutcome {
    /// With a token, which is in the cache, or with an error.
    Done(Result<()>),
    /// The flight's task was dropped.
    Aborted,
    /// The flight is stuck.
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

    /// Returns the value that the exchange's task holds until it ends.
    pub(crate) fn alive(&mut self) -> OutcomeSender {
        let (alive, end) = watch::channel(None);
        self.end = Some(end);
        alive
    }

    /// Returns a handle that waits for the end of the exchange's task.
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

/// The result of waiting for an outcome; an error if the flight's task was dropped.
type Received<'a> = Result<watch::Ref<'a, Option<Result<()>>>, watch::error::RecvError>;

impl FlightOutcome {
    pub(crate) fn of(received: Result<Received<'_>, Elapsed>) -> Self {
        match received {
            Ok(Ok(outcome)) => outcome.clone().map_or(Self::Aborted, Self::Done),
            Ok(Err(_)) => Self::Aborted,
            Err(_) => Self::TimedOut,
        }
    }
}

impl FlightHandle {
    /// Waits for the outcome of a flight that may take `limit`; [`FlightOutcome::of`] reads it.
    ///
    /// This is not an `async fn`, which would store its arguments twice: ten thousand callers may
    /// wait.
    pub(crate) fn outcome(
        &mut self,
        limit: Duration,
    ) -> Timeout<impl Future<Output = Received<'_>>> {
        let limit = limit.saturating_add(HISTORY_TIMEOUT + 2 * COMPLETION_GRACE);
        timeout(limit, self.outcome.wait_for(Option::is_some))
    }

    /// Waits until the flight's task has ended; on a handle of [`Flight::end`], until the
    /// exchange's task has ended.
    pub(crate) async fn finished(&mut self) {
        // The condition is never true, so this returns when the sender is dropped.
        let _ = self.outcome.wait_for(|_| false).await;
    }
}
