//! The checks: what the engine does, held against what the oracle knows.

use std::time::Duration;

use gatepass_core::{Error, ErrorKind, Result, Token};

use crate::operation::{Does, Want};
use crate::oracle::{Account, Held};
use crate::property::Property;
use crate::vendor::{Answer, Event, Exchange, Moment};
use crate::world::World;

/// How long a flight may take, and how long somebody may wait for one that is stuck.
const TIMEOUT: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_secs(17);
/// How many flights somebody waits for, should each be lost or its token refused at once.
const FLIGHTS: u32 = 4;

/// What the first poll of somebody who asks must bring, as known before.
#[derive(Debug)]
pub(crate) struct Due {
    /// The token of this exchange.
    token: Option<usize>,
    /// The last failure.
    fails: bool,
    /// An exchange, of which there are so many yet.
    exchange: Option<(Property, usize)>,
}

/// A flight has ended: who is to be told by now, and of which failure.
#[derive(Debug)]
pub(crate) struct Landing {
    source: usize,
    waiting: Vec<u64>,
    does: Option<Does>,
}

/// What has to be looked at once everything has settled.
#[derive(Debug, Default)]
pub(crate) struct Open {
    landings: Vec<Landing>,
    exchanges: Vec<(Property, usize, usize)>,
    errors: Vec<(usize, u32, String)>,
}

impl Want {
    fn seconds(self) -> u64 {
        if let Self::Lasting(seconds) = self { seconds } else { 0 }
    }
}

impl World {
    fn exchange(&self, n: usize) -> Exchange {
        self.ledger.book().exchanges[n].clone()
    }

    fn is_exchanging(&self, source: usize) -> bool {
        self.sources[source].status().is_exchanging
    }

    pub(crate) fn due(&self, source: usize, want: Want) -> Due {
        let (now, account) = (self.now(), &self.accounts[source]);
        let mut due = Due { token: None, fails: account.is_closed, exchange: None };
        if account.is_closed || want == Want::Fresh {
            return due;
        }
        due.token = account.usable(now, want.seconds()).map(|held| held.exchange);
        let Some(failure) = &account.failure else { return due };
        if self.is_exchanging(source) || account.usable(now, 0).is_some() {
            return due;
        }
        due.fails = account.rests(now);
        let book = self.ledger.book();
        let (from, property) = match failure.does {
            Does::Refuses if book.desks[source].secret > book.desks[source].refused => {
                (failure.at.max(account.rotated), Property::I14)
            }
            Does::Refuses => return due,
            Does::Panics => (failure.at, Property::I5),
            _ => (failure.at, Property::I6),
        };
        if now.boot > from + failure.ceiling {
            due.exchange = Some((property, book.exchanges.len()));
        }
        due
    }

    pub(crate) fn first_poll(
        &mut self,
        source: usize,
        want: Want,
        due: &Due,
        outcome: Option<&Result<Token>>,
    ) {
        if let Some(exchange) = due.token {
            let has = matches!(outcome, Some(Ok(token)) if number(token) == Some(exchange));
            self.check(Property::I3, has, || format!("{want:?} of {source}: {outcome:?}"));
        } else if due.fails {
            let has = matches!(outcome, Some(Err(_)));
            let is_closed = self.accounts[source].is_closed;
            let property = if is_closed { Property::I19 } else { Property::I9 };
            self.check(property, has, || {
                format!("{want:?} of {source} is no failure: {outcome:?}")
            });
        }
        if let Some((property, exchanges)) = due.exchange {
            self.open.exchanges.push((property, source, exchanges));
        }
    }

    /// Looks at what the vendors have seen since the last look.
    pub(crate) fn look(&mut self) {
        loop {
            let event = self.ledger.book().events.get(self.events).copied();
            let Some(event) = event else { return };
            self.events += 1;
            self.trace.push(format!("{event:?}"));
            match event {
                Event::Began(n) => self.began(n),
                Event::Answered(n) => self.ended(n),
                Event::Dropped(n) => self.dropped(n),
            }
        }
    }

