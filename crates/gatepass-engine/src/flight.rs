//! The task of a flight: acquires a token once and caches it for all callers that wait.

use std::sync::Arc;

use gatepass_core::{Error, Result};
use tracing::Instrument;

use crate::cache::{Cache, StoreOutcome, WeakCache};
use crate::exchange::ExchangeRequest;
use crate::exchange_failure::ExchangeFailure;
use crate::flight_handle::{COMPLETION_GRACE, OutcomeSender};
use crate::metrics;
use crate::persistence::HISTORY_TIMEOUT;
use crate::rt::{AbortHandle, Handle, JoinSet, sleep, timeout};
use crate::source_config::{SourceConfig, timed_out};

/// Starts a flight's task.
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
    let started = config.now();
    let _in_flight = metrics::in_flight(&config);
    // The exchange has a task of its own, so that a provider that panics or blocks its thread
    // affects no caller.
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
        // The panic's own message may contain a secret.
        Ok(Some(Err(error))) if error.is_panic() => Err(Error::internal("the provider panicked")
            .hint("this is a defect in the provider's code: please report it there")
            .into()),
        Ok(_) => return,
        Err(_) => Err(timed_out(config.timeout).into()),
    };
    let outcome = outcome.map_err(|failure| {
        let error = config.named(failure.error);
        ExchangeFailure { error, ..failure }
    });
    let took = config.now().since(started);
    let result = outcome.as_ref().map_or_else(|failure| failure.error.kind().code(), |()| "token");
    metrics::record_exchange(&config, result, took);
    tracing::debug!(
        provider = &*config.provider_id,
        profile = config.name.as_deref(),
        ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        outcome = result,
        "the flight has ended"
    );
    guard.complete(outcome);
}

/// Acquires a token and caches it. Tries once more if the first token cannot be cached.
async fn exchange(
    config: Arc<SourceConfig>,
    cache: WeakCache,
    number: u64,
    mut request: ExchangeRequest,
) -> Result<(), ExchangeFailure> {
    let mut history = Vec::new();
    let exchange = async {
        for is_retry in [false, true] {
            let mut invalidations = 0;
            let on_start =
                || invalidations = cache.upgrade().map_or(0, |cache| cache.begin_exchange());
            let cached = config.acquire(&request, on_start, &mut history).await?;
            // The second token has to come from the vendor.
            request.skip_store = true;
            let Some(cache) = cache.upgrade() else { break };
            match cache.store_token(number, invalidations, is_retry, cached) {
                StoreOutcome::Stored => return Ok(()),
                StoreOutcome::Superseded => break,
                // A vendor that returns the same token until it expires has another one now.
                StoreOutcome::AlreadyExpired | StoreOutcome::Invalidated => {}
                StoreOutcome::ExpiresSoon(remaining) => {
                    drop(cache);
                    sleep(remaining).await;
                }
            }
        }
        Err(Error::protocol("the token had expired when it arrived")
            .hint("check this machine's clock")
            .into())
    };
    let outcome = match timeout(config.flight_timeout(), exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(timed_out(config.timeout).into()),
    };
    config.append_history(history).await;
    outcome
}

/// Ends the flight in the cache, also when its task is dropped. Does not keep the cache alive: a
/// source without users needs no token.
struct CompletionGuard {
    cache: WeakCache,
    number: u64,
    outcome: OutcomeSender,
}

impl CompletionGuard {
    fn complete(&self, outcome: Result<(), ExchangeFailure>) {
        let end =
            |cache: Arc<Cache>| cache.end_flight(self.number, Some(outcome.as_ref().copied()));
        if !self.cache.upgrade().is_some_and(end) {
            // The flight was closed or given up: waiting callers ask the cache for the reason.
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
