//! Tests of `--wait`: how long a command tries again, and what it shows in the meantime.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use gatepass_tests::{Ca, Certificate, Home, Reply, Server, Step, Vendor, vendor};

/// Starts a token endpoint that sends this reply to the first requests, and tokens afterwards.
fn failing_first(vendor: &'static Vendor, count: usize, reply: Reply) -> (Server, Home) {
    let server = Server::new(move |n, request| match request.path() == vendor.token_path {
        true if n < count => reply.clone(),
        true => Reply::json(200, vendor.token_response("token-1")),
        false => Reply::json(200, "{}"),
    });
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    (server, home)
}

/// Starts a token endpoint that always sends this reply.
fn failing(vendor: &'static Vendor, reply: Reply) -> (Server, Home) {
    failing_first(vendor, usize::MAX, reply)
}

#[test]
fn outage_is_outlasted_in_every_command() {
    let cisco = vendor("cisco");
    let replies = [
        Reply::empty(503),
        Reply::empty(500),
        Reply::close(),
        Reply::empty(503).with("retry-after", "1"),
    ];
    for reply in replies {
        for args in [
            ["token", "cisco"].as_slice(),
            &["call", "cisco", "/x"],
            &["exec", "cisco", "--", "true"],
            &["token", "cisco", "--fresh", "--min-ttl", "1m"],
        ] {
            // More failures than the command once had tries.
            let (server, home) = failing_first(cisco, 4, reply.clone());
            let run = home.gatepass(args.iter().copied()).args(["--quiet"]).run();
            run.ok();
            let tokens = server.requests().into_iter().filter(|one| one.path() == cisco.token_path);
            assert_eq!(tokens.count(), 5, "{args:?}: {run:#?}");
        }
    }
}

#[test]
fn refused_connection_is_outlasted() {
    let cisco = vendor("cisco");
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let home = Home::with_config(&cisco.profile(&format!("http://{address}"), ""));
    let mut run = home.gatepass(["token", "cisco", "-v", "--wait", "60s"]).spawn();
    run.wait_for_stderr("connection refused");
    let listener = TcpListener::bind(address).unwrap();
    let (mut client, _) = listener.accept().unwrap();
    let body = cisco.token_response("token-1");
    let mut lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.is_empty()));
    let length = body.len();
    write!(client, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    assert_eq!(run.finish().ok(), "token-1\n");
}

#[test]
fn deadline_is_used_up() {
    let (server, home) = failing(vendor("cisco"), Reply::empty(503));
    let start = Instant::now();
    let run = home.gatepass(["token", "cisco", "--wait", "3s", "--format", "json"]).run();
    assert_eq!(run.error(6)["code"], "unavailable");
    assert!(start.elapsed() >= Duration::from_millis(2_500), "{:?}", start.elapsed());
    assert!((3..=20).contains(&server.requests().len()), "{}", server.requests().len());
}

