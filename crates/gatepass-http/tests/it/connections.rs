//! Tests of connections: those of token requests end soon, those of API requests are kept.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use gatepass_http::HttpClient;
use tokio::time::Instant;

use crate::server::{Peer, Server, custom_builder, send};
use crate::tls::Ca;

/// Starts a server that keeps connections open and reports for each how long it was idle before the
/// client closed it.
fn keeping(ca: Option<&Ca>, status: u16) -> (Server, Receiver<Duration>) {
    let (closed, times) = channel();
    let script = move |peer: &mut Peer| {
        let mut last = Instant::now();
        while peer.request().is_some() {
            let response = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}");
            if peer.send(response).is_err() {
                break;
            }
            last = Instant::now();
        }
        let _ = closed.send(last.elapsed());
    };
    let server = match ca {
        Some(ca) => Server::tls(ca.good(), script),
        None => Server::plain(script),
    };
    (server, times)
}

async fn call(client: &HttpClient, origin: &str) {
    let request = http::Request::get(format!("{origin}/users")).body(Bytes::new()).unwrap();
    client.send_api(request).await.unwrap().into_body().bytes().await.unwrap();
}

/// Waits until a connection is closed, in a thread, so that the runtime runs.
async fn idle_time(times: Receiver<Duration>) -> (Duration, Receiver<Duration>) {
    let waited = tokio::task::spawn_blocking(move || {
        (times.recv_timeout(Duration::from_secs(20)).unwrap(), times)
    });
    waited.await.unwrap()
}

#[tokio::test]
async fn token_requests_in_a_row_share_a_connection() {
    let ca = Ca::new();
    for (status, ca) in [(200, Some(&ca)), (401, Some(&ca)), (200, None), (500, None)] {
        let (server, _times) = keeping(ca, status);
        let client = match ca {
            Some(ca) => ca.client().build().unwrap(),
            None => HttpClient::builder().no_proxy().build().unwrap(),
        };
        for _ in 0..3 {
            send(&client, &server.origin()).await.unwrap();
        }
        assert_eq!(server.connections(), 1, "{status}");
    }
}

#[tokio::test]
async fn idle_token_connection_is_closed_in_time() {
    let ca = Ca::new();
    let plain = || HttpClient::builder().no_proxy();
    for (ca, client) in [
        (Some(&ca), ca.client()),
        (None, plain()),
        (Some(&ca), ca.client().from_builder(custom_builder().no_proxy())),
    ] {
        let client = client.build().unwrap();
        let (server, mut times) = keeping(ca, 200);
        for _ in 0..2 {
            send(&client, &server.origin()).await.unwrap();
            let idle;
            (idle, times) = idle_time(times).await;
            // With time for a slow machine; the pool of API requests keeps them for 30 s.
            assert!(idle < Duration::from_secs(4), "{idle:?}");
        }
    }
}

#[tokio::test]
async fn token_connection_is_kept_for_a_second() {
    let (server, times) = keeping(None, 200);
    let client = HttpClient::builder().no_proxy().build().unwrap();
    send(&client, &server.origin()).await.unwrap();
    let (idle, _) = idle_time(times).await;
    assert!(idle > Duration::from_millis(900), "{idle:?}");
}

#[tokio::test]
async fn api_connection_is_separate_and_kept() {
    let (server, times) = keeping(None, 200);
    let client = HttpClient::builder().no_proxy().build().unwrap();
    call(&client, &server.origin()).await;
    send(&client, &server.origin()).await.unwrap();
    assert_eq!(server.connections(), 2);
    let (_, times) = idle_time(times).await;
    // The connection of the token request is closed, that of the API is still in use.
    call(&client, &server.origin()).await;
    assert_eq!(server.connections(), 2);
    assert!(times.try_recv().is_err());
}

#[test]
fn client_is_usable_on_a_second_runtime() {
    let (server, _times) = keeping(None, 200);
    let client = HttpClient::builder().no_proxy().build().unwrap();
    for round in 1..=2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(send(&client, &server.origin())).unwrap();
        drop(runtime);
        assert_eq!(server.connections(), round);
    }
}
