//! A kept failure ends when its cause does: in the next command, and in a program that runs.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gatepass_tests::{Ca, Certificate, Home, Reply, Server, Step, vendor};

fn token_reply(token: &str, seconds: u32) -> Reply {
    let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{seconds}");
    Reply::json(200, format!("{{\"access_token\":\"{token}\",{fields}}}"))
}

fn refused() -> Reply {
    Reply::json(401, "{\"error\":\"invalid_client\"}")
}

/// Starts a vendor with TLS whose certificate comes from this CA.
fn with_tls(ca: &Ca) -> Server {
    let body = "{\"access_token\":\"token-1\",\"token_type\":\"Bearer\",\"expires_in\":600}";
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Server::behind_tls(
        ca.server(Certificate::Good),
        [Step::Request, Step::send(head + body), Step::Finish],
    )
}

/// A proxy that tunnels with a user name and responds 407 without. It ends with the test's process.
fn proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || tunnel(client));
        }
    });
    port
}

fn tunnel(mut client: TcpStream) -> io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    if !head.contains("proxy-authorization") {
        let response = "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: \
                        Basic realm=\"x\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return client.write_all(response.as_bytes());
    }
    let server = TcpStream::connect(head.split(' ').nth(1).unwrap_or_default())?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let copied = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
        copied
    });
    let (mut from, mut to) = (server, client);
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Both)
}

#[test]
fn rate_limit_or_outage_code_decides_the_exit_code() {
    for status in [400, 401, 403, 429, 500] {
        for (code, exit) in [
            ("rate_limit_exceeded", 5),
            ("too_many_requests", 5),
            ("over_rate_limit", 5),
            ("quota_exceeded", 5),
            ("internal_error", 6),
            ("invalid_client", 3),
        ] {
            let body = format!("{{\"error\":\"{code}\",\"error_description\":\"later\"}}");
            let server = Server::responding([Reply::json(status, body)]);
            let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
            let run = home.gatepass(["token", "cisco", "--wait", "0s"]).run();
            assert_eq!(run.code, Some(exit), "{status} {code}: {run:#?}");
        }
    }
}

#[test]
fn added_or_replaced_ca_file_counts_at_once() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = with_tls(&ca);
    let profile = |more: &str| vendor("cisco").profile(&server.url(), more);
    let home = Home::with_config(&profile(""));
    let run = || home.gatepass(["token", "cisco", "--wait", "0s"]).run();
    assert!(run().failed(6).contains("ca_file"));
    assert!(run().failed(6).contains("no request was sent"));
    let file = home.write("work/ca.pem", other.pem());
    home.write(CONFIG, &profile(&format!("ca_file = \"{}\"\n", file.display())));
    let with_other = run();
    assert!(!with_other.failed(6).contains("no request was sent"), "{with_other:#?}");
    // The same path, with other contents.
    home.write("work/ca.pem", ca.pem());
    assert_eq!(run().ok(), "token-1\n");
}

#[test]
fn proxy_that_is_corrected_or_removed_counts_at_once() {
    let ca = Ca::new();
    let server = with_tls(&ca);
    let port = proxy();
    let without_password = format!("http://127.0.0.1:{port}");
    for corrected in [
        [("HTTPS_PROXY", format!("http://user:pass@127.0.0.1:{port}"))].as_slice(),
        &[],
        &[("HTTPS_PROXY", without_password.clone()), ("NO_PROXY", "127.0.0.1".into())],
    ] {
        let home = Home::new();
        let file = home.write("work/ca.pem", ca.pem());
        let more = format!("ca_file = \"{}\"\n", file.display());
        home.write(CONFIG, &vendor("cisco").profile(&server.url(), &more));
        let command = || home.gatepass(["token", "cisco", "--wait", "0s"]);
        let run = command().env("HTTPS_PROXY", &without_password).run();
        assert!(run.all().contains("407"), "{run:#?}");
        let command = corrected.iter().fold(command(), |run, (name, value)| run.env(name, value));
        assert_eq!(command.run().ok(), "token-1\n", "{corrected:?}");
    }
}

#[test]
fn corrected_address_or_secret_counts_at_once() {
    let wrong = Server::responding([Reply::empty(404)]);
    let right = Server::new(|_, request| {
        match String::from_utf8_lossy(&request.body).contains("right-secret") {
            true => token_reply("token-1", 600),
            false => refused(),
        }
    });
    let profile = |server: &Server, secret: &str| {
        vendor("cisco").profile_with(&server.url(), "", |_| format!("\"{secret}\""))
    };
    let home = Home::with_config(&profile(&wrong, "wrong-secret"));
    let run = || home.gatepass(["token", "cisco", "--wait", "0s"]).run();
    run().failed(2);
    for _ in 0..2 {
        home.write(CONFIG, &profile(&right, "right-secret"));
        assert_eq!(run().ok(), "token-1\n");
        home.write(CONFIG, &profile(&right, "wrong-secret"));
        run().failed(3);
    }
    assert_eq!(right.requests().len(), 2);
}