#[test]
fn errors_that_a_retry_cannot_change_end_the_wait() {
    let vendor = vendor("cisco");
    let denied = Reply::json(401, r#"{"error":"invalid_client"}"#);
    let unknown_scope = Reply::json(400, r#"{"error":"invalid_scope"}"#);
    for (reply, code, requests) in
        [(denied, 3, 1), (unknown_scope, 2, 1), (Reply::json(200, "not JSON"), 6, 2)]
    {
        let (server, home) = failing(vendor, reply);
        let run = home.gatepass(["token", "cisco", "--wait", "60s"]).run();
        run.failed(code);
        assert_eq!(server.requests().len(), requests, "{run:#?}");
    }
    // A certificate that is not trusted.
    let ca = Ca::new();
    let server = Server::behind_tls(ca.server(Certificate::Good), [Step::Request]);
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    let run = home.gatepass(["token", "cisco", "--wait", "60s"]).run();
    assert!(run.failed(6).contains("certificate"), "{run:#?}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn vendor_delay_after_the_deadline_is_reported_at_once() {
    for (status, code, name) in [(429, 5, "throttled"), (503, 6, "unavailable")] {
        let (server, home) =
            failing(vendor("cisco"), Reply::empty(status).with("retry-after", "50"));
        for args in [
            ["token", "cisco", "--format", "json"].as_slice(),
            &["call", "cisco", "/x", "--format", "json"],
        ] {
            let before = jiff::Timestamp::now();
            let error = home.gatepass(args.iter().copied()).run().error(code);
            assert_eq!(error["code"], name, "{error}");
            let retry_at: jiff::Timestamp = error["retry_at"].as_str().unwrap().parse().unwrap();
            let delay = retry_at.duration_since(before).as_secs();
            assert!((40..=70).contains(&delay), "{error}");
            assert!(jiff::Timestamp::now().duration_since(before).as_secs() < 15);
        }
        // The second command finds the shared cool-down.
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn vendor_delay_before_the_deadline_is_waited_for() {
    let reply = Reply::empty(429).with("retry-after", "1");
    let (server, home) = failing_first(vendor("cisco"), 1, reply);
    let start = Instant::now();
    assert_eq!(home.gatepass(["token", "cisco", "--quiet"]).run().ok(), "token-1\n");
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn zero_wait_tries_once() {
    for wait in ["0", "0s"] {
        let (server, home) = failing(vendor("cisco"), Reply::empty(503));
        home.gatepass(["token", "cisco", "--wait", wait]).run().failed(6);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn request_in_flight_at_the_deadline_may_finish() {
    let cisco = vendor("cisco");
    let server = Server::new(move |_, _| {
        std::thread::sleep(Duration::from_millis(1_500));
        Reply::json(200, cisco.token_response("token-1"))
    });
    let home = Home::with_config(&cisco.profile(&server.url(), ""));
    assert_eq!(home.gatepass(["token", "cisco", "--wait", "1s"]).run().ok(), "token-1\n");
}

#[test]
fn terminal_shows_cause_and_remaining_time() {
    let (_server, home) = failing(vendor("cisco"), Reply::empty(503).with("retry-after", "2"));
    let mut terminal = home.gatepass(["token", "cisco", "--wait", "10s"]).at_terminal();
    terminal.wait_for("next try in 1s: cisco/cisco: the vendor returned a server err");
    let screen = terminal.screen();
    let last = screen.rsplit('\r').next().unwrap();
    assert!(last.starts_with("\u{1b}[2Kgatepass: ") && last.contains("s left, next"), "{screen:?}");
    terminal.interrupt();
    let (code, screen) = terminal.finish();
    assert_eq!(code, None, "a shell must see that a signal ended the command: {screen:?}");
    assert!(screen.ends_with("\r\u{1b}[2K"), "{screen:?}");
}

#[test]
fn line_about_slow_vendor_is_removed_before_token() {
    let cisco = vendor("cisco");
    let server = Server::new(move |_, _| {
        std::thread::sleep(Duration::from_millis(1_800));
        Reply::json(200, cisco.token_response("token-1"))
    });
    let home = Home::with_config(&cisco.profile(&server.url(), ""));
    let (code, screen) = home.gatepass(["token", "cisco", "--fresh"]).at_terminal().finish();
    assert_eq!(code, Some(0));
    assert!(screen.contains("left: cisco: waiting for the response"), "{screen:?}");
    assert!(screen.ends_with("\r\u{1b}[2Ktoken-1\r\n"), "{screen:?}");
    let quiet = home.gatepass(["token", "cisco", "--fresh", "--quiet"]).at_terminal().finish();
    assert_eq!(quiet, (Some(0), String::from("token-1\r\n")));
}

#[test]
fn verbose_names_requests_and_the_cached_token() {
    let (server, home) = vendor("cisco").counting("client_auth = \"query\"");
    let verbose = || home.gatepass(["token", "cisco", "-v"]).run();
    let first = verbose();
    first.ok();
    let post = format!("gatepass: POST {} 200 in ", server.url());
    let line = first.stderr.lines().find(|line| line.starts_with(&post));
    assert!(line.is_some_and(|line| line.ends_with(" ms")), "{first:#?}");
    assert!(first.stderr.contains("gatepass: cisco: new token, valid for 59 min"), "{first:#?}");
    // The second command sends no request, and prints no line about one.
    let second = verbose();
    assert_eq!(second.ok(), first.stdout);
    assert_eq!(second.stderr, "gatepass: cisco: cached token, 59 min left\n");
    assert_eq!(server.requests().len(), 1);
    for text in [first.all(), second.all()] {
        assert!(!text.contains("client_secret") && !text.contains('?'), "{text}");
    }
}
