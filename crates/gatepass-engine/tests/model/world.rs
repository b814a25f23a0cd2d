//! The world: sources, their callers, vendors and clocks, and how each operation changes them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use gatepass_core::{
    ApiResponse, Credential, Error, Provider, RefreshHints, Request, Response, Result, Token,
    credential_fn,
};
use gatepass_engine::TokenSource;
use gatepass_testkit::TestClock;
use gatepass_testkit::example::Example;
use http::{HeaderMap, StatusCode};

use crate::checks::{Open, number};
use crate::operation::{ModelRequirement, Operation, SOURCES, VendorAction};
use crate::oracle::ModelSource;
use crate::property::{Property, Violation};
use crate::vendor::{Ledger, ModelHttp, ModelMoment};

/// The state between two operations.
pub(crate) struct World {
    pub(crate) clock: TestClock,
    pub(crate) ledger: Ledger,
    pub(crate) sources: Vec<TokenSource>,
    pub(crate) models: Vec<ModelSource>,
    /// Waiting callers, by number.
    pub(crate) callers: BTreeMap<u64, ModelCaller>,
    /// Number of callers so far.
    pub(crate) callers_so_far: u64,
    /// Number of events that have been checked.
    pub(crate) events: usize,
    /// Log of the run, for comparison with another one.
    pub(crate) trace: Vec<String>,
    /// Checks to make once all tasks are idle.
    pub(crate) open: Open,
    /// The property to check; all if `None`.
    focus: Option<Property>,
    violation: Option<Violation>,
}

type Acquiring = Pin<Box<dyn Future<Output = Result<Token>> + Send>>;

/// A waiting caller.
pub(crate) struct ModelCaller {
    pub(crate) source: usize,
    pub(crate) requirement: ModelRequirement,
    pub(crate) since: tokio::time::Instant,
    acquiring: Acquiring,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The example's provider with hints.
#[derive(Debug)]
struct HintedProvider(Example, RefreshHints);

impl Provider for HintedProvider {
    fn id(&self) -> &str {
        "known"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        self.0.token_request(credential)
    }

    fn read_token(&self, response: &Response, sent: std::time::SystemTime) -> Result<Token> {
        self.0.read_token(response, sent)
    }

    fn hints(&self) -> RefreshHints {
        self.1
    }
}

impl World {
    pub(crate) fn new(seed: u64, focus: Option<Property>) -> Self {
        let (clock, ledger) = (TestClock::new(), Ledger::new());
        // Half way between 1970 and 2262, the range of a token's times, for jumps either way.
        clock.jump_wall(90 * 365 * 24 * 3600);
        let source = |source: usize| {
            let hints = match source {
                0 | 1 => RefreshHints::new(),
                _ => RefreshHints::new().same_token_until_end(),
            };
            let state = ledger.clone();
            let secret = credential_fn(move || {
                let secret = format!("s{source}v{}", state.state().vendors[source].secret);
                async move { Ok(Credential::client("client", secret)) }
            });
            TokenSource::builder(HintedProvider(Example::new(), hints), secret)
                .http(ModelHttp { source, ledger: ledger.clone(), clock: clock.clone() })
                .clock(clock.clone())
                .name(format!("k{source}"))
                .seed(seed + source as u64)
                .build()
                .unwrap()
        };
        Self {
            sources: (0..SOURCES).map(source).collect(),
            models: (0..SOURCES).map(|_| ModelSource::default()).collect(),
            callers: BTreeMap::new(),
            callers_so_far: 0,
            events: 0,
            trace: Vec::new(),
            open: Open::default(),
            focus,
            violation: None,
            clock,
            ledger,
        }
    }

    /// Records a violation.
    pub(crate) fn check(
        &mut self,
        property: Property,
        holds: bool,
        detail: impl FnOnce() -> String,
    ) {
        let is_checked = self.focus.is_none_or(|focus| focus == property);
        if !holds && is_checked && self.violation.is_none() {
            self.violation = Some(Violation { property, detail: detail() });
        }
    }

    pub(crate) fn now(&self) -> ModelMoment {
        ModelMoment::of(&self.clock)
    }