#[test]
fn rejection_and_its_repetition_name_the_way_out() {
    let server = Server::responding([refused()]);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let command = ["gatepass", "token", "cisco", "--fresh"];
    for is_repeated in [false, true] {
        let run = home.gatepass(["token", "cisco", "--format", "json"]).run();
        let error = run.error(3);
        let hints = error["hints"].as_array().unwrap().iter();
        assert!(
            hints.map(|hint| &hint["command"]).any(|hint| *hint == serde_json::json!(command)),
            "{error:#}"
        );
        let message = error["message"].as_str().unwrap();
        assert_eq!(message.contains("no request was sent"), is_repeated, "{error:#}");
        let text = home.gatepass(["token", "cisco"]).run();
        assert!(text.failed(3).contains("gatepass token cisco --fresh"), "{text:#?}");
    }
    let why = home.gatepass(["why", "cisco", "--format", "json"]).run().json();
    let hints = why["exchanges"][0]["hints"].as_array().unwrap().iter();
    assert!(
        hints.map(|hint| &hint["command"]).any(|hint| *hint == serde_json::json!(command)),
        "{why:#}"
    );
    let text = home.gatepass(["why", "cisco"]).run();
    assert!(text.ok().contains("gatepass token cisco --fresh"), "{text:#?}");
    assert_eq!(server.requests().len(), 1);
    home.gatepass(["token", "cisco", "--fresh"]).run().failed(3);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn rejected_token_is_replaced_once_by_many_calls() {
    let tokens = Server::new(|n, _| token_reply(&format!("token-{n}"), 600));
    let api = Server::responding([Reply::empty(401)]);
    let home = Home::with_config(
        &vendor("cisco").profile(&tokens.url(), &format!("api_url = \"{}\"\n", api.url())),
    );
    let start = std::time::Instant::now();
    for _ in 0..6 {
        home.gatepass(["call", "cisco", "/hello", "--fail"]).run().failed(3);
    }
    // The first token, its replacement, and one more for each 5 s that passed.
    let allowed = 2 + start.elapsed().as_secs() / 5;
    let requests = tokens.requests().len() as u64;
    assert!((2..=allowed).contains(&requests), "{requests} requests, {allowed} allowed");
}

#[test]
fn running_program_gets_the_token_of_another_command() {
    let works = Arc::new(AtomicBool::new(false));
    let now = works.clone();
    let server = Server::new(move |n, _| match n {
        0 => token_reply("token-0", 4),
        _ if now.load(Ordering::SeqCst) => token_reply("token-of-the-command", 600),
        _ => refused(),
    });
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let script = "echo ready; until grep -q command token 2>/dev/null; do sleep 0.1; done";
    let args = ["exec", "cisco", "--file", "token", "--", "sh", "-c", script];
    let mut running = home.gatepass(args).spawn();
    assert_eq!(running.line(), "ready\n");
    running.wait_for_stderr("invalid_client");
    works.store(true, Ordering::SeqCst);
    home.gatepass(["token", "cisco", "--fresh"]).run().ok();
    assert_eq!(running.finish().code, Some(0));
    // The first token, the rejection, and the command's request.
    assert_eq!(server.requests().len(), 3);
}

/// This test takes a minute: the cool-down of a rejection is not shorter.
#[test]
fn running_program_survives_a_transient_rejection() {
    let server = Server::new(|n, _| match n {
        0 => token_reply("token-0", 6),
        1 => refused(),
        _ => token_reply("token-2", 600),
    });
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let script = "echo ready; until grep -q token-2 token 2>/dev/null; do sleep 0.1; done";
    let args = ["exec", "cisco", "--file", "token", "--", "sh", "-c", script];
    let mut running = home.gatepass(args).limit(Duration::from_secs(150)).spawn();
    assert_eq!(running.line(), "ready\n");
    running.wait_for_stderr("was removed");
    assert!(fs::metadata(home.path("work/token")).is_err());
    assert_eq!(running.finish().code, Some(0));
    assert_eq!(server.requests().len(), 3);
}

const CONFIG: &str = "config/gatepass/config.toml";
