//! Door: the listening sockets of a landing and the connections that come through them.

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

use super::desk::Desk;

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
