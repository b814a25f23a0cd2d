//! Entry points for fuzzing: connections to a callback server, without a socket.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex, split};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};

use super::listener::serve_connection;
use super::page::LoginResultPage;
use super::server::{
    AuthorizationResponse, CallbackAddress, CallbackEvent, CallbackHandler, MAX_PENDING_EVENTS,
};

/// A callback server that takes one connection at a time, as bytes.
pub struct Connections {
    handler: Arc<CallbackHandler>,
    responses: mpsc::Receiver<AuthorizationResponse>,
    events: mpsc::Receiver<CallbackEvent>,
    runtime: Runtime,
}

impl Connections {
    /// The `Host` of its requests.
    pub const HOST: &str = "127.0.0.1:8400";

    /// Creates a server for this path whose start address redirects to `url`.
    pub fn new(path: &str, url: &str) -> io::Result<Self> {
        let (report, events) = mpsc::channel(MAX_PENDING_EVENTS);
        let (accept, responses) = mpsc::channel(1);
        let address = CallbackAddress { host: "127.0.0.1".into(), port: 8400, path: path.into() };
        let mut handler = CallbackHandler::new(&address, 8400, report, accept)?;
        handler.expect(url, Box::new(|response| !response.contains("foreign")));
        let runtime = Builder::new_current_thread().enable_time().build()?;
        Ok(Self { handler: Arc::new(handler), responses, events, runtime })
    }

    /// Returns the address that a browser opens first.
    pub fn start_url(&self) -> String {
        self.handler.start_url()
    }

    /// Sends these bytes over a new connection. Returns the bytes that come back, and the
    /// authorization response if the connection delivered one.
    pub fn send(&mut self, bytes: &[u8]) -> (Vec<u8>, Option<String>) {
        let (handler, responses) = (Arc::clone(&self.handler), &mut self.responses);
        let exchanged = self.runtime.block_on(async {
            let (client, server) = duplex(bytes.len().max(64 * 1024));
            let (mut from, mut to) = split(client);
            let mut connections = JoinSet::new();
            connections.spawn(serve_connection(server, handler));
            // The server may close the connection before it has read everything.
            let _ = to.write_all(bytes).await;
            let (mut reply, mut delivered) = (Vec::new(), None);
            // A client that closes its side early gets no response, so close it only after the
            // server has had enough turns to respond.
            let hang_up = async {
                for _ in 0..TURNS {
                    yield_now().await;
                }
                let _ = to.shutdown().await;
                pending().await
            };
            let read = {
                let (mut reading, mut hang_up) =
                    (pin!(from.read_to_end(&mut reply)), pin!(hang_up));
                loop {
                    tokio::select! {
                        biased;
                        Some(response) = responses.recv() => {
                            delivered = Some(response.parameters.to_string());
                            let (title, text) = ("Good".into(), "All <b>well</b>".into());
                            let page = LoginResultPage { is_success: true, title, text };
                            drop(response.reply.send(page));
                        }
                        read = &mut reading => break read,
                        () = &mut hang_up => {}
                    }
                }
            };
            drop(read);
            (reply, delivered)
        });
        while self.events.try_recv().is_ok() {}
        exchanged
    }
}

/// More scheduler turns than a connection needs for a complete request.
const TURNS: usize = 100;

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
