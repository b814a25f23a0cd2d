//! The vendors, and the ledger of everything they were asked and gave.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, HttpSend, Request, Response, Result, async_trait};
use gatepass_testkit::{Fixture, TestClock};

use crate::operation::{Does, SOURCES};

/// What happened at the vendors, in order. Its clones are the same ledger.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) events: Vec<Event>,
    pub(crate) desks: [Desk; SOURCES],
    released: Vec<usize>,
    wakers: Vec<Waker>,
}

/// Where a vendor answers the requests of one source.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) does: Does,
    pub(crate) promptly: bool,
    /// The secret's version of now, as whoever configures the source has it.
    pub(crate) secret: usize,
    /// The latest version that is refused.
    pub(crate) refused: usize,
    same: Option<(String, Duration)>,
    pub(crate) in_flight: usize,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) source: usize,
    /// Whose secret it came with, and its version.
    pub(crate) secret: (usize, usize),
    /// The version that was right when it came.
    pub(crate) wanted: usize,
    pub(crate) begun: Moment,
    pub(crate) answer: Answer,
    pub(crate) ended: Option<Moment>,
    /// How many others of its source were under way when it began.
    pub(crate) others: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Token { text: String, life: Duration },
    Other(Does),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Began(usize),
    Answered(usize),
    /// Given up by who asked, before there was an answer.
    Dropped(usize),
}

/// One moment on both clocks, and on the runtime's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) wall: SystemTime,
    pub(crate) boot: Duration,
    pub(crate) runtime: tokio::time::Instant,
}

impl Moment {
    pub(crate) fn of(clock: &TestClock) -> Self {
        let runtime = tokio::time::Instant::now();
        Self { wall: clock.wall(), boot: clock.boot(), runtime }
    }
}

impl Default for Desk {
    fn default() -> Self {
        let does = Does::Mints(3600);
        Self { does, promptly: true, secret: 1, refused: 0, same: None, in_flight: 0 }
    }
}

impl Desk {
    /// Gives this token to all who ask, until its end.
    pub(crate) fn insist(&mut self, text: &str, end: Duration) {
        (self.does, self.promptly) = (Does::Repeats(3600), false);
        self.same = Some((text.to_owned(), end));
    }
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the n-th of the requests under way have its answer.
    pub(crate) fn release(&self, request: usize) {
        let mut book = self.book();
        let open: Vec<usize> =
            (0..book.exchanges.len()).filter(|n| book.is_open(*n)).collect::<Vec<_>>();
        let Some(n) = open.get(request % open.len().max(1)) else { return };
        book.released.push(*n);
        let wakers = std::mem::take(&mut book.wakers);
        drop(book);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Book {
    fn is_open(&self, n: usize) -> bool {
        self.exchanges[n].ended.is_none() && !self.released.contains(&n)
    }

    fn begin(&mut self, source: usize, secret: (usize, usize), begun: Moment) -> usize {
        let n = self.exchanges.len();
        let desk = &mut self.desks[source];
        let answer = match desk.does {
            Does::Mints(life) => {
                Answer::Token { text: format!("k{source}.{n}"), life: Duration::from_secs(life) }
            }
            Does::Repeats(life) => {
                let second = Duration::from_secs(1);
                let lasting = |(_, end): &mut (String, Duration)| *end >= begun.boot + second;
                if !desk.same.as_mut().is_some_and(lasting) {
                    let end = begun.boot + Duration::from_secs(life);
                    desk.same = Some((format!("k{source}.{n}"), end));
                }
                let (text, end) = desk.same.clone().unwrap_or_default();
                // In whole seconds, as vendors say it.
                Answer::Token { text, life: Duration::from_secs((end - begun.boot).as_secs()) }
            }
            Does::Refuses if secret.1 > desk.refused => {
                Answer::Token { text: format!("k{source}.{n}"), life: Duration::from_secs(3600) }
            }
            other => Answer::Other(other),
        };
        let (others, wanted) = (desk.in_flight, desk.secret);
        desk.in_flight += 1;
        let (ended, is_prompt) = (None, desk.promptly);
        self.exchanges.push(Exchange { source, secret, wanted, begun, answer, ended, others });
        self.events.push(Event::Began(n));
        if is_prompt {
            self.released.push(n);
        }
        n
    }

    fn end(&mut self, n: usize, event: Event, at: Moment) {
        let exchange = &mut self.exchanges[n];
        if exchange.ended.is_none() {
            exchange.ended = Some(at);
            self.desks[exchange.source].in_flight -= 1;
            self.events.push(event);
        }
    }
}

/// Sends one source's requests to its vendor.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) source: usize,
    pub(crate) ledger: Ledger,
    pub(crate) clock: TestClock,
}

struct Open<'a>(&'a Line, usize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Self(line, n) = *self;
        line.ledger.book().end(n, Event::Dropped(n), Moment::of(&line.clock));
    }
}

#[async_trait]
impl HttpSend for Line {
    async fn send(&self, request: Request) -> Result<Response> {
        let secret = secret(request.body());
        let n = self.ledger.book().begin(self.source, secret, Moment::of(&self.clock));
        let open = Open(self, n);
        poll_fn(|cx| {
            let mut book = self.ledger.book();
            let is_never = matches!(book.exchanges[n].answer, Answer::Other(Does::NeverAnswers));
            if book.released.contains(&n) && !is_never {
                return Poll::Ready(());
            }
            book.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        let answer = {
            let mut book = self.ledger.book();
            book.end(n, Event::Answered(n), Moment::of(&self.clock));
            book.exchanges[n].answer.clone()
        };
        drop(open);
        Ok(response(n, &answer))
    }
}

/// The number of the exchange is the token's scope, so that each token says where it is from.
fn response(n: usize, answer: &Answer) -> Response {
    let fixture = match answer {
        Answer::Token { text, life } => {
            let life = life.as_secs();
            let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{life}");
            let body = format!("{{\"access_token\":\"{text}\",{fields},\"scope\":\"{n}\"}}");
            Fixture::json(200, body)
        }
        Answer::Other(Does::Throttles(Some(after))) => {
            Fixture::json(429, "").with_header("retry-after", &after.to_string())
        }
        Answer::Other(Does::Throttles(None)) => Fixture::json(429, ""),
        Answer::Other(Does::IsAway(after)) => {
            Fixture::json(503, "").with_header("retry-after", &after.to_string())
        }
        Answer::Other(Does::Refuses) => Fixture::json(401, "{\"error\":\"invalid_client\"}"),
        Answer::Other(Does::Babbles) => Fixture::json(200, "<html>welcome</html>"),
        // Without the hook, which would print it.
        Answer::Other(Does::Panics) => std::panic::resume_unwind(Box::new("a provider's panic")),
        Answer::Other(_) => Fixture::json(500, ""),
    };
    fixture.response()
}

/// Whose secret a request carries, and which version: `…&client_secret=s0v1`.
fn secret(body: &[u8]) -> (usize, usize) {
    let body = String::from_utf8_lossy(body);
    let secret = body.rsplit("client_secret=s").next().unwrap_or_default();
    let (source, version) = secret.split_once('v').unwrap_or_default();
    (source.parse().unwrap_or(usize::MAX), version.parse().unwrap_or(usize::MAX))
}
