//! The world: sources, their callers and vendors, and the clocks, one operation at a time.

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
use crate::operation::{Does, Operation, SOURCES, Want};
use crate::oracle::Account;
use crate::property::{Property, Violation};
use crate::vendor::{Ledger, Line, Moment};

/// Everything, between two operations.
pub(crate) struct World {
    pub(crate) clock: TestClock,
    pub(crate) ledger: Ledger,
    pub(crate) sources: Vec<TokenSource>,
    pub(crate) accounts: Vec<Account>,
    /// Who waits, by the order in which they asked.
    pub(crate) callers: BTreeMap<u64, Caller>,
    /// How many have asked.
    pub(crate) asked: u64,
    /// How many of the ledger's events have been looked at.
    pub(crate) events: usize,
    /// What happened, for comparison with another run.
    pub(crate) trace: Vec<String>,
    /// What has to be looked at once everything has settled.
    pub(crate) open: Open,
    /// The one promise that is looked at; all, if none is named.
    focus: Option<Property>,
    violation: Option<Violation>,
}

type Asking = Pin<Box<dyn Future<Output = Result<Token>> + Send>>;

/// Somebody who waits.
pub(crate) struct Caller {
    pub(crate) source: usize,
    pub(crate) want: Want,
    pub(crate) since: tokio::time::Instant,
    asking: Asking,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The example's provider; its vendor may be known to give the same token until its end.
#[derive(Debug)]
struct Known(Example, RefreshHints);

impl Provider for Known {
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
        // As far from 1970 as from 2262, where a token's times end: many jumps either way.
        clock.jump_wall(90 * 365 * 24 * 3600);
        let source = |source: usize| {
            let hints = match source {
                0 | 1 => RefreshHints::new(),
                _ => RefreshHints::new().same_token_until_end(),
            };
            let book = ledger.clone();
            let secret = credential_fn(move || {
                let secret = format!("s{source}v{}", book.book().desks[source].secret);
                async move { Ok(Credential::client("client", secret)) }
            });
            TokenSource::builder(Known(Example::new(), hints))
                .credential(secret)
                .http(Line { source, ledger: ledger.clone(), clock: clock.clone() })
                .clock(clock.clone())
                .name(format!("k{source}"))
                .seed(seed + source as u64)
                .build()
        };
        Self {
            sources: (0..SOURCES).map(source).collect(),
            accounts: (0..SOURCES).map(|_| Account::default()).collect(),
            callers: BTreeMap::new(),
            asked: 0,
            events: 0,
            trace: Vec::new(),
            open: Open::default(),
            focus,
            violation: None,
            clock,
            ledger,
        }
    }

