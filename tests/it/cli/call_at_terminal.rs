//! Tests of `gatepass call` at a terminal, and of curl's options.

use std::time::Duration;

use gatepass_tests::{Home, Received, Reply, Server, vendor};

use super::call::{api_requests, home, server};

/// Starts a CelerData API with this reply and returns a home with a profile for it.
fn api(reply: Reply) -> (Server, Home) {
    let vendor = vendor("celerdata");
    let server = server(vendor, move |_, _| reply.clone());
    let home = home(vendor, &server, "");
    (server, home)
}

const JSON: &str = r#"{"b":[1.50,{}],"a":"x"}"#;

#[test]
fn json_is_formatted_on_a_terminal_only() {
    let (_server, home) = api(Reply::json(200, JSON));
    assert_eq!(home.gatepass(["call", "celerdata", "/x"]).run().ok(), JSON);
    let call = || home.gatepass(["call", "celerdata", "/x"]);
    let (code, screen) = call().at_terminal().finish();
    assert_eq!(code, Some(0));
    assert!(screen.contains("\x1b[32m\"x\"\x1b[0m"), "{screen:?}");
    let (_, plain) = call().env("NO_COLOR", "1").at_terminal().finish();
    let formatted = "{\r\n  \"b\": [\r\n    1.50,\r\n    {}\r\n  ],\r\n  \"a\": \"x\"\r\n}\r\n";
    assert_eq!(plain, formatted);
}

#[test]
fn invalid_json_is_shown_unchanged() {
    let (_server, home) = api(Reply::new(200, "application/json", "{not json\n"));
    let (code, screen) = home.gatepass(["call", "celerdata", "/x"]).at_terminal().finish();
    assert_eq!((code, screen.as_str()), (Some(0), "{not json\r\n"));
}

#[test]
fn very_long_json_is_shown_unchanged() {
    let long = format!("[{}1]", "1234567,".repeat(200 * 1024));
    let (_server, home) = api(Reply::json(200, long.clone()));
    let (code, screen) = home.gatepass(["call", "celerdata", "/x"]).at_terminal().finish();
    assert_eq!(code, Some(0));
    assert!(screen == long, "{} bytes of {}", screen.len(), long.len());
}

#[test]
fn control_characters_are_escaped_on_a_terminal_only() {
    // Some terminals treat U+009B like ESC and a bracket.
    for body in ["\u{1b}[31mred", "PNG\u{0}\u{1a}", "\u{9b}31mred", "{\"a\": \"\u{9b}31mred"] {
        let (_server, home) = api(Reply::new(200, "image/png", body));
        let (code, screen) = home.gatepass(["call", "celerdata", "/x"]).at_terminal().finish();
        assert_eq!(code, Some(0));
        assert!(screen.contains("not text but image/png"), "{screen:?}");
        assert!(!screen.contains("PNG") && !screen.contains("31mred"), "{screen:?}");
        assert_eq!(home.gatepass(["call", "celerdata", "/x"]).run().ok(), body);
    }
}

#[test]
fn split_utf8_character_is_shown_whole() {
    let screen_after = |first: &[u8], second: &[u8]| {
        let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for piece in [first, second] {
            bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let (_server, home) = api(Reply::raw(bytes));
        let (code, screen) = home.gatepass(["call", "celerdata", "/x"]).at_terminal().finish();
        assert_eq!(code, Some(0));
        screen
    };
    assert_eq!(screen_after(b"caf\xc3", b"\xa9 \xe2\x82\xac"), "caf\u{e9} \u{20ac}");
    let screen = screen_after(b"caf\xc2", b"\x9b31mred");
    assert!(screen.starts_with("caf") && screen.contains("not text"), "{screen:?}");
    assert!(!screen.contains("31mred"), "{screen:?}");
    // Latin-1 text is not a control sequence.
    assert!(screen_after(b"caf\xe9", b" au lait").ends_with(" au lait"));
}

#[test]
fn response_head_is_escaped_on_a_terminal() {
    let head = "HTTP/1.1 200 OK\r\nx-red: a\u{9b}31mb\r\ncontent-length: 0\r\n\r\n";
    for args in [["call", "celerdata", "/x", "-i"], ["call", "celerdata", "HEAD", "/x"]] {
        let (_server, home) = api(Reply::raw(head));
        let (code, screen) = home.gatepass(args).at_terminal().finish();
        assert_eq!(code, Some(0));
        assert!(screen.contains("x-red: a\u{fffd}31mb"), "{screen:?}");
        assert!(home.gatepass(args).run().ok().contains("a\u{9b}31mb"));
    }
}

#[test]
fn ctrl_c_ends_a_hanging_call() {
    let (server, home) = api(Reply::silence());
    let mut terminal = home.gatepass(["call", "celerdata", "/x"]).at_terminal();
    server.arrival();
    server.arrival();
    terminal.interrupt();
    let (code, screen) = terminal.finish();
    assert_eq!((code, screen.as_str()), (None, "^C"));
}

fn last(server: &Server) -> Received {
    api_requests(server, vendor("celerdata")).pop().unwrap()
}

#[test]
fn method_option_works_as_in_curl() {
    let (server, home) = api(Reply::json(200, "{}"));
    for args in [
        ["-X", "DELETE", "/x"].as_slice(),
        &["-XDELETE", "/x"],
        &["/x", "-X", "delete"],
        &["/x", "--request", "DELETE"],
        &["--method", "DELETE", "/x"],
        &["delete", "/x"],
    ] {
        home.gatepass(["call", "celerdata"].iter().chain(args).copied()).run().ok();
        assert_eq!(last(&server).method, "DELETE", "{args:?}");
    }
    let twice = home.gatepass(["call", "celerdata", "-X", "PUT", "GET", "/x"]).run();
    assert!(twice.failed(2).contains("twice"), "{twice:#?}");
}

#[test]
fn body_content_type_follows_its_first_character() {
    let (server, home) = api(Reply::json(200, "{}"));
    for (body, kind) in [
        ("{\"a\": 1}", "application/json"),
        (" [1]", "application/json"),
        ("a=1&b=2", "application/x-www-form-urlencoded"),
        ("", "application/x-www-form-urlencoded"),
    ] {
        home.gatepass(["call", "celerdata", "/x", "-d", body]).run().ok();
        let call = last(&server);
        assert_eq!((call.method.as_str(), call.text()), ("POST", body));
        assert_eq!(call.header("content-type"), Some(kind), "{body:?}");
        assert_eq!(call.header("content-length"), Some(body.len().to_string().as_str()));
    }
}

#[test]
fn head_request_prints_the_head() {
    let (server, home) = api(Reply::empty(200).with("x-rows", "7"));
    let run = home.gatepass(["call", "celerdata", "HEAD", "/x"]).run();
    assert!(run.ok().starts_with("HTTP/1.1 200 OK\r\n"), "{run:#?}");
    assert!(run.stdout.contains("x-rows: 7\r\n") && run.stdout.ends_with("\r\n\r\n"), "{run:#?}");
    assert_eq!(last(&server).method, "HEAD");
}

#[test]
fn call_timeout_is_reported() {
    let (server, home) = api(Reply::silence());
    let args = ["call", "celerdata", "/x", "--timeout", "300ms", "--format", "json"];
    let started = std::time::Instant::now();
    let error = home.gatepass(args).run().error(6);
    assert!(started.elapsed() < Duration::from_secs(8), "{error}");
    assert_eq!(error["code"], "unavailable");
    assert!(error["hint"].as_str().unwrap().contains("--timeout"), "{error}");
    assert_eq!(api_requests(&server, vendor("celerdata")).len(), 1);
}