    fn began(&mut self, n: usize) {
        let exchange = self.exchange(n);
        let (source, now) = (exchange.source, exchange.begun);
        let account = &mut self.accounts[source];
        let goes_on = std::mem::take(&mut account.goes_on);
        let before = account.flight;
        if !goes_on {
            account.flight = self.asked;
            account.flight_begun = Some(now.runtime);
        }
        let account = self.accounts[source].clone();
        self.check(Property::I1, exchange.others == 0, || "two exchanges of one source".to_owned());
        self.check(Property::I19, !account.is_closed, || "an exchange when closed".to_owned());
        let (secret, wanted) = (exchange.secret, exchange.wanted);
        self.check(Property::I10, secret.0 == source, || "another's secret is used".to_owned());
        self.check(Property::I14, secret.1 == wanted, || {
            format!("secret {} is used, and {wanted} is right", secret.1)
        });
        let is_wanted = account.fresh > before;
        if let Some((refused, callers)) = account.refused {
            let may = secret.1 > refused || account.fresh > callers;
            self.check(Property::I6, may, || format!("secret {refused} is sent again"));
        }
        if goes_on {
            return;
        }
        if let Some(failure) = &account.failure {
            let gap = now.boot.saturating_sub(failure.at);
            let may = gap >= failure.floor || account.fresh > failure.callers;
            self.check(Property::I6, may, || format!("{gap:?} after {:?}", failure.does));
        }
        let wants_more = |held: &Held| {
            self.callers.values().any(|caller| {
                caller.source == source && !held.is_usable(now, caller.want.seconds())
            })
        };
        if let Some(held) = account.usable(now, 0) {
            let has_reason = is_wanted || held.may_be_aging(now) || wants_more(held);
            let left = held.left(now);
            self.check(Property::I18, has_reason, || {
                format!("an exchange with {left:?} left of {:?}", held.at_intake)
            });
        }
    }

    fn ended(&mut self, n: usize) {
        let exchange = self.exchange(n);
        let (source, now) = (exchange.source, exchange.ended.unwrap_or(exchange.begun));
        let current = self.ledger.book().desks[source].secret;
        let account = &mut self.accounts[source];
        if account.is_closed {
            return;
        }
        let mut failed = None;
        match (&exchange.answer, Held::of(n, &exchange)) {
            (Answer::Token { text, .. }, Some(held)) => match arrival(account, n, text, &held, now)
            {
                Arrival::Lands => {
                    account.held = Some(held);
                    account.succeed();
                }
                Arrival::GoesOn => return account.goes_on = true,
                // The oracle cannot tell what is held by the end of this flight.
                Arrival::Open => {
                    account.held = None;
                    account.failure = None;
                    return account.goes_on = true;
                }
            },
            (Answer::Other(Does::Refuses), _) if exchange.secret.1 != current => {
                account.refused = Some((exchange.secret.1, account.flight));
                return account.goes_on = true;
            }
            (Answer::Other(does), _) => {
                if *does == Does::Refuses {
                    account.refused = Some((exchange.secret.1, account.flight));
                }
                account.fail(*does, now);
                failed = Some(*does);
            }
            _ => {}
        }
        self.landed(source, failed);
    }

    fn dropped(&mut self, n: usize) {
        let exchange = self.exchange(n);
        let (source, now) = (exchange.source, exchange.ended.unwrap_or(exchange.begun));
        let account = &mut self.accounts[source];
        if account.is_closed {
            return;
        }
        let begun = account.flight_begun.unwrap_or(exchange.begun.runtime);
        let is_late = now.runtime.duration_since(begun) >= TIMEOUT;
        if is_late {
            account.fail(Does::NeverAnswers, now);
            self.landed(source, Some(Does::NeverAnswers));
        }
        self.check(Property::I4, is_late, || format!("exchange {n} was given up"));
    }

