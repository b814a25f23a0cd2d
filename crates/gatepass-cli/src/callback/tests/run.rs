//! Tests of a login from the start address to the closed port.

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn first_response_finishes_login_and_closes_port() {
    let login = Login::new().await;
    let start = login.get(login.start_path(), "").await;
    assert_eq!((start.status, start.header("location")), (303, Some(VENDOR)));
    let page = login.page().await;
    let result = login.deliver(&page, "?code=1#access_token=x&state=y").await;
    assert_eq!(result.status, 200);
    assert_eq!(
        result.body,
        r#"{"state":"good","text":"All <b>well</b>","title":"You are logged in"}"#
    );
    assert_eq!(login.events(), [CallbackEvent::Opened]);
    let address = login.address();
    assert_eq!(login.running.await.unwrap(), "?code=1#access_token=x&state=y");
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn failed_login_is_shown_as_failure() {
    let failure = LoginResultPage {
        is_success: false,
        title: "Not logged in".to_owned(),
        text: "Denied".to_owned(),
    };
    let finish = |_| async { (failure, "bad".to_owned()) };
    let login = Login::finished_by("127.0.0.1", PATH, finish).await;
    let page = login.page().await;
    let result = login.deliver(&page, "#error=access_denied").await;
    assert_eq!(result.body, r#"{"state":"bad","text":"Denied","title":"Not logged in"}"#);
    assert_eq!(login.running.await.unwrap(), "bad");
}

#[tokio::test]
async fn second_response_gets_410_while_first_is_processed() {
    let (login, received, finish_now) = slow_login().await;
    let (first, second) = (login.page().await, login.page().await);
    let delivering = login.deliver(&first, "#first");
    let others = async {
        received.await.unwrap();
        assert_eq!(login.deliver(&first, "#replay").await.status, 410);
        assert_eq!(login.deliver(&second, "#second").await.status, 410);
        assert_eq!(login.get(PATH, "").await.status, 410);
        assert_eq!(login.get(login.start_path(), "").await.status, 410);
        finish_now.send(()).unwrap();
    };
    let (result, ()) = tokio::join!(delivering, others);
    assert_eq!(result.status, 200);
    assert_eq!(login.running.await.unwrap(), "#first");
}

#[tokio::test]
async fn start_address_redirects_once() {
    let login = Login::new().await;
    for prefetch in ["Sec-Purpose: prefetch\r\n", "Sec-Fetch-Dest: image\r\n"] {
        assert_eq!(login.get(login.start_path(), prefetch).await.status, 403);
    }
    let navigates = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let first = login.get(login.start_path(), navigates).await;
    assert_eq!((first.status, first.header("location")), (303, Some(VENDOR)));
    let second = login.get(login.start_path(), navigates).await;
    assert_eq!((second.status, second.header("location")), (410, None));
    assert!(!second.body.contains("canary"), "{second:?}");
    let events = login.events();
    assert_eq!(
        events[2..],
        [
            CallbackEvent::Opened,
            CallbackEvent::Rejected("the start address was opened a second time")
        ]
    );
    assert_eq!(login.end().await, "?#end");
}

#[tokio::test]
async fn empty_response_leaves_login_waiting() {
    let login = Login::new().await;
    for empty in ["", "?", "#", "?#"] {
        let page = login.page().await;
        let result = login.deliver(&page, empty).await;
        assert_eq!(result.status, 200);
        assert!(result.body.starts_with(r#"{"state":"empty""#), "{result:?}");
    }
    let is_empty = |event: &&CallbackEvent| **event == CallbackEvent::EmptyResponse;
    assert_eq!(login.events().iter().filter(is_empty).count(), 4);
    assert_eq!(login.end().await, "?#end");
}

#[tokio::test]
async fn response_to_another_login_leaves_login_waiting() {
    let login = Login::new().await;
    for foreign in ["#state=foreign", "?error=access_denied&state=foreign", "#foreign"] {
        let page = login.page().await;
        let result = login.deliver(&page, foreign).await;
        assert_eq!(result.status, 400);
        assert!(result.body.starts_with(r#"{"state":"bad""#), "{result:?}");
        assert!(!result.body.contains("foreign"), "{result:?}");
    }
    let is_foreign = |event: &&CallbackEvent| **event == CallbackEvent::ForeignResponse;
    assert_eq!(login.events().iter().filter(is_foreign).count(), 3);
    assert_eq!(login.end().await, "?#end");
}

#[tokio::test]
async fn dropping_server_closes_port() {
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let server = CallbackServer::open(&address(host, 0, PATH)).await.unwrap();
        let port = server.port();
        let waiting =
            server.wait_for_response(VENDOR, is_expected, drop, |_| async { unreachable!() });
        let mut waiting = Box::pin(waiting);
        let ip = if host == "[::1]" { "::1" } else { "127.0.0.1" };
        let socket = SocketAddr::new(ip.parse().unwrap(), port);
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        tokio::select! {
            () = &mut waiting => unreachable!(),
            page = raw(socket, request.as_bytes()) => assert_eq!(page.status, 200),
        }
        drop(waiting);
        let refused = TcpStream::connect(socket).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "{host}");
    }
}

#[tokio::test]
async fn localhost_listens_on_both_address_families() {
    for (host, v4, v6) in
        [("localhost", true, true), ("127.0.0.1", true, false), ("[::1]", false, true)]
    {
        let login = Login::at(host, PATH).await;
        for (ip, expected) in [("127.0.0.1", v4), ("::1", v6)] {
            let address = SocketAddr::new(ip.parse().unwrap(), login.port);
            let connected = TcpStream::connect(address).await;
            assert_eq!(connected.is_ok(), expected, "{host} at {ip}");
            if expected {
                let request = format!("GET {PATH} HTTP/1.1\r\nHost: {host}:{}\r\n\r\n", login.port);
                assert_eq!(raw(address, request.as_bytes()).await.status, 200);
            }
        }
        login.running.abort();
    }
}

#[tokio::test]
async fn port_taken_on_either_family_is_an_error() {
    for ip in ["127.0.0.1", "::1"] {
        let other = TcpListener::bind((ip, 0)).await.unwrap();
        let port = other.local_addr().unwrap().port();
        let error = CallbackServer::open(&address("localhost", port, PATH)).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{ip}");
    }
    let first = CallbackServer::open(&address("127.0.0.1", 0, PATH)).await.unwrap();
    let second =
        CallbackServer::open(&address("127.0.0.1", first.port(), PATH)).await.err().unwrap();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn other_hosts_are_rejected() {
    for host in ["0.0.0.0", "[::]", "192.0.2.1", "example.com", "127.0.0.2", "::1", "LOCALHOST", ""]
    {
        let error = CallbackServer::open(&address(host, 0, PATH)).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_heads_and_bodies_time_out() {
    let login = Login::new().await;
    let page = login.page().await;
    let (host, begin) = (login.authority(), Instant::now());
    for text in [String::new(), format!("GET {PATH} HTTP/1.1\r\nHost: {host}\r\n")] {
        let begin = Instant::now();
        assert_eq!(login.raw(text).await.status, 0);
        assert!(begin.elapsed() >= Duration::from_secs(10));
    }
    let body = format!(
        "POST {page} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Content-Type: {RESPONSE_TYPE}\r\nContent-Length: 9\r\n\r\n#tok"
    );
    assert_eq!(login.raw(body).await.status, 408);
    assert!(begin.elapsed() < Duration::from_secs(40));
    login.running.abort();
}

#[tokio::test(start_paused = true)]
async fn unread_page_delays_end_by_two_seconds() {
    let login = Login::new().await;
    let (address, page) = (login.address(), login.page().await);
    let idle = TcpStream::connect(address).await.unwrap();
    let begin = Instant::now();
    assert_eq!(login.deliver(&page, "#x").await.status, 200);
    assert_eq!(login.running.await.unwrap(), "#x");
    assert!(begin.elapsed() <= Duration::from_secs(2));
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn silent_clients_do_not_delay_browser() {
    let login = Login::new().await;
    let mut silent = crowd(&login).await;
    let begin = Instant::now();
    let page = login.page().await;
    silent.extend(crowd(&login).await);
    assert_eq!(login.deliver(&page, "#x").await.status, 200);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(login.running.await.unwrap(), "#x");
}

#[tokio::test]
async fn delivering_page_gets_result_despite_crowd() {
    let (login, received, finish_now) = slow_login().await;
    let page = login.page().await;
    let others = async {
        received.await.unwrap();
        let silent = crowd(&login).await;
        // Served after all of the silent connections.
        assert_eq!(login.get(PATH, "").await.status, 410);
        finish_now.send(()).unwrap();
        silent
    };
    let (result, _) = tokio::join!(login.deliver(&page, "#x"), others);
    assert!(result.body.starts_with(r#"{"state":"good""#), "{result:?}");
    assert_eq!(login.running.await.unwrap(), "#x");
}

#[tokio::test]
async fn response_closes_silent_connections() {
    let (login, received, finish_now) = slow_login().await;
    let mut silent = TcpStream::connect(login.address()).await.unwrap();
    let page = login.page().await;
    let others = async {
        received.await.unwrap();
        // Long before the time limit for a request head.
        let mut bytes = [0; 16];
        let ended = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut bytes));
        assert_eq!(ended.await.unwrap().unwrap_or(0), 0);
        finish_now.send(()).unwrap();
    };
    let (result, ()) = tokio::join!(login.deliver(&page, "#x"), others);
    assert_eq!(result.status, 200);
    assert_eq!(login.running.await.unwrap(), "#x");
}

/// A login that reports when its response has arrived, and finishes when the test lets it.
async fn slow_login() -> (Login, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (report, received) = oneshot::channel();
    let (finish_now, may_finish) = oneshot::channel::<()>();
    let finish = |response: Zeroizing<String>| async move {
        report.send(()).unwrap();
        may_finish.await.unwrap();
        let page = LoginResultPage { is_success: true, title: String::new(), text: String::new() };
        (page, response.to_string())
    };
    let login = Login::finished_by("127.0.0.1", PATH, finish).await;
    (login, received, finish_now)
}

/// Opens more connections than the server accepts, each with an incomplete request.
async fn crowd(login: &Login) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..200 {
        let mut tcp = TcpStream::connect(login.address()).await.unwrap();
        tcp.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        silent.push(tcp);
    }
    silent
}
