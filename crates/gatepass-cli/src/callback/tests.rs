//! The rules of a landing, each asked for by raw requests.

mod rules;
mod run;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::policy::ANSWER_TYPE;
use super::*;

const VENDOR: &str = "https://vendor.example/authorize?state=canary-state";
const PATH: &str = "/cb/cisco";

/// A landing that runs, and what it has told.
struct Login {
    port: u16,
    host: String,
    start: String,
    notices: Arc<Mutex<Vec<Notice>>>,
    running: JoinHandle<String>,
}

/// What came back, whole.
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
        let judged = |answer: Zeroizing<String>| async move {
            let (title, text) = ("You are logged in".to_owned(), "All <b>well</b>".to_owned());
            (Verdict { is_good: true, title, text }, answer.to_string())
        };
        Self::judged_by(host, path, judged).await
    }

    async fn new() -> Self {
        Self::at("127.0.0.1", PATH).await
    }

    async fn judged_by<F>(
        host: &str,
        path: &str,
        judge: impl FnOnce(Zeroizing<String>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = (Verdict, String)> + Send + 'static,
    {
        let landing = Landing::open(&place(host, 0, path)).await.unwrap();
        let (port, start) = (landing.port(), landing.start_url().to_owned());
        let notices = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&notices);
        let running = tokio::spawn(async move {
            landing.answer(VENDOR, |notice| told.lock().unwrap().push(notice), judge).await
        });
        Self { port, host: host.to_owned(), start, notices, running }
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn start_path(&self) -> &str {
        self.start.strip_prefix(&format!("http://{}", self.authority())).unwrap()
    }

    fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    /// Sends bytes and reads to the end of the connection.
    async fn raw(&self, bytes: impl AsRef<[u8]>) -> Reply {
        raw(self.address(), bytes.as_ref()).await
    }

    fn address(&self) -> SocketAddr {
        let ip = if self.host == "[::1]" { "::1" } else { "127.0.0.1" };
        SocketAddr::new(ip.parse().unwrap(), self.port)
    }

    async fn get(&self, path: &str, more: &str) -> Reply {
        let host = self.authority();
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")).await
    }

    /// Where a fresh page delivers to.
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

    /// As the page does it.
    async fn deliver(&self, path: &str, body: &str) -> Reply {
        let origin = format!("http://{}", self.authority());
        let headers = [
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", ANSWER_TYPE),
        ];
        self.post(path, &headers, body).await
    }

    /// Delivers an answer from a fresh page and gives what was judged.
    async fn end(self) -> String {
        let page = self.page().await;
        assert_eq!(self.deliver(&page, "?#end").await.status, 200);
        self.running.await.unwrap()
    }
}

fn place(host: &str, port: u16, path: &str) -> Place {
    Place { host: host.to_owned(), port, path: path.to_owned() }
}

async fn raw(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    // Turned away early, the rest may find the connection closed.
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
