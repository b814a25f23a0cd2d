//! Tests of foreign requests to the callback port: they get no data and do not end the login.

use gatepass_testkit::canary;
use gatepass_tests::{Chrome, Reply, Server, raw};

use super::client::{approve, deliver};
use super::{Stage, allow, parameter, wait_for_state};

#[test]
fn foreign_page_cannot_affect_a_login() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let mut login = stage.login(&[]);
    let (callback, port) = (login.callback_url(), login.port());

    // The ways in which a page can reach another origin.
    let page = format!(
        "<title>evil</title><iframe src=\"{callback}#access_token=evil&state=x\"></iframe>
         <img src=\"{callback}\"><script src=\"{callback}\"></script>"
    );
    let evil = Server::new(move |_, _| Reply::new(200, "text/html", page.as_str()));
    chrome.open(&evil.url());
    let tried = chrome.run(&format!(
        "const answer = '#access_token=evil&token_type=Bearer&state=x';
         const types = ['text/plain', 'application/vnd.gatepass.answer'];
         const tries = ['no-cors', 'cors'].flatMap(mode => types.map(type => fetch('{callback}', {{
             method: 'POST', mode, body: answer, headers: {{ 'Content-Type': type }},
         }})));
         tries.push(fetch('{callback}'), fetch('{callback}', {{ mode: 'no-cors' }}));
         navigator.sendBeacon('{callback}', answer);
         return Promise.allSettled(tries).then(all => all.map(one => one.value?.type ?? 'none'));"
    ));
    // `opaque` is a response that the page cannot read.
    for outcome in tried.as_array().unwrap() {
        assert!(outcome == "none" || outcome == "opaque", "{tried}");
    }
    chrome.run(&format!(
        "const form = document.createElement('form');
         form.method = 'POST'; form.action = '{callback}'; form.enctype = 'text/plain';
         document.body.append(form); form.submit();"
    ));
    chrome.wait_until("refused", |chrome| chrome.url() == callback && chrome.title() != "evil");
    assert_eq!(chrome.run("return document.querySelector('main').dataset.state"), "bad");

    // A foreign name that resolves to this address (DNS rebinding) is rejected.
    let rebound = callback.replace("127.0.0.1", "evil.example");
    chrome.open(&format!("{rebound}#access_token=evil&token_type=Bearer&state=x"));
    assert_eq!(chrome.run("return document.querySelector('main').dataset.state"), "bad");
    assert_eq!(chrome.run("return document.scripts.length"), 0);
    login.running.wait_for_stderr("another host");

    // The login still succeeds.
    allow(&chrome, &login.url);
    wait_for_state(&chrome, "good");
    let run = login.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("another page") && !run.stderr.contains("evil"), "{run:#?}");
    assert!(super::is_closed(port));
}

