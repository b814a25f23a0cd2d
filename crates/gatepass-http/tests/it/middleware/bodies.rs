//! Tests that a response remains complete after its body was inspected.

use std::time::Duration;

use bytes::Bytes;
use gatepass_core::Endpoint;
use gatepass_engine::TokenSource;
use gatepass_http::SendWith;
use http_body_util::BodyExt;
use provider_celerdata::CelerData;
use tokio::time::timeout;

use super::{WAYS, builder, client, vendor};
use crate::server::Server;

const KIB: usize = 1024;

/// Returns a source whose provider inspects every JSON body.
fn curious(origin: &str) -> TokenSource {
    let celerdata = CelerData::new().base_url(Endpoint::parse(origin).unwrap());
    builder(celerdata, &vendor()).build().unwrap()
}

fn body(length: usize) -> Bytes {
    let letters = (0..length).map(|at| b'a' + (at * 7 % 26) as u8);
    letters.collect::<Vec<u8>>().into()
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Odd: kept\r\n";

fn by_length(body: &Bytes) -> Server {
    let mut answer = format!("{HEAD}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    Server::answering(answer)
}

fn in_chunks(body: &Bytes, size: usize) -> Server {
    let mut answer = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    Server::answering(answer)
}

#[tokio::test]
async fn bodies_of_all_lengths_are_complete() {
    for length in [0, 1, 100, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300 * KIB] {
        let body = body(length);
        for server in [by_length(&body), in_chunks(&body, 64 * KIB), in_chunks(&body, 1000)] {
            let source = curious(&server.origin());
            for way in WAYS {
                let answer = way.get(&client(), &source, &server.origin()).await.unwrap();
                assert_eq!(answer.headers()["x-odd"], "kept", "{way:?}");
                let whole = answer.into_body().collect().await.unwrap().to_bytes();
                assert!(whole == body, "{way:?} {length}: {} bytes came", whole.len());
            }
        }
    }
}

#[tokio::test]
async fn response_extensions_are_kept() {
    for length in [10, 300 * KIB] {
        let body = body(length);
        let server = by_length(&body);
        let source = curious(&server.origin());
        let url = format!("{}/clusters?x=1", server.origin());
        let answer = client().get(&url).send_with(&source).await.unwrap();
        assert_eq!(answer.url().as_str(), url);
        assert_eq!(answer.content_length(), Some(length as u64));
        assert_eq!(answer.remote_addr(), Some(server.address()));
        assert_eq!(answer.version(), http::Version::HTTP_11);
        assert!(answer.bytes().await.unwrap() == body);
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
    let source = curious(&server.origin());
    for way in WAYS {
        let (client, origin) = (client(), server.origin());
        let answer = timeout(Duration::from_secs(5), way.get(&client, &source, &origin)).await;
        let mut answer = answer.expect("not the whole is waited for").unwrap();
        let mut length = 0;
        while length < 64 * KIB {
            let frame = answer.body_mut().frame().await.unwrap().unwrap();
            length += frame.into_data().unwrap().len();
        }
        assert_eq!(length, 64 * KIB, "{way:?}");
    }
}

#[tokio::test]
async fn interrupted_body_is_an_error_for_the_caller() {
    let server = Server::plain(|peer| {
        peer.request();
        let _ = peer.send(format!("{HEAD}Content-Length: 100\r\n\r\nbegun"));
    });
    let source = curious(&server.origin());
    for way in WAYS {
        let mut answer = way.get(&client(), &source, &server.origin()).await.unwrap();
        let begun = answer.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(begun.into_data().unwrap(), "begun", "{way:?}");
        assert!(answer.body_mut().frame().await.unwrap().is_err(), "{way:?}");
        assert!(answer.body_mut().frame().await.is_none(), "{way:?}");
    }
}
