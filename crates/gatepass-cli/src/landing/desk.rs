//! Desk: what each request to a landing gets, and the one answer that is taken.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::sync::{mpsc, oneshot};
use tokio::task;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::guard::{Guard, Refusal, refused};
use super::page::{self, Answer, State};
use super::ticket::Ticket;
use super::{Notice, Place, Verdict};

/// The answer of a login, and where its page waits for the verdict.
pub(super) struct Delivery {
    pub(super) answer: Zeroizing<String>,
    pub(super) reply: oneshot::Sender<Verdict>,
    pub(super) connection: task::Id,
}

/// What one landing serves, and what it has served.
pub(super) struct Desk {
    guard: Guard,
    path: String,
    query: Option<String>,
    start: Ticket,
    /// Where every page delivers to. One for all: of pages that each had their own, too many would
    /// push out the one that has the answer.
    delivery: Ticket,
    leads_to: Option<HeaderValue>,
    book: Mutex<Book>,
    notices: mpsc::Sender<Notice>,
    deliver: mpsc::Sender<Delivery>,
}

#[derive(Default)]
struct Book {
    is_opened: bool,
    is_answered: bool,
}

/// What a request is about.
enum Matter {
    Reply(Answer),
    Delivery,
}

impl Desk {
    pub(super) fn new(
        place: &Place,
        port: u16,
        notices: mpsc::Sender<Notice>,
        deliver: mpsc::Sender<Delivery>,
    ) -> io::Result<Self> {
        let (path, query) = match place.path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (place.path.as_str(), None),
        };
        Ok(Self {
            guard: Guard::new(&place.host, port),
            path: path.to_owned(),
            query,
            start: Ticket::draw()?,
            delivery: Ticket::draw()?,
            leads_to: None,
            book: Mutex::default(),
            notices,
            deliver,
        })
    }

    pub(super) fn start_url(&self) -> String {
        format!("{}{}", self.guard.origin(), self.start.path())
    }

    pub(super) fn leads_to(&mut self, url: &str) {
        self.leads_to = HeaderValue::from_str(url).ok();
    }

    /// Answers one request. Nothing of it is ever logged or shown.
    pub(super) async fn answer(&self, request: Request<Incoming>, connection: task::Id) -> Answer {
        let (head, body) = request.into_parts();
        let answered = match self.receive(&head) {
            Ok(Matter::Reply(answer)) => Ok(answer),
            Ok(Matter::Delivery) => self.deliver(body, connection).await,
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(|refusal| {
            self.tell(Notice::Refused(refusal.why));
            explain(refusal.status)
        })
    }

    fn receive(&self, head: &Parts) -> Result<Matter, Refusal> {
        self.guard.is_addressed(head)?;
        let (is_get, path) = (head.method == Method::GET, head.uri.path());
        if !is_get && head.method != Method::POST {
            return Ok(Matter::Reply(explain(StatusCode::METHOD_NOT_ALLOWED)));
        }
        let reply = if self.is_landing(head) || self.start.is(path) {
            if !is_get {
                return Ok(Matter::Reply(explain(StatusCode::METHOD_NOT_ALLOWED)));
            }
            Guard::is_visit(head)?;
            match self.is_landing(head) {
                true => self.landing(),
                false => self.start()?,
            }
        } else if self.delivery.is(path) {
            if is_get {
                return Ok(Matter::Reply(explain(StatusCode::METHOD_NOT_ALLOWED)));
            }
            self.guard.is_delivery(head)?;
            self.still_waits()?;
            return Ok(Matter::Delivery);
        } else {
            explain(StatusCode::NOT_FOUND)
        };
        Ok(Matter::Reply(reply))
    }

    /// The registered path, with the registered query first if the vendor adds its own. Without
    /// any query it is a page loaded again, whose address the script has cleaned.
    fn is_landing(&self, head: &Parts) -> bool {
        let is_query = match (&self.query, head.uri.query()) {
            (None, _) | (_, None) => true,
            (Some(registered), Some(query)) => query
                .strip_prefix(registered.as_str())
                .is_some_and(|more| more.is_empty() || more.starts_with('&')),
        };
        head.uri.path() == self.path && is_query
    }

    fn start(&self) -> Result<Answer, Refusal> {
        let Some(url) = self.leads_to.clone() else {
            return Err(refused(StatusCode::INTERNAL_SERVER_ERROR, "it leads to no address"));
        };
        let mut book = self.book();
        if book.is_opened || book.is_answered {
            return Err(refused(StatusCode::GONE, "the start address was opened a second time"));
        }
        book.is_opened = true;
        drop(book);
        self.tell(Notice::Opened);
        Ok(page::leave_for(url))
    }

    fn landing(&self) -> Answer {
        if self.book().is_answered {
            let text = "This login has its answer. The terminal says what came of it.";
            return page::plain(StatusCode::GONE, State::Empty, "Already answered", text);
        }
        page::landing(&self.delivery)
    }

    /// Before the body is read, which may take its time.
    fn still_waits(&self) -> Result<(), Refusal> {
        match self.book().is_answered {
            false => Ok(()),
            true => Err(refused(StatusCode::GONE, "an answer came a second time")),
        }
    }

    async fn deliver(&self, body: Incoming, connection: task::Id) -> Result<Answer, Refusal> {
        let answer = match timeout(BODY_TIMEOUT, read(body)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(refused(StatusCode::REQUEST_TIMEOUT, "it came too slowly")),
        };
        if self.is_empty(&answer) {
            self.tell(Notice::Empty);
            let text = "This page’s address holds no answer: either the page was loaded again, or \
                        the vendor sent none. The login still waits; the terminal says more.";
            return Ok(page::verdict(State::Empty, "Nothing to read here", text));
        }
        if std::mem::replace(&mut self.book().is_answered, true) {
            return Err(refused(StatusCode::GONE, "an answer came a second time"));
        }
        let (reply, verdict) = oneshot::channel();
        // Only one answer gets here, so there is room; if nobody listens, the login is over.
        drop(self.deliver.try_send(Delivery { answer, reply, connection }));
        match verdict.await {
            Ok(verdict) => {
                let state = if verdict.is_good { State::Good } else { State::Bad };
                Ok(page::verdict(state, &verdict.title, &verdict.text))
            }
            Err(_) => Err(refused(StatusCode::GONE, "the login was over")),
        }
    }

    /// Whether nothing is there but what was registered.
    fn is_empty(&self, answer: &str) -> bool {
        let registered = self.query.as_deref().unwrap_or_default();
        let query = answer.strip_prefix('?').unwrap_or(answer);
        query.strip_prefix(registered).unwrap_or(query).trim_matches(['?', '&', '#']).is_empty()
    }

    /// Notices beyond those that may wait are not told.
    fn tell(&self, notice: Notice) {
        let _ = self.notices.try_send(notice);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads into one buffer that is wiped and never moves.
async fn read(body: Incoming) -> Result<Zeroizing<String>, Refusal> {
    let too_large = refused(StatusCode::PAYLOAD_TOO_LARGE, "it was too large");
    let cut_off = refused(StatusCode::BAD_REQUEST, "it was cut off");
    if body.size_hint().lower() > ANSWER_BYTES as u64 {
        return Err(too_large);
    }
    let mut body = Limited::new(body, ANSWER_BYTES);
    let mut bytes = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| if error.is::<LengthLimitError>() { too_large } else { cut_off })?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(refused(StatusCode::BAD_REQUEST, "it was not text")),
    }
}

/// What a person sees who meets a refusal in a browser.
fn explain(status: StatusCode) -> Answer {
    let (state, title, text) = match status {
        StatusCode::GONE => (
            State::Empty,
            "Used already",
            "This address works once, and somebody has opened it. If that was not you, press \
             Ctrl-C in the terminal and run the login again.",
        ),
        StatusCode::NOT_FOUND => (
            State::Empty,
            "Nothing here",
            "gatepass waits here for the answer of a login, and this is not its address.",
        ),
        _ => (
            State::Bad,
            "Not served",
            "gatepass waits here for the answer of a login, and does nothing else.",
        ),
    };
    page::plain(status, state, title, text)
}

const ANSWER_BYTES: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