    /// All who waited when this flight ended are answered by it, but not who wants a later one.
    fn landed(&mut self, source: usize, does: Option<Does>) {
        let flight = self.accounts[source].flight;
        let waiting = { self.callers.iter() }
            .filter(|(_, caller)| caller.source == source)
            .filter(|(number, caller)| caller.want != Want::Fresh || **number <= flight)
            .map(|(number, _)| *number)
            .collect();
        self.open.landings.push(Landing { source, waiting, does });
    }

    /// Somebody is answered.
    pub(crate) fn answered(
        &mut self,
        source: usize,
        caller: u64,
        want: Want,
        outcome: Result<Token>,
        is_hit: bool,
    ) {
        self.note(caller, &outcome);
        match outcome {
            Ok(token) => {
                self.handed_out(source, &token, if is_hit { want.seconds() } else { 0 });
                let n = number(&token).unwrap_or_default();
                let account = &mut self.accounts[source];
                account.handed_out.push(token);
                let newest = account.newest;
                account.newest = newest.max(n);
                self.check(Property::I12, n >= newest, || format!("{n} after {newest}"));
            }
            Err(error) => self.failed(source, caller, want, &error),
        }
    }

    pub(crate) fn peeked(&mut self, source: usize, token: Option<&Token>) {
        let now = self.now();
        let usable = self.accounts[source].usable(now, 0).map(|held| held.exchange);
        match token {
            Some(token) => self.handed_out(source, token, 0),
            None => self.check(Property::I3, usable.is_none(), || {
                format!("exchange {usable:?} is held by {source} and not seen")
            }),
        }
    }

    fn handed_out(&mut self, source: usize, token: &Token, seconds: u64) {
        let (now, text) = (self.now(), token.expose_secret());
        let n = number(token).unwrap_or(usize::MAX);
        let exchange = self.ledger.book().exchanges.get(n).cloned();
        let own = exchange.filter(|exchange| exchange.source == source);
        let is_own = own.is_some() && text.starts_with(&format!("k{source}."));
        self.check(Property::I10, is_own, || format!("{source} hands out {text} of {n}"));
        let is_closed = self.accounts[source].is_closed;
        self.check(Property::I19, !is_closed, || format!("{text} is handed out when closed"));
        let is_gone = self.accounts[source].invalidated.iter().any(|(invalidated, exchanges)| {
            invalidated.is_same_as(token) || (invalidated.expose_secret() == text && *exchanges > n)
        });
        self.check(Property::I11, !is_gone, || format!("{text} was invalidated"));
        let Some(held) = own.and_then(|exchange| Held::of(n, &exchange)) else { return };
        let (truth, left, leeway) = (held.left_in_truth(now), held.left(now), held.leeway());
        // A vendor that gives the same token gives no longer one.
        let is_given_again = source == 2 || !text.ends_with(&format!(".{n}"));
        let least = if is_given_again { 0 } else { seconds };
        let least = leeway.max(Duration::from_secs(least)).max(Duration::from_nanos(1));
        self.check(Property::I2, truth >= least, || format!("{text} has {truth:?} of {least:?}"));
        self.check(Property::I13, left >= least, || format!("{text} has {left:?} of {least:?}"));
    }

    fn failed(&mut self, source: usize, caller: u64, want: Want, error: &Error) {
        let now = self.now();
        let account = &self.accounts[source];
        let (failures, is_closed) = (account.failures, account.is_closed);
        let is_usable = want != Want::Fresh && account.usable(now, want.seconds()).is_some();
        let is_told = error.message() == "the source is closed";
        self.check(Property::I19, is_closed == is_told, || format!("{source}: {error}"));
        self.check(Property::I3, !is_usable, || format!("{error} while a usable token is held"));
        let text = error.message().to_owned();
        let same =
            { self.open.errors.iter() }.find(|(of, nth, _)| (*of, *nth) == (source, failures));
        let is_same = same.is_none_or(|(_, _, other)| *other == text);
        self.check(Property::I9, is_same, || format!("{text}, and another error for others"));
        let panicked =
            self.open.landings.iter().any(|landing| {
                landing.does == Some(Does::Panics) && landing.waiting.contains(&caller)
            });
        let is_internal = error.kind() == ErrorKind::Internal && text.contains("panicked");
        self.check(Property::I5, !panicked || is_internal || is_closed, || {
            format!("a panic is told as {error}")
        });
        self.open.errors.push((source, failures, text));
    }

