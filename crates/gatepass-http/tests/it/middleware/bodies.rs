//! Tests that a response remains complete after its body was inspected.

use std::time::Duration;

use bytes::Bytes;
use gatepass_core::Endpoint;
use gatepass_engine::TokenSource;
use gatepass_http::SendWith;
use http_body_util::BodyExt;
use provider_celerdata::CelerData;
use tokio::time::timeout;

use super::{ADAPTERS, builder, client, vendor};
use crate::server::Server;

const KIB: usize = 1024;

/// Returns a source whose provider inspects every JSON body.
fn inspecting_source(origin: &str) -> TokenSource {
    let celerdata = CelerData::new().base_url(Endpoint::parse(origin).unwrap());
    builder(celerdata, &vendor()).build().unwrap()
}

fn body(length: usize) -> Bytes {
    let letters = (0..length).map(|at| b'a' + (at * 7 % 26) as u8);
    letters.collect::<Vec<u8>>().into()
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Odd: kept\r\n";

fn by_length(body: &Bytes) -> Server {
    let mut response = format!("{HEAD}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    response.extend_from_slice(body);
    Server::responding(response)
}

fn in_chunks(body: &Bytes, size: usize) -> Server {
    let mut response = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        response.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        response.extend_from_slice(chunk);
        response.extend_from_slice(b"\r\n");
    }
    response.extend_from_slice(b"0\r\n\r\n");
    Server::responding(response)
}

#[tokio::test]
async fn bodies_of_all_lengths_are_complete() {
    for length in [0, 1, 100, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300 * KIB] {
        let body = body(length);
        for server in [by_length(&body), in_chunks(&body, 64 * KIB), in_chunks(&body, 1000)] {
            let source = inspecting_source(&server.origin());
            for adapter in ADAPTERS {
                let response = adapter.get(&client(), &source, &server.origin()).await.unwrap();
                assert_eq!(response.headers()["x-odd"], "kept", "{adapter:?}");
                let received = response.into_body().collect().await.unwrap().to_bytes();
                let count = received.len();
                assert!(received == body, "{adapter:?} {length}: {count} bytes received");
            }
        }
    }
}

#[tokio::test]
async fn response_extensions_are_kept() {
    for length in [10, 300 * KIB] {
        let body = body(length);
        let server = by_length(&body);
        let source = inspecting_source(&server.origin());
        let url = format!("{}/clusters?x=1", server.origin());
        let response = client().get(&url).send_with(&source).await.unwrap();
        assert_eq!(response.url().as_str(), url);
        assert_eq!(response.content_length(), Some(length as u64));
        assert_eq!(response.remote_addr(), Some(server.address()));
        assert_eq!(response.version(), http::Version::HTTP_11);
        assert!(response.bytes().await.unwrap() == body);
    }
}

#[tokio::test]
async fn rest_of_a_long_body_is_streamed() {
    let server = Server::plain(|peer| {
        peer.request();
        let half = "x".repeat(64 * KIB);
        let _ = peer.send(format!("{HEAD}Content-Length: {}\r\n\r\n{half}", 128 * KIB));
        // The second half waits until the caller has read the first.
        peer.read(1);
    });
    let source = inspecting_source(&server.origin());
    for adapter in ADAPTERS {
        let (client, origin) = (client(), server.origin());
        let response =
            timeout(Duration::from_secs(5), adapter.get(&client, &source, &origin)).await;
        let mut response =
            response.expect("the response must not wait for the whole body").unwrap();
        let mut length = 0;
        while length < 64 * KIB {
            let frame = response.body_mut().frame().await.unwrap().unwrap();
            length += frame.into_data().unwrap().len();
        }
        assert_eq!(length, 64 * KIB, "{adapter:?}");
    }
}

#[tokio::test]
async fn interrupted_body_is_an_error_for_the_caller() {
    let server = Server::plain(|peer| {
        peer.request();
        let _ = peer.send(format!("{HEAD}Content-Length: 100\r\n\r\nbegun"));
    });
    let source = inspecting_source(&server.origin());
    for adapter in ADAPTERS {
        let mut response = adapter.get(&client(), &source, &server.origin()).await.unwrap();
        let first = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "begun", "{adapter:?}");
        assert!(response.body_mut().frame().await.unwrap().is_err(), "{adapter:?}");
        assert!(response.body_mut().frame().await.is_none(), "{adapter:?}");
    }
}