    /// Runs one operation and everything that follows from it.
    pub(crate) async fn step(&mut self, operation: &Operation) -> Result<(), Violation> {
        self.trace.push(format!("{operation:?}"));
        match *operation {
            Operation::Acquire { source, requirement } => self.acquire(source, requirement),
            Operation::Peek { source } => self.peek(source),
            Operation::Drop { caller } => {
                let waiting: Vec<u64> = self.callers.keys().copied().collect();
                if let Some(caller) = waiting.get(caller % waiting.len().max(1)) {
                    self.callers.remove(caller);
                }
            }
            Operation::Release { request } => self.ledger.release(request),
            Operation::Vendor { source, action, responds_at_once } => {
                let mut state = self.ledger.state();
                let vendor = &mut state.vendors[source];
                (vendor.action, vendor.responds_at_once) = (action, responds_at_once);
                if action == VendorAction::Denies {
                    vendor.refused = vendor.secret;
                }
            }
            Operation::Rotate { source } => {
                self.ledger.state().vendors[source].secret += 1;
                self.models[source].rotated = self.now().boot;
            }
            Operation::Invalidate { source, back } => {
                let tokens = &self.models[source].returned;
                let token = tokens.len().checked_sub(back + 1).map(|at| tokens[at].clone());
                if let Some(token) = token {
                    self.invalidate(source, &token, TokenSource::invalidate);
                }
            }
            Operation::InvalidateDuring { source } => self.invalidate_during(source).await,
            Operation::Report { source, callers } => self.report(source, callers).await,
            Operation::Pass { milliseconds } => {
                self.pass(Duration::from_millis(milliseconds)).await;
            }
            Operation::Suspend { seconds } => self.clock.suspend(Duration::from_secs(seconds)),
            Operation::SetWall { seconds } => self.clock.jump_wall(seconds),
            Operation::Close { source } => self.close(source).await,
        }
        self.settle().await;
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// Checks after the last operation that every caller gets a result.
    pub(crate) async fn end(&mut self) -> Result<(), Violation> {
        self.pass(Duration::from_secs(80)).await;
        let remaining = self.callers.len();
        self.check(Property::I8, remaining == 0, || format!("{remaining} callers wait forever"));
        self.violation.clone().map_or(Ok(()), Err)
    }

    fn acquire(&mut self, source: usize, requirement: ModelRequirement) {
        self.callers_so_far += 1;
        let number = self.callers_so_far;
        if requirement == ModelRequirement::Fresh {
            self.models[source].fresh = number;
        }
        let caller = self.sources[source].clone();
        let acquiring: Acquiring = match requirement {
            ModelRequirement::Any => Box::pin(async move { caller.token().await }),
            ModelRequirement::Remaining(seconds) => {
                Box::pin(async move { caller.token_for(Duration::from_secs(seconds)).await })
            }
            ModelRequirement::Fresh => Box::pin(async move { caller.refresh_now().await }),
        };
        let (since, woken) = (tokio::time::Instant::now(), Arc::default());
        let due = self.due(source, requirement);
        self.callers.insert(number, ModelCaller { source, requirement, since, acquiring, woken });
        let outcome = self.poll(number);
        self.first_poll(source, requirement, &due, outcome.as_ref());
        if let Some(outcome) = outcome {
            self.finished(source, number, requirement, outcome, true);
        }
    }

    /// Polls a caller, and removes it when it is ready.
    fn poll(&mut self, number: u64) -> Option<Result<Token>> {
        let caller = self.callers.get_mut(&number)?;
        caller.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(caller.woken.clone());
        match caller.acquiring.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(outcome) => {
                self.callers.remove(&number);
                Some(outcome)
            }
        }
    }

    fn peek(&mut self, source: usize) {
        let peeked = self.sources[source].peek();
        self.peeked(source, peeked.as_ref());
    }

    fn invalidate(&mut self, source: usize, token: &Token, by: impl Fn(&TokenSource, &Token)) {
        let before = self.sources[source].peek();
        let is_held =
            |cached: &crate::oracle::ModelCachedToken| Some(cached.exchange) == number(token);
        let was_held = self.models[source].cached.as_ref().is_some_and(is_held)
            || before.as_ref().is_some_and(|before| before.is_same_as(token));
        by(&self.sources[source], token);
        let after = self.sources[source].peek();
        let exchanges = self.ledger.state().exchanges.len();
        let now = self.now().boot;
        let model = &mut self.models[source];
        // A rejected token is replaced at most once in 5 s.
        let is_recent = model.replaced.is_some_and(|at| now < at + Duration::from_secs(5));
        let is_kept = after.as_ref().is_some_and(|after| after.is_same_as(token));
        if !is_kept && (was_held || before.is_none()) {
            model.replaced = Some(now);
        }
        if was_held && is_recent && is_kept {
            return;
        }
        if was_held {
            model.cached = None;
            model.invalidated.push((token.clone(), exchanges));
            self.check(Property::I11, after.is_none(), || {
                "the invalidated token is still cached".to_owned()
            });
        } else {
            let is_same = before.as_ref().map(Token::expose_secret)
                == after.as_ref().map(Token::expose_secret);
            self.check(Property::I11, is_same, || "a late report removed a newer token".to_owned());
        }
    }

