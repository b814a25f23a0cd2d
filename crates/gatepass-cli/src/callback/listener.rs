//! Listening sockets and connections of the callback server.
//!
//! The number of connections is limited. When the limit is reached, the oldest connection is closed
//! and the new one accepted: a browser sends its request at once, so the oldest connection is a
//! silent client, and refusing new ones would let it keep the browser out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{self, AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::server::CallbackHandler;

/// The listening sockets of one port of loopback and their connections. Dropping it closes all of
/// them.
#[derive(Debug)]
pub(super) struct CallbackListener {
    listener: TcpListener,
    /// The same port of `[::1]`, if the host is `localhost`.
    ipv6: Option<TcpListener>,
    port: u16,
    connections: JoinSet<()>,
    /// Handles of `connections`, oldest first.
    oldest_first: VecDeque<AbortHandle>,
    /// The connection that delivered the authorization response.
    responding: Option<task::Id>,
}

impl CallbackListener {
    pub(super) async fn open(host: &str, port: u16) -> io::Result<Self> {
        let (listener, ipv6) = match host {
            "127.0.0.1" => (bind(Ipv4Addr::LOCALHOST, port).await?, None),
            "[::1]" => (bind(Ipv6Addr::LOCALHOST, port).await?, None),
            "localhost" => bind_both(port).await?,
            _ => {
                let message = "the callback host must be 127.0.0.1, [::1] or localhost";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        };
        let port = listener.local_addr()?.port();
        let (connections, oldest_first) = (JoinSet::new(), VecDeque::new());
        Ok(Self { listener, ipv6, port, connections, oldest_first, responding: None })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Accepts connections while it is polled. Dropping the future keeps the accepted ones.
    pub(super) async fn serve(&mut self, handler: &Arc<CallbackHandler>) -> Infallible {
        loop {
            tokio::select! {
                biased;
                Some(_) = self.connections.join_next() => {
                    self.oldest_first.retain(|connection| !connection.is_finished());
                }
                accepted = accept(&self.listener, self.ipv6.as_ref()) => {
                    match accepted {
                        Ok(tcp) => {
                            if self.connections.len() >= MAX_CONNECTIONS {
                                self.close_oldest();
                            }
                            let serving = serve_connection(tcp, Arc::clone(handler));
                            self.oldest_first.push_back(self.connections.spawn(serving));
                            // Read its request before another connection can displace it.
                            task::yield_now().await;
                        }
                        // Probably out of file descriptors: closing a connection frees one.
                        Err(_) => {
                            self.close_oldest();
                            sleep(Duration::from_millis(10)).await;
                        }
                    }
                }
            }
        }
    }

    /// Closes all connections but the one that delivered the authorization response. The login
    /// no longer needs them, and the token request may need their file descriptors.
    pub(super) async fn close_all_but(&mut self, responding: task::Id) {
        self.responding = Some(responding);
        self.oldest_first.retain(|connection| {
            connection.id() == responding || {
                connection.abort();
                false
            }
        });
        // An aborted task ends when the runtime polls it again.
        task::yield_now().await;
    }

    fn close_oldest(&mut self) {
        let may_close = |connection: &AbortHandle| {
            !connection.is_finished() && Some(connection.id()) != self.responding
        };
        if let Some(index) = self.oldest_first.iter().position(may_close)
            && let Some(connection) = self.oldest_first.remove(index)
        {
            connection.abort();
        }
    }

    /// Closes the port, waits until the `last` connection has sent its response, and closes all
    /// others.
    pub(super) async fn close_after(self, last: task::Id) {
        let Self { listener, ipv6, mut connections, .. } = self;
        drop((listener, ipv6));
        let sent = async {
            while let Some(ended) = connections.join_next_with_id().await {
                if ended.map_or_else(|error| error.id(), |(id, ())| id) == last {
                    break;
                }
            }
        };
        // The outcome of the login does not depend on whether the page could be sent.
        drop(timeout(CLOSE_TIMEOUT, sent).await);
    }
}

/// Binds one port of both address families. The port must be free on both: a browser that tries
/// the other family first would send the response to the program that has it.
async fn bind_both(port: u16) -> io::Result<(TcpListener, Option<TcpListener>)> {
    let mut tries = if port == 0 { MAX_PORT_TRIES } else { 1 };
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
            // A machine without IPv6 has no browser that uses it.
            Err(_) => return Ok((ipv4, None)),
        }
    }
}

/// Binds one address. Tokio sets `SO_REUSEADDR` on Unix, where a port can then be bound again
/// right after it was closed, but not on Windows, where two programs could share the port.
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

/// Serves one request. A connection that the browser closes early is not an error.
pub(super) async fn serve_connection(
    tcp: impl AsyncRead + AsyncWrite + Unpin,
    handler: Arc<CallbackHandler>,
) {
    let service = service_fn(|request| async {
        Ok::<_, Infallible>(handler.handle(request, task::id()).await)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(tcp), service);
    drop(connection.await);
}

const MAX_CONNECTIONS: usize = 128;
const MAX_HEAD_BYTES: usize = 16 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The number of free IPv4 ports to try until one is also free on IPv6.
const MAX_PORT_TRIES: u32 = 8;
