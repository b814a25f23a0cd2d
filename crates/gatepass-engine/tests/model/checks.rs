//! The checks: compare what the engine does with what the oracle expects.

use std::time::Duration;

use gatepass_core::{Error, ErrorKind, Result, Token};

use crate::operation::{ModelRequirement, VendorAction};
use crate::oracle::{ModelCachedToken, ModelSource};
use crate::property::Property;
use crate::vendor::{ModelEvent, ModelExchange, ModelMoment, ModelResponse};
use crate::world::World;

/// How long a flight may take, and how long a caller may wait for a stuck one.
const TIMEOUT: Duration = Duration::from_secs(15);
const MAX_WAIT: Duration = Duration::from_secs(17);
/// How many flights a caller waits for if each is aborted or its token is invalidated at once.
const MAX_FLIGHTS: u32 = 4;

/// What the first poll of a caller must return.
#[derive(Debug)]
pub(crate) struct ExpectedResult {
    /// The token of the exchange with this number.
    token: Option<usize>,
    /// Whether it must fail.
    fails: bool,
    /// Whether a new exchange must start: the property, and the number of exchanges before.
    exchange: Option<(Property, usize)>,
}

/// A completed flight: the callers that must have got its outcome, and the failure if it failed.
#[derive(Debug)]
pub(crate) struct ModelCompletion {
    source: usize,
    waiting: Vec<u64>,
    action: Option<VendorAction>,
}

/// Checks to make once all tasks are idle.
#[derive(Debug, Default)]
pub(crate) struct Open {
    completions: Vec<ModelCompletion>,
    exchanges: Vec<(Property, usize, usize)>,
    errors: Vec<(usize, u32, String)>,
}

impl ModelRequirement {
    fn seconds(self) -> u64 {
        if let Self::Remaining(seconds) = self { seconds } else { 0 }
    }
}

impl World {
    fn exchange(&self, n: usize) -> ModelExchange {
        self.ledger.state().exchanges[n].clone()
    }

    fn is_exchanging(&self, source: usize) -> bool {
        self.sources[source].status().is_exchanging
    }

    pub(crate) fn due(&self, source: usize, requirement: ModelRequirement) -> ExpectedResult {
        let (now, model) = (self.now(), &self.models[source]);
        let mut due = ExpectedResult { token: None, fails: model.is_closed, exchange: None };
        if model.is_closed || requirement == ModelRequirement::Fresh {
            return due;
        }
        due.token = model.usable(now, requirement.seconds()).map(|cached| cached.exchange);
        let Some(failure) = &model.failure else { return due };
        if self.is_exchanging(source) || model.usable(now, 0).is_some() {
            return due;
        }
        due.fails = model.is_cooling_down(now);
        let state = self.ledger.state();
        let (from, property) = match failure.action {
            VendorAction::Denies
                if state.vendors[source].secret > state.vendors[source].refused =>
            {
                (failure.at.max(model.rotated), Property::I14)
            }
            VendorAction::Denies => return due,
            VendorAction::Panics => (failure.at, Property::I5),
            _ => (failure.at, Property::I6),
        };
        if now.boot > from + failure.ceiling {
            due.exchange = Some((property, state.exchanges.len()));
        }
        due
    }

    pub(crate) fn first_poll(
        &mut self,
        source: usize,
        requirement: ModelRequirement,
        due: &ExpectedResult,
        outcome: Option<&Result<Token>>,
    ) {
        if let Some(exchange) = due.token {
            let has = matches!(outcome, Some(Ok(token)) if number(token) == Some(exchange));
            self.check(Property::I3, has, || format!("{requirement:?} of {source}: {outcome:?}"));
        } else if due.fails {
            let has = matches!(outcome, Some(Err(_)));
            let is_closed = self.models[source].is_closed;
            let property = if is_closed { Property::I19 } else { Property::I9 };
            self.check(property, has, || {
                format!("{requirement:?} of {source} did not fail: {outcome:?}")
            });
        }
        if let Some((property, exchanges)) = due.exchange {
            self.open.exchanges.push((property, source, exchanges));
        }
    }

    /// Checks the vendors' new events.
    pub(crate) fn check_events(&mut self) {
        loop {
            let event = self.ledger.state().events.get(self.events).copied();
            let Some(event) = event else { return };
            self.events += 1;
            self.trace.push(format!("{event:?}"));
            match event {
                ModelEvent::Started(n) => self.started(n),
                ModelEvent::Responded(n) => self.ended(n),
                ModelEvent::Dropped(n) => self.dropped(n),
            }
        }
    }

