//! Tests of faulty servers: the error and the retry advice for each fault.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use gatepass_core::{Error, ErrorKind, HttpSend, Retry};
use gatepass_http::HttpClient;
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::time::Instant;

use crate::server::{Peer, Server, custom_builder, ok, request, send, send_err, short_timeouts};

fn assert_error(error: &Error, kind: ErrorKind, retry: Retry, text: &str) {
    assert_eq!((error.kind(), error.retry()), (kind, retry), "{error:?}");
    assert!(error.to_string().contains(text), "{error}");
}

/// Returns the error for a server that sends these bytes and closes its side.
async fn error_for(response: impl Into<Vec<u8>>) -> Error {
    let response = response.into();
    let server = Server::plain(move |peer| {
        peer.request();
        let _ = peer.send(&response);
        peer.finish();
    });
    send_err(&HttpClient::new().unwrap(), &server.origin()).await
}

#[tokio::test]
async fn f4_short_body_is_an_error() {
    let error = error_for("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}").await;
    assert_error(&error, ErrorKind::Unavailable, Retry::Later, "connection closed early");
}

#[tokio::test]
async fn f76_length_over_limit_is_rejected_early() {
    // The server sends no body: waiting for it would end in another error.
    let server = Server::plain(|peer| {
        peer.request();
        let _ = peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n");
        peer.wait_for_close();
    });
    let error = send_err(&HttpClient::new().unwrap(), &server.origin()).await;
    assert_error(&error, ErrorKind::Protocol, Retry::Never, "larger than 256 KiB");
    assert_eq!(error.status(), Some(200));

    let server = Server::responding(ok(&"x".repeat(256 * 1024)));
    let max = send(&HttpClient::new().unwrap(), &server.origin()).await.unwrap();
    assert_eq!(max.body().len(), 256 * 1024);
    let server = Server::responding(ok(&"x".repeat(256 * 1024 + 1)));
    let error = send_err(&HttpClient::new().unwrap(), &server.origin()).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn f77_endless_body_is_cut() {
    let (done, sent) = mpsc::channel();
    let done = Mutex::new(done);
    let server = Server::plain(move |peer| {
        peer.request();
        let mut bytes = 0_usize;
        let mut sent = peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        while sent.is_ok() {
            bytes += chunk.len();
            sent = peer.send(&chunk);
        }
        done.lock().unwrap().send(bytes).unwrap();
    });
    let error = send_err(&HttpClient::new().unwrap(), &server.origin()).await;
    assert_error(&error, ErrorKind::Protocol, Retry::Never, "larger than 256 KiB");
    // Bytes that the server sent before it noticed are in the system's buffers.
    let bytes = tokio::task::spawn_blocking(move || sent.recv().unwrap()).await.unwrap();
    assert!(bytes < 32 * 1024 * 1024, "{bytes}");
}

#[tokio::test]
async fn f79_header_fields_are_limited() {
    let field = |n: usize, size: usize| format!("X-{n:04}: {}\r\n", "x".repeat(size));
    let heads = [
        (0..101).map(|n| field(n, 1)).collect::<String>(),
        (0..1000).map(|n| field(n, 1)).collect(),
        field(0, 64 * 1024),
        field(0, 1024 * 1024),
        (0..50).map(|n| field(n, 700)).collect(),
    ];
    for head in heads {
        let error =
            error_for(format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\n{{}}")).await;
        assert_error(&error, ErrorKind::Protocol, Retry::Once, "too many or too long");
    }
    let head: String = (0..99).map(|n| field(n, 100)).collect();
    let server =
        Server::responding(format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\n{{}}"));
    send(&HttpClient::new().unwrap(), &server.origin()).await.unwrap();
}

#[tokio::test]
async fn f80_to_f82_bad_framing_is_rejected() {
    let flood = "x".repeat(64 * 1024);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}x",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        &format!("{chunked}zz\r\n{{}}\r\n0\r\n\r\n"),
        &format!("{chunked}ffffffffffffffffff\r\n{{}}\r\n0\r\n\r\n"),
        &format!("{chunked}2\r\n{{}}garbage\r\n0\r\n\r\n"),
        &format!("{chunked}2;{flood}\r\n{{}}\r\n0\r\n\r\n"),
        &format!("{chunked}2\r\n{{}}\r\n0\r\nX-Trailer: {}\r\n\r\n", flood.repeat(16)),
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let error = error_for(response).await;
        let context = format!("{:?}: {error:?}", response.get(..90).unwrap_or(response));
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Protocol, Retry::Once), "{context}");
        assert!(error.message().contains("badly framed"), "{context}");
    }
}

