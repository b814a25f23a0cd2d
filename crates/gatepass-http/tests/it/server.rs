//! Scripted raw servers with one thread per connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gatepass_core::{Endpoint, Error, HttpSend, Request, Response};
use gatepass_http::{HttpClient, HttpClientBuilder};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server on a free port.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    /// The decrypted bytes received on each connection.
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    /// Starts a server that runs `script` for each connection and closes it.
    pub(crate) fn plain(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::start("http", None, script)
    }

    /// Starts a TLS server that runs `script` for each connection.
    pub(crate) fn tls(
        config: ServerConfig,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> Self {
        Self::start("https", Some(Arc::new(config)), script)
    }

    /// Starts a server without TLS whose address begins with https.
    pub(crate) fn raw_https(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::start("https", None, script)
    }

    /// Starts a server that sends this response to each request.
    pub(crate) fn responding(response: impl Into<Vec<u8>>) -> Self {
        Self::plain(respond_all(response))
    }

    fn start(
        scheme: &'static str,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(script);
        let server = Self { address, scheme, received: Arc::clone(&received) };
        thread::spawn(move || {
            while let Ok((tcp, _)) = listener.accept() {
                let number = {
                    let mut received = received.lock().unwrap();
                    received.push(Vec::new());
                    received.len() - 1
                };
                let io = match &tls {
                    None => Io::Plain(tcp),
                    Some(config) => {
                        let session = ServerConnection::new(Arc::clone(config)).unwrap();
                        Io::Tls(Box::new(StreamOwned::new(session, tcp)))
                    }
                };
                let (script, received) = (Arc::clone(&script), Arc::clone(&received));
                thread::spawn(move || script(&mut Peer { io, number, received }));
            }
        });
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Returns the number of connections.
    pub(crate) fn connections(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// Returns the bytes received on all connections.
    pub(crate) fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap().concat()).into_owned()
    }
}

/// The server side of a connection.
pub(crate) struct Peer {
    io: Io,
    /// The number of the connection, from 0.
    pub(crate) number: usize,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Peer {
    /// Reads one request, head and body, or returns `None` if the client has closed.
    pub(crate) fn request(&mut self) -> Option<String> {
        let mut request = Vec::new();
        loop {
            if let Some(head) = request.windows(4).position(|four| four == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
                let length = text
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse::<usize>().unwrap());
                if request.len() >= head + 4 + length {
                    return Some(String::from_utf8_lossy(&request).into_owned());
                }
            }
            request.extend_from_slice(&self.read(64 * 1024)?);
        }
    }

    /// Reads available data, at most `max` bytes; `None` if the client has closed.
    pub(crate) fn read(&mut self, max: usize) -> Option<Vec<u8>> {
        let mut buffer = vec![0; max];
        let read = match &mut self.io {
            Io::Plain(io) => io.read(&mut buffer),
            Io::Tls(io) => io.read(&mut buffer),
        };
        let read = read.ok().filter(|read| *read > 0)?;
        buffer.truncate(read);
        self.received.lock().unwrap()[self.number].extend_from_slice(&buffer);
        Some(buffer)
    }

    /// Sends bytes; an error means that the client has closed.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.io {
            Io::Plain(io) => io.write_all(bytes.as_ref()).and_then(|()| io.flush()),
            Io::Tls(io) => io.write_all(bytes.as_ref()).and_then(|()| io.flush()),
        }
    }

    /// Shuts down the sending side and waits until the client has closed.
    pub(crate) fn finish(&mut self) {
        if let Io::Plain(io) = &self.io {
            let _ = io.shutdown(Shutdown::Write);
        }
        self.wait_for_close();
    }

    /// Closes both directions.
    pub(crate) fn close(&mut self) {
        if let Io::Plain(io) = &self.io {
            let _ = io.shutdown(Shutdown::Both);
        }
    }

    /// Waits until the client has closed.
    pub(crate) fn wait_for_close(&mut self) {
        while self.read(64 * 1024).is_some() {}
    }

    /// Waits for the client's first bytes and leaves them unread, so that closing resets.
    pub(crate) fn leave_unread(&mut self) {
        if let Io::Plain(io) = &self.io {
            let _ = io.peek(&mut [0]);
        }
    }

    /// Returns the negotiated protocol.
    pub(crate) fn alpn(&self) -> Option<Vec<u8>> {
        match &self.io {
            Io::Plain(_) => None,
            Io::Tls(io) => io.conn.alpn_protocol().map(<[u8]>::to_vec),
        }
    }

    /// Returns whether the client sent early data.
    pub(crate) fn early_data(&mut self) -> bool {
        match &mut self.io {
            Io::Plain(_) => false,
            Io::Tls(io) => io.conn.early_data().is_some(),
        }
    }

    /// Forwards both directions to another server.
    pub(crate) fn relay(&mut self, to: SocketAddr) {
        let Io::Plain(client) = &self.io else { return };
        let (mut up, mut client) = (TcpStream::connect(to).unwrap(), client.try_clone().unwrap());
        let mut down = up.try_clone().unwrap();
        let back = thread::spawn(move || {
            let _ = io::copy(&mut down, &mut client);
            let _ = client.shutdown(Shutdown::Write);
        });
        while let Some(bytes) = self.read(64 * 1024) {
            if up.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = up.shutdown(Shutdown::Write);
        let _ = back.join();
    }
}

/// Returns a script that sends this response to each request.
pub(crate) fn respond_all(
    response: impl Into<Vec<u8>>,
) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    let response = response.into();
    move |peer: &mut Peer| {
        while peer.request().is_some() {
            if peer.send(&response).is_err() {
                break;
            }
        }
    }
}

/// Returns a response with Content-Length.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Returns a TLS configuration with this chain and key, without client certificates.
pub(crate) fn tls_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}

/// Returns a client with short limits.
pub(crate) fn short_timeouts() -> HttpClientBuilder {
    HttpClient::builder()
        .connect_timeout(Duration::from_millis(400))
        .response_timeout(Duration::from_millis(400))
        .idle_timeout(Duration::from_millis(400))
        .timeout(Duration::from_millis(1200))
}

/// Returns a reqwest builder of a program whose reqwest has no TLS feature, with the provider that
/// such a program installs.
pub(crate) fn custom_builder() -> reqwest::ClientBuilder {
    // An error means that another test has installed it.
    let _ = ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// Returns a token request to this origin.
pub(crate) fn request(origin: &str) -> Request {
    let endpoint = Endpoint::parse_plain_http(origin).unwrap().join("/oauth2/token").unwrap();
    Request::post(endpoint).form([("grant_type", "client_credentials")])
}

/// Sends one token request.
pub(crate) async fn send(client: &HttpClient, origin: &str) -> Result<Response, Error> {
    client.send(request(origin)).await
}

/// Sends one token request and returns its error.
pub(crate) async fn send_err(client: &HttpClient, origin: &str) -> Error {
    send(client, origin).await.unwrap_err()
}