    fn started(&mut self, n: usize) {
        let exchange = self.exchange(n);
        let (source, now) = (exchange.source, exchange.started);
        let model = &mut self.models[source];
        let may_retry = std::mem::take(&mut model.may_retry);
        let before = model.flight;
        if !may_retry {
            model.flight = self.callers_so_far;
            model.flight_begun = Some(now.runtime);
        }
        let model = self.models[source].clone();
        self.check(Property::I1, exchange.others == 0, || {
            "two exchanges of one source at a time".to_owned()
        });
        self.check(Property::I19, !model.is_closed, || "an exchange of a closed source".to_owned());
        let (secret, wanted) = (exchange.secret, exchange.wanted);
        self.check(Property::I10, secret.0 == source, || {
            "the secret of another source is used".to_owned()
        });
        self.check(Property::I14, secret.1 == wanted, || {
            format!("secret {} is used instead of {wanted}", secret.1)
        });
        let is_wanted = model.fresh > before;
        if let Some((refused, callers)) = model.refused {
            // One that worked before is sent again after half a minute, another after an hour.
            let pause = if model.worked == Some(refused) { 30 } else { 3600 };
            let is_over = now.boot >= model.refused_at + Duration::from_secs(pause);
            let may = secret.1 > refused || model.fresh > callers || is_over;
            self.check(Property::I6, may, || format!("secret {refused} is sent again"));
        }
        if may_retry {
            return;
        }
        if let Some(failure) = &model.failure {
            let gap = now.boot.saturating_sub(failure.at);
            let may = gap >= failure.floor || model.fresh > failure.callers;
            self.check(Property::I6, may, || format!("{gap:?} after {:?}", failure.action));
        }
        let needs_more = |cached: &ModelCachedToken| {
            self.callers.values().any(|caller| {
                caller.source == source && !cached.is_usable(now, caller.requirement.seconds())
            })
        };
        if let Some(cached) = model.usable(now, 0) {
            let has_reason = is_wanted || cached.may_be_aging(now) || needs_more(cached);
            let remaining = cached.remaining(now);
            self.check(Property::I18, has_reason, || {
                format!("an exchange with {remaining:?} remaining of {:?}", cached.at_arrival)
            });
        }
    }

    fn ended(&mut self, n: usize) {
        let exchange = self.exchange(n);
        let (source, now) = (exchange.source, exchange.ended.unwrap_or(exchange.started));
        let current = self.ledger.state().vendors[source].secret;
        let model = &mut self.models[source];
        if model.is_closed {
            return;
        }
        let mut failed = None;
        match (&exchange.response, ModelCachedToken::of(n, &exchange)) {
            (ModelResponse::Token { text, .. }, Some(cached)) => {
                match store_outcome(model, n, text, &cached, now) {
                    ModelStoreOutcome::Stored => {
                        model.cached = Some(cached);
                        model.worked = Some(exchange.secret.1);
                        model.succeed();
                    }
                    ModelStoreOutcome::Retried => return model.may_retry = true,
                    // The oracle does not know which token is cached at the end of this flight.
                    ModelStoreOutcome::Unknown => {
                        model.cached = None;
                        model.failure = None;
                        return model.may_retry = true;
                    }
                }
            }
            (ModelResponse::Other(VendorAction::Denies), _) if exchange.secret.1 != current => {
                model.refused = Some((exchange.secret.1, model.flight));
                model.refused_at = now.boot;
                return model.may_retry = true;
            }
            (ModelResponse::Other(action), _) => {
                if *action == VendorAction::Denies {
                    model.refused = Some((exchange.secret.1, model.flight));
                    model.refused_at = now.boot;
                }
                model.fail(*action, now);
                failed = Some(*action);
            }
            _ => {}
        }
        self.landed(source, failed);
    }

    fn dropped(&mut self, n: usize) {
        let exchange = self.exchange(n);
        let (source, now) = (exchange.source, exchange.ended.unwrap_or(exchange.started));
        let model = &mut self.models[source];
        if model.is_closed {
            return;
        }
        let started = model.flight_begun.unwrap_or(exchange.started.runtime);
        let is_late = now.runtime.duration_since(started) >= TIMEOUT;
        if is_late {
            model.fail(VendorAction::NeverResponds, now);
            self.landed(source, Some(VendorAction::NeverResponds));
        }
        self.check(Property::I4, is_late, || format!("exchange {n} was aborted"));
    }

