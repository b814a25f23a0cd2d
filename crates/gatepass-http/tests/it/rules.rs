//! Tests of the rules for requests and responses.

use bytes::Bytes;
use gatepass_core::{Endpoint, ErrorKind, HttpSend, Request, oauth2};
use gatepass_http::HttpClient;
use reqwest::redirect;

use crate::server::{Server, custom_builder, ok, request, send, send_err, short_timeouts};

#[tokio::test]
async fn request_on_the_wire_has_no_additions() {
    let server = Server::responding(ok("{}"));
    let response = send(&HttpClient::new().unwrap(), &server.origin()).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body()), (200, b"{}".as_slice()));

    let received = server.received();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /oauth2/token HTTP/1.1"));
    let mut fields: Vec<&str> = lines.collect();
    fields.sort_unstable();
    let host = format!("host: {}", server.address());
    let agent = concat!("user-agent: gatepass/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        fields,
        [
            "accept: application/json",
            "content-length: 29",
            "content-type: application/x-www-form-urlencoded",
            host.as_str(),
            agent,
        ]
    );
    assert_eq!(body, "grant_type=client_credentials");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::responding(ok("{}"));
        for target in [other.origin(), format!("//{}", other.address()), "/moved".to_owned()] {
            let server = Server::responding(format!(
                "HTTP/1.1 {status} Moved\r\nLocation: {target}\r\nRefresh: 0; url={target}\r\n\
                 Content-Length: 0\r\n\r\n"
            ));
            let following = custom_builder().redirect(redirect::Policy::limited(10)).referer(true);
            for client in [HttpClient::new().unwrap(), HttpClient::from_builder(following).unwrap()]
            {
                let response = send(&client, &server.origin()).await.unwrap();
                assert_eq!(response.status().as_u16(), status);
                assert_eq!(response.header("location"), Some(target.as_str()));
            }
            assert_eq!(server.received().matches("POST /").count(), 2, "{status} {target}");
        }
        assert_eq!(other.connections(), 0, "{status}");
    }
}

