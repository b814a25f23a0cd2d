//! Tests of the callback server, by raw requests over real connections.

mod rules;
mod run;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::policy::RESPONSE_TYPE;
use super::*;

const VENDOR: &str = "https://vendor.example/authorize?state=canary-state";
const PATH: &str = "/cb/cisco";

/// A running callback server and the events that it reported.
struct Login {
    port: u16,
    host: String,
    start: String,
    events: Arc<Mutex<Vec<CallbackEvent>>>,
    running: JoinHandle<String>,
}

/// A complete response.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Login {
    async fn at(host: &str, path: &str) -> Self {
        let finish = |response: Zeroizing<String>| async move {
            let (title, text) = ("You are logged in".to_owned(), "All <b>well</b>".to_owned());
            (LoginResultPage { is_success: true, title, text }, response.to_string())
        };
        Self::finished_by(host, path, finish).await
    }

    async fn new() -> Self {
        Self::at("127.0.0.1", PATH).await
    }

    async fn finished_by<F>(
        host: &str,
        path: &str,
        finish: impl FnOnce(Zeroizing<String>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = (LoginResultPage, String)> + Send + 'static,
    {
        let server = CallbackServer::open(&address(host, 0, path)).await.unwrap();
        let (port, start) = (server.port(), server.start_url().to_owned());
        let events = Arc::new(Mutex::new(Vec::new()));
        let reported = Arc::clone(&events);
        let running = tokio::spawn(async move {
            let on_event = |event| reported.lock().unwrap().push(event);
            server.wait_for_response(VENDOR, is_expected, on_event, finish).await
        });
        Self { port, host: host.to_owned(), start, events, running }
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn start_path(&self) -> &str {
        self.start.strip_prefix(&format!("http://{}", self.authority())).unwrap()
    }

    fn events(&self) -> Vec<CallbackEvent> {
        self.events.lock().unwrap().clone()
    }

    /// Sends bytes and reads until the connection closes.
    async fn raw(&self, bytes: impl AsRef<[u8]>) -> Reply {
        raw(self.address(), bytes.as_ref()).await
    }

    fn address(&self) -> SocketAddr {
        let ip = if self.host == "[::1]" { "::1" } else { "127.0.0.1" };
        SocketAddr::new(ip.parse().unwrap(), self.port)
    }

    async fn get(&self, path: &str, headers: &str) -> Reply {
        let host = self.authority();
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n")).await
    }

    /// Loads the callback page and returns the path that it posts to.
    async fn page(&self) -> String {
        let page = self.get(PATH, "").await;
        assert_eq!(page.status, 200, "{page:?}");
        delivery_of(&page)
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut text = format!("POST {path} HTTP/1.1\r\nHost: {}\r\n", self.authority());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        self.raw(format!("{text}Content-Length: {}\r\n\r\n{body}", body.len())).await
    }

    /// Posts a response as the page does.
    async fn deliver(&self, path: &str, body: &str) -> Reply {
        let origin = format!("http://{}", self.authority());
        let headers = [
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", RESPONSE_TYPE),
        ];
        self.post(path, &headers, body).await
    }

    /// Finishes the login from a newly loaded page and returns the response that was received.
    async fn end(self) -> String {
        let page = self.page().await;
        assert_eq!(self.deliver(&page, "?#end").await.status, 200);
        self.running.await.unwrap()
    }
}

/// Accepts every response but those that contain `foreign`.
fn is_expected(response: &str) -> bool {
    !response.contains("foreign")
}

fn address(host: &str, port: u16, path: &str) -> CallbackAddress {
    CallbackAddress { host: host.to_owned(), port, path: path.to_owned() }
}

async fn raw(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    // The server may reject the request and close the connection before everything is sent.
    let _ = tcp.write_all(bytes).await;
    let mut text = Vec::new();
    let _ = tcp.read_to_end(&mut text).await;
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

fn delivery_of(page: &Reply) -> String {
    let (_, rest) = page.body.split_once("fetch(\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}