    /// Notes a promise that is not kept.
    pub(crate) fn check(&mut self, property: Property, holds: bool, what: impl FnOnce() -> String) {
        let is_looked_at = self.focus.is_none_or(|focus| focus == property);
        if !holds && is_looked_at && self.violation.is_none() {
            self.violation = Some(Violation { property, what: what() });
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::of(&self.clock)
    }

    /// Does one thing, and lets everything happen that follows from it.
    pub(crate) async fn step(&mut self, operation: &Operation) -> Result<(), Violation> {
        self.trace.push(format!("{operation:?}"));
        match *operation {
            Operation::Ask { source, want } => self.ask(source, want),
            Operation::Peek { source } => self.peek(source),
            Operation::Drop { caller } => {
                let waiting: Vec<u64> = self.callers.keys().copied().collect();
                if let Some(caller) = waiting.get(caller % waiting.len().max(1)) {
                    self.callers.remove(caller);
                }
            }
            Operation::Release { request } => self.ledger.release(request),
            Operation::Vendor { source, does, promptly } => {
                let mut book = self.ledger.book();
                let desk = &mut book.desks[source];
                (desk.does, desk.promptly) = (does, promptly);
                if does == Does::Refuses {
                    desk.refused = desk.secret;
                }
            }
            Operation::Rotate { source } => {
                self.ledger.book().desks[source].secret += 1;
                self.accounts[source].rotated = self.now().boot;
            }
            Operation::Invalidate { source, back } => {
                let tokens = &self.accounts[source].handed_out;
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

    /// After the last operation: everybody is answered, whatever the vendors do.
    pub(crate) async fn end(&mut self) -> Result<(), Violation> {
        self.pass(Duration::from_secs(80)).await;
        let left = self.callers.len();
        self.check(Property::I8, left == 0, || format!("{left} callers wait for ever"));
        self.violation.clone().map_or(Ok(()), Err)
    }

    fn ask(&mut self, source: usize, want: Want) {
        self.asked += 1;
        let number = self.asked;
        if want == Want::Fresh {
            self.accounts[source].fresh = number;
        }
        let asked = self.sources[source].clone();
        let asking: Asking = match want {
            Want::Token => Box::pin(async move { asked.token().await }),
            Want::Lasting(seconds) => {
                Box::pin(async move { asked.token_for(Duration::from_secs(seconds)).await })
            }
            Want::Fresh => Box::pin(async move { asked.refresh_now().await }),
        };
        let (since, woken) = (tokio::time::Instant::now(), Arc::default());
        let due = self.due(source, want);
        self.callers.insert(number, Caller { source, want, since, asking, woken });
        let outcome = self.poll(number);
        self.first_poll(source, want, &due, outcome.as_ref());
        if let Some(outcome) = outcome {
            self.answered(source, number, want, outcome, true);
        }
    }

    /// Polls a caller, who is gone with the answer.
    fn poll(&mut self, number: u64) -> Option<Result<Token>> {
        let caller = self.callers.get_mut(&number)?;
        caller.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(caller.woken.clone());
        match caller.asking.as_mut().poll(&mut Context::from_waker(&waker)) {
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
        let is_held = |held: &crate::oracle::Held| Some(held.exchange) == number(token);
        let was_held = self.accounts[source].held.as_ref().is_some_and(is_held)
            || before.as_ref().is_some_and(|before| before.is_same_as(token));
        by(&self.sources[source], token);
        let after = self.sources[source].peek();
        let exchanges = self.ledger.book().exchanges.len();
        let account = &mut self.accounts[source];
        if was_held {
            account.held = None;
            account.invalidated.push((token.clone(), exchanges));
            self.check(Property::I11, after.is_none(), || "it is held after it".to_owned());
        } else {
            let is_same = before.as_ref().map(Token::expose_secret)
                == after.as_ref().map(Token::expose_secret);
            self.check(Property::I11, is_same, || "a late report took a newer token".to_owned());
        }
    }

    async fn invalidate_during(&mut self, source: usize) {
        let Some(token) = self.accounts[source].handed_out.last().cloned() else { return };
        let end = self.now().boot + Duration::from_secs(3600);
        self.ledger.book().desks[source].insist(token.expose_secret(), end);
        self.ask(source, Want::Fresh);
        self.settle().await;
        self.invalidate(source, &token, TokenSource::invalidate);
    }

    async fn report(&mut self, source: usize, callers: usize) {
        let Some(token) = self.accounts[source].handed_out.last().cloned() else { return };
        let is_well = {
            let book = self.ledger.book();
            let desk = &book.desks[source];
            desk.promptly && desk.in_flight == 0 && matches!(desk.does, Does::Mints(20..))
        };
        let was_resting = self.sources[source].cooldown_remaining().is_some();
        let before = self.ledger.book().exchanges.len();
        for _ in 0..callers {
            self.invalidate(source, &token, |source, token| {
                let headers = HeaderMap::new();
                source
                    .report_response(token, &ApiResponse::new(StatusCode::UNAUTHORIZED, &headers));
            });
            self.ask(source, Want::Token);
            self.settle().await;
        }
        let made = self.ledger.book().exchanges.len() - before;
        if is_well && !was_resting {
            self.check(Property::I11, made <= 1, || {
                format!("{callers} reports of one token made {made} exchanges")
            });
        }
    }

    /// Time passes on all clocks: in small steps while somebody waits for it.
    async fn pass(&mut self, time: Duration) {
        let mut left = time;
        for _ in 0..100 {
            let somebody_waits = !self.callers.is_empty()
                || self.ledger.book().desks.iter().any(|desk| desk.in_flight > 0);
            if left.is_zero() || !somebody_waits {
                break;
            }
            let step = left.min(Duration::from_secs(1));
            left -= step;
            self.clock.advance(step);
            tokio::time::advance(step).await;
            self.settle().await;
        }
        self.clock.advance(left);
        tokio::time::advance(left).await;
    }

    async fn close(&mut self, source: usize) {
        let closing = self.sources[source].clone();
        self.accounts[source].is_closed = true;
        self.accounts[source].held = None;
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

    /// Lets every task and every caller do all it can, and looks at what happened.
    pub(crate) async fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 6 {
            let before = (self.events, self.callers.len());
            tokio::task::yield_now().await;
            let woken: Vec<u64> = { self.callers.iter() }
                .filter(|(_, caller)| caller.woken.0.load(Ordering::SeqCst))
                .map(|(number, _)| *number)
                .collect();
            // A flight's end is seen before what it brings.
            self.look();
            for number in &woken {
                let Some((source, want)) =
                    self.callers.get(number).map(|caller| (caller.source, caller.want))
                else {
                    continue;
                };
                if let Some(outcome) = self.poll(*number) {
                    self.answered(source, *number, want, outcome, false);
                }
            }
            self.look();
            let is_quiet = woken.is_empty() && before == (self.events, self.callers.len());
            quiet = if is_quiet { quiet + 1 } else { 0 };
        }
        self.settled();
    }

    /// Writes down how somebody was answered.
    pub(crate) fn note(&mut self, number: u64, outcome: &Result<Token, Error>) {
        let outcome = match outcome {
            Ok(token) => format!("{} {:?}", token.expose_secret(), token.scope()),
            Err(error) => error.to_string(),
        };
        self.trace.push(format!("{number}: {outcome}"));
    }
}