#[test]
fn only_the_callback_page_can_deliver() {
    let stage = Stage::new();
    let login = stage.login(&[]);
    let (port, callback) = (login.port(), login.callback_url());
    let path = callback.split_once(&format!(":{port}")).unwrap().1.to_owned();
    let own = format!("127.0.0.1:{port}");
    let page =
        |host: &str| raw(port, &format!("GET {path} HTTP/1.1\r\n{host}connection: close\r\n\r\n"));
    let status = |response: &str| response.split(' ').nth(1).unwrap_or_default().to_owned();

    for host in HOSTS {
        let response = page(&format!("host: {}\r\n", host.replace("PORT", &port.to_string())));
        assert_eq!(status(&response), "403", "{host}");
        assert!(!response.contains("<script"), "{host}: {response}");
    }
    assert_eq!(status(&page("")), "400");
    assert_eq!(status(&page(&format!("host: {own}\r\nhost: {own}\r\n"))), "400");

    let good = page(&format!("host: {own}\r\n"));
    assert_eq!(status(&good), "200");
    let lower = good.to_lowercase();
    for header in [
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-frame-options: deny",
        "x-content-type-options: nosniff",
        "frame-ancestors 'none'",
        "default-src 'none'",
        "connect-src 'self'",
        "script-src 'nonce-",
    ] {
        assert!(lower.contains(header), "{header}: {good}");
    }
    assert!(!lower.contains("access-control-") && !lower.contains("set-cookie"), "{good}");
    let delivery = good.split_once("await fetch(\"").unwrap().1.split('"').next().unwrap();

    let secret = canary("answer");
    let body = format!("#access_token={}&token_type=Bearer&state=x", secret.text());
    let post = |path: &str, fields: &str| {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nhost: {own}\r\ncontent-length: {length}\r\n");
        raw(port, &format!("{head}{fields}connection: close\r\n\r\n{body}"))
    };
    let kind = "content-type: application/vnd.gatepass.answer\r\n";
    let origin = format!("origin: http://{own}\r\n");
    for (fields, expected) in [
        (kind.to_owned(), "403"),
        (format!("{kind}origin: null\r\n"), "403"),
        (format!("{kind}origin: https://evil.example\r\n"), "403"),
        (format!("{kind}origin: http://localhost:{port}\r\n"), "403"),
        (format!("{kind}origin: https://{own}\r\n"), "403"),
        (format!("{kind}{origin}{origin}"), "403"),
        (format!("{kind}{origin}sec-fetch-site: cross-site\r\n"), "403"),
        (format!("{kind}{origin}sec-fetch-site: same-site\r\n"), "403"),
        (origin.clone(), "415"),
        (format!("{origin}content-type: text/plain\r\n"), "415"),
        (format!("{origin}content-type: application/x-www-form-urlencoded\r\n"), "415"),
    ] {
        let response = post(delivery, &fields);
        assert_eq!(status(&response), expected, "{fields}");
        assert!(!response.to_lowercase().contains("access-control-"), "{fields}: {response}");
        assert!(!response.contains(secret.text()), "{fields}: {response}");
    }
    let good = format!("{kind}{origin}");
    assert_eq!(status(&post(&path, &good)), "405");
    assert_eq!(status(&post("/", &good)), "404");
    let preflight = raw(
        port,
        &format!(
            "OPTIONS {delivery} HTTP/1.1\r\nhost: {own}\r\norigin: https://evil.example\r\n\
             access-control-request-method: POST\r\nconnection: close\r\n\r\n"
        ),
    );
    assert_eq!(status(&preflight), "405");
    assert!(!preflight.to_lowercase().contains("access-control-"), "{preflight}");

    let response = approve(&login.url);
    let verdict = deliver(&response);
    assert!(verdict.contains("\"good\""), "{verdict}");
    let run = login.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!run.all().contains(secret.text()), "{run:#?}");
}

#[test]
fn response_counts_once_for_its_own_login() {
    let stage = Stage::new();
    let first = stage.login(&[]);
    let response = approve(&first.url);
    assert!(deliver(&response).contains("\"good\""));
    assert_eq!(first.finish().code, Some(0));
    let token = stage.token().ok().to_owned();

    // The same response, delivered to the next login.
    let mut second = stage.login(&[]);
    let replayed = format!("{}#{}", second.callback_url(), response.split_once('#').unwrap().1);
    let output = deliver(&replayed);
    assert!(output.contains("\"bad\"") && output.contains("another login"), "{output}");
    second.running.wait_for_stderr("another login");
    // The first login's token is still stored, and the second login goes on.
    assert_eq!(stage.token().ok(), token);
    assert!(deliver(&approve(&second.url)).contains("\"good\""));
    let run = second.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!run.stderr.contains(&parameter(&response, "access_token")), "{run:#?}");
    assert_ne!(stage.token().ok(), token);
}

#[test]
fn repeated_foreign_requests_warn_once() {
    let stage = Stage::new();
    let login = stage.login(&[]);
    for _ in 0..50 {
        raw(login.port(), "GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n");
        raw(login.port(), "GET / HTTP/1.1\r\n\r\n");
    }
    assert!(deliver(&approve(&login.url)).contains("\"good\""));
    let run = login.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(run.stderr.matches("another host").count(), 1, "{run:#?}");
    assert_eq!(run.stderr.matches("exactly one Host").count(), 1, "{run:#?}");
}

/// Loopback names that are not the callback's own.
const HOSTS: [&str; 20] = [
    "evil.example",
    "evil.example:PORT",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.0.0.1.:PORT",
    "127.0.0.1:PORT.",
    "127.0.0.1:PORT:PORT",
    "127.0.0.1:0PORT",
    "127.0.0.1:+PORT",
    "127.1:PORT",
    "127.0.0.2:PORT",
    "127.0.0.1.evil.example:PORT",
    "x@127.0.0.1:PORT",
    "0.0.0.0:PORT",
    "2130706433:PORT",
    "0x7f.1:PORT",
    "localhost:PORT",
    "LOCALHOST:PORT",
    "[::1]:PORT",
    "[::ffff:127.0.0.1]:PORT",
];