    async fn invalidate_during(&mut self, source: usize) {
        let Some(token) = self.models[source].returned.last().cloned() else { return };
        let end = self.now().boot + Duration::from_secs(3600);
        self.ledger.state().vendors[source].return_always(token.expose_secret(), end);
        self.acquire(source, ModelRequirement::Fresh);
        self.settle().await;
        self.invalidate(source, &token, TokenSource::invalidate);
    }

    async fn report(&mut self, source: usize, callers: usize) {
        let Some(token) = self.models[source].returned.last().cloned() else { return };
        let responds = {
            let state = self.ledger.state();
            let vendor = &state.vendors[source];
            vendor.responds_at_once
                && vendor.in_flight == 0
                && matches!(vendor.action, VendorAction::IssuesNew(20..))
        };
        let was_cooling_down = self.sources[source].cooldown_remaining().is_some();
        let before = self.ledger.state().exchanges.len();
        for _ in 0..callers {
            self.invalidate(source, &token, |source, token| {
                let headers = HeaderMap::new();
                source
                    .report_response(token, &ApiResponse::new(StatusCode::UNAUTHORIZED, &headers));
            });
            self.acquire(source, ModelRequirement::Any);
            self.settle().await;
        }
        let made = self.ledger.state().exchanges.len() - before;
        if responds && !was_cooling_down {
            self.check(Property::I11, made <= 1, || {
                format!("{callers} reports of one token made {made} exchanges")
            });
        }
    }

    /// Advances all clocks, in small steps while callers or requests wait.
    async fn pass(&mut self, time: Duration) {
        let mut remaining = time;
        for _ in 0..100 {
            let is_awaited = !self.callers.is_empty()
                || self.ledger.state().vendors.iter().any(|vendor| vendor.in_flight > 0);
            if remaining.is_zero() || !is_awaited {
                break;
            }
            let step = remaining.min(Duration::from_secs(1));
            remaining -= step;
            self.clock.advance(step);
            tokio::time::advance(step).await;
            self.settle().await;
        }
        self.clock.advance(remaining);
        tokio::time::advance(remaining).await;
    }

    async fn close(&mut self, source: usize) {
        let closing = self.sources[source].clone();
        self.models[source].is_closed = true;
        self.models[source].cached = None;
        let mut closing = Box::pin(async move { closing.close().await });
        for _ in 0..10 {
            if closing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                self.settle().await;
                return self.closed(source);
            }
            tokio::task::yield_now().await;
            self.clock.advance(Duration::from_millis(20));
            tokio::time::advance(Duration::from_millis(20)).await;
        }
        self.check(Property::I19, false, || "closing takes more than 200 ms".to_owned());
    }

    /// Polls tasks and callers until all are idle, and checks what happened.
    pub(crate) async fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 6 {
            let before = (self.events, self.callers.len());
            tokio::task::yield_now().await;
            let woken: Vec<u64> = { self.callers.iter() }
                .filter(|(_, caller)| caller.woken.0.load(Ordering::SeqCst))
                .map(|(number, _)| *number)
                .collect();
            // The end of a flight is checked before its result.
            self.check_events();
            for number in &woken {
                let Some((source, requirement)) =
                    self.callers.get(number).map(|caller| (caller.source, caller.requirement))
                else {
                    continue;
                };
                if let Some(outcome) = self.poll(*number) {
                    self.finished(source, *number, requirement, outcome, false);
                }
            }
            self.check_events();
            let is_quiet = woken.is_empty() && before == (self.events, self.callers.len());
            quiet = if is_quiet { quiet + 1 } else { 0 };
        }
        self.settled();
    }

    /// Logs the result of a caller.
    pub(crate) fn log_result(&mut self, number: u64, outcome: &Result<Token, Error>) {
        let outcome = match outcome {
            Ok(token) => format!("{} {:?}", token.expose_secret(), token.scope()),
            Err(error) => error.to_string(),
        };
        self.trace.push(format!("{number}: {outcome}"));
    }
}
