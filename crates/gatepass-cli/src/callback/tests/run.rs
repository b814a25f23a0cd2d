//! How a login goes: the start, the answer, and the end of the port.

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn the_first_answer_is_judged_its_page_is_told_and_the_port_closes() {
    let login = Login::new().await;
    let start = login.get(login.start_path(), "").await;
    assert_eq!((start.status, start.header("location")), (303, Some(VENDOR)));
    let page = login.page().await;
    let told = login.deliver(&page, "?code=1#access_token=x&state=y").await;
    assert_eq!(told.status, 200);
    assert_eq!(
        told.body,
        r#"{"state":"good","text":"All <b>well</b>","title":"You are logged in"}"#
    );
    assert_eq!(login.notices(), [Notice::Opened]);
    let address = login.address();
    assert_eq!(login.running.await.unwrap(), "?code=1#access_token=x&state=y");
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn a_bad_verdict_is_shown_as_one() {
    let verdict =
        Verdict { is_good: false, title: "Not logged in".to_owned(), text: "Denied".to_owned() };
    let judge = |_| async { (verdict, "bad".to_owned()) };
    let login = Login::judged_by("127.0.0.1", PATH, judge).await;
    let page = login.page().await;
    let told = login.deliver(&page, "#error=access_denied").await;
    assert_eq!(told.body, r#"{"state":"bad","text":"Denied","title":"Not logged in"}"#);
    assert_eq!(login.running.await.unwrap(), "bad");
}

#[tokio::test]
async fn an_answer_is_taken_once_and_who_comes_while_it_is_judged_hears_so() {
    let (login, is_seen, judge_now) = slowly_judged().await;
    let (first, second) = (login.page().await, login.page().await);
    let delivering = login.deliver(&first, "#first");
    let others = async {
        is_seen.await.unwrap();
        assert_eq!(login.deliver(&first, "#replay").await.status, 410);
        assert_eq!(login.deliver(&second, "#second").await.status, 410);
        assert_eq!(login.get(PATH, "").await.status, 410);
        assert_eq!(login.get(login.start_path(), "").await.status, 410);
        judge_now.send(()).unwrap();
    };
    let (told, ()) = tokio::join!(delivering, others);
    assert_eq!(told.status, 200);
    assert_eq!(login.running.await.unwrap(), "#first");
}

#[tokio::test]
async fn the_start_address_leads_to_the_vendor_once() {
    let login = Login::new().await;
    for ahead in ["Sec-Purpose: prefetch\r\n", "Sec-Fetch-Dest: image\r\n"] {
        assert_eq!(login.get(login.start_path(), ahead).await.status, 403);
    }
    let navigates = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let first = login.get(login.start_path(), navigates).await;
    assert_eq!((first.status, first.header("location")), (303, Some(VENDOR)));
    let second = login.get(login.start_path(), navigates).await;
    assert_eq!((second.status, second.header("location")), (410, None));
    assert!(!second.body.contains("canary"), "{second:?}");
    let told = login.notices();
    assert_eq!(
        told[2..],
        [Notice::Opened, Notice::Refused("the start address was opened a second time")]
    );
    assert_eq!(login.end().await, "?#end");
}

#[tokio::test]
async fn a_page_without_an_answer_is_told_so_and_the_login_waits_on() {
    let login = Login::new().await;
    for nothing in ["", "?", "#", "?#"] {
        let page = login.page().await;
        let told = login.deliver(&page, nothing).await;
        assert_eq!(told.status, 200);
        assert!(told.body.starts_with(r#"{"state":"empty""#), "{told:?}");
    }
    let empty = |notice: &&Notice| **notice == Notice::Empty;
    assert_eq!(login.notices().iter().filter(empty).count(), 4);
    assert_eq!(login.end().await, "?#end");
}

#[tokio::test]
async fn dropping_it_closes_the_port_at_once() {
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let landing = Landing::open(&place(host, 0, PATH)).await.unwrap();
        let port = landing.port();
        let waiting = landing.answer(VENDOR, drop, |_| async { unreachable!() });
        let mut waiting = Box::pin(waiting);
        let ip = if host == "[::1]" { "::1" } else { "127.0.0.1" };
        let address = SocketAddr::new(ip.parse().unwrap(), port);
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        tokio::select! {
            () = &mut waiting => unreachable!(),
            page = raw(address, request.as_bytes()) => assert_eq!(page.status, 200),
        }
        drop(waiting);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "{host}");
    }
}

#[tokio::test]
async fn both_families_answer_for_localhost_and_one_for_an_address() {
    for (host, v4, v6) in
        [("localhost", true, true), ("127.0.0.1", true, false), ("[::1]", false, true)]
    {
        let login = Login::at(host, PATH).await;
        for (ip, wanted) in [("127.0.0.1", v4), ("::1", v6)] {
            let address = SocketAddr::new(ip.parse().unwrap(), login.port);
            let connected = TcpStream::connect(address).await;
            assert_eq!(connected.is_ok(), wanted, "{host} at {ip}");
            if wanted {
                let request = format!("GET {PATH} HTTP/1.1\r\nHost: {host}:{}\r\n\r\n", login.port);
                assert_eq!(raw(address, request.as_bytes()).await.status, 200);
            }
        }
        login.running.abort();
    }
}

#[tokio::test]
async fn a_port_that_is_taken_on_either_family_is_an_error() {
    for ip in ["127.0.0.1", "::1"] {
        let other = TcpListener::bind((ip, 0)).await.unwrap();
        let port = other.local_addr().unwrap().port();
        let error = Landing::open(&place("localhost", port, PATH)).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{ip}");
    }
    let first = Landing::open(&place("127.0.0.1", 0, PATH)).await.unwrap();
    let second = Landing::open(&place("127.0.0.1", first.port(), PATH)).await.err().unwrap();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn no_other_host_is_listened_on() {
    for host in ["0.0.0.0", "[::]", "192.0.2.1", "example.com", "127.0.0.2", "::1", "LOCALHOST", ""]
    {
        let error = Landing::open(&place(host, 0, PATH)).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_heads_and_bodies_are_cut_off_after_ten_seconds() {
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
         Content-Type: {ANSWER_TYPE}\r\nContent-Length: 9\r\n\r\n#tok"
    );
    assert_eq!(login.raw(body).await.status, 408);
    assert!(begin.elapsed() < Duration::from_secs(40));
    login.running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_does_not_read_delays_the_end_by_two_seconds_at_most() {
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
async fn a_browser_is_served_at_once_however_many_others_say_nothing() {
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
async fn the_page_that_brought_the_answer_is_told_the_verdict_whoever_comes_meanwhile() {
    let (login, is_seen, judge_now) = slowly_judged().await;
    let page = login.page().await;
    let others = async {
        is_seen.await.unwrap();
        let silent = crowd(&login).await;
        // Served after all of them.
        assert_eq!(login.get(PATH, "").await.status, 410);
        judge_now.send(()).unwrap();
        silent
    };
    let (told, _) = tokio::join!(login.deliver(&page, "#x"), others);
    assert!(told.body.starts_with(r#"{"state":"good""#), "{told:?}");
    assert_eq!(login.running.await.unwrap(), "#x");
}

#[tokio::test]
async fn who_says_nothing_has_to_go_when_the_answer_is_here() {
    let (login, is_seen, judge_now) = slowly_judged().await;
    let mut silent = TcpStream::connect(login.address()).await.unwrap();
    let page = login.page().await;
    let others = async {
        is_seen.await.unwrap();
        // Long before its head is late.
        let mut bytes = [0; 16];
        let ended = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut bytes));
        assert_eq!(ended.await.unwrap().unwrap_or(0), 0);
        judge_now.send(()).unwrap();
    };
    let (told, ()) = tokio::join!(login.deliver(&page, "#x"), others);
    assert_eq!(told.status, 200);
    assert_eq!(login.running.await.unwrap(), "#x");
}

/// A login whose answer is judged when the test says so; it hears when the answer is there.
async fn slowly_judged() -> (Login, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (seen, is_seen) = oneshot::channel();
    let (judge_now, may_judge) = oneshot::channel::<()>();
    let judge = |answer: Zeroizing<String>| async move {
        seen.send(()).unwrap();
        may_judge.await.unwrap();
        let verdict = Verdict { is_good: true, title: String::new(), text: String::new() };
        (verdict, answer.to_string())
    };
    let login = Login::judged_by("127.0.0.1", PATH, judge).await;
    (login, is_seen, judge_now)
}

/// More connections than there are places, each with the beginning of a request.
async fn crowd(login: &Login) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..200 {
        let mut tcp = TcpStream::connect(login.address()).await.unwrap();
        tcp.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        silent.push(tcp);
    }
    silent
}
