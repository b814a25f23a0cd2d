//! A raw test server, plain or with TLS: a response for each request, or a script of steps for each
//! connection.

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

/// A server on a free port of 127.0.0.1; drop stops it.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    arrived: Mutex<Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A server's reply.
#[derive(Clone, Debug)]
pub struct Reply(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// A valid HTTP response: status, header fields and body.
    Http { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Raw bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// No reply; the connection stays open.
    Silence,
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path with the query.
    pub target: String,
    /// The header fields, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Server {
    /// Starts a server that sends these replies in order; the last one is repeated.
    pub fn responding(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Vec<Reply> = replies.into_iter().collect();
        Self::new(move |n, _| replies.get(n).or_else(|| replies.last()).unwrap().clone())
    }

    /// Starts a server that sends the reply of `script` for request number n, from 0.
    pub fn new(script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Behaviour::Respond(Box::new(script)), None)
    }

    /// Starts a server that runs these steps on each connection and closes it.
    pub fn following(steps: impl Into<Vec<Step>>) -> Self {
        let steps = steps.into();
        Self::with_steps(move |_| steps.clone())
    }

    /// Starts a server that runs the steps of `script` for connection number n, from 0.
    pub fn with_steps(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start(Behaviour::Steps(Box::new(script)), None)
    }

    /// Starts a server like [`following`](Self::following), with TLS.
    pub fn behind_tls(config: ServerConfig, steps: impl Into<Vec<Step>>) -> Self {
        let steps = steps.into();
        Self::start(Behaviour::Steps(Box::new(move |_| steps.clone())), Some(Arc::new(config)))
    }

    /// Gives the plain server an `https` address.
    pub fn as_https(mut self) -> Self {
        self.scheme = "https";
        self
    }

    fn start(behaviour: Behaviour, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (arrival, arrived) = mpsc::channel();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared { behaviour, tls, memory: Mutex::default(), arrival });
        let (serving, connections) = (Arc::clone(&shared), listener);
        let thread = thread::spawn(move || {
            for stream in connections.incoming() {
                let Ok(stream) = stream else { return };
                let Some(number) = serving.register(&stream) else { return };
                let serving = Arc::clone(&serving);
                thread::spawn(move || {
                    serving.serve(number, &stream);
                    // No other handle may keep the connection open.
                    serving.memory().streams.remove(&number);
                });
            }
        });
        Self { address, scheme, shared, arrived: Mutex::new(arrived), thread: Some(thread) }
    }

    /// Returns the address, without a trailing slash.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.shared.memory().connections
    }

    /// Returns the received requests in order.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.memory().requests.clone()
    }

    /// Returns the only received request.
    #[track_caller]
    pub fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.into_iter().next().unwrap()
    }

    /// Waits for the next request that no earlier call has waited for.
    pub fn arrival(&self) {
        let arrived = self.arrived.lock().unwrap();
        arrived
            .recv_timeout(Duration::from_secs(60))
            .unwrap_or_else(|_| panic!("no request arrived"));
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

type Respond = dyn Fn(usize, &Received) -> Reply + Send + Sync;
type Steps = dyn Fn(usize) -> Vec<Step> + Send + Sync;

/// How a server handles connections.
enum Behaviour {
    /// A reply for each request.
    Respond(Box<Respond>),
    /// Steps for each connection.
    Steps(Box<Steps>),
}

struct Shared {
    behaviour: Behaviour,
    tls: Option<Arc<ServerConfig>>,
    memory: Mutex<ServerState>,
    arrival: Sender<()>,
}

#[derive(Default)]
struct ServerState {
    connections: usize,
    requests: Vec<Received>,
    /// Open connections by number; closed at the end, so that no thread blocks.
    streams: BTreeMap<usize, TcpStream>,
    ended: bool,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, ServerState> {
        self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Counts a connection and returns its number; `None` after the server has stopped.
    fn register(&self, stream: &TcpStream) -> Option<usize> {
        let mut memory = self.memory();
        if memory.ended {
            return None;
        }
        let number = memory.connections;
        memory.connections += 1;
        memory.streams.extend(stream.try_clone().ok().map(|stream| (number, stream)));
        Some(number)
    }

    /// Stops accepting connections and returns the open ones.
    fn end(&self) -> BTreeMap<usize, TcpStream> {
        let mut memory = self.memory();
        memory.ended = true;
        std::mem::take(&mut memory.streams)
    }

    fn serve(&self, number: usize, stream: &TcpStream) {
        match &self.behaviour {
            Behaviour::Respond(script) => self.respond(stream, script),
            Behaviour::Steps(script) => {
                let Ok(stream) = stream.try_clone() else { return };
                let mut wire = Wire::new(stream, self.tls.clone());
                for step in script(number) {
                    let is_open = match step {
                        Step::Request => self.receive(&mut BufReader::new(&mut wire)).is_some(),
                        other => wire.run(other),
                    };
                    if !is_open {
                        return;
                    }
                }
            }
        }
    }

    fn respond(&self, stream: &TcpStream, script: &Respond) {
        let mut reader = BufReader::new(stream);
        let Some((n, received)) = self.receive(&mut reader) else { return };
        let reply = script(n, &received);
        // The receiver may have been dropped.
        let _ = self.arrival.send(());
        if let Some(bytes) = reply.bytes() {
            let mut writer: &TcpStream = stream;
            let _ = writer.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
        }
        // Reads until the client disconnects: an earlier close could discard the reply.
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
    }

    /// Reads a request, counts it and returns its number.
    fn receive(&self, reader: &mut BufReader<impl Read>) -> Option<(usize, Received)> {
        let received = Received::read(reader)?;
        let mut memory = self.memory();
        memory.requests.push(received.clone());
        Some((memory.requests.len() - 1, received))
    }
}

impl Reply {
    /// Creates a reply with this body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![(String::from("content-type"), content_type.to_owned())];
        Self(Kind::Http { status, headers, body: body.into() })
    }

    /// Creates a reply with a JSON body.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// Creates a reply without a body.
    pub fn empty(status: u16) -> Self {
        Self(Kind::Http { status, headers: Vec::new(), body: Vec::new() })
    }

    /// Creates a reply of raw bytes, followed by the end of the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Kind::Raw(bytes.into()))
    }

    /// Creates a reply that closes the connection without a response.
    pub fn close() -> Self {
        Self::raw("")
    }

    /// Creates a reply that never sends a response.
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
        let mut parts = first.split(' ').map(str::to_owned);
        let (method, target) = (parts.next()?, parts.next()?);
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

    /// Returns a header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the query parameters in order.
    pub fn query(&self) -> Vec<(String, String)> {
        pairs(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    /// Returns the fields of a form body in order.
    #[track_caller]
    pub fn form(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), Some("application/x-www-form-urlencoded"));
        pairs(self.text())
    }

    /// Returns the fields of a form body and of the query.
    pub fn form_or_query(&self) -> Vec<(String, String)> {
        let is_form = self.header("content-type").is_some_and(|kind| kind.contains("form"));
        let mut all = if is_form { pairs(self.text()) } else { Vec::new() };
        all.extend(self.query());
        all
    }

    /// Returns the JSON body.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the body as text.
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