#[tokio::test]
async fn invalid_location_is_returned_as_a_response() {
    for target in ["javascript:alert(1)", "file:///etc/passwd", "", "http://u:p@h/", "\u{7f}%%"] {
        let server = Server::responding(format!(
            "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            target.trim_start_matches('\u{7f}')
        ));
        let response = send(&HttpClient::new().unwrap(), &server.origin()).await.unwrap();
        assert_eq!(response.status().as_u16(), 302, "{target}");
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn content_coding_is_not_requested_or_decoded() {
    let body = "no coding at all";
    for coding in ["gzip", "br", "zstd", "deflate"] {
        let server = Server::responding(format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let response = send(&HttpClient::new().unwrap(), &server.origin()).await.unwrap();
        assert_eq!(response.header("content-encoding"), Some(coding));
        assert_eq!(response.body(), body.as_bytes());
        assert!(!server.received().to_lowercase().contains("accept-encoding"));

        let sent = std::time::SystemTime::UNIX_EPOCH;
        let error = oauth2::read_token(&response, sent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    }

    // This build's reqwest supports it, so the rules of this crate prevent it.
    let server = Server::responding(ok("{}"));
    HttpClient::new().unwrap();
    let able = custom_builder().build().unwrap();
    able.get(server.origin()).send().await.unwrap();
    assert!(
        server.received().to_lowercase().contains("accept-encoding: "),
        "{}",
        server.received()
    );
}

#[tokio::test]
async fn cookies_are_not_stored() {
    let server = Server::responding(
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}",
    );
    let client = HttpClient::new().unwrap();
    for _ in 0..2 {
        send(&client, &server.origin()).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    assert!(!server.received().to_lowercase().contains("cookie"));
}

#[tokio::test]
async fn plain_http_is_loopback_only_by_default() {
    let closed = HttpClient::new().unwrap();
    for origin in ["http://vendor.invalid", "http://10.255.255.1", "http://0.0.0.0:1"] {
        let error = send_err(&closed, origin).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.hints()[0].text().contains("allow_plain_http"));
    }
    for origin in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"] {
        assert_eq!(send_err(&closed, origin).await.kind(), ErrorKind::Unavailable, "{origin}");
    }
    let open = short_timeouts().allow_plain_http(true).build().unwrap();
    let error = send_err(&open, "http://0.0.0.0:1").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn forbidden_address_is_rejected() {
    let client = HttpClient::new().unwrap();
    let uris =
        ["https://user:pass@vendor.example/", "https://user@vendor.example/", "/only/a/path"];
    for uri in uris.into_iter().chain(["ftp://vendor.example/", "vendor.example:443"]) {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = uri.parse().unwrap();
        let error = client.send_api(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{uri}");
        assert!(!format!("{error:?}").contains("pass@"), "{error:?}");
    }
}

#[tokio::test]
async fn custom_builder_keeps_its_other_settings() {
    let server = Server::responding(ok("{}"));
    let base =
        custom_builder().user_agent("acme/1").gzip(true).brotli(true).connection_verbose(true);
    let client = HttpClient::from_builder(base).unwrap();
    send(&client, &server.origin()).await.unwrap();
    // Plain http uses a separate client: see `HttpClientBuilder::from_builder`.
    assert!(server.received().contains("user-agent: gatepass/"), "{}", server.received());
    assert!(!server.received().contains("accept-encoding"));
}

#[tokio::test]
async fn send_api_streams_the_response() {
    let large = "x".repeat(1024 * 1024);
    let server = Server::responding(ok(&large));
    let client = HttpClient::new().unwrap();
    let request = || {
        http::Request::patch(format!("{}/things/1?a=b", server.origin()))
            .header("X-Thing", "yes")
            .header("User-Agent", "mine/2")
            .body(Bytes::from_static(b"{\"on\":true}"))
            .unwrap()
    };
    let mut response = client.send_api(request()).await.unwrap();
    assert_eq!(response.headers()["content-length"], "1048576");
    let (mut chunks, mut bytes) = (0, 0);
    while let Some(chunk) = response.body_mut().chunk().await.unwrap() {
        chunks += 1;
        bytes += chunk.len();
    }
    assert!(chunks > 1);
    assert_eq!(bytes, large.len());
    assert!(response.body_mut().chunk().await.unwrap().is_none());

    let body = client.send_api(request()).max_body(large.len()).await.unwrap();
    assert_eq!(body.into_body().bytes().await.unwrap(), large.as_bytes());
    let error = client.send_api(request()).max_body(large.len() - 1).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Protocol, Some(200)));

    let received = server.received();
    assert!(received.starts_with("PATCH /things/1?a=b HTTP/1.1\r\n"), "{received}");
    for field in ["x-thing: yes\r\n", "user-agent: mine/2\r\n", "content-length: 11\r\n"] {
        assert!(received.contains(field), "{received}");
    }
}

#[tokio::test]
async fn response_to_head_has_no_body() {
    let server = Server::responding("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    let request = http::Request::head(server.origin()).body(Bytes::new()).unwrap();
    let response = HttpClient::new().unwrap().send_api(request).max_body(10).await.unwrap();
    assert_eq!(response.into_body().bytes().await.unwrap(), "");
}

#[tokio::test]
async fn request_is_sent_to_its_endpoint() {
    let server = Server::responding(ok("{}"));
    let endpoint = Endpoint::parse(&server.origin()).unwrap().join("/a%2Fb/c?keep=1").unwrap();
    let sent = Request::post(endpoint).secret_query([("k", "v w")]);
    HttpClient::new().unwrap().send(sent).await.unwrap();
    assert!(server.received().starts_with("POST /a%2Fb/c?keep=1&k=v%20w HTTP/1.1\r\n"));
}

#[test]
fn client_works_on_a_second_runtime() {
    let server = Server::responding(ok("{}"));
    let client = HttpClient::new().unwrap();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(client.send(request(&server.origin()))).unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn client_debug_shows_limits_only() {
    let base = custom_builder().user_agent("acme-canary");
    let shown =
        format!("{:?} {:?}", HttpClient::builder().from_builder(base), HttpClient::new().unwrap());
    assert!(shown.contains("connect: 5s") && !shown.contains("canary"), "{shown}");
}
