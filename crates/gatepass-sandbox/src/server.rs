//! The loopback server: accepts connections and applies faults that act on the connection.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service as _;

use crate::response::{End, Raw};

/// How a connection is opened: plain or TLS.
#[derive(Clone)]
pub(crate) enum ConnectionKind {
    Plain,
    #[cfg(feature = "tls")]
    Tls(tokio_rustls::TlsAcceptor),
}

/// Serves until the stop signal, then gives running responses a moment to finish.
pub(crate) async fn run(
    listener: TcpListener,
    kind: ConnectionKind,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(open(tcp, kind.clone(), router.clone(), stop.clone()));
                }
                // Most likely no file descriptors are left; ending connections release them.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, finished).await.is_err() {
        connections.shutdown().await;
    }
}

async fn open(tcp: TcpStream, kind: ConnectionKind, router: Router, stop: watch::Receiver<bool>) {
    if tcp.set_nodelay(true).is_err() {
        return;
    }
    match kind {
        ConnectionKind::Plain => serve(tcp, router, stop).await,
        #[cfg(feature = "tls")]
        ConnectionKind::Tls(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HEAD_TIMEOUT, acceptor.accept(tcp)).await {
                serve(stream, router, stop).await;
            }
        }
    }
}

async fn serve<S: Socket>(socket: S, router: Router, mut stop: watch::Receiver<bool>) {
    let raw_response = Arc::new(Mutex::new(None));
    let service = {
        let raw_response = Arc::clone(&raw_response);
        service_fn(move |request: Request<Incoming>| -> ResponseFuture {
            let (mut router, raw_response) = (router.clone(), Arc::clone(&raw_response));
            Box::pin(async move {
                let handled: Result<Response, Infallible> =
                    router.call(request.map(Body::new)).await;
                let Ok(mut response) = handled;
                match response.extensions_mut().remove::<Raw>() {
                    Some(raw) => {
                        *raw_response.lock().unwrap_or_else(PoisonError::into_inner) = Some(raw);
                        Err(RawRequested)
                    }
                    None => Ok(response),
                }
            })
        })
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break,
            _ = stop.changed(), if !is_stopping => {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    let mut socket = connection.into_parts().io.into_inner();
    let raw = raw_response.lock().unwrap_or_else(PoisonError::into_inner).take();
    match raw {
        Some(raw) => write_raw(&mut socket, raw).await,
        None => drop(socket.shutdown().await),
    }
}

/// A client that disconnects is not a failure, so errors only end the connection.
async fn write_raw<S: Socket>(socket: &mut S, raw: Raw) {
    if socket.write_all(&raw.first).await.is_err() {
        return;
    }
    for byte in raw.rest {
        sleep(raw.pause).await;
        if socket.write_all(&[byte]).await.is_err() || socket.flush().await.is_err() {
            return;
        }
    }
    match raw.end {
        End::Close => drop(socket.shutdown().await),
        End::Reset => {
            drop(socket.flush().await);
            drop(socket.tcp().set_zero_linger());
        }
    }
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response, RawRequested>> + Send>>;

/// Aborts the HTTP library's handling: the response is written as raw bytes.
#[derive(Debug)]
struct RawRequested;

impl fmt::Display for RawRequested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("raw response")
    }
}

impl std::error::Error for RawRequested {}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

#[cfg(feature = "tls")]
impl Socket for tokio_rustls::server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

const GRACE: Duration = Duration::from_secs(1);
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