    /// Every caller that waits when a flight ends gets its outcome, unless it needs a later one.
    fn landed(&mut self, source: usize, action: Option<VendorAction>) {
        let flight = self.models[source].flight;
        let waiting = { self.callers.iter() }
            .filter(|(_, caller)| caller.source == source)
            .filter(|(number, caller)| {
                caller.requirement != ModelRequirement::Fresh || **number <= flight
            })
            .map(|(number, _)| *number)
            .collect();
        self.open.completions.push(ModelCompletion { source, waiting, action });
    }

    /// Checks the result of a caller.
    pub(crate) fn finished(
        &mut self,
        source: usize,
        caller: u64,
        requirement: ModelRequirement,
        outcome: Result<Token>,
        is_hit: bool,
    ) {
        self.log_result(caller, &outcome);
        match outcome {
            Ok(token) => {
                self.returned(source, &token, if is_hit { requirement.seconds() } else { 0 });
                let n = number(&token).unwrap_or_default();
                let model = &mut self.models[source];
                model.returned.push(token);
                let newest = model.newest;
                model.newest = newest.max(n);
                self.check(Property::I12, n >= newest, || format!("{n} after {newest}"));
            }
            Err(error) => self.failed(source, caller, requirement, &error),
        }
    }

    pub(crate) fn peeked(&mut self, source: usize, token: Option<&Token>) {
        let now = self.now();
        let usable = self.models[source].usable(now, 0).map(|cached| cached.exchange);
        match token {
            Some(token) => self.returned(source, token, 0),
            None => self.check(Property::I3, usable.is_none(), || {
                format!("exchange {usable:?} is cached by {source} but not returned")
            }),
        }
    }

    fn returned(&mut self, source: usize, token: &Token, seconds: u64) {
        let (now, text) = (self.now(), token.expose_secret());
        let n = number(token).unwrap_or(usize::MAX);
        let exchange = self.ledger.state().exchanges.get(n).cloned();
        let own = exchange.filter(|exchange| exchange.source == source);
        let is_own = own.is_some() && text.starts_with(&format!("k{source}."));
        self.check(Property::I10, is_own, || format!("{source} returns {text} of {n}"));
        let is_closed = self.models[source].is_closed;
        self.check(Property::I19, !is_closed, || format!("{text} is returned by a closed source"));
        let is_gone = self.models[source].invalidated.iter().any(|(invalidated, exchanges)| {
            invalidated.is_same_as(token) || (invalidated.expose_secret() == text && *exchanges > n)
        });
        self.check(Property::I11, !is_gone, || format!("{text} was invalidated"));
        let Some(cached) = own.and_then(|exchange| ModelCachedToken::of(n, &exchange)) else {
            return;
        };
        let (truth, remaining, leeway) =
            (cached.remaining_at_vendor(now), cached.remaining(now), cached.leeway());
        // A vendor that returns the same token cannot return a longer one.
        let is_same_token = source == 2 || !text.ends_with(&format!(".{n}"));
        let least = if is_same_token { 0 } else { seconds };
        let least = leeway.max(Duration::from_secs(least)).max(Duration::from_nanos(1));
        self.check(Property::I2, truth >= least, || {
            format!("{text} has {truth:?}, needs {least:?}")
        });
        self.check(Property::I13, remaining >= least, || {
            format!("{text} has {remaining:?}, needs {least:?}")
        });
    }

    fn failed(&mut self, source: usize, caller: u64, requirement: ModelRequirement, error: &Error) {
        let now = self.now();
        let model = &self.models[source];
        let (failures, is_closed) = (model.failures, model.is_closed);
        let is_usable = requirement != ModelRequirement::Fresh
            && model.usable(now, requirement.seconds()).is_some();
        let says_closed = error.message() == "the source is closed";
        self.check(Property::I19, is_closed == says_closed, || format!("{source}: {error}"));
        self.check(Property::I3, !is_usable, || format!("{error} while a usable token is cached"));
        let text = error.message().to_owned();
        let same =
            { self.open.errors.iter() }.find(|(of, nth, _)| (*of, *nth) == (source, failures));
        let is_same = same.is_none_or(|(_, _, other)| *other == text);
        self.check(Property::I9, is_same, || {
            format!("{text}, but other callers got another error")
        });
        let panicked = self.open.completions.iter().any(|completion| {
            completion.action == Some(VendorAction::Panics) && completion.waiting.contains(&caller)
        });
        let is_internal = error.kind() == ErrorKind::Internal && text.contains("panicked");
        self.check(Property::I5, !panicked || is_internal || is_closed, || {
            format!("the error of a panic is {error}")
        });
        self.open.errors.push((source, failures, text));
    }

