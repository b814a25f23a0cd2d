//! Server: a vendor of raw bytes, plain or behind TLS: an answer for each request, or a script of
//! steps for each connection.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::ServerConfig;
use serde_json::Value;

use crate::script::{Step, Wire};

/// A server on a free port of 127.0.0.1, until dropped.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    arrived: Mutex<Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a server answers.
#[derive(Clone, Debug)]
pub struct Reply(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Status, header fields and body, as HTTP wants them.
    Http { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// These bytes, and then the end of the connection.
    Raw(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Silence,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path, and the query if there is one.
    pub target: String,
    /// The header fields, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Server {
    /// Gives these answers, one for each request; the last is given for ever.
    pub fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Vec<Reply> = replies.into_iter().collect();
        Self::new(move |n, _| replies.get(n).or_else(|| replies.last()).unwrap().clone())
    }

    /// Gives the answer that `script` finds for the request of number n, from 0.
    pub fn new(script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Play::Answers(Box::new(script)), None)
    }

    /// Goes through these steps on each connection, and closes it.
    pub fn following(steps: impl Into<Vec<Step>>) -> Self {
        let steps = steps.into();
        Self::with_steps(move |_| steps.clone())
    }

    /// Goes through the steps that `script` finds for the connection of number n, from 0.
    pub fn with_steps(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start(Play::Steps(Box::new(script)), None)
    }

    /// The same as [`following`](Self::following), behind TLS.
    pub fn behind_tls(config: ServerConfig, steps: impl Into<Vec<Step>>) -> Self {
        let steps = steps.into();
        Self::start(Play::Steps(Box::new(move |_| steps.clone())), Some(Arc::new(config)))
    }

    /// The same server under an `https` address: one that claims to speak TLS.
    pub fn as_https(mut self) -> Self {
        self.scheme = "https";
        self
    }

    fn start(play: Play, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (arrival, arrived) = mpsc::channel();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared { play, tls, memory: Mutex::default(), arrival });
        let (serving, connections) = (Arc::clone(&shared), listener);
        let thread = thread::spawn(move || {
            for stream in connections.incoming() {
                let Ok(stream) = stream else { return };
                let Some(number) = serving.welcome(&stream) else { return };
                let serving = Arc::clone(&serving);
                thread::spawn(move || {
                    serving.serve(number, &stream);
                    // No other handle may keep open what is closed here.
                    serving.memory().streams.remove(&number);
                });
            }
        });
        Self { address, scheme, shared, arrived: Mutex::new(arrived), thread: Some(thread) }
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// How many connections it has had.
    pub fn connections(&self) -> usize {
        self.shared.memory().connections
    }

    /// The requests it has had, in order.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.memory().requests.clone()
    }

    /// The one request it has had.
    #[track_caller]
    pub fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.into_iter().next().unwrap()
    }

    /// Waits until a request has come that no call has waited for yet.
    pub fn arrival(&self) {
        let arrived = self.arrived.lock().unwrap();
        arrived.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("no request came"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for stream in self.shared.end().into_values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

type Answers = dyn Fn(usize, &Received) -> Reply + Send + Sync;
type Steps = dyn Fn(usize) -> Vec<Step> + Send + Sync;

/// What is done with those who connect.
enum Play {
    /// An answer for each request.
    Answers(Box<Answers>),
    /// Steps for each connection.
    Steps(Box<Steps>),
}

struct Shared {
    play: Play,
    tls: Option<Arc<ServerConfig>>,
    memory: Mutex<Memory>,
    arrival: Sender<()>,
}

#[derive(Default)]
struct Memory {
    connections: usize,
    requests: Vec<Received>,
    /// By their numbers; to be closed at the end, so that no thread waits for ever.
    streams: BTreeMap<usize, TcpStream>,
    ended: bool,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Counts a connection and gives its number; nothing when there are to be no more.
    fn welcome(&self, stream: &TcpStream) -> Option<usize> {
        let mut memory = self.memory();
        if memory.ended {
            return None;
        }
        let number = memory.connections;
        memory.connections += 1;
        memory.streams.extend(stream.try_clone().ok().map(|stream| (number, stream)));
        Some(number)
    }

    /// Welcomes nobody any more, and gives what is still open.
    fn end(&self) -> BTreeMap<usize, TcpStream> {
        let mut memory = self.memory();
        memory.ended = true;
        std::mem::take(&mut memory.streams)
    }

    fn serve(&self, number: usize, stream: &TcpStream) {
        match &self.play {
            Play::Answers(script) => self.answer(stream, script),
            Play::Steps(script) => {
                let Ok(stream) = stream.try_clone() else { return };
                let mut wire = Wire::new(stream, self.tls.clone());
                for step in script(number) {
                    let goes_on = match step {
                        Step::Request => self.receive(&mut BufReader::new(&mut wire)).is_some(),
                        other => wire.play(other),
                    };
                    if !goes_on {
                        return;
                    }
                }
            }
        }
    }

    fn answer(&self, stream: &TcpStream, script: &Answers) {
        let mut reader = BufReader::new(stream);
        let Some((n, received)) = self.receive(&mut reader) else { return };
        let reply = script(n, &received);
        // Nobody may wait for it.
        let _ = self.arrival.send(());
        if let Some(bytes) = reply.bytes() {
            let mut writer: &TcpStream = stream;
            let _ = writer.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
        }
        // Reads on until the client leaves: closing earlier could take the answer back.
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
    }

    /// Reads a request, counts it and gives its number.
    fn receive(&self, reader: &mut BufReader<impl Read>) -> Option<(usize, Received)> {
        let received = Received::read(reader)?;
        let mut memory = self.memory();
        memory.requests.push(received.clone());
        Some((memory.requests.len() - 1, received))
    }
}

impl Reply {
    /// An answer with this body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![(String::from("content-type"), content_type.to_owned())];
        Self(Kind::Http { status, headers, body: body.into() })
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self(Kind::Http { status, headers: Vec::new(), body: Vec::new() })
    }

    /// These bytes instead of HTTP's, and then the end of the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Kind::Raw(bytes.into()))
    }

    /// The end of the connection, without an answer.
    pub fn close() -> Self {
        Self::raw("")
    }

    /// No answer, for as long as the client waits.
    pub fn silence() -> Self {
        Self(Kind::Silence)
    }

    /// Adds a header field.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Kind::Http { headers, .. } = &mut self.0 {
            headers.push((name.to_owned(), value.into()));
        }
        self
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Kind::Silence => None,
            Kind::Raw(bytes) => Some(bytes.clone()),
            Kind::Http { status, headers, body } => {
                let mut bytes = format!("HTTP/1.1 {status} Scripted\r\n");
                for (name, value) in headers {
                    bytes += &format!("{name}: {value}\r\n");
                }
                bytes += &format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len());
                Some([bytes.as_bytes(), body].concat())
            }
        }
    }
}

impl Received {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            Some(line.trim_end().to_owned())
        };
        let first = line()?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = BTreeMap::new();
        while let Some(line) = line().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            let earlier = headers.insert(name.to_lowercase(), value.trim().to_owned());
            assert_eq!(earlier, None, "the request has {name} twice");
        }
        let length =
            headers.get("content-length").map_or(Some(0), |text: &String| text.parse().ok());
        let mut body = vec![0; length?];
        reader.read_exact(&mut body).ok()?;
        Some(Self { method, target, headers, body })
    }

    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query's parameters, in order.
    pub fn query(&self) -> Vec<(String, String)> {
        pairs(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    /// The body's fields, of a form, in order.
    #[track_caller]
    pub fn form(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), Some("application/x-www-form-urlencoded"));
        pairs(self.text())
    }

    /// The fields of a form, and those of the query, whatever the body is.
    pub fn form_or_query(&self) -> Vec<(String, String)> {
        let is_form = self.header("content-type").is_some_and(|kind| kind.contains("form"));
        let mut all = if is_form { pairs(self.text()) } else { Vec::new() };
        all.extend(self.query());
        all
    }

    /// The body, of JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap()).map(|(k, v)| (decoded(k), decoded(v))).collect()
}
