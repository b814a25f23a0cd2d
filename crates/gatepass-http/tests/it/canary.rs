//! Tests that output and logs show no secret, with canaries in every part of a request.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gatepass_core::{BasicEncoding, Endpoint, Error, HttpSend, Request, Secret};
use gatepass_http::{HttpClient, HttpClientBuilder};
use http::HeaderName;
use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::server::{Server, custom_builder, ok, respond_all};
use crate::tls::Ca;

/// The common part of all canaries, so that one search finds each.
pub(crate) const CANARY: &str = "CNRY7f3a";

/// The events of this thread, from `tracing` and `log`.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn capture() -> (Self, DefaultGuard) {
        // An error means that another test has installed the logger.
        let _ = tracing_log::LogTracer::init();
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Returns a request with canaries in path, query, body, `Authorization` and another header.
fn request(origin: &str) -> Request {
    let secret = |part: &str| Secret::from(format!("{CANARY}{part}"));
    let endpoint = Endpoint::parse(origin).unwrap().join(&format!("/{CANARY}-path")).unwrap();
    Request::post(endpoint)
        .form([("client_secret", format!("{CANARY}-body").as_str())])
        .secret_query([("client_secret", format!("{CANARY}-query").as_str())])
        .basic(&format!("{CANARY}-id"), &secret("-basic"), BasicEncoding::Raw)
        .unwrap()
        .secret_header(HeaderName::from_static("x-key"), &secret("-key"))
        .unwrap()
}

/// Returns a request for [`HttpClient::send_api`] with a header that is not marked as sensitive.
fn call(origin: &str) -> http::Request<Bytes> {
    http::Request::put(format!("{origin}/{CANARY}-path?q={CANARY}-query"))
        .header("authorization", format!("Bearer {CANARY}-bearer"))
        .header("x-key", format!("{CANARY}-key"))
        .body(Bytes::from(format!("{CANARY}-body")))
        .unwrap()
}

/// Returns a client with short timeouts.
fn short_timeouts() -> HttpClientBuilder {
    let limit = Duration::from_millis(150);
    HttpClient::builder().connect_timeout(limit).response_timeout(limit).idle_timeout(limit)
}

pub(crate) fn render(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {:?}", error.hints());
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n{error} {error:?} {error:#?}"));
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn middleware_logs_and_errors_show_no_canary() {
    let ca = Ca::new();
    let (log, _guard) = Log::capture();
    let token = format!(r#"{{"access_token":"{CANARY}-token"}}"#);
    let good = format!(
        "HTTP/1.1 200 {CANARY}-reason\r\nSet-Cookie: s={CANARY}-cookie\r\nX: {CANARY}-field\r\n\
         Content-Length: {}\r\n\r\n{token}",
        token.len()
    );
    let plain = |response: String| {
        Server::plain(move |peer| {
            peer.request();
            let _ = peer.send(&response);
            peer.finish();
        })
    };
    let redirecting =
        format!("HTTP/1.1 307 Moved\r\nLocation: https://{CANARY}.test/{CANARY}\r\n\r\n");
    let silent = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let responding_once = |response: &'static str| {
        Server::plain(move |peer| {
            peer.request();
            let _ = peer.send(response);
            peer.finish();
        })
    };
    let servers = [
        Server::responding(good.clone()),
        Server::tls(ca.good(), respond_all(good.clone())),
        Server::tls(Ca::new().good(), respond_all(good)),
        plain(redirecting),
        plain(format!("{CANARY}-banner\r\n\r\n")),
        plain(format!("HTTP/1.1 200 OK\r\n{CANARY} : bad\r\n\r\n")),
        plain(format!("HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n")),
        plain(format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{token}")),
        plain(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n")),
        plain(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", CANARY.repeat(8000))),
        Server::plain(move |peer| {
            peer.request();
            let _ = peer.send(silent);
            peer.wait_for_close();
        }),
        Server::plain(crate::server::Peer::wait_for_close),
        Server::raw_https(crate::server::Peer::wait_for_close),
        Server::raw_https(|peer| {
            let _ = peer.send(format!("{CANARY}-banner\r\n"));
            peer.finish();
        }),
    ];
    let mut origins: Vec<String> = servers.iter().map(Server::origin).collect();
    origins.extend([format!("http://{closed}"), format!("https://{closed}")]);

    let proxied = |proxy: &Server| {
        let proxy = format!("http://user:{CANARY}-proxy@{}", proxy.address());
        let verbose =
            custom_builder().proxy(reqwest::Proxy::all(proxy).unwrap()).connection_verbose(true);
        short_timeouts().from_builder(verbose).build().unwrap()
    };
    let proxies = [
        responding_once("HTTP/1.1 407 Auth\r\n\r\n"),
        responding_once("HTTP/1.1 502 Bad\r\n\r\n"),
        responding_once(""),
    ];
    let verbose = custom_builder().no_proxy().connection_verbose(true);
    let trusting = || short_timeouts().no_proxy().ca_pem(ca.pem.as_bytes()).unwrap();
    let mut clients =
        vec![trusting().build().unwrap(), trusting().from_builder(verbose).build().unwrap()];
    clients.extend(proxies.iter().map(proxied));

    let (mut responses, mut errors) = (0, String::new());
    let mut debugs = String::new();
    for client in &clients {
        for origin in &origins {
            match client.send(request(origin)).await {
                Ok(response) => {
                    responses += 1;
                    debugs.push_str(&format!("{response:?}"));
                }
                Err(error) => errors.push_str(&render(&error)),
            }
            let response = match client.send_api(call(origin)).max_body(1 << 20).await {
                Ok(response) => {
                    responses += 1;
                    debugs.push_str(&format!("{:?}", response.body()));
                    response.into_body().bytes().await.map(drop)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = response {
                errors.push_str(&render(&error));
            }
        }
    }
    assert!(responses >= 8 && errors.lines().count() > 50, "{responses} {errors}");
    assert!(!errors.contains(CANARY), "{errors}");
    assert!(!debugs.contains(CANARY), "{debugs}");
    assert!(!errors.contains("client_secret"), "{errors}");
    assert!(servers[0].received().contains(&format!("{CANARY}-body")));

    let text = log.text();
    assert_eq!(text.lines().find(|line| line.contains(CANARY)), None);
    // The events of this crate, with the origin, and those of its dependencies were captured.
    let own = format!("request method=POST origin={} status=200", origins[0]);
    assert!(text.contains(&own) && text.contains("bytes="), "{own}");
    for library in ["reqwest::", "hyper_util::", "rustls::"] {
        assert!(text.contains(library), "{library} logged no event");
    }
}

#[tokio::test]
async fn log_capture_sees_all_events() {
    HttpClient::new().unwrap();
    let server = Server::responding(ok(&format!("{CANARY}-token")));
    // The first request installs the crypto provider that a bare reqwest needs.
    HttpClient::new().unwrap().send(request(&server.origin())).await.unwrap();
    let (log, _guard) = Log::capture();
    let loud = custom_builder().connection_verbose(true).no_proxy().build().unwrap();
    let sent = loud.execute(call(&server.origin()).try_into().unwrap()).await.unwrap();
    assert!(sent.text().await.unwrap().contains(CANARY));
    for part in ["-path", "-query", "-bearer", "-key", "-body", "-token"] {
        assert!(log.text().contains(&format!("{CANARY}{part}")), "{part}");
    }
    let error = loud.get(format!("http://127.0.0.1:1/{CANARY}")).send().await.unwrap_err();
    assert!(format!("{error:?}").contains(CANARY));
}