#[tokio::test]
async fn f89_f90_unresolved_host_name_is_reported() {
    #[derive(Debug)]
    struct Fails;
    impl Resolve for Fails {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(async { Err("no such name".into()) })
        }
    }
    #[derive(Debug)]
    struct Hangs;
    impl Resolve for Hangs {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(std::future::pending())
        }
    }
    let client_with = |base: reqwest::ClientBuilder| {
        short_timeouts().from_builder(base.no_proxy()).build().unwrap()
    };
    let client = client_with(custom_builder().dns_resolver(Fails));
    let error = send_err(&client, "https://vendor.invalid").await;
    assert_error(
        &error,
        ErrorKind::Unavailable,
        Retry::Later,
        "name not found: https://vendor.invalid",
    );
    let client = client_with(custom_builder().dns_resolver(Hangs));
    let error = send_err(&client, "https://vendor.invalid").await;
    assert_error(&error, ErrorKind::Unavailable, Retry::Later, "0.4 s");
}

#[tokio::test]
async fn f92_closed_port_refuses_connection() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = HttpClient::builder().no_proxy().build().unwrap();
    for scheme in ["http", "https"] {
        let origin = format!("{scheme}://{closed}");
        let error = send_err(&client, &origin).await;
        assert_error(&error, ErrorKind::Unavailable, Retry::Later, "connection refused by ");
        assert!(error.message().ends_with(&origin));
    }
}

#[tokio::test]
async fn f94_missing_response_times_out() {
    let server = Server::plain(Peer::wait_for_close);
    let error = send_err(&short_timeouts().build().unwrap(), &server.origin()).await;
    assert_error(&error, ErrorKind::Unavailable, Retry::Later, "no response in 0.4 s");
}

