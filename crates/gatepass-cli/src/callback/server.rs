//! Desk: what each request to a landing gets, and the one answer that is taken.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::page::{self, Answer, State};
use super::policy::{Guard, Refusal, Ticket, refused};
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

/// One port of loopback. Dropping it closes the port and ends every connection.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    /// The same port of `[::1]`, if the host is `localhost`.
    ipv6: Option<TcpListener>,
    port: u16,
    connections: JoinSet<()>,
    /// The same, in the order they came.
    arrived: VecDeque<AbortHandle>,
    /// The connection that has brought the answer.
    answering: Option<task::Id>,
}

impl Door {
    pub(super) async fn open(host: &str, port: u16) -> io::Result<Self> {
        let (listener, ipv6) = match host {
            "127.0.0.1" => (bind(Ipv4Addr::LOCALHOST, port).await?, None),
            "[::1]" => (bind(Ipv6Addr::LOCALHOST, port).await?, None),
            "localhost" => both(port).await?,
            _ => {
                let says = "a login's answer comes to 127.0.0.1, [::1] or localhost alone";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, says));
            }
        };
        let port = listener.local_addr()?.port();
        let (connections, arrived) = (JoinSet::new(), VecDeque::new());
        Ok(Self { listener, ipv6, port, connections, arrived, answering: None })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Lets connections in for as long as it is polled. Dropping the future loses none.
    pub(super) async fn serve(&mut self, desk: &Arc<Desk>) -> Infallible {
        loop {
            tokio::select! {
                biased;
                Some(_) = self.connections.join_next() => {
                    self.arrived.retain(|connection| !connection.is_finished());
                }
                accepted = accept(&self.listener, self.ipv6.as_ref()) => {
                    match accepted {
                        Ok(tcp) => {
                            if self.connections.len() >= CONNECTIONS {
                                self.make_room();
                            }
                            let talking = converse(tcp, Arc::clone(desk));
                            self.arrived.push_back(self.connections.spawn(talking));
                            // What it has to say is heard before others may take its place.
                            task::yield_now().await;
                        }
                        // Out of descriptors, most likely; they come back when connections end.
                        Err(_) => {
                            self.make_room();
                            sleep(Duration::from_millis(10)).await;
                        }
                    }
                }
            }
        }
    }

    /// This connection has brought the answer, and stays until it has had its own. The others go:
    /// they are of no use any more, and what judges the answer may need their descriptors.
    pub(super) async fn keep(&mut self, answering: task::Id) {
        self.answering = Some(answering);
        self.arrived.retain(|connection| {
            connection.id() == answering || {
                connection.abort();
                false
            }
        });
        // They end once their turn has come.
        task::yield_now().await;
    }

    /// Where there is no place for another, the one that came first has to go. A browser says at
    /// once what it wants, so that is somebody who says nothing, and would keep the answer out.
    fn make_room(&mut self) {
        let may_go = |connection: &AbortHandle| {
            !connection.is_finished() && Some(connection.id()) != self.answering
        };
        if let Some(first) = self.arrived.iter().position(may_go)
            && let Some(connection) = self.arrived.remove(first)
        {
            connection.abort();
        }
    }

    /// Closes the port, and what else is open once this connection has had its answer.
    pub(super) async fn close_after(self, last: task::Id) {
        let Self { listener, ipv6, mut connections, .. } = self;
        drop((listener, ipv6));
        let told = async {
            while let Some(ended) = connections.join_next_with_id().await {
                if ended.map_or_else(|error| error.id(), |(id, ())| id) == last {
                    break;
                }
            }
        };
        // A page that does not listen by then never will.
        drop(timeout(LAST_WORDS, told).await);
    }
}

/// Both families on one port. A port that somebody else has on either is taken: a browser that
/// tries that one first would bring the answer there.
async fn both(port: u16) -> io::Result<(TcpListener, Option<TcpListener>)> {
    let mut tries = if port == 0 { FREE_PORTS } else { 1 };
    loop {
        tries -= 1;
        let ipv4 = bind(Ipv4Addr::LOCALHOST, port).await?;
        match bind(Ipv6Addr::LOCALHOST, ipv4.local_addr()?.port()).await {
            Ok(ipv6) => return Ok((ipv4, Some(ipv6))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if tries == 0 {
                    return Err(error);
                }
            }
            // This machine has no IPv6, so no browser on it has either.
            Err(_) => return Ok((ipv4, None)),
        }
    }
}

/// Tokio sets `SO_REUSEADDR` where it only means that a port just closed can be had again, and not
/// on Windows, where it would let two programs listen on one.
async fn bind(address: impl Into<IpAddr>, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((address.into(), port)).await
}

async fn accept(first: &TcpListener, second: Option<&TcpListener>) -> io::Result<TcpStream> {
    let second = async {
        match second {
            Some(listener) => listener.accept().await,
            None => pending().await,
        }
    };
    let (tcp, _) = tokio::select! {
        accepted = first.accept() => accepted?,
        accepted = second => accepted?,
    };
    Ok(tcp)
}

/// One request and its answer. A browser that has gone away is no failure here.
pub(super) async fn converse(tcp: impl AsyncRead + AsyncWrite + Unpin, desk: Arc<Desk>) {
    let service =
        service_fn(|request| async { Ok::<_, Infallible>(desk.answer(request, task::id()).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(tcp), service);
    drop(connection.await);
}

const CONNECTIONS: usize = 128;
const HEAD_BYTES: usize = 16 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often a free port of IPv4 may turn out to be taken on IPv6.
const FREE_PORTS: u32 = 8;