    pub(crate) fn closed(&mut self, source: usize) {
        let waiting = self.callers.values().filter(|caller| caller.source == source).count();
        let in_flight = self.ledger.state().vendors[source].in_flight;
        let is_over = waiting == 0 && in_flight == 0 && self.sources[source].peek().is_none();
        self.check(Property::I19, is_over, || {
            format!("{waiting} callers and {in_flight} exchanges when closed")
        });
    }

    /// Makes the pending checks: all tasks are idle.
    pub(crate) fn settled(&mut self) {
        let Open { completions, exchanges, .. } = std::mem::take(&mut self.open);
        for ModelCompletion { source, waiting, action } in completions {
            let remaining =
                waiting.iter().filter(|caller| self.callers.contains_key(caller)).count();
            let detail = || format!("{remaining} callers of {source} did not get the outcome");
            self.check(Property::I7, remaining == 0, detail);
            self.check(
                Property::I5,
                remaining == 0 || action != Some(VendorAction::Panics),
                detail,
            );
        }
        for (property, source, before) in exchanges {
            let made = self.ledger.state().exchanges.len() > before;
            self.check(property, made, || format!("{source} sends no further request"));
        }
        let now = self.now();
        for source in 0..self.sources.len() {
            let is_exchanging = self.is_exchanging(source);
            let of_it = || self.callers.values().filter(|caller| caller.source == source);
            let waiting = of_it().count();
            let longest = of_it().map(|caller| caller.since.elapsed()).max().unwrap_or_default();
            self.check(Property::I8, is_exchanging || waiting == 0, || {
                format!("{waiting} callers of {source} wait without a flight")
            });
            self.check(Property::I8, longest <= MAX_FLIGHTS * MAX_WAIT, || {
                format!("a caller has waited for {longest:?}")
            });
            if !is_exchanging {
                self.check_cooldown(source, now);
            }
        }
    }

    fn check_cooldown(&mut self, source: usize, now: ModelMoment) {
        let model = &mut self.models[source];
        if std::mem::take(&mut model.may_retry) {
            // The flight ended without a token, and its failure is not a vendor's.
            model.failure = None;
            model.failures += 1;
        }
        let remaining = self.sources[source].cooldown_remaining().unwrap_or_default();
        let (least, most) = match &model.failure {
            _ if model.is_closed => return,
            None if model.failures == 0 => (Duration::ZERO, Duration::ZERO),
            None => return,
            Some(failure) if failure.action == VendorAction::Denies => {
                (Duration::ZERO, Duration::from_secs(3600))
            }
            Some(failure) => {
                let until = |rest: Duration| (failure.at + rest).saturating_sub(now.boot);
                (until(failure.floor), until(failure.ceiling))
            }
        };
        self.check(Property::I6, (least..=most).contains(&remaining), || {
            format!("the cool-down of {source} is {remaining:?}, not {least:?} to {most:?}")
        });
    }
}

/// What the engine must do with a new token.
enum ModelStoreOutcome {
    Stored,
    /// Request another one: it has expired, or was invalidated during the flight.
    Retried,
    /// Unknown: it expires in less than a second, and the vendor returns it again until then.
    Unknown,
}

fn store_outcome(
    model: &ModelSource,
    n: usize,
    text: &str,
    cached: &ModelCachedToken,
    now: ModelMoment,
) -> ModelStoreOutcome {
    let is_fenced = { model.invalidated.iter() }
        .any(|(token, exchanges)| token.expose_secret() == text && *exchanges > n);
    let is_same_token = !text.ends_with(&format!(".{n}")) || text.starts_with("k2.");
    if cached.remaining(now).is_zero() || is_fenced {
        ModelStoreOutcome::Retried
    } else if is_same_token && cached.remaining(now) < Duration::from_secs(1) {
        ModelStoreOutcome::Unknown
    } else {
        ModelStoreOutcome::Stored
    }
}

/// Returns the number of the exchange that returned the token: its scope.
pub(crate) fn number(token: &Token) -> Option<usize> {
    token.scope()?.parse().ok()
}