    pub(crate) fn closed(&mut self, source: usize) {
        let waiting = self.callers.values().filter(|caller| caller.source == source).count();
        let in_flight = self.ledger.book().desks[source].in_flight;
        let is_over = waiting == 0 && in_flight == 0 && self.sources[source].peek().is_none();
        self.check(Property::I19, is_over, || {
            format!("{waiting} callers and {in_flight} exchanges when closed")
        });
    }

    /// Nothing moves any more, until something else happens.
    pub(crate) fn settled(&mut self) {
        let Open { landings, exchanges, .. } = std::mem::take(&mut self.open);
        for Landing { source, waiting, does } in landings {
            let left = waiting.iter().filter(|caller| self.callers.contains_key(caller)).count();
            let what = || format!("{left} who waited for {source} were not told");
            self.check(Property::I7, left == 0, what);
            self.check(Property::I5, left == 0 || does != Some(Does::Panics), what);
        }
        for (property, source, before) in exchanges {
            let made = self.ledger.book().exchanges.len() > before;
            self.check(property, made, || format!("{source} does not ask its vendor again"));
        }
        let now = self.now();
        for source in 0..self.sources.len() {
            let is_exchanging = self.is_exchanging(source);
            let of_it = || self.callers.values().filter(|caller| caller.source == source);
            let waiting = of_it().count();
            let longest = of_it().map(|caller| caller.since.elapsed()).max().unwrap_or_default();
            self.check(Property::I8, is_exchanging || waiting == 0, || {
                format!("{waiting} callers of {source} wait for nothing")
            });
            self.check(Property::I8, longest <= FLIGHTS * LONGEST, || {
                format!("somebody has waited for {longest:?}")
            });
            if !is_exchanging {
                self.rested(source, now);
            }
        }
    }

    fn rested(&mut self, source: usize, now: Moment) {
        let account = &mut self.accounts[source];
        if std::mem::take(&mut account.goes_on) {
            // It ended without a token, and with a failure that is not a vendor's.
            account.failure = None;
            account.failures += 1;
        }
        let resting = self.sources[source].cooldown_remaining().unwrap_or_default();
        let (least, most) = match &account.failure {
            _ if account.is_closed => return,
            None if account.failures == 0 => (Duration::ZERO, Duration::ZERO),
            None => return,
            Some(failure) if failure.does == Does::Refuses => (Duration::ZERO, failure.ceiling),
            Some(failure) => {
                let until = |rest: Duration| (failure.at + rest).saturating_sub(now.boot);
                (until(failure.floor), until(failure.ceiling))
            }
        };
        self.check(Property::I6, (least..=most).contains(&resting), || {
            format!("{source} rests for {resting:?}, not for {least:?} to {most:?}")
        });
    }
}

/// What the engine is to do with a token that comes.
enum Arrival {
    Lands,
    /// Ask again: it is dead, or was invalidated on its way.
    GoesOn,
    /// It ends at once and comes again until then.
    Open,
}

fn arrival(account: &Account, n: usize, text: &str, held: &Held, now: Moment) -> Arrival {
    let is_fenced = { account.invalidated.iter() }
        .any(|(token, exchanges)| token.expose_secret() == text && *exchanges > n);
    let is_given_again = !text.ends_with(&format!(".{n}")) || text.starts_with("k2.");
    if held.left(now).is_zero() || is_fenced {
        Arrival::GoesOn
    } else if is_given_again && held.left(now) < Duration::from_secs(1) {
        Arrival::Open
    } else {
        Arrival::Lands
    }
}

/// The number of the exchange that brought a token: its scope.
pub(crate) fn number(token: &Token) -> Option<usize> {
    token.scope()?.parse().ok()
}