#[tokio::test]
async fn f95_endless_head_times_out() {
    let server = Server::plain(|peer| {
        peer.request();
        send_slowly(peer, "HTTP/1.1 200 OK\r\nX-Slow: ");
    });
    let started = Instant::now();
    let error = send_err(&short_timeouts().build().unwrap(), &server.origin()).await;
    assert_error(&error, ErrorKind::Unavailable, Retry::Later, "no response in 0.4 s");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn f96_endless_slow_body_times_out() {
    let server = Server::plain(|peer| {
        peer.request();
        send_slowly(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    });
    let started = Instant::now();
    let error = send_err(&short_timeouts().build().unwrap(), &server.origin()).await;
    assert_error(&error, ErrorKind::Unavailable, Retry::Later, "no complete response in 1.2 s");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn pausing_body_times_out() {
    let server = Server::plain(|peer| {
        peer.request();
        let _ = peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{");
        peer.wait_for_close();
    });
    let error = send_err(&short_timeouts().build().unwrap(), &server.origin()).await;
    assert_error(&error, ErrorKind::Unavailable, Retry::Later, "the response stopped for 0.4 s");
}

fn send_slowly(peer: &mut Peer, head: &str) {
    let mut sent = peer.send(head);
    while sent.is_ok() {
        thread::sleep(Duration::from_millis(20));
        sent = peer.send("x");
    }
}

#[tokio::test]
async fn f97_cut_response_is_an_error() {
    let body = ok(r#"{"access_token":"a"}"#);
    for reset in [false, true] {
        let response = body.clone();
        let server = Server::plain(move |peer| {
            if reset {
                peer.leave_unread()
            } else {
                drop(peer.request())
            }
            let cut = peer.number.min(response.len());
            let _ = peer.send(&response.as_bytes()[..cut]);
        });
        let client = HttpClient::new().unwrap();
        for cut in 0..body.len() {
            let error = send_err(&client, &server.origin()).await;
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{cut} {reset} {error:?}");
            assert!(error.message().contains("closed early"), "{cut} {reset} {error}");
            assert_eq!(server.connections(), cut + 1, "one request each");
        }
        let last = send(&client, &server.origin()).await;
        if !reset {
            assert_eq!(last.unwrap().body(), br#"{"access_token":"a"}"#);
        }
    }
}

#[tokio::test]
async fn f98_partially_read_request_is_an_error() {
    let server = Server::plain(|peer| drop(peer.read(peer.number + 1)));
    let client = HttpClient::new().unwrap();
    for _ in 0..100 {
        let error = send_err(&client, &server.origin()).await;
        assert_error(&error, ErrorKind::Unavailable, Retry::Later, "closed early");
    }
    assert_eq!(server.connections(), 100);
}

#[test]
fn f100_closed_idle_connection_is_replaced() {
    let (closed, wait) = mpsc::channel();
    let closed = Mutex::new(closed);
    let server = Server::plain(move |peer| {
        struct NotifyOnDrop(mpsc::Sender<()>);
        impl Drop for NotifyOnDrop {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        peer.request();
        let _ = peer.send(ok("{}"));
        peer.close();
        drop(NotifyOnDrop(closed.lock().unwrap().clone()));
    });
    let client = HttpClient::new().unwrap();
    // The client's tasks do not run between two calls, so it cannot notice the closed connection.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for round in 1..=100 {
        runtime.block_on(client.send(request(&server.origin()))).unwrap();
        wait.recv().unwrap();
        assert_eq!(server.connections(), round);
    }
}

#[tokio::test]
async fn f102_other_protocol_is_detected() {
    let client = HttpClient::builder().no_proxy().build().unwrap();
    for bytes in ["SSH-2.0-OpenSSH_9.6\r\n", "<html>hello</html>\r\n\r\n", "220 mail ready\r\n"] {
        let error = error_for(bytes).await;
        assert_error(&error, ErrorKind::Protocol, Retry::Once, "does not speak HTTP");
        let server = Server::raw_https(move |peer| {
            let _ = peer.send(bytes);
            peer.finish();
        });
        let error = send_err(&client, &server.origin()).await;
        assert_error(&error, ErrorKind::Protocol, Retry::Once, "does not speak HTTPS");
    }
    // Plain http at an https address, and the alert of a TLS server at an http address.
    let server = Server::raw_https(|peer| {
        let _ = peer.read(1024);
        let _ = peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        peer.finish();
    });
    let error = send_err(&client, &server.origin()).await;
    assert_error(&error, ErrorKind::Protocol, Retry::Once, "does not speak HTTPS");
    let error = error_for([0x15, 3, 1, 0, 2, 2, 22]).await;
    assert_error(&error, ErrorKind::Protocol, Retry::Once, "does not speak HTTP");
    assert!(error.hints()[0].text().contains("https://"));

    let server = Server::responding("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(send(&client, &server.origin()).await.unwrap().body(), b"{}");
}

#[tokio::test]
async fn f103_early_response_is_accepted_or_retryable() {
    let server = Server::plain(|peer| {
        let _ = peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        peer.finish();
    });
    for _ in 0..20 {
        // The client may see the response before it has sent the request, and then ignores it.
        match send(&HttpClient::new().unwrap(), &server.origin()).await {
            Ok(response) => assert_eq!(response.status().as_u16(), 503),
            Err(error) => assert_eq!(error.retry(), Retry::Once, "{error:?}"),
        }
    }
}

#[tokio::test]
async fn f104_second_response_is_not_used() {
    let count = Arc::new(AtomicUsize::new(0));
    let server = Server::plain({
        let count = Arc::clone(&count);
        move |peer| {
            while peer.request().is_some() {
                let n = count.fetch_add(1, Ordering::SeqCst);
                let _ = peer.send(format!("{}{}", ok(&format!("mine {n}")), ok("evil")));
            }
        }
    });
    let client = HttpClient::new().unwrap();
    for n in 0..5 {
        let response = send(&client, &server.origin()).await.unwrap();
        assert_eq!(response.body(), format!("mine {n}").as_bytes());
        assert_eq!(server.connections(), n + 1);
    }
}
